"""List hygiene: what is dubious about entries is marked for a person, and counts on until one decides.

Only one thing sets an entry aside by itself: reviewers who reject nearly all that it matches. It can be enabled again,
and is then judged by later reviews alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import numpy as np
from sqlalchemy import Connection, func, insert, select, update

from tutela.content.signals.base import SignalKind
from tutela.content.signals.registry import signal_type
from tutela.errors import InputError, NotFoundError
from tutela.foundation.store import tables
from tutela.foundation.store.bulk import select_in
from tutela.foundation.store.database import advance_sequence, now
from tutela.foundation.store.exchange_tables import entry_flag, entry_opinion
from tutela.lists.banks.model import BankKind, EntryState
from tutela.lists.banks.plain_pictures import plain_entries
from tutela.lists.banks.revisions import disable_entries
from tutela.lists.banks.service import Banks
from tutela.lists.exchanges.base import Opinion
from tutela.lists.index.segments import Searchable, in_memory


class Flag(StrEnum):
    """What is dubious."""

    LOW_DETAIL = "low-detail"
    """The hash has the regularity of those of blank or very plain pictures."""
    ALLOW_LIST = "allow-list"
    """It is within the threshold of a known false match."""
    REJECTED = "rejected"
    """Reviewers rejected nearly all that it matched; it was set aside."""
    SURGE = "surge"
    """It is asked for far more often than others of its list, as known material is not."""


def flag_named(name: str) -> Flag:
    """The flag of that name. Raises InputError naming the known ones."""
    try:
        return Flag(name)
    except ValueError:
        raise InputError("no entry is marked {name!r}; marks are {flag}", name=name, flag=", ".join(Flag)) from None


class NewValue(NamedTuple):
    """A value that a list brought."""

    entry_id: int
    signal: str
    value: bytes


@dataclass(frozen=True, slots=True)
class SetAside:
    """When reviewers' rejections set an entry aside."""

    rejections: int = 5
    share: float = 0.8


class Hygiene:
    """Examines new entries. Knows the allow lists as they were when it was made."""

    def __init__(self, banks: Banks) -> None:
        self._allowed = _allow_lists(banks)

    def examine(self, connection: Connection, values: Sequence[NewValue], at: int) -> int:
        """Mark what is dubious among new values; how many entries were."""
        found: dict[tuple[int, Flag], str] = {}
        for item, plain in zip(values, plain_entries(values), strict=True):
            if plain:
                found[(item.entry_id, Flag.LOW_DETAIL)] = "the hash looks like that of a picture without detail"
        for item, distance in self._near_allowed(values):
            found[(item.entry_id, Flag.ALLOW_LIST)] = f"{item.signal} within {distance} of an allow list's entry"
        set_flags(connection, found, at)
        return len({entry_id for entry_id, _ in found})

    def _near_allowed(self, values: Sequence[NewValue]) -> list[tuple[NewValue, int]]:
        near: list[tuple[NewValue, int]] = []
        for signal, allowed in self._allowed.items():
            asked = [item for item in values if item.signal == signal]
            radius = signal_type(signal).default_threshold
            for item, hits in zip(asked, allowed.search_many([item.value for item in asked], radius), strict=True):
                if hits:
                    near.append((item, min(hit.distance for hit in hits)))
        return near


def set_flags(connection: Connection, flags: Mapping[tuple[int, Flag], str], at: int) -> None:
    """Mark entries. One that is marked already, or was cleared of that mark, stays as it is."""
    if not flags:
        return
    advance_sequence(connection, 0)
    table = entry_flag
    ids = sorted({entry_id for entry_id, _ in flags})
    known = {(row[0], row[1]) for row in select_in(connection, (table.c.entry_id, table.c.flag), table.c.entry_id, ids)}
    rows = [
        {"entry_id": entry_id, "flag": flag.value, "detail": detail, "at": at}
        for (entry_id, flag), detail in flags.items()
        if (entry_id, flag.value) not in known
    ]
    if rows:
        connection.execute(insert(table), rows)


def clear_flag(connection: Connection, entry_id: int, flag: Flag, *, actor: str) -> None:
    """A person looked: the mark no longer counts. Raises NotFoundError."""
    table = entry_flag
    changed = connection.execute(
        update(table)
        .where(table.c.entry_id == entry_id, table.c.flag == flag.value, table.c.cleared_at.is_(None))
        .values(cleared_at=now(), cleared_by=actor)
    )
    if changed.rowcount == 0:
        raise NotFoundError("entry {entry_id} has no mark {value!r} that counts", entry_id=entry_id, value=flag.value)


