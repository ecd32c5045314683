"""How long evidence is kept: its time, the legal holds that outlive it, and its destruction, with a proof of each.

Evidence is destroyed by removing its key, after which nobody can open any copy of it, and then its objects.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, func, insert, select, update

from tutela.casework.audit.log import append, lock
from tutela.casework.evidence.horizon import Horizon
from tutela.casework.evidence.vault import Evidence, EvidenceState, Vault
from tutela.errors import ConflictError, InputError, NotFoundError
from tutela.foundation.store.database import microseconds, moment, now
from tutela.foundation.store.evidence_tables import evidence as table
from tutela.foundation.store.evidence_tables import evidence_hold as holds


@dataclass(frozen=True, slots=True)
class Hold:
    """A legal hold."""

    id: int
    evidence_id: str
    reference: str
    """The authority's own number."""
    reason: str
    placed_by: str
    placed_at: datetime
    released_by: str | None
    released_at: datetime | None
    released_why: str | None


def keep_until(connection: Connection, evidence_id: str, until: datetime, *, actor: str, why: str) -> None:
    """Say, in the caller's transaction, until when an item is kept; a later time that it has already stays."""
    lock(connection)
    row = connection.execute(select(table).where(table.c.id == evidence_id)).first()
    if row is None:
        raise NotFoundError("there is no evidence {evidence_id!r}", evidence_id=evidence_id)
    wanted = microseconds(until)
    if row.keep_until is not None and row.keep_until >= wanted:
        return
    connection.execute(update(table).where(table.c.id == evidence_id).values(keep_until=wanted))
    append(connection, actor, "evidence.kept", f"evidence:{evidence_id}", {"until": until.isoformat(), "why": why})


def keep_on(connection: Connection, evidence_id: str, *, actor: str, why: str) -> None:
    """Say, in the caller's transaction, that an item has no end any more, because what gave it one was set aside."""
    lock(connection)
    changed = connection.execute(
        update(table).where(table.c.id == evidence_id, table.c.keep_until.is_not(None)).values(keep_until=None)
    )
    if changed.rowcount:
        append(connection, actor, "evidence.kept", f"evidence:{evidence_id}", {"until": None, "why": why})


