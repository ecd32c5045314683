"""The table of entries with several values: the frames of a video, further views of a picture."""

from sqlalchemy import BigInteger, Column, Float, ForeignKey, Index, Integer, String, Table

from tutela.store.tables import metadata

_Id = BigInteger().with_variant(Integer, "sqlite")

entry_value = Table(
    "entry_value",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("entry_id", _Id, ForeignKey("entry.id"), nullable=False),
    Column("signal_id", _Id, ForeignKey("signal.id"), nullable=False),
    Column("view", String(64), nullable=False),
    Column("seconds", Float(53)),
    Column("quality", Integer),
    Index(None, "entry_id", "id"),
    Index(None, "signal_id"),
    comment="What an entry stands for beside its own value. A signal is active while an active entry has it here too.",
)
