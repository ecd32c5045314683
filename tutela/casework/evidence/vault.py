"""The vault: sealed evidence, who opened it, how long it is kept, and what keeps it longer.

The serving process puts evidence in and cannot take it out. Whoever opens an item has the review key, and is
in the audit log before the first byte is read.
"""

import json
import uuid
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, String, cast, insert, select

from tutela.casework.audit.log import append
from tutela.casework.evidence.age_header import split_headers
from tutela.casework.evidence.objects import Objects
from tutela.casework.evidence.seal import EvidenceError, Recipients, ReviewKey, SealedItem
from tutela.errors import ConflictError, InputError, NotFoundError
from tutela.foundation.store.database import Store, moment, now
from tutela.foundation.store.evidence_tables import evidence as table
from tutela.foundation.store.ids import full_id


class EvidenceState(StrEnum):
    """Whether evidence can still be opened."""

    KEPT = "kept"
    SHREDDED = "shredded"
    """Its key is gone, so that nobody can open it; its objects are being removed."""
    DESTROYED = "destroyed"
    """Its objects are gone too."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of a sealed item without opening it."""

    id: str
    content_sha256: str | None
    """Of the clear content, for hash lists and reports."""
    content_object: str | None
    """The name of the sealed content; None where only a context was sealed."""
    content_bytes: int | None
    context_object: str
    recipients: tuple[str, ...]
    state: EvidenceState
    created_at: datetime
    keep_until: datetime | None
    """None: until somebody decided."""
    destroyed_at: datetime | None
    destroyed_why: str | None

    @property
    def objects(self) -> tuple[str, ...]:
        """The names of its objects."""
        return tuple(name for name in (self.content_object, self.context_object) if name)


class Vault:
    """The evidence of one deployment. Thread-safe; many processes may share it."""

    def __init__(self, store: Store, objects: Objects, recipients: Recipients | None) -> None:
        """`recipients` are needed to put evidence in."""
        self.store = store
        self.objects = objects
        self._recipients = recipients

    def seal(self, content: bytes | memoryview | None, context: bytes) -> SealedItem:
        """Seal an item and store its objects durably. It counts once `record` is committed. Raises EvidenceError."""
        sealed = self.sealed(content, context)
        self.put(sealed)
        return sealed

    def sealed(self, content: bytes | memoryview | None, context: bytes) -> SealedItem:
        """An item, sealed and stored nowhere. Raises EvidenceError."""
        if self._recipients is None:
            raise EvidenceError("this process has no recipients to seal evidence to")
        return self._recipients.seal(content, context)

    def put(self, sealed: SealedItem) -> None:
        """Store the objects of a sealed item durably; those that are there stay. Raises EvidenceError."""
        for part in (sealed.content, sealed.context):
            if part is not None:
                self.objects.put(part)

    def record(self, connection: Connection, sealed: SealedItem, *, content_sha256: str | None, actor: str) -> str:
        """Write a sealed item down, in the caller's transaction; its id."""
        evidence_id = uuid.uuid4().hex
        content = sealed.content
        connection.execute(
            insert(table).values(
                id=evidence_id,
                content_sha256=content_sha256,
                content_object=content.sha256 if content else None,
                content_bytes=content.length if content else None,
                context_object=sealed.context.sha256,
                wrapped_key=sealed.wrapped_key,
                recipients=list(sealed.recipients),
                state=EvidenceState.KEPT.value,
                created_at=now(),
            )
        )
        detail = {
            "content": content.sha256 if content else None,
            "context": sealed.context.sha256,
            "recipients": list(sealed.recipients),
        }
        append(connection, actor, "evidence.sealed", f"evidence:{evidence_id}", detail)
        return evidence_id

    def get(self, evidence_id: str) -> Evidence:
        """What is known of an item. Raises NotFoundError."""
        return evidence_of(self._row(evidence_id))

    def recipients(self) -> frozenset[str]:
        """The public keys that something kept is sealed to."""
        sealed_to = select(cast(table.c.recipients, String)).where(table.c.wrapped_key.is_not(None)).distinct()
        with self.store.read() as connection:
            return frozenset(key for text in connection.execute(sealed_to).scalars() for key in json.loads(text))

    def content(self, evidence_id: str, key: ReviewKey, *, actor: str, purpose: str) -> bytes:
        """The content, opened; the audit log knows it first. Raises NotFoundError, ConflictError, EvidenceError."""
        return self._open(evidence_id, "content_object", key, actor, purpose)

    def context(self, evidence_id: str, key: ReviewKey, *, actor: str, purpose: str) -> bytes:
        """The context, opened, as the JSON that was sealed; otherwise as `content`."""
        return self._open(evidence_id, "context_object", key, actor, purpose)

    def export(self, evidence_id: str, *, actor: str, purpose: str) -> dict[str, bytes]:
        """The sealed files whole, by file name: the `age` program opens them with the review key. For a drill, or to
        hand over. Raises NotFoundError, ConflictError, EvidenceError."""
        row = self._row(evidence_id)
        evidence_id = row.id
        if row.wrapped_key is None:
            raise ConflictError("evidence {evidence_id} is {state}", evidence_id=evidence_id, state=row.state)
        with self.store.write() as connection:
            append(connection, actor, "evidence.exported", f"evidence:{evidence_id}", {"purpose": purpose})
        names = {"context.json.age": row.context_object, "content.age": row.content_object}
        files = {file: name for file, name in names.items() if name is not None}
        headers = split_headers(bytes(row.wrapped_key))
        return {
            file: header + self.objects.get(name) for (file, name), header in zip(files.items(), headers, strict=True)
        }

    def _row(self, evidence_id: str) -> Row[Any]:
        with self.store.read() as connection:
            wanted = full_id(connection, table.c.id, evidence_id)
            row = connection.execute(select(table).where(table.c.id == wanted)).first()
        if row is None:
            raise NotFoundError("there is no evidence {evidence_id!r}", evidence_id=evidence_id)
        return row

    def _open(self, evidence_id: str, column: str, key: ReviewKey, actor: str, purpose: str) -> bytes:
        if not purpose.strip():
            raise InputError("say for what purpose the evidence is opened")
        row = self._row(evidence_id)
        evidence_id = row.id
        what = column.removesuffix("_object")
        if row.wrapped_key is None:
            raise ConflictError("evidence {evidence_id} is {state}", evidence_id=evidence_id, state=row.state)
        name = getattr(row, column)
        if name is None:
            raise NotFoundError("evidence {evidence_id} has no content, only a context", evidence_id=evidence_id)
        with self.store.write() as connection:
            detail = {"what": what, "purpose": purpose, "key": list(key.recipients)}
            append(connection, actor, "evidence.opened", f"evidence:{evidence_id}", detail)
        headers = split_headers(bytes(row.wrapped_key))
        return key.open(headers[0 if what == "context" else 1], self.objects.get(name))


def evidence_of(row: Row[Any]) -> Evidence:
    """The evidence of a row of the table."""
    return Evidence(
        id=row.id,
        content_sha256=row.content_sha256,
        content_object=row.content_object,
        content_bytes=row.content_bytes,
        context_object=row.context_object,
        recipients=tuple(row.recipients),
        state=EvidenceState(row.state),
        created_at=moment(row.created_at),
        keep_until=None if row.keep_until is None else moment(row.keep_until),
        destroyed_at=None if row.destroyed_at is None else moment(row.destroyed_at),
        destroyed_why=row.destroyed_why,
    )