class Retention:
    """Holds and ends of the evidence in one vault. Thread-safe."""

    def __init__(self, vault: Vault, horizon: Horizon | None = None) -> None:
        """`horizon` says what is past, by the clocks of this machine where nothing else is said."""
        self._vault = vault
        self._store = vault.store
        self._horizon = horizon or Horizon(vault.store)

    def place_hold(self, evidence_id: str, *, reference: str, reason: str, actor: str) -> Hold:
        """Keep an item, whatever its time, until the hold is released. Raises NotFoundError, ConflictError."""
        if not reference.strip() or not reason.strip() or len(reference) > 255:
            raise InputError("a legal hold needs the authority's reference (at most 255 characters) and a reason")
        with self._store.write() as connection:
            lock(connection)
            row = connection.execute(select(table.c.state).where(table.c.id == evidence_id)).first()
            if row is None:
                raise NotFoundError("there is no evidence {evidence_id!r}", evidence_id=evidence_id)
            if row.state != EvidenceState.KEPT.value:
                raise ConflictError(
                    "evidence {evidence_id} is {state} already", evidence_id=evidence_id, state=row.state
                )
            result = connection.execute(
                insert(holds).values(
                    evidence_id=evidence_id, reference=reference, reason=reason, placed_by=actor, placed_at=now()
                )
            )
            assert result.inserted_primary_key is not None
            hold_id = int(result.inserted_primary_key[0])
            detail = {"hold": hold_id, "reference": reference, "reason": reason}
            append(connection, actor, "hold.placed", f"evidence:{evidence_id}", detail)
        return self.hold(hold_id)

    def release_hold(self, hold_id: int, *, reason: str, actor: str) -> Hold:
        """End a legal hold. Raises NotFoundError, ConflictError when it is released already."""
        if not reason.strip():
            raise InputError("give the reason of the release")
        found = self.hold(hold_id)
        with self._store.write() as connection:
            lock(connection)
            result = connection.execute(
                update(holds)
                .where(holds.c.id == hold_id, holds.c.released_at.is_(None))
                .values(released_by=actor, released_at=now(), released_why=reason)
            )
            if result.rowcount == 0:
                raise ConflictError("hold {hold_id} is released already", hold_id=hold_id)
            detail = {"hold": hold_id, "reason": reason}
            append(connection, actor, "hold.released", f"evidence:{found.evidence_id}", detail)
        return self.hold(hold_id)

    def hold(self, hold_id: int) -> Hold:
        """One hold. Raises NotFoundError."""
        with self._store.read() as connection:
            row = connection.execute(select(holds).where(holds.c.id == hold_id)).first()
        if row is None:
            raise NotFoundError("there is no legal hold {hold_id}", hold_id=hold_id)
        return _hold(row)

    def holds(self, evidence_id: str | None = None, *, released: bool = False) -> list[Hold]:
        """The holds, of one item or of all; released ones only when asked for."""
        query = select(holds).order_by(holds.c.id)
        if evidence_id is not None:
            query = query.where(holds.c.evidence_id == evidence_id)
        if not released:
            query = query.where(holds.c.released_at.is_(None))
        with self._store.read() as connection:
            return [_hold(row) for row in connection.execute(query)]

    def destroy(self, evidence_id: str, *, why: str, actor: str, reference: str = "") -> Evidence:
        """Shred an item's key, then remove its objects; the proof is in the audit log.

        `reference` is an authority's request. Raises NotFoundError, ConflictError while a legal hold keeps it,
        InputError without a reason, EvidenceError when the objects cannot be removed now: the key is gone all the
        same, and `reconcile` removes them.
        """
        if not why.strip():
            raise InputError("give the reason why the evidence is destroyed")
        with self._store.write() as connection:
            lock(connection)
            row = connection.execute(select(table).where(table.c.id == evidence_id)).first()
            if row is None:
                raise NotFoundError("there is no evidence {evidence_id!r}", evidence_id=evidence_id)
            if row.state == EvidenceState.KEPT.value:
                self._shred(connection, row, why, actor, reference)
        self._truncate_log()
        return self.remove_objects(self._vault.get(evidence_id), actor=actor)

    def counts(self) -> dict[EvidenceState, int]:
        """How many pieces of evidence there are, by state."""
        query = select(table.c.state, func.count()).group_by(table.c.state)
        with self._store.read() as connection:
            return {EvidenceState(row[0]): row[1] for row in connection.execute(query)}

    def ending(self, within: timedelta) -> int:
        """How many pieces of evidence will be destroyed within a time, because nobody has to keep them any longer."""
        end = now() + int(within.total_seconds() * 1e6)
        with self._store.read() as connection:
            return connection.execute(select(func.count()).select_from(table).where(_expired(end))).scalar_one()

    def destroy_expired(self, *, actor: str, limit: int = 1000) -> list[str]:
        """Destroy what nobody has to keep any longer, except under a legal hold; the ids.

        By whomever it is called: its time is over only where clocks agree on that.
        """
        end = self._horizon.reach()
        with self._store.read() as connection:
            found = list(connection.execute(select(table.c.id).where(_expired(end)).limit(limit)).scalars())
        destroyed = []
        for evidence_id in found:
            try:
                self.destroy(evidence_id, why="its time of retention is over", actor=actor)
            except ConflictError:
                continue  # a hold came in between
            destroyed.append(evidence_id)
        return destroyed

    def _shred(self, connection: Connection, row: Row[Any], why: str, actor: str, reference: str) -> None:
        held = connection.execute(
            select(holds.c.reference).where(holds.c.evidence_id == row.id, holds.c.released_at.is_(None))
        ).scalars()
        if references := list(held):
            raise ConflictError(
                "evidence {id} is under legal hold ({references})", id=row.id, references=", ".join(references)
            )
        if self._store.is_sqlite:
            connection.exec_driver_sql("PRAGMA secure_delete=ON")
        connection.execute(
            update(table)
            .where(table.c.id == row.id)
            .values(wrapped_key=None, state=EvidenceState.SHREDDED.value, destroyed_at=now(), destroyed_why=why)
        )
        detail: Mapping[str, Any] = {
            "why": why,
            "reference": reference,
            "content": row.content_object,
            "context": row.context_object,
            "content_sha256": row.content_sha256,
        }
        append(connection, actor, "evidence.shredded", f"evidence:{row.id}", detail)

    def _truncate_log(self) -> None:
        """Have SQLite write its journal back, so that a shredded key is in no file of it any more."""
        if self._store.is_sqlite:
            with self._store.read() as connection:
                connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")

    def remove_objects(self, item: Evidence, *, actor: str) -> Evidence:
        """Remove the objects of a shredded item. Raises EvidenceError when the store does not answer."""
        if item.state is EvidenceState.DESTROYED:
            return item
        for name in item.objects:
            self._vault.objects.delete(name)
        with self._store.write() as connection:
            lock(connection)
            result = connection.execute(
                update(table)
                .where(table.c.id == item.id, table.c.state == EvidenceState.SHREDDED.value)
                .values(state=EvidenceState.DESTROYED.value)
            )
            if result.rowcount:
                detail = {"objects": list(item.objects)}
                append(connection, actor, "evidence.destroyed", f"evidence:{item.id}", detail)
        return self._vault.get(item.id)


def _expired(end: int) -> ColumnElement[bool]:
    """The condition that evidence is kept until then at most, and under no legal hold."""
    held = select(holds.c.id).where(holds.c.evidence_id == table.c.id, holds.c.released_at.is_(None)).exists()
    return and_(table.c.state == EvidenceState.KEPT.value, table.c.keep_until <= end, ~held)


def _hold(row: Row[Any]) -> Hold:
    return Hold(
        id=row.id,
        evidence_id=row.evidence_id,
        reference=row.reference,
        reason=row.reason,
        placed_by=row.placed_by,
        placed_at=moment(row.placed_at),
        released_by=row.released_by,
        released_at=None if row.released_at is None else moment(row.released_at),
        released_why=row.released_why,
    )
