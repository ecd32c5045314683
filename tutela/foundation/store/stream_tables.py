"""The tables of live streams: what was watched, what happened to each, and weak signals that rank them for a person.
Times are microseconds since the epoch, UTC."""

from sqlalchemy import JSON, BigInteger, Boolean, Column, Float, Index, Integer, String, Table, Text

from tutela.foundation.store.tables import Id, metadata

stream = Table(
    "stream",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("server", String(64), nullable=False),
    Column("app", String(255), nullable=False),
    Column("name", String(255), nullable=False),
    Column("publisher", String(64), nullable=False),
    Column("session", String(255), nullable=False),
    Column("holder", String(32), nullable=False),
    Column("state", String(16), nullable=False),
    Column("why", String(64), nullable=False),
    Column("admitted_at", BigInteger, nullable=False),
    Column("seen_at", BigInteger, nullable=False),
    Column("cleared_at", BigInteger),
    Column("ended_at", BigInteger),
    Column("samples", Integer, nullable=False),
    Column("hits", Integer, nullable=False),
    Column("pauses", Integer, nullable=False),
    Column("unwatched_s", Float, nullable=False),
    Column("lag_s", Float, nullable=False),
    Column("late_keys", Boolean, nullable=False),
    Column("verdict_id", String(32), index=True),
    Column("matches", JSON),
    Column("kept", Boolean, nullable=False),
    Column("refused_until", BigInteger),
    Column("asked", String(16)),
    Column("asked_by", String(128)),
    Index(None, "state", "admitted_at"),
    Index(None, "publisher", "refused_until"),
    comment="publisher: a keyed pseudonym. asked: what a person wants, until the watch has done it. "
    "kept: whether what a cut led to is sealed and in a case.",
)

stream_event = Table(
    "stream_event",
    metadata,
    Column("id", Id, primary_key=True),
    Column("stream_id", String(32), nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("kind", String(32), nullable=False),
    Column("detail", JSON, nullable=False),
    Index(None, "stream_id", "id"),
    comment="The time line of each stream.",
)

stream_signal = Table(
    "stream_signal",
    metadata,
    Column("id", Id, primary_key=True),
    Column("stream_id", String(32), nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("kind", String(32), nullable=False),
    Column("weight", Float, nullable=False),
    Column("reason", Text, nullable=False),
    Column("expires_at", BigInteger, nullable=False, index=True),
    Index(None, "stream_id"),
    comment="Weak reasons for a person to look at a stream; never a reason to end one.",
)
