"""Listing and unlisting values, in bulk, inside a transaction of the caller's.

Every function here first takes the clock's row, so that list changes happen one after the other in every database:
rows can be looked up first and written after without a race, and sequence numbers are in the order of commits.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Connection, Table, exists, func, insert, select, update

from tutela.banks.model import EntryState, NewEntry
from tutela.store import tables
from tutela.store.database import advance_sequence

CHUNK = 500
"""Values in one IN (...): under every database's limit of parameters."""

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What listing did with each new entry, in the order given."""

    entry_ids: tuple[int, ...]
    added: int
    """Entries that are new, or active again."""
    unchanged: int


def list_entries(
    connection: Connection, bank_id: int, entries: Sequence[NewEntry], *, actor: str, at: int, import_id: int | None = None,
    reason: str | None = None,
) -> Outcome:
    """List values in a bank. What is listed already stays as it is, but a withdrawn or disabled entry counts again."""
    advance_sequence(connection, 0)
    signal_ids = _signals(connection, entries)
    known = _known_entries(connection, bank_id, sorted({signal_ids[(e.signal, e.value)] for e in entries}))
    next_id = _next_id(connection, tables.entry)
    rows: list[dict[str, Any]] = []
    revived: list[int] = []
    ids: list[int] = []
    for new in entries:
        identity = (signal_ids[(new.signal, new.value)], new.source, new.reference)
        found = known.get(identity)
        if found is None:
            found = known[identity] = (next_id + len(rows), EntryState.ACTIVE)
            rows.append(
                {
                    "id": found[0],
                    "bank_id": bank_id,
                    "signal_id": identity[0],
                    "source": new.source,
                    "reference": new.reference,
                    "label": new.label,
                    "note": new.note,
                    "state": EntryState.ACTIVE.value,
                    "reason": reason,
                    "created_by": actor,
                    "import_id": import_id,
                    "created_at": at,
                    "updated_at": at,
                }
            )
        elif found[1] != EntryState.ACTIVE:
            known[identity] = (found[0], EntryState.ACTIVE)
            revived.append(found[0])
        ids.append(found[0])
    if rows:
        connection.execute(insert(tables.entry), rows)
    for chunk in chunks(revived):
        connection.execute(
            update(tables.entry)
            .where(tables.entry.c.id.in_(chunk))
            .values(state=EntryState.ACTIVE.value, reason=reason, updated_at=at)
        )
    if revived:
        connection.execute(
            insert(tables.event),
            [
                {"at": at, "subject": "entry", "subject_id": entry_id, "actor": actor, "action": "listed again",
                 "detail": {"reason": reason}}
                for entry_id in revived
            ],
        )
    touched = sorted({signal_ids[(e.signal, e.value)] for e in entries}) if rows or revived else []
    _activate(connection, touched)
    added = len(rows) + len(revived)
    return Outcome(tuple(ids), added, len(entries) - added)


def set_entry_state(
    connection: Connection, entry_id: int, state: EntryState, *, reason: str, actor: str, at: int
) -> None:
    """Change an entry's state, and its value's, with a line of history."""
    advance_sequence(connection, 0)
    entry = tables.entry
    connection.execute(
        update(entry).where(entry.c.id == entry_id).values(state=state.value, reason=reason, updated_at=at)
    )
    connection.execute(
        insert(tables.event).values(
            at=at, subject="entry", subject_id=entry_id, actor=actor, action=state.value, detail={"reason": reason}
        )
    )
    signal_id = connection.execute(select(entry.c.signal_id).where(entry.c.id == entry_id)).scalar_one()
    signal = tables.signal
    active = connection.execute(
        select(exists().where(entry.c.signal_id == signal_id, entry.c.state == EntryState.ACTIVE.value))
    ).scalar_one()
    was = connection.execute(select(signal.c.active).where(signal.c.id == signal_id)).scalar_one()
    if bool(active) != bool(was):
        sequence = advance_sequence(connection, 1)
        connection.execute(update(signal).where(signal.c.id == signal_id).values(active=active, sequence=sequence))


def chunks(items: Sequence[Item], size: int = CHUNK) -> Iterator[Sequence[Item]]:
    """The items, so many at a time."""
    for begin in range(0, len(items), size):
        yield items[begin : begin + size]


def _signals(connection: Connection, entries: Sequence[NewEntry]) -> dict[tuple[str, bytes], int]:
    """The signal row of every value; missing ones are made, inactive as yet."""
    wanted = dict.fromkeys((entry.signal, entry.value) for entry in entries)
    found: dict[tuple[str, bytes], int] = {}
    for name in {signal for signal, _ in wanted}:
        values = [value for signal, value in wanted if signal == name]
        for chunk in chunks(values):
            rows = connection.execute(
                select(tables.signal.c.id, tables.signal.c.value).where(
                    tables.signal.c.type == name, tables.signal.c.value.in_(chunk)
                )
            )
            found.update({(name, bytes(row.value)): row.id for row in rows})
    missing = [key for key in wanted if key not in found]
    if missing:
        next_id = _next_id(connection, tables.signal)
        connection.execute(
            insert(tables.signal),
            [
                {"id": next_id + i, "type": name, "value": value, "active": False, "sequence": 0}
                for i, (name, value) in enumerate(missing)
            ],
        )
        found.update({key: next_id + i for i, key in enumerate(missing)})
    return found


def _known_entries(
    connection: Connection, bank_id: int, signal_ids: Sequence[int]
) -> dict[tuple[int, str, str], tuple[int, str]]:
    entry = tables.entry
    known: dict[tuple[int, str, str], tuple[int, str]] = {}
    for chunk in chunks(signal_ids):
        rows = connection.execute(
            select(entry.c.signal_id, entry.c.source, entry.c.reference, entry.c.id, entry.c.state).where(
                entry.c.bank_id == bank_id, entry.c.signal_id.in_(chunk)
            )
        )
        known.update({(row.signal_id, row.source, row.reference): (row.id, row.state) for row in rows})
    return known


def _activate(connection: Connection, signal_ids: Sequence[int]) -> None:
    """Give every inactive one of these values a new sequence number and make it active."""
    signal = tables.signal
    inactive: list[int] = []
    for chunk in chunks(signal_ids):
        rows = connection.execute(select(signal.c.id).where(signal.c.id.in_(chunk), signal.c.active.is_(False)))
        inactive += [row.id for row in rows]
    first = advance_sequence(connection, len(inactive))
    # Rows made together have row numbers in a row: one statement numbers each run of them.
    begin = 0
    for end in range(1, len(inactive) + 1):
        if end == len(inactive) or inactive[end] != inactive[end - 1] + 1:
            offset = first + begin - inactive[begin]
            connection.execute(
                update(signal)
                .where(signal.c.id.between(inactive[begin], inactive[end - 1]))
                .values(active=True, sequence=signal.c.id + offset)
            )
            begin = end


def _next_id(connection: Connection, table: Table) -> int:
    """The next row number; only list changes make such rows, and they hold the clock."""
    return int(connection.execute(select(func.coalesce(func.max(table.c.id), 0))).scalar_one()) + 1
