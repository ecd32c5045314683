"""Which parameters of a page's query count.

Revision ID: 0019
"""

import sqlalchemy as sa
from alembic import op

from tutela.foundation.store.tables import Id

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table; of entries of before, all parameters count."""
    op.create_table(
        "entry_keys",
        sa.Column("entry_id", Id, nullable=False, autoincrement=False),
        sa.Column("keys", sa.String(length=2048), nullable=False),
        sa.ForeignKeyConstraint(["entry_id"], ["entry.id"], name=op.f("fk_entry_keys_entry_id")),
        sa.PrimaryKeyConstraint("entry_id", name=op.f("pk_entry_keys")),
        comment="keys: the names of a page's query parameters that count, in order, with commas between.",
    )
