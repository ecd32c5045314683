"""Names in clear, of entries in banks that serve DNS or a proxy.

Revision ID: 0014
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table; entries of before have no text."""
    op.create_table(
        "entry_text",
        sa.Column(
            "entry_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False, autoincrement=False
        ),
        sa.Column("text", sa.String(length=2048), nullable=False),
        sa.ForeignKeyConstraint(["entry_id"], ["entry.id"], name=op.f("fk_entry_text_entry_id")),
        sa.PrimaryKeyConstraint("entry_id", name=op.f("pk_entry_text")),
        comment="What an entry's value is the digest of, in clear; only in banks for DNS and proxies.",
    )
