"""Entries with several values.

Revision ID: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "entry_value",
        sa.Column("id", _Id, nullable=False),
        sa.Column("entry_id", _Id, nullable=False),
        sa.Column("signal_id", _Id, nullable=False),
        sa.Column("view", sa.String(length=64), nullable=False),
        sa.Column("seconds", sa.Float(precision=53), nullable=True),
        sa.Column("quality", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["entry_id"], ["entry.id"], name=op.f("fk_entry_value_entry_id")),
        sa.ForeignKeyConstraint(["signal_id"], ["signal.id"], name=op.f("fk_entry_value_signal_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_entry_value")),
        comment="What an entry stands for beside its own value."
        " A signal is active while an active entry has it here too.",
    )
    op.create_index(op.f("ix_entry_value_entry_id_id"), "entry_value", ["entry_id", "id"], unique=False)
    op.create_index(op.f("ix_entry_value_signal_id"), "entry_value", ["signal_id"], unique=False)
