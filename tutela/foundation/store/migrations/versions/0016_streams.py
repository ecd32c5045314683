"""Live streams: what was watched, the time line of each, and weak signals.

Revision ID: 0016
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "stream",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("server", sa.String(64), nullable=False),
        sa.Column("app", sa.String(255), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("publisher", sa.String(64), nullable=False),
        sa.Column("session", sa.String(255), nullable=False),
        sa.Column("holder", sa.String(32), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("why", sa.String(64), nullable=False),
        sa.Column("admitted_at", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.Column("cleared_at", sa.BigInteger()),
        sa.Column("ended_at", sa.BigInteger()),
        sa.Column("samples", sa.Integer(), nullable=False),
        sa.Column("hits", sa.Integer(), nullable=False),
        sa.Column("pauses", sa.Integer(), nullable=False),
        sa.Column("unwatched_s", sa.Float(), nullable=False),
        sa.Column("lag_s", sa.Float(), nullable=False),
        sa.Column("late_keys", sa.Boolean(), nullable=False),
        sa.Column("verdict_id", sa.String(32)),
        sa.Column("matches", sa.JSON()),
        sa.Column("kept", sa.Boolean(), nullable=False),
        sa.Column("refused_until", sa.BigInteger()),
        sa.Column("asked", sa.String(16)),
        sa.Column("asked_by", sa.String(128)),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stream")),
        comment="publisher: a keyed pseudonym. asked: what a person wants, until the watch has done it. "
        "kept: whether what a cut led to is sealed and in a case.",
    )
    op.create_index(op.f("ix_stream_verdict_id"), "stream", ["verdict_id"])
    op.create_index(op.f("ix_stream_state_admitted_at"), "stream", ["state", "admitted_at"])
    op.create_index(op.f("ix_stream_publisher_refused_until"), "stream", ["publisher", "refused_until"])
    op.create_table(
        "stream_event",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("stream_id", sa.String(32), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stream_event")),
        comment="The time line of each stream.",
    )
    op.create_index(op.f("ix_stream_event_stream_id_id"), "stream_event", ["stream_id", "id"])
    op.create_table(
        "stream_signal",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("stream_id", sa.String(32), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("weight", sa.Float(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stream_signal")),
        comment="Weak reasons for a person to look at a stream; never a reason to end one.",
    )
    op.create_index(op.f("ix_stream_signal_stream_id"), "stream_signal", ["stream_id"])
    op.create_index(op.f("ix_stream_signal_expires_at"), "stream_signal", ["expires_at"])
