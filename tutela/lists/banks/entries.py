"""Listing and unlisting values, in bulk, inside a transaction of the caller's.

Every function here first takes the clock's row, so that list changes happen one after the other in every database:
rows can be looked up first and written after without a race, and sequence numbers are in the order of commits.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any, TypeVar

from sqlalchemy import Connection, Table, func, insert, select, update

from tutela.content.links.query_keys import MAX_SETS
from tutela.errors import InputError
from tutela.foundation.store import tables
from tutela.foundation.store.bulk import CHUNK, insert_rows, select_in
from tutela.foundation.store.database import advance_sequence
from tutela.foundation.store.entry_tables import entry_keys, entry_text, entry_value
from tutela.lists.banks.model import CLEAR_USES, EntryState, NewEntry

Item = TypeVar("Item")
Stored = tuple[int, str, float | None, int | None]
"""A value of an entry as its row has it: signal row, view, seconds, quality."""

_ENTRY_COLUMNS = (
    *("id", "bank_id", "signal_id", "source", "reference", "label", "note"),
    *("state", "reason", "created_by", "import_id", "created_at", "updated_at"),
)


_VALUE_COLUMNS = ("id", "entry_id", "signal_id", "view", "seconds", "quality")


@dataclass(frozen=True, slots=True)
class ListingOutcome:
    """What listing did with each new entry, in the order given."""

    entry_ids: tuple[int, ...]
    added: int
    """Entries that are new, or active again."""
    unchanged: int


def list_entries(
    connection: Connection,
    bank_id: int,
    entries: Sequence[NewEntry],
    *,
    actor: str,
    at: int,
    import_id: int | None = None,
    reason: str | None = None,
) -> ListingOutcome:
    """List values in a bank. What is listed already stays as it is, but a withdrawn entry counts again.

    A disabled one stays disabled: the operator set it aside, and a list that comes again does not overrule that.
    Further values of an entry that is listed already are added to those it has.
    """
    advance_sequence(connection, 0)
    signal_ids, fresh_signals = _signals(connection, entries)
    listed_before = {signal_ids[(new.signal, new.value)] for new in entries}.difference(fresh_signals)
    known = _known_entries(connection, bank_id, sorted(listed_before))
    next_id = _next_id(connection, tables.entry)
    active, withdrawn = EntryState.ACTIVE.value, EntryState.WITHDRAWN.value
    rows: list[tuple[Any, ...]] = []
    revived: list[int] = []
    ids: list[int] = []
    for new in entries:
        identity = (signal_ids[(new.signal, new.value)], new.source, new.reference)
        found = known.get(identity)
        if found is None:
            found = known[identity] = (next_id + len(rows), active)
            rows.append((found[0], bank_id, *identity, new.label, new.note, active, reason, actor, import_id, at, at))
        elif found[1] == withdrawn:
            known[identity] = (found[0], active)
            revived.append(found[0])
        ids.append(found[0])
    insert_rows(connection, tables.entry, _ENTRY_COLUMNS, rows)
    fresh = {row[0] for row in rows}
    _keep_texts(connection, bank_id, fresh, zip(ids, entries, strict=True))
    _keep_keys(connection, fresh, zip(ids, entries, strict=True))
    for chunk in chunks(revived):
        connection.execute(
            update(tables.entry).where(tables.entry.c.id.in_(chunk)).values(state=active, reason=reason, updated_at=at)
        )
    if revived:
        connection.execute(
            insert(tables.event),
            [
                {
                    "at": at,
                    "subject": "entry",
                    "subject_id": entry_id,
                    "actor": actor,
                    "action": "listed again",
                    "detail": {"reason": reason},
                }
                for entry_id in revived
            ],
        )
    with_values = _add_values(connection, entries, ids, signal_ids, fresh_from=next_id)
    if rows or revived:
        listed = {identity[0] for identity, (_, state) in known.items() if state == active}
        _activate(connection, listed.difference(fresh_signals))
    if revived or with_values:
        settle(connection, signals_of(connection, sorted({*revived, *with_values})))
    added = len(rows) + len(revived)
    return ListingOutcome(tuple(ids), added, len(entries) - added)


def _keep_texts(
    connection: Connection, bank_id: int, fresh: Collection[int], entries: Iterable[tuple[int, NewEntry]]
) -> None:
    """Keep the texts of fresh entries in clear, in a bank that cannot do without."""
    texts = {entry_id: new.text[:2048] for entry_id, new in entries if entry_id in fresh and new.text is not None}
    if not texts:
        return
    uses = connection.execute(select(tables.bank.c.uses).where(tables.bank.c.id == bank_id)).scalar_one()
    if CLEAR_USES & frozenset(uses):
        insert_rows(connection, entry_text, ("entry_id", "text"), list(texts.items()))


def _keep_keys(connection: Connection, fresh: Collection[int], entries: Iterable[tuple[int, NewEntry]]) -> None:
    """Keep which parameters count in the queries of fresh entries. Raises InputError for too many different sets."""
    keys = {entry_id: ",".join(new.keys) for entry_id, new in entries if entry_id in fresh and new.keys}
    if not keys:
        return
    insert_rows(connection, entry_keys, ("entry_id", "keys"), list(keys.items()))
    sets = connection.execute(select(func.count(entry_keys.c["keys"].distinct()))).scalar_one()
    if sets > MAX_SETS:
        raise InputError(
            "the lists use more than {most} different sets of query parameters (keys=): use fewer", most=MAX_SETS
        )


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
            at=at,
            subject="entry",
            subject_id=entry_id,
            actor=actor,
            action=state.value,
            detail={"reason": reason},
        )
    )
    settle(connection, signals_of(connection, [entry_id]))


def chunks(items: Sequence[Item], size: int = CHUNK) -> Iterator[Sequence[Item]]:
    """The items, so many at a time."""
    for begin in range(0, len(items), size):
        yield items[begin : begin + size]


def _signals(connection: Connection, entries: Sequence[NewEntry]) -> tuple[dict[tuple[str, bytes], int], range]:
    """The signal row of every value, and the rows that were made for entries' own: new, so active from the start.

    What is missing of further values is made inactive as yet.
    """
    own = dict.fromkeys((new.signal, new.value) for new in entries)
    further = dict.fromkeys((item.signal, item.value) for new in entries for item in new.values)
    found: dict[tuple[str, bytes], int] = {}
    signal = tables.signal.c
    # In the order of the index that finds them, and that the new ones go into.
    wanted = sorted(own | further)
    for name, keys in groupby(wanted, itemgetter(0)):
        values = [value for _, value in keys]
        rows = select_in(connection, (signal.id, signal.value), signal.value, values, {"type": name})
        found.update({(name, bytes(value)): signal_id for signal_id, value in rows})
    missing = [key for key in wanted if key not in found]
    missing_own = [key for key in missing if key in own]
    missing_further = [key for key in missing if key not in own]
    if not missing:
        return found, range(0)
    next_id = _next_id(connection, tables.signal)
    first = advance_sequence(connection, len(missing_own))
    new_rows = [(next_id + i, *key, True, first + i) for i, key in enumerate(missing_own)]
    after = next_id + len(new_rows)
    new_rows += [(after + i, *key, False, 0) for i, key in enumerate(missing_further)]
    insert_rows(connection, tables.signal, ("id", "type", "value", "active", "sequence"), new_rows)
    found.update({(row[1], row[2]): row[0] for row in new_rows})
    return found, range(next_id, after)


def _known_entries(
    connection: Connection, bank_id: int, signal_ids: Sequence[int]
) -> dict[tuple[int, str, str], tuple[int, str]]:
    entry = tables.entry.c
    columns = (entry.signal_id, entry.source, entry.reference, entry.id, entry.state)
    rows = select_in(connection, columns, entry.signal_id, signal_ids, {"bank_id": bank_id})
    return {(signal_id, source, reference): (entry_id, state) for signal_id, source, reference, entry_id, state in rows}


def _add_values(
    connection: Connection,
    entries: Sequence[NewEntry],
    entry_ids: Sequence[int],
    signal_ids: Mapping[tuple[str, bytes], int],
    *,
    fresh_from: int,
) -> list[int]:
    """Write down the values that the entries do not have yet. Returns the entries that got any."""
    wanted: dict[int, dict[Stored, None]] = {}
    for entry_id, new in zip(entry_ids, entries, strict=True):
        for item in new.values:
            row = (signal_ids[(item.signal, item.value)], item.view, item.seconds, item.quality)
            wanted.setdefault(entry_id, {})[row] = None
    column = entry_value.c
    columns = (column.entry_id, column.signal_id, column.view, column.seconds, column.quality)
    listed_before = [entry_id for entry_id in wanted if entry_id < fresh_from]
    for entry_id, *row in select_in(connection, columns, column.entry_id, listed_before):
        wanted[entry_id].pop(tuple(row), None)
    next_id = _next_id(connection, entry_value)
    rows = [(entry_id, *row) for entry_id, values in wanted.items() for row in values]
    insert_rows(connection, entry_value, _VALUE_COLUMNS, [(next_id + i, *row) for i, row in enumerate(rows)])
    return [entry_id for entry_id, values in wanted.items() if values]


def signals_of(connection: Connection, entry_ids: Sequence[int]) -> set[int]:
    """The signal rows of these entries: of their own values and of what else they stand for."""
    return {
        signal_id
        for table in (tables.entry, entry_value)
        for (signal_id,) in select_in(
            connection,
            (table.c.signal_id,),
            table.c.id if table is tables.entry else table.c.entry_id,
            entry_ids,
        )
    }


def settle(connection: Connection, signal_ids: Collection[int]) -> None:
    """Make each of these values active exactly if an active entry lists it."""
    signal = tables.signal
    ordered = sorted(signal_ids)
    listed = _listed_actively(connection, ordered)
    _activate(connection, listed)
    unlisted = [signal_id for signal_id in ordered if signal_id not in listed]
    rows = select_in(connection, (signal.c.id,), signal.c.id, unlisted, {"active": True})
    _number(connection, sorted(row[0] for row in rows), active=False)


def _listed_actively(connection: Connection, signal_ids: Sequence[int]) -> set[int]:
    """Those of these values that an active entry lists."""
    entry = tables.entry
    found: set[int] = set()
    active = entry.c.state == EntryState.ACTIVE.value
    for chunk in chunks(signal_ids):
        own = select(entry.c.signal_id).where(entry.c.signal_id.in_(chunk), active)
        among = (
            select(entry_value.c.signal_id)
            .join(entry, entry.c.id == entry_value.c.entry_id)
            .where(entry_value.c.signal_id.in_(chunk), active)
        )
        found.update(connection.execute(own.union(among)).scalars())
    return found


def _activate(connection: Connection, signal_ids: Collection[int]) -> None:
    """Give every inactive one of these values a new sequence number and make it active."""
    signal = tables.signal
    rows = select_in(connection, (signal.c.id,), signal.c.id, sorted(signal_ids), {"active": False})
    _number(connection, sorted(row[0] for row in rows), active=True)


def _number(connection: Connection, signal_ids: Sequence[int], *, active: bool) -> None:
    """Write down a change of these rows, in ascending order, each under a new sequence number."""
    signal = tables.signal
    first = advance_sequence(connection, len(signal_ids))
    # Rows made together have row numbers in a row: one statement numbers each run of them.
    begin = 0
    for end in range(1, len(signal_ids) + 1):
        if end == len(signal_ids) or signal_ids[end] != signal_ids[end - 1] + 1:
            offset = first + begin - signal_ids[begin]
            connection.execute(
                update(signal)
                .where(signal.c.id.between(signal_ids[begin], signal_ids[end - 1]))
                .values(active=active, sequence=signal.c.id + offset)
            )
            begin = end


def _next_id(connection: Connection, table: Table) -> int:
    """The next row number; only list changes make such rows, and they hold the clock."""
    return int(connection.execute(select(func.coalesce(func.max(table.c.id), 0))).scalar_one()) + 1
