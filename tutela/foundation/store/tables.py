"""The tables, as SQLAlchemy Core describes them. Times are microseconds since the epoch, UTC.

A value that several lists carry lives once, in `signal`; every `entry` refers to it. `signal.sequence` is the place of
the value's last change in the one order of all changes that the `clock` gives out.
"""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

Id = BigInteger().with_variant(Integer, "sqlite")
"""Of row numbers: SQLite gives them out only for a column of exactly this type."""

meta = Table(
    "meta",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("value", Text, nullable=False),
)

clock = Table(
    "clock",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("sequence", BigInteger, nullable=False),
    Column("banks", BigInteger, nullable=False),
    comment="One row. sequence: the last change of any value; banks: the last change of any bank's policy.",
)

bank = Table(
    "bank",
    metadata,
    Column("id", Id, primary_key=True),
    Column("name", String(128), nullable=False, unique=True),
    Column("kind", String(16), nullable=False),
    Column("label", String(64)),
    Column("description", Text, nullable=False),
    Column("action", String(16), nullable=False),
    Column("thresholds", JSON, nullable=False),
    Column("min_quality", Integer, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("uses", JSON, nullable=False, server_default='["platform", "search"]'),
)

signal = Table(
    "signal",
    metadata,
    Column("id", Id, primary_key=True),
    Column("type", String(64), nullable=False),
    Column("value", LargeBinary, nullable=False),
    Column("active", Boolean, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    UniqueConstraint("type", "value"),
    Index(None, "type", "sequence"),
)

import_run = Table(
    "import_run",
    metadata,
    Column("id", Id, primary_key=True),
    Column("bank_id", Id, ForeignKey("bank.id"), nullable=False),
    Column("source", String(255), nullable=False),
    Column("fingerprint", String(128), nullable=False),
    Column("actor", String(128), nullable=False),
    Column("lines", BigInteger, nullable=False),
    Column("added", BigInteger, nullable=False),
    Column("unchanged", BigInteger, nullable=False),
    Column("rejected", BigInteger, nullable=False),
    Column("finished", Boolean, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Index(None, "bank_id", "fingerprint"),
)

entry = Table(
    "entry",
    metadata,
    Column("id", Id, primary_key=True),
    Column("bank_id", Id, ForeignKey("bank.id"), nullable=False),
    Column("signal_id", Id, ForeignKey("signal.id"), nullable=False),
    Column("source", String(255), nullable=False),
    Column("reference", String(255), nullable=False),
    Column("label", String(64)),
    Column("note", Text),
    Column("state", String(16), nullable=False),
    Column("reason", Text),
    Column("created_by", String(128), nullable=False),
    Column("import_id", Id, ForeignKey("import_run.id")),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    UniqueConstraint("signal_id", "bank_id", "source", "reference"),
    Index(None, "bank_id", "id"),
)

event = Table(
    "event",
    metadata,
    Column("id", Id, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("subject", String(16), nullable=False),
    Column("subject_id", Id, nullable=False),
    Column("actor", String(128), nullable=False),
    Column("action", String(64), nullable=False),
    Column("detail", JSON, nullable=False),
    Index(None, "subject", "subject_id", "id"),
    comment="History of banks and entries. subject: bank or entry.",
)

api_key = Table(
    "api_key",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("name", String(128), nullable=False),
    Column("secret_sha256", LargeBinary, nullable=False),
    Column("scopes", JSON, nullable=False),
    Column("person_id", String(32), index=True),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger),
    Column("revoked_at", BigInteger),
    Column("last_used_at", BigInteger),
)

verdict = Table(
    "verdict",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("at", BigInteger, nullable=False, index=True),
    Column("decision", String(16), nullable=False),
    Column("content_sha256", String(64)),
    Column("document", JSON, nullable=False),
)
