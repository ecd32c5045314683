"""Where a bank counts: on the platform, in search, in a proxy, in DNS.

Revision ID: 0013
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; every bank of before counts on the platform and in search."""
    usual = '["platform", "search"]'
    op.add_column("bank", sa.Column("uses", sa.JSON(), server_default=usual, nullable=False))
