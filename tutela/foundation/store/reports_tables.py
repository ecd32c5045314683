"""Tables of reports to the outside: what is filed where, how far it is, and every step that was made.

What a report says, and about whom, is in `report.sealed` alone, and only whoever has the review key can read it.
"""

from sqlalchemy import (
    BigInteger,
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

report = Table(
    "report",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("key", String(255), nullable=False, unique=True),
    Column("case_id", String(64), index=True),
    Column("environment", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("stuck_in", String(16)),
    Column("reason", Text),
    Column("sealed", LargeBinary, nullable=False),
    Column("number", BigInteger),
    Column("opened_at", BigInteger),
    Column("changed_at", BigInteger),
    Column("restarts", Integer, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("due_at", BigInteger, nullable=False),
    Column("holder", String(32)),
    Column("held_until", BigInteger, nullable=False),
    Column("created_by", String(128), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("finished_at", BigInteger),
    Index(None, "state", "due_at"),
    comment="key: what it is for, so that nothing is reported twice. number: NCMEC's, stored before the next step.",
)

report_file = Table(
    "report_file",
    metadata,
    Column("id", Id, primary_key=True),
    Column("report_id", String(32), ForeignKey("report.id"), nullable=False),
    Column("position", Integer, nullable=False),
    Column("evidence", String(255), nullable=False, index=True),
    Column("state", String(16), nullable=False),
    Column("file_id", String(255)),
    UniqueConstraint("report_id", "position"),
)

report_event = Table(
    "report_event",
    metadata,
    Column("id", Id, primary_key=True),
    Column("report_id", String(32), ForeignKey("report.id"), nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("actor", String(128), nullable=False),
    Column("action", String(64), nullable=False),
    Column("number", BigInteger),
    Column("code", Integer),
    Column("detail", Text, nullable=False),
    Index(None, "report_id", "id"),
)
