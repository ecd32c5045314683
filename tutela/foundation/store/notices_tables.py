"""Tables of what others tell: takedown notices with their clocks, and reports of the public and of flaggers.

A notice names content by address, item or hash, in clear. What a member of the public wrote is sealed evidence; here is
only which case it opened.
"""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, String, Table, Text, UniqueConstraint

from tutela.foundation.store.tables import Id, metadata

notice = Table(
    "notice",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("authority", String(255), nullable=False),
    Column("reference", String(255), nullable=False),
    Column("law", String(255), nullable=False),
    Column("text", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("received_at", BigInteger, nullable=False),
    Column("due_at", BigInteger, nullable=False),
    Column("next_alarm_at", BigInteger),
    Column("alarms", Integer, nullable=False),
    Column("answer", Text),
    Column("answered_at", BigInteger),
    Column("answered_by", String(128)),
    Column("created_by", String(128), nullable=False),
    UniqueConstraint("authority", "reference"),
    Index(None, "state", "next_alarm_at"),
    Index(None, "state", "due_at"),
)

notice_target = Table(
    "notice_target",
    metadata,
    Column("id", Id, primary_key=True),
    Column("notice_id", String(32), ForeignKey("notice.id"), nullable=False),
    Column("position", Integer, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("value", Text, nullable=False),
    Column("outcome", String(16)),
    Column("decided_at", BigInteger),
    UniqueConstraint("notice_id", "position"),
    comment="kind: url, item or a signal type. outcome: removed, not-found, refused; none until it is answered.",
)

intake = Table(
    "intake",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("source", String(160), nullable=False),
    Column("category", String(32), nullable=False),
    Column("received_at", BigInteger, nullable=False),
    Column("evidence_id", String(32), ForeignKey("evidence.id"), nullable=False),
    Column("case_id", String(64), nullable=False, index=True),
    Index(None, "source", "received_at"),
    comment="source: public, or flagger:NAME.",
)
