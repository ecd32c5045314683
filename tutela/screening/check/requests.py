"""Requests for pages and names at a network's edge: refused, passed on, or counted only, from the lists alone.

Nobody who asks is known here: no verdict, no evidence, no case, no line in a log. A new entry runs dry for a while
(it is counted and refuses nothing); one that is asked for far more often than others of its list is marked for a
person.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from statistics import median
from typing import Protocol

from tutela.content.links import link_samples, parse_link
from tutela.content.links.link import QueryKeys
from tutela.content.signals.base import Sample
from tutela.lists.banks.guard import ListingGuard
from tutela.lists.banks.model import Action, Bank, BankKind, BankUse, Entry, Listed
from tutela.lists.index.feed import Hit

DRY_RUN = timedelta(hours=1)
SURGE_TIMES = 20
"""An entry that is asked for so many times as often as the median of its list is doubtful."""
SURGE_LEAST = 100
"""But not below so many requests an hour."""
_HOUR_S = 3600.0


class RequestRuling(StrEnum):
    """What is done with a request."""

    PASS = "pass"  # noqa: S105
    DRY = "dry"
    """It passes and is counted: the entry is new, doubtful, or only logged."""
    GUARDED = "guarded"
    """It passes: the host is shared by many, and no two curators confirmed the entry."""
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class Ruled:
    """What is done with one request, and for which entry."""

    ruling: RequestRuling
    entry_id: int | None = None
    rule_set: str = ""
    """The bank's name."""

    @property
    def refused(self) -> bool:
        """Whether the stop page is shown."""
        return self.ruling is RequestRuling.REFUSE


PASSED = Ruled(RequestRuling.PASS)


@dataclass(frozen=True, slots=True)
class Surge:
    """An entry is asked for far more often than others of its list: it may be an error."""

    entry_id: int
    in_dry_run: bool


class CheckIndex(Protocol):
    """Where values are looked up: `tutela.lists.index.service.Indexes`."""

    def may_hold(self, signal: str, values: Sequence[bytes]) -> bool:
        """Whether one of the values may be listed."""

    def search_many(self, signal: str, values: Sequence[bytes], radius: int) -> Sequence[Sequence[Hit]]:
        """For each value, every listed value within the radius."""


class CheckCatalogue(Protocol):
    """Who listed what: `tutela.lists.banks.service.Banks`."""

    def listed(self, signal_ids: Sequence[int]) -> Sequence[Listed]:
        """The active entries, in enabled banks, of these signal rows."""

    @property
    def query_keys(self) -> Sequence[QueryKeys]:
        """The sets of query parameters that pages are listed by, from memory."""


class Requests:
    """Rules on requests by the banks of one use. Thread-safe."""

    def __init__(
        self,
        index: CheckIndex,
        catalogue: CheckCatalogue,
        guard: ListingGuard,
        *,
        dry_run: timedelta = DRY_RUN,
        on_surge: Callable[[Surge], None] = lambda _: None,
    ) -> None:
        """`on_surge` hears once an hour of an entry that is asked for far too often, and returns soon."""
        self._index = index
        self._catalogue = catalogue
        self._guard = guard
        self._surges = Surges()
        self._dry_run = dry_run
        self._on_surge = on_surge

    def passes(self, url: str) -> bool:
        """Whether nothing of a link is listed anywhere: from memory, in microseconds; False where that takes longer to
        say. Raises NotReadyError where lists cannot be searched."""
        return not self._may_be_listed(_by_signal(link_samples(url, keys=self._catalogue.query_keys)))

    def rule(self, url: str, use: BankUse) -> Ruled:
        """What is done with a request for a link. Raises NotReadyError where lists cannot be searched, StoreError."""
        samples = link_samples(url, keys=self._catalogue.query_keys)
        found = [listed for listed in self._listed(samples) if use in listed.bank.uses]
        if not found:
            return PASSED
        link = parse_link(url)
        if link is None or any(listed.bank.kind is BankKind.ALLOW for listed in found):
            return PASSED
        rulings = [self._of(listed.entry, listed.bank, link.host) for listed in found]
        return max(rulings, key=lambda ruled: list(RequestRuling).index(ruled.ruling))

    def _of(self, entry: Entry, bank: Bank, host: str) -> Ruled:
        if not self._guard.admits(entry.id, host):
            return Ruled(RequestRuling.GUARDED, entry.id, bank.name)
        is_new = datetime.now(UTC) - entry.created_at < self._dry_run
        if self._surges.count(entry.id, bank.name):
            self._on_surge(Surge(entry.id, is_new))
        if bank.policy.action is Action.LOG or is_new:
            return Ruled(RequestRuling.DRY, entry.id, bank.name)
        return Ruled(RequestRuling.REFUSE, entry.id, bank.name)

    def _listed(self, samples: Sequence[Sample]) -> Sequence[Listed]:
        ids = [
            hit.key
            for signal, values in self._may_be_listed(_by_signal(samples)).items()
            for hits in self._index.search_many(signal, values, 0)
            for hit in hits
        ]
        return self._catalogue.listed(sorted(set(ids))) if ids else ()

    def _may_be_listed(self, values: Mapping[str, list[bytes]]) -> Mapping[str, list[bytes]]:
        return {signal: wanted for signal, wanted in values.items() if self._index.may_hold(signal, wanted)}


def _by_signal(samples: Sequence[Sample]) -> Mapping[str, list[bytes]]:
    values: dict[str, list[bytes]] = {}
    for sample in samples:
        values.setdefault(sample.signal, []).append(sample.value)
    return values


class Surges:
    """How often entries are asked for in an hour, of this process and in memory alone."""

    def __init__(self) -> None:
        self._counts: dict[str, Counter[int]] = {}
        self._told: set[int] = set()
        self._until = 0.0
        self._lock = threading.Lock()

    def count(self, entry_id: int, rule_set: str) -> bool:
        """Count one request for an entry; True once an hour for one that is asked for far too often."""
        with self._lock:
            if time.monotonic() >= self._until:
                self._counts, self._told, self._until = {}, set(), time.monotonic() + _HOUR_S
            counts = self._counts.setdefault(rule_set, Counter())
            counts[entry_id] += 1
            if entry_id in self._told or not surges(counts, entry_id):
                return False
            self._told.add(entry_id)
        return True


def surges(counts: Counter[int], entry_id: int) -> bool:
    """Whether an entry is asked for far more often than others of its list."""
    others = [count for other, count in counts.items() if other != entry_id]
    return counts[entry_id] >= max(SURGE_LEAST, SURGE_TIMES * (median(others) if others else 1))
