"""Withdrawing and relabelling many entries at once, inside a transaction of the caller's, each with a line of history.

As in `tutela.lists.banks.entries`, the clock's row is taken first, so that changes have one order.
"""

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, insert, update

from tutela.foundation.store import tables
from tutela.foundation.store.bulk import execute_many, select_in
from tutela.foundation.store.database import advance_sequence
from tutela.lists.banks.entries import chunks, settle, signals_of
from tutela.lists.banks.model import EntryState


def withdraw_entries(connection: Connection, entry_ids: Sequence[int], *, reason: str, actor: str, at: int) -> int:
    """Take entries back for their source; how many counted until now.

    One that the operator disabled stays disabled: were it withdrawn, the source could make it count by listing it anew.
    """
    return _leave(connection, entry_ids, EntryState.WITHDRAWN, reason=reason, actor=actor, at=at)


def disable_entries(connection: Connection, entry_ids: Sequence[int], *, reason: str, actor: str, at: int) -> int:
    """Set active entries aside until somebody enables them; how many counted until now."""
    return _leave(connection, entry_ids, EntryState.DISABLED, reason=reason, actor=actor, at=at)


def relabel_entries(
    connection: Connection, wanted: Mapping[int, tuple[str | None, str | None]], *, actor: str, at: int
) -> int:
    """Give entries this label and note where theirs differ; how many differed."""
    advance_sequence(connection, 0)
    entry = tables.entry.c
    rows = select_in(connection, (entry.id, entry.label, entry.note), entry.id, sorted(wanted))
    changed = [(row[0], row[1], row[2]) for row in rows if (row[1], row[2]) != wanted[row[0]]]
    execute_many(
        connection,
        "UPDATE entry SET label = ?, note = ?, updated_at = ? WHERE id = ?",
        [(*wanted[entry_id], at, entry_id) for entry_id, _, _ in changed],
    )
    _record(
        connection,
        [
            (entry_id, "relabelled", {"label": f"{label} -> {wanted[entry_id][0]}", "note": wanted[entry_id][1]})
            for entry_id, label, _ in changed
        ],
        actor=actor,
        at=at,
    )
    return len(changed)


def _leave(
    connection: Connection, entry_ids: Sequence[int], state: EntryState, *, reason: str, actor: str, at: int
) -> int:
    advance_sequence(connection, 0)
    entry = tables.entry
    active = {"state": EntryState.ACTIVE.value}
    ids = [row[0] for row in select_in(connection, (entry.c.id,), entry.c.id, sorted(set(entry_ids)), active)]
    for chunk in chunks(ids):
        connection.execute(
            update(entry).where(entry.c.id.in_(chunk)).values(state=state.value, reason=reason, updated_at=at)
        )
    _record(connection, [(entry_id, state.value, {"reason": reason}) for entry_id in ids], actor=actor, at=at)
    settle(connection, signals_of(connection, ids))
    return len(ids)


def _record(
    connection: Connection, events: Sequence[tuple[int, str, Mapping[str, str | None]]], *, actor: str, at: int
) -> None:
    if events:
        connection.execute(
            insert(tables.event),
            [
                {
                    "at": at,
                    "subject": "entry",
                    "subject_id": entry_id,
                    "actor": actor,
                    "action": action,
                    "detail": dict(detail),
                }
                for entry_id, action, detail in events
            ],
        )
