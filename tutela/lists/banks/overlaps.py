"""Allow lists that reach listed values: found, refused, and set aside when lists grow.

An allowed value reaches a listed one where it is within `margin` of it: what is that near to the listed value may be
its copy, and no allow list lets a copy through.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from sqlalchemy import select

from tutela.content.signals.registry import signal_type
from tutela.errors import InputError
from tutela.foundation.store import tables
from tutela.foundation.store.database import Store, now
from tutela.lists.banks.model import BankKind, EntryState, Listed, NewEntry
from tutela.lists.banks.revisions import disable_entries
from tutela.lists.index.feed import Hit

log = logging.getLogger(__name__)

ACTOR = "overlaps"


class Lists(Protocol):
    """Where values are searched: `tutela.lists.index.service.Indexes`."""

    def search_many(self, signal: str, values: Sequence[bytes], radius: int) -> Sequence[Sequence[Hit]]:
        """For each value, every listed value within the radius."""

    @property
    def sequences(self) -> Mapping[str, int]:
        """Per signal type, the last list change that is searched."""

    def refresh(self) -> None:
        """Make committed changes visible."""


class OverlapCatalogue(Protocol):
    """Who listed what: `tutela.lists.banks.service.Banks`."""

    def listed(self, signal_ids: Sequence[int]) -> Sequence[Listed]:
        """The active entries, in enabled banks, of these signal rows."""


@dataclass(frozen=True, slots=True)
class Overlap:
    """A listed value that an allowed one reaches."""

    listed: Listed
    distance: int

    def __str__(self) -> str:
        """`ncmec#30 (hash-list 4711), at distance 4`."""
        entry = self.listed.entry
        named = f" ({entry.source} {entry.reference})" if entry.reference else ""
        return f"{entry.bank}#{entry.id}{named}, at distance {self.distance}"


def margin(signal: str) -> int:
    """By how much more a value must be like an allowed one than like any listed one: what encoding anew changes.

    A third of the distance within which a list's values match: 10 of PDQ's 31; 0 where values are equal or not.
    """
    return signal_type(signal).default_threshold // 3


def find_overlaps(
    values: Iterable[tuple[str, bytes]], lists: Lists, catalogue: OverlapCatalogue
) -> dict[tuple[str, bytes], Overlap]:
    """Of (signal type, value), those that reach a listed value, with the nearest that each reaches.

    Frames of listed videos are no such values: an allowed frame is left out of what is aligned, and lets no video
    through.
    """
    by_signal: dict[str, list[bytes]] = {}
    for signal, value in values:
        by_signal.setdefault(signal, []).append(value)
    found: dict[tuple[str, bytes], Overlap] = {}
    for signal, asked in by_signal.items():
        hits = lists.search_many(signal, asked, margin(signal))
        keys = sorted({hit.key for result in hits for hit in result})
        known: dict[int, Listed] = {}
        for listed in catalogue.listed(keys):
            if listed.bank.kind is BankKind.KNOWN and listed.seconds is None:
                known.setdefault(listed.signal_id, listed)
        for value, result in zip(asked, hits, strict=True):
            near = [hit for hit in result if hit.key in known]
            if near:
                nearest = min(near, key=lambda hit: (hit.distance, hit.key))
                found[signal, value] = Overlap(known[nearest.key], nearest.distance)
    return found


def values_of(entry: NewEntry) -> list[tuple[str, bytes]]:
    """The values that an entry would allow."""
    return [(entry.signal, entry.value), *((value.signal, value.value) for value in entry.values)]


def check_apart(entries: Sequence[NewEntry], lists: Lists, catalogue: OverlapCatalogue) -> None:
    """Raise InputError, with the listed entry named, for the first allowed value that reaches a listed one."""
    found = find_overlaps([value for entry in entries for value in values_of(entry)], lists, catalogue)
    for (signal, _), overlap in found.items():
        raise InputError(refusal(signal, overlap))


def refusal(signal: str, overlap: Overlap) -> str:
    """Why a value is not allowed."""
    return (
        f"this {signal} value reaches the listed entry {overlap}; an allow list takes only what is more than"
        f" {margin(signal)} away from every listed value: allow the file by its sha256, or disable that entry if it is"
        " wrong"
    )


def set_overlaps_aside(store: Store, lists: Lists, catalogue: OverlapCatalogue) -> int:
    """Disable the entries of allow lists that reach what has been listed since; how many.

    They allow nothing from the moment on in which the other entry counts; this marks them for whoever keeps the list.
    """
    entry, signal, bank = tables.entry, tables.signal, tables.bank
    query = (
        select(entry.c.id, signal.c.type, signal.c.value)
        .join(signal, signal.c.id == entry.c.signal_id)
        .join(bank, bank.c.id == entry.c.bank_id)
        .where(bank.c.kind == BankKind.ALLOW.value, entry.c.state == EntryState.ACTIVE.value)
    )
    with store.read() as connection:
        allowed = [(row.id, (row.type, bytes(row.value))) for row in connection.execute(query)]
    found = find_overlaps({value for _, value in allowed}, lists, catalogue)
    aside = [(entry_id, found[value]) for entry_id, value in allowed if value in found]
    for entry_id, overlap in aside:
        reason = f"it reaches the listed entry {overlap}, so it allows nothing"
        with store.write() as connection:
            if disable_entries(connection, [entry_id], reason=reason, actor=ACTOR, at=now()):
                log.warning("allow-list entry %d is set aside: %s", entry_id, reason)
    return len(aside)
