"""The tables of risk: alarms about accounts, and the words that a case asked the platform for. Times are microseconds
since the epoch, UTC.

In clear: reasons as codes, counts and times, opaque names of messages. Not in clear: whose account it is (a keyed
pseudonym), and every word.
"""

from sqlalchemy import JSON, BigInteger, Column, ForeignKey, Integer, String, Table

from tutela.foundation.store.tables import Id, metadata

risk_alarm = Table(
    "risk_alarm",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("key", String(64), nullable=False, unique=True),
    Column("account", String(64), nullable=False, index=True),
    Column("level", String(16), nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("raised_at", BigInteger, nullable=False),
    Column("case_id", String(32), ForeignKey("case_file.id"), index=True),
    Column("item_id", Id, ForeignKey("case_item.id"), index=True),
    Column("state", String(16), nullable=False, index=True),
    Column("document", JSON, nullable=False),
    comment="key: the account's number in the state, and the ledger's position."
    " state: open, decided, clear, cleared or restore.",
)

risk_words = Table(
    "risk_words",
    metadata,
    Column("id", Id, primary_key=True),
    Column("case_id", String(32), ForeignKey("case_file.id"), nullable=False, index=True),
    Column("evidence_id", String(32), ForeignKey("evidence.id"), nullable=False, unique=True),
    Column("at", BigInteger, nullable=False),
    Column("lines", Integer, nullable=False),
    comment="Words of a conversation that the platform gave for a case; sealed.",
)

words_shown = Table(
    "words_shown",
    metadata,
    Column("id", Id, primary_key=True),
    Column("person", String(128), nullable=False, index=True),
    Column("case_id", String(32), nullable=False, index=True),
    Column("at", BigInteger, nullable=False),
    Column("words", Integer, nullable=False),
    Column("step", Integer, nullable=False),
    comment="What of conversations people were shown. step: 1 the lines with most evidence, 2 those around, 3 all.",
)
