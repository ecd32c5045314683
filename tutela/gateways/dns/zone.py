"""The zone: the names of every bank marked for DNS, in versions, with what differs between the latest of them.

The serial rises with every change of the lists, in the order of their change feed. It is kept in a file and never goes
back, whatever database was restored: a resolver that saw a later version would not take an earlier one.
"""

import os
import threading
from collections import Counter, deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tutela.content.links.link import DOMAIN
from tutela.lists.banks.guard import ListingGuard
from tutela.lists.banks.model import BankUse
from tutela.lists.banks.service import Banks

KEPT_VERSIONS = 1_000
"""Differences that an incremental transfer can be made of; who is further behind gets the whole zone."""
_PAGE = 20_000
_MAX_SERIAL = 2**32


@dataclass(frozen=True, slots=True)
class Difference:
    """What one version changed."""

    before: int
    """The serial of the version before."""
    after: int
    removed: tuple[str, ...]
    added: tuple[str, ...]


class Zone:
    """Refreshed in one thread at a time, and read in any: what is read is of one version."""

    def __init__(self, banks: Banks, serial_file: Path) -> None:
        self._banks = banks
        self._guard = ListingGuard(banks)
        self._file = serial_file
        self._sequence = -1
        self._version = -1
        self._texts: dict[int, str] = {}
        self._names: Counter[str] = Counter()
        self._differences: deque[Difference] = deque(maxlen=KEPT_VERSIONS)
        self._lock = threading.Lock()
        self.serial = self._stored_serial()

    def __len__(self) -> int:
        return len(self._names)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def refresh(self) -> bool:
        """Take in what changed. Whether the zone is of a new version. Raises StoreError, OSError."""
        self._banks.refresh()
        version, head = self._banks.version(), self._banks.head(DOMAIN)
        if version != self._version or head < self._sequence:
            changed = self._all_anew()
        elif head != self._sequence:
            changed = self._by_the_feed()
        else:
            return False
        self._sequence, self._version = head, version
        return changed

    def whole(self) -> tuple[int, list[str]]:
        """The serial of the latest version, and its names."""
        with self._lock:
            return self.serial, list(self._names)

    def since(self, serial: int) -> list[Difference] | None:
        """What changed since a version, version by version; None where that is not known any more."""
        with self._lock:
            if serial == self.serial:
                return []
            found = [difference for difference in self._differences if newer(difference.after, serial)]
        return found if found and found[0].before == serial else None

    def _all_anew(self) -> bool:
        texts = self._listed(None)
        names = Counter(texts.values())
        removed, added = self._names.keys() - names.keys(), names.keys() - self._names.keys()
        first = self._sequence < 0
        with self._lock:
            self._texts, self._names = texts, names
            return self._advance(removed, added, first=first)

    def _by_the_feed(self) -> bool:
        pages: list[tuple[list[int], dict[int, str]]] = []
        after = self._sequence
        while page := self._banks.changes(DOMAIN, after, _PAGE):
            keys = [change.key for change in page]
            pages.append((keys, self._listed(keys)))
            after = page[-1].sequence
        removed: set[str] = set()
        added: set[str] = set()
        with self._lock:
            for keys, now in pages:
                self._follow(keys, now, removed, added)
            return self._advance(removed - added, added - removed)

    def _follow(self, keys: Sequence[int], now: Mapping[int, str], removed: set[str], added: set[str]) -> None:
        for key in keys:
            before, text = self._texts.pop(key, None), now.get(key)
            if text is not None:
                self._texts[key] = text
                self._names[text] += 1
                if self._names[text] == 1:
                    (removed.discard if text in removed else added.add)(text)
            if before is not None:
                self._names[before] -= 1
                if not self._names[before]:
                    del self._names[before]
                    (added.discard if before in added else removed.add)(before)

    def _listed(self, signal_ids: Sequence[int] | None) -> dict[int, str]:
        """The name of each signal row, but for names that would take a shared host away."""
        found = self._banks.names_in_clear(DOMAIN, BankUse.DNS, signal_ids)
        return {signal_id: text for signal_id, entry_id, text in found if self._guard.admits(entry_id, text)}

    def _advance(self, removed: Collection[str], added: Collection[str], *, first: bool = False) -> bool:
        if not removed and not added and not first:
            return False
        before = self.serial
        self.serial = (before + 1) % _MAX_SERIAL or 1
        self._store_serial()
        if first:
            self._differences.clear()  # what the version of an earlier process held is not known
        else:
            self._differences.append(Difference(before, self.serial, tuple(sorted(removed)), tuple(sorted(added))))
        return True

    def _stored_serial(self) -> int:
        try:
            return int(self._file.read_text(encoding="ascii"))
        except (FileNotFoundError, ValueError):
            return 0

    def _store_serial(self) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        temporary = self._file.with_suffix(".new")
        with temporary.open("w", encoding="ascii") as file:
            file.write(f"{self.serial}\n")
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self._file)


def newer(serial: int, than: int) -> bool:
    """Whether a serial comes behind another (RFC 1982, 3.2)."""
    return serial != than and (serial - than) % _MAX_SERIAL < _MAX_SERIAL // 2