def note_opinion(
    connection: Connection,
    entry_ids: Sequence[int],
    decision: str,
    opinion: Opinion,
    *,
    actor: str,
    rule: SetAside | None = None,
) -> list[int]:
    """Count what reviewers found of content that matched entries. Returns the entries that were set aside for it.

    The same decision counts once; a changed one counts as it is now. Inside the transaction that decides.
    """
    rule, at = rule or SetAside(), now()
    advance_sequence(connection, 0)
    table, entry = entry_opinion, tables.entry
    entry_ids = [row[0] for row in select_in(connection, (entry.c.id,), entry.c.id, sorted(set(entry_ids)))]
    for entry_id in sorted(entry_ids):
        same = (table.c.entry_id == entry_id, table.c.decision == decision)
        changed = connection.execute(update(table).where(*same).values(opinion=opinion.value, at=at))
        if changed.rowcount == 0:
            connection.execute(insert(table).values(entry_id=entry_id, decision=decision, opinion=opinion.value, at=at))
    suspended = []
    if opinion is Opinion.REJECTED:
        suspended = [entry_id for entry_id in sorted(set(entry_ids)) if _is_rejected(connection, entry_id, rule)]
    for entry_id in suspended:
        _set_aside(connection, entry_id, actor, at)
    return suspended


def forget_opinions(connection: Connection, decisions: Sequence[str]) -> None:
    """Count no more what was decided and undone at once."""
    connection.execute(entry_opinion.delete().where(entry_opinion.c.decision.in_(decisions)))


def _is_rejected(connection: Connection, entry_id: int, rule: SetAside) -> bool:
    entry, flag, opinion = tables.entry, entry_flag, entry_opinion
    state = connection.execute(select(entry.c.state).where(entry.c.id == entry_id)).scalar_one_or_none()
    if state != EntryState.ACTIVE.value:
        return False
    cleared = connection.execute(
        select(flag.c.cleared_at).where(flag.c.entry_id == entry_id, flag.c.flag == Flag.REJECTED.value)
    ).scalar_one_or_none()
    counts = {
        row[0]: row[1]
        for row in connection.execute(
            select(opinion.c.opinion, func.count())
            .where(opinion.c.entry_id == entry_id, opinion.c.at > (cleared or 0))
            .group_by(opinion.c.opinion)
        )
    }
    rejected, confirmed = counts.get(Opinion.REJECTED.value, 0), counts.get(Opinion.CONFIRMED.value, 0)
    return bool(rejected >= rule.rejections and rejected >= rule.share * (rejected + confirmed))


def _set_aside(connection: Connection, entry_id: int, actor: str, at: int) -> None:
    reason = "reviewers rejected nearly all that it matched: it needs a second look"
    disable_entries(connection, [entry_id], reason=reason, actor=actor, at=at)
    set_flags(connection, {(entry_id, Flag.REJECTED): reason}, at)
    connection.execute(
        update(entry_flag)
        .where(entry_flag.c.entry_id == entry_id, entry_flag.c.flag == Flag.REJECTED.value)
        .values(at=at, cleared_at=None, cleared_by=None)
    )


def _allow_lists(banks: Banks) -> dict[str, Searchable]:
    entry, signal = tables.entry, tables.signal
    ids = [bank.id for bank in banks.all() if bank.kind is BankKind.ALLOW and bank.enabled]
    found: dict[str, list[bytes]] = {}
    with banks.store.read() as connection:
        rows = connection.execute(
            select(signal.c.type, signal.c.value)
            .join(entry, entry.c.signal_id == signal.c.id)
            .where(entry.c.bank_id.in_(ids), entry.c.state == EntryState.ACTIVE.value)
        )
        for name, value in rows:
            found.setdefault(name, []).append(bytes(value))
    searchable = {}
    for name, values in found.items():
        kind = signal_type(name)
        if kind.kind in (SignalKind.EXACT, SignalKind.HAMMING):
            array = np.frombuffer(b"".join(values), np.uint8).reshape(len(values), kind.width)
            searchable[name] = in_memory(kind, array, np.arange(len(values), dtype=np.uint64))
    return searchable
