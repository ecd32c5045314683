"""The audit log: every access, decision, export and use of a key, a row each, that can only be appended to.

Each row is chained to the one before it, and all are the leaves of a Merkle tree whose root checkpoints sign. The log
holds no personal data and no content: it names things by id.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from tutela.casework.audit.merkle import frontier_root, grow, leaf_hash
from tutela.errors import InputError, NotFoundError
from tutela.foundation.store.database import Store, moment, now
from tutela.foundation.store.evidence_tables import audit, audit_head

GENESIS = bytes(32)
MAX_DETAIL = 65_536
_PAGE = 1_000


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One row of the log."""

    sequence: int
    """Its place, from 0, without gaps."""
    at: datetime
    actor: str
    action: str
    subject: str
    """What it is about: `case:…`, `evidence:…`, `key:…`."""
    detail: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Head:
    """How far the log is."""

    size: int
    chain: bytes
    root: bytes
    """Of the Merkle tree over all rows."""


def lock(connection: Connection) -> None:
    """Let nobody else append until the caller's transaction ends.

    `append` does it too. A transaction that takes other locks as well takes this one first, so that two of them never
    wait for each other.
    """
    if connection.dialect.name != "sqlite":  # a SQLite transaction that writes has the database to itself
        connection.execute(select(audit_head.c.id).with_for_update())


def append(
    connection: Connection, actor: str, action: str, subject: str, detail: Mapping[str, Any] | None = None
) -> int:
    """Append a row, in the caller's transaction; its place. Raises InputError for a text that is too long."""
    text = json.dumps(dict(detail or {}), sort_keys=True, separators=(",", ":"))
    if len(actor) > 128 or len(action) > 64 or len(subject) > 160 or len(text) > MAX_DETAIL:
        raise InputError("an audit row's actor, action, subject or detail is too long")
    lock(connection)
    head = connection.execute(select(audit_head)).one()
    at = now()
    leaf = leaf_hash(record_of(head.size, at, actor, action, subject, text))
    chain = chained(bytes(head.chain), leaf)
    frontier = grow([bytes.fromhex(one) for one in head.frontier], head.size, leaf)
    connection.execute(
        insert(audit).values(
            sequence=head.size, at=at, actor=actor, action=action, subject=subject, detail=text, chain=chain
        )
    )
    connection.execute(
        update(audit_head).values(size=head.size + 1, chain=chain, frontier=[one.hex() for one in frontier])
    )
    return int(head.size)


def record_of(sequence: int, at: int, actor: str, action: str, subject: str, detail: str) -> bytes:
    """The bytes of a row that are hashed: a JSON list of its fields, `detail` as the text that is stored."""
    return json.dumps([sequence, at, actor, action, subject, detail], separators=(",", ":")).encode()


def record_of_row(row: Row[Any]) -> bytes:
    """As `record_of`, of a row of the table."""
    return record_of(row.sequence, row.at, row.actor, row.action, row.subject, row.detail)


def chained(before: bytes, leaf: bytes) -> bytes:
    """The chain's next value."""
    return hashlib.sha256(before + leaf).digest()


class AuditLog:
    """The log of one store. Thread-safe; many processes may append."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def record(self, actor: str, action: str, subject: str, detail: Mapping[str, Any] | None = None) -> int:
        """Append a row that is durable when this returns; its place."""
        with self.store.write() as connection:
            return append(connection, actor, action, subject, detail)

    def head(self) -> Head:
        """How far the log is."""
        with self.store.read() as connection:
            row = connection.execute(select(audit_head)).one()
        return Head(row.size, bytes(row.chain), frontier_root([bytes.fromhex(one) for one in row.frontier]))

    def row(self, sequence: int) -> AuditRow:
        """One row. Raises NotFoundError."""
        with self.store.read() as connection:
            row = connection.execute(select(audit).where(audit.c.sequence == sequence)).first()
        if row is None:
            raise NotFoundError("the audit log has no row {sequence}", sequence=sequence)
        return _row(row)

    def rows(
        self,
        *,
        subject: str | None = None,
        action: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> Iterator[AuditRow]:
        """Rows in their order, read a page at a time."""
        from tutela.foundation.store.database import microseconds

        query = select(audit).order_by(audit.c.sequence).limit(_PAGE)
        if subject is not None:
            query = query.where(audit.c.subject == subject)
        if action is not None:
            query = query.where(audit.c.action == action)
        if since is not None:
            query = query.where(audit.c.at >= microseconds(since))
        if until is not None:
            query = query.where(audit.c.at < microseconds(until))
        after = -1
        while True:
            with self.store.read() as connection:
                page = connection.execute(query.where(audit.c.sequence > after)).all()
            yield from map(_row, page)
            if len(page) < _PAGE:
                return
            after = page[-1].sequence

    def leaves(self, size: int | None = None) -> list[bytes]:
        """The leaf hashes of the first rows, or of all."""
        leaves: list[bytes] = []
        end = self.head().size if size is None else size
        while len(leaves) < end:
            query = select(audit).where(audit.c.sequence >= len(leaves), audit.c.sequence < end)
            with self.store.read() as connection:
                page = connection.execute(query.order_by(audit.c.sequence).limit(_PAGE)).all()
            if not page:
                raise NotFoundError(
                    "the audit log has {leaves} rows, not {end}; run: tutela audit verify", leaves=len(leaves), end=end
                )
            leaves += [leaf_hash(record_of_row(row)) for row in page]
        return leaves


def _row(row: Row[Any]) -> AuditRow:
    return AuditRow(row.sequence, moment(row.at), row.actor, row.action, row.subject, json.loads(row.detail))
