"""An API key can be a person's: what it does, that person did.

Revision ID: 0012
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; the keys there are stay nobody's."""
    op.add_column("api_key", sa.Column("person_id", sa.String(length=32), nullable=True))
    op.create_index(op.f("ix_api_key_person_id"), "api_key", ["person_id"])
