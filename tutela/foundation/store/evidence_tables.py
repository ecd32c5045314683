"""The tables of sealed evidence, its legal holds, and the audit log. Times are microseconds since the epoch, UTC."""

from sqlalchemy import JSON, BigInteger, Column, ForeignKey, Index, Integer, LargeBinary, String, Table, Text

from tutela.foundation.store.tables import Id, metadata

evidence = Table(
    "evidence",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("content_sha256", String(64)),
    Column("content_object", String(64)),
    Column("content_bytes", BigInteger),
    Column("context_object", String(64), nullable=False),
    Column("wrapped_key", LargeBinary),
    Column("recipients", JSON, nullable=False),
    Column("state", String(16), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("keep_until", BigInteger),
    Column("destroyed_at", BigInteger),
    Column("destroyed_why", Text),
    Index(None, "state", "keep_until"),
    Index(None, "content_sha256"),
    comment="Objects are named by the SHA-256 of their sealed bytes. wrapped_key: the heads of their age files, "
    "without which nothing opens them. state: kept, shredded or destroyed.",
)

evidence_hold = Table(
    "evidence_hold",
    metadata,
    Column("id", Id, primary_key=True),
    Column("evidence_id", String(32), ForeignKey("evidence.id"), nullable=False, index=True),
    Column("reference", String(255), nullable=False),
    Column("reason", Text, nullable=False),
    Column("placed_by", String(128), nullable=False),
    Column("placed_at", BigInteger, nullable=False),
    Column("released_by", String(128)),
    Column("released_at", BigInteger),
    Column("released_why", Text),
    comment="Legal holds: while one is not released, its evidence is not destroyed.",
)

audit = Table(
    "audit",
    metadata,
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),
    Column("actor", String(128), nullable=False),
    Column("action", String(64), nullable=False),
    Column("subject", String(160), nullable=False),
    Column("detail", Text, nullable=False),
    Column("chain", LargeBinary, nullable=False),
    Index(None, "subject", "sequence"),
    comment="Only appended to. chain: SHA-256 of the row before's chain and this row's leaf hash.",
)

audit_head = Table(
    "audit_head",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("size", BigInteger, nullable=False),
    Column("chain", LargeBinary, nullable=False),
    Column("frontier", JSON, nullable=False),
    comment="One row; whoever appends holds it until they commit. frontier: roots of the tree's whole subtrees.",
)

audit_checkpoint = Table(
    "audit_checkpoint",
    metadata,
    Column("id", Id, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("note", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
)
