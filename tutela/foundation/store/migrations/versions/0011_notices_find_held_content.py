"""Held content is found by its address, as a keyed pseudonym, and by its MD5.

Revision ID: 0011
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; they are empty for what was held before."""
    for name, length in (("address", 64), ("md5", 32)):
        op.add_column("case_item", sa.Column(name, sa.String(length=length), nullable=True))
        op.create_index(op.f(f"ix_case_item_{name}"), "case_item", [name])
