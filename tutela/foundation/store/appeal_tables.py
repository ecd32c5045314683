"""Tables of what follows a page or name that was blocked: appeals with their clocks, and counts that watch nobody.

What was written in an appeal is sealed evidence; here is which entry it is about. A count has an hour and a list's
name, nothing of who asked or for what.
"""

from sqlalchemy import JSON, BigInteger, Boolean, Column, ForeignKey, Index, Integer, String, Table, UniqueConstraint

from tutela.foundation.store.tables import Id, metadata

appeal = Table(
    "appeal",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("reference", String(24), nullable=False, index=True),
    Column("entry_id", Id, ForeignKey("entry.id"), nullable=False, index=True),
    Column("case_id", String(32), ForeignKey("case_file.id"), nullable=False, index=True),
    Column("state", String(16), nullable=False),
    Column("signs", JSON, nullable=False),
    Column("suspended", JSON, nullable=False),
    Column("received_at", BigInteger, nullable=False),
    Column("due_at", BigInteger, nullable=False),
    Column("next_alarm_at", BigInteger),
    Column("alarms", Integer, nullable=False),
    Column("wants_answer", Boolean, nullable=False),
    Column("answered_at", BigInteger),
    Column("answered_by", String(128)),
    Index(None, "state", "next_alarm_at"),
    Index(None, "state", "due_at"),
    comment="state: open, lifted, upheld. suspended: the entries that count for nothing until it is answered.",
)

request_count = Table(
    "request_count",
    metadata,
    Column("id", Id, primary_key=True),
    Column("hour", BigInteger, nullable=False),
    Column("rule_set", String(128), nullable=False),
    Column("what", String(16), nullable=False),
    Column("count", BigInteger, nullable=False),
    UniqueConstraint("hour", "rule_set", "what"),
    comment="Requests of an hour, by list; nothing under 20 is written.",
)
