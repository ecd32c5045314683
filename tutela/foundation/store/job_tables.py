"""The table of screenings that are answered later. Times are microseconds since the epoch, UTC."""

from sqlalchemy import JSON, BigInteger, Column, Index, Integer, LargeBinary, String, Table, Text

from tutela.foundation.store.tables import metadata

job = Table(
    "job",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("spool", String(32), nullable=False),
    Column("actor", String(128), nullable=False),
    Column("state", String(16), nullable=False),
    Column("byte_length", BigInteger, nullable=False),
    Column("sealed_key", LargeBinary),
    Column("attempts", Integer, nullable=False),
    Column("holder", String(32)),
    Column("held_until", BigInteger),
    Column("verdict", JSON),
    Column("error", Text),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Index(None, "spool", "state"),
    Index(None, "state", "updated_at"),
    comment="state: pending, done or failed. sealed_key: opens the upload in the spool; gone with it.",
)
