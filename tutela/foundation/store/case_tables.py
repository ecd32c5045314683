"""The tables of cases, their items, decisions and reports. Times are microseconds since the epoch, UTC.

In clear: hashes, labels, the platform's own item names, who decided what. Not in clear: who uploaded and the address of
what was uploaded (keyed pseudonyms), and whatever else the platform said, which is sealed with the evidence.
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
    String,
    Table,
    Text,
    UniqueConstraint,
)

from tutela.foundation.store.tables import Id, metadata

case = Table(
    "case_file",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("state", String(16), nullable=False),
    Column("queue", String(16), nullable=False),
    Column("urgency", Integer, nullable=False),
    Column("label", String(64)),
    Column("uploader", String(64), index=True),
    Column("claimed_by", String(128)),
    Column("claimed_until", BigInteger),
    Column("alarms", Integer, nullable=False),
    Column("next_alarm_at", BigInteger),
    Column("opened_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Index(None, "state", "urgency", "opened_at"),
    Index(None, "state", "next_alarm_at"),
)

case_item = Table(
    "case_item",
    metadata,
    Column("id", Id, primary_key=True),
    Column("case_id", String(32), ForeignKey("case_file.id"), nullable=False, index=True),
    Column("verdict_id", String(32), ForeignKey("verdict.id"), unique=True),
    Column("evidence_id", String(32), ForeignKey("evidence.id"), nullable=False, unique=True),
    Column("item", String(255), index=True),
    Column("at", BigInteger, nullable=False),
    Column("sha256", String(64), index=True),
    Column("md5", String(32), index=True),
    Column("pdq", LargeBinary),
    Column("address", String(64), index=True),
    Column("media_type", String(128)),
    Column("byte_length", BigInteger),
    Column("label", String(64)),
    Column("banks", JSON, nullable=False),
    Column("entry_id", BigInteger),
    Column("similar", String(32), nullable=False, index=True),
    Column("decided", Boolean, nullable=False),
    Index(None, "entry_id"),
    comment="similar: the same for items that show nearly the same picture, in any case. "
    "entry_id: of its nearest match.",
)

case_decision = Table(
    "case_decision",
    metadata,
    Column("id", Id, primary_key=True),
    Column("case_id", String(32), ForeignKey("case_file.id"), nullable=False, index=True),
    Column("item_id", Id, ForeignKey("case_item.id"), nullable=False, index=True),
    Column("outcome", String(16), nullable=False),
    Column("label", String(64)),
    Column("made_by", String(128), nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("final", Boolean, nullable=False),
    Column("set_aside", Boolean, nullable=False),
    Column("press", String(32), index=True),
    Column("deliveries", JSON),
)

case_report = Table(
    "case_report",
    metadata,
    Column("id", Id, primary_key=True),
    Column("case_id", String(32), ForeignKey("case_file.id"), nullable=False),
    Column("target", String(64), nullable=False),
    Column("reference", String(255), nullable=False),
    Column("at", BigInteger, nullable=False),
    UniqueConstraint("case_id", "target", "reference"),
)
