"""The table of outward calls that are still to be made, or were made. Times are microseconds since the epoch, UTC."""

from sqlalchemy import JSON, BigInteger, Column, Index, Integer, String, Table, Text, UniqueConstraint

from tutela.foundation.store.tables import Id, metadata

outbox = Table(
    "outbox",
    metadata,
    Column("id", Id, primary_key=True),
    Column("topic", String(64), nullable=False),
    Column("key", String(255), nullable=False),
    Column("lane", String(255)),
    Column("payload", JSON, nullable=False),
    Column("progress", JSON, nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_at", BigInteger, nullable=False),
    Column("holder", String(32)),
    Column("last_error", Text),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    UniqueConstraint("topic", "key"),
    Index(None, "state", "next_at"),
    Index(None, "lane", "state", "id"),
    comment="state: pending, done or dead. holder: who has it until next_at. lane: rows of one go in the order of id.",
)
