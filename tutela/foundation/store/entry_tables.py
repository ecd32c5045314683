"""The table of entries with several values: the frames of a video, further views of a picture."""

from sqlalchemy import Column, Float, ForeignKey, Index, Integer, String, Table

from tutela.foundation.store.tables import Id, metadata

entry_value = Table(
    "entry_value",
    metadata,
    Column("id", Id, primary_key=True),
    Column("entry_id", Id, ForeignKey("entry.id"), nullable=False),
    Column("signal_id", Id, ForeignKey("signal.id"), nullable=False),
    Column("view", String(64), nullable=False),
    Column("seconds", Float(53)),
    Column("quality", Integer),
    Index(None, "entry_id", "id"),
    Index(None, "signal_id"),
    comment="What an entry stands for beside its own value. A signal is active while an active entry has it here too.",
)

entry_keys = Table(
    "entry_keys",
    metadata,
    Column("entry_id", Id, ForeignKey("entry.id"), primary_key=True, autoincrement=False),
    Column("keys", String(2048), nullable=False),
    comment="keys: the names of a page's query parameters that count, in order, with commas between.",
)

entry_text = Table(
    "entry_text",
    metadata,
    Column("entry_id", Id, ForeignKey("entry.id"), primary_key=True, autoincrement=False),
    Column("text", String(2048), nullable=False),
    comment="What an entry's value is the digest of, in clear; only in banks for DNS and proxies.",
)
