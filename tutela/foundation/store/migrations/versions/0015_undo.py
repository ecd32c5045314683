"""What was decided together can be undone while the platform has not been told; passkeys have names.

Revision ID: 0015
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; what was decided before is not undone."""
    op.add_column("case_decision", sa.Column("press", sa.String(length=32), nullable=True))
    op.add_column("case_decision", sa.Column("deliveries", sa.JSON(), nullable=True))
    op.create_index(op.f("ix_case_decision_press"), "case_decision", ["press"])
    op.add_column("passkey", sa.Column("name", sa.String(length=128), nullable=True))
