"""Alarms about accounts, and the words of conversations that cases ask for and people are shown.

Revision ID: 0018
"""

import sqlalchemy as sa
from alembic import op

from tutela.foundation.store.tables import Id

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "risk_alarm",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("account", sa.String(length=64), nullable=False),
        sa.Column("level", sa.String(length=16), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("raised_at", sa.BigInteger(), nullable=False),
        sa.Column("case_id", sa.String(length=32), nullable=True),
        sa.Column("item_id", Id, nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["case_file.id"], name=op.f("fk_risk_alarm_case_id")),
        sa.ForeignKeyConstraint(["item_id"], ["case_item.id"], name=op.f("fk_risk_alarm_item_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_risk_alarm")),
        sa.UniqueConstraint("key", name=op.f("uq_risk_alarm_key")),
        comment="key: the account's number in the state, and the ledger's position."
        " state: open, decided, clear, cleared or restore.",
    )
    for column in ("account", "case_id", "item_id", "state"):
        op.create_index(op.f(f"ix_risk_alarm_{column}"), "risk_alarm", [column])
    op.create_table(
        "risk_words",
        sa.Column("id", Id, nullable=False),
        sa.Column("case_id", sa.String(length=32), nullable=False),
        sa.Column("evidence_id", sa.String(length=32), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("lines", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["case_file.id"], name=op.f("fk_risk_words_case_id")),
        sa.ForeignKeyConstraint(["evidence_id"], ["evidence.id"], name=op.f("fk_risk_words_evidence_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_risk_words")),
        sa.UniqueConstraint("evidence_id", name=op.f("uq_risk_words_evidence_id")),
        comment="Words of a conversation that the platform gave for a case; sealed.",
    )
    op.create_index(op.f("ix_risk_words_case_id"), "risk_words", ["case_id"])
    op.create_table(
        "words_shown",
        sa.Column("id", Id, nullable=False),
        sa.Column("person", sa.String(length=128), nullable=False),
        sa.Column("case_id", sa.String(length=32), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("words", sa.Integer(), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_words_shown")),
        comment="What of conversations people were shown. step: 1 the lines with most evidence, 2 those around, 3 all.",
    )
    for column in ("person", "case_id"):
        op.create_index(op.f(f"ix_words_shown_{column}"), "words_shown", [column])
