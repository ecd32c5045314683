"""The names of the lists as zones: all in one, or the large one and what changed lately in a small one before it.

A resolver that holds a million rules takes seconds to take in one more. So the small zone has the names that changed
since the large one was last renewed, listed or free, and resolvers apply the first zone that says anything of a name.
Now and then the large one is renewed (*folded*); the names stay in the small one, too, until every resolver has that.
"""

import hashlib
import json
import logging
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tutela.errors import InputError
from tutela.gateways.dns.covering import CoveringNames, above
from tutela.gateways.dns.history import NameRule, Rules, write_through
from tutela.gateways.dns.listed import ListedNames
from tutela.gateways.dns.options import DnsOptions
from tutela.gateways.dns.versions import ZoneVersions, newer, stored_serial
from tutela.lists.banks.service import Banks

log = logging.getLogger(__name__)

KEPT_S = 24 * 3600.0
"""How long folded names stay in the small zone at least; longer where a named resolver has not applied the fold."""
FOLDED_EVERY_S = 10.0
"""A large list that is imported piece by piece is not folded at every piece."""


class Zone:
    """One zone with all names. Refreshed in one thread at a time, its versions read in any. What it holds is in a file,
    so a new process changes nothing but what the lists changed."""

    recent: ZoneVersions | None = None
    """The small zone, where there is one."""

    def __init__(self, banks: Banks, serial_file: Path, options: DnsOptions) -> None:
        self._options = options
        self._listed = ListedNames(banks)
        self._begun = False
        self._behind = False
        """Whether something changed that is in no version: also where the last one could not be stored."""
        self._apart: set[str] = set()
        """The names of which the lists say something else than `main`."""
        self.main = ZoneVersions(serial_file, self._form())
        self.applied: int | None = None
        """The oldest version of `main` that a named resolver was last seen to apply; None where that is not known."""

    @property
    def serial(self) -> int:
        """That of the latest version of `main`."""
        return self.main.serial

    def __len__(self) -> int:
        return len(self._listed.names)

    def __iter__(self) -> Iterator[str]:
        return iter(self._listed.names)

    def refresh(self) -> bool:
        """Take in what changed. Whether there is a new version. Raises StoreError, OSError."""
        removed, added = self._listed.refresh()
        if not self._begun:
            self._begin()
            self._begun = True
            return True
        if removed or added:
            self._apart ^= removed | added
            self._behind = True
        if not self._behind:
            return False
        self._follow()
        self._behind = False
        return True

    def _begin(self) -> None:
        self._begin_main()
        if self._apart:
            self._renew_main()

    def _begin_main(self) -> None:
        """Go on with the zone of an earlier process, or begin one that has all names."""
        if self.main.resume():
            self._apart = self.main.rules.keys() ^ {*self}
        else:
            self.main.begin(dict.fromkeys(self, NameRule.LISTED))

    def _form(self) -> str:
        """What the rules look like: other settings make another version of the same names."""
        told = self._options.model_dump_json(exclude={"listen", "canary_every_s", "keys", "allow", "resolvers"})
        return hashlib.sha256(told.encode()).hexdigest()

    def _follow(self) -> None:
        self._renew_main()

    def _renew_main(self) -> None:
        held = self.main.rules.keys()
        self.main.advance(
            dict.fromkeys(self._apart & held, NameRule.LISTED), dict.fromkeys(self._apart - held, NameRule.LISTED)
        )
        self._apart = set()


@dataclass(frozen=True, slots=True)
class _Fold:
    """Names that the small zone had when the large one was renewed."""

    serial: int
    """The version of the large one that was made."""
    at: float
    names: frozenset[str]


class ZoneWithRecent(Zone):
    """The large zone and the small one."""

    recent: ZoneVersions

    def __init__(
        self, banks: Banks, serial_file: Path, options: DnsOptions, clock: Callable[[], float] = time.time
    ) -> None:
        super().__init__(banks, serial_file, options)
        self._clock = clock
        self._file = serial_file.with_suffix(".folded")
        self.recent = ZoneVersions(_recent_serial_file(serial_file), self._form())
        self._shown: set[str] = set()
        """Names of which the lists say something else than `main`: all, but for those of a change too large."""
        self._folds: deque[_Fold] = deque()

    def _begin(self) -> None:
        self._begin_main()
        self._folds = self._stored_folds()
        self._shown = self._apart.copy()
        if self.recent.resume():
            self._renew_recent()
        else:
            self.recent.begin(self._recent_rules())

    def refresh(self) -> bool:
        if self._begun and (self._is_due() or self._is_settled()):
            self._behind = True
        return super().refresh()

    def _follow(self) -> None:
        if len(self._apart) <= 2 * self._options.recent_most:
            self._shown = self._apart.copy()
        if self._is_due():
            self._fold()
        while self._is_settled():
            # A resolver may take the small zone before the large one: what is dropped, it has in the large one already.
            self._folds.popleft()
        self._renew_recent()

    def _renew_recent(self) -> None:
        before, after = self.recent.rules, self._recent_rules()
        gone = {name: rule for name, rule in before.items() if after.get(name) is not rule}
        new = {name: rule for name, rule in after.items() if before.get(name) is not rule}
        if gone or new:
            self.recent.advance(gone, new)

    def _recent_rules(self) -> Rules:
        return recent_rules(self._shown.union(*(fold.names for fold in self._folds)), self._listed.names)

    def _is_due(self) -> bool:
        """Whether the large zone is to be renewed."""
        count, most, hour, now = len(self._apart), self._options.recent_most, self._options.fold_hour, self._clock()
        if count <= most or (self._folds and 0 <= now - self._folds[-1].at < FOLDED_EVERY_S):
            return False
        return hour is None or count > 2 * most or datetime.fromtimestamp(now, UTC).hour == hour

    def _fold(self) -> None:
        count, serial = len(self._apart), self.main.next_serial()
        folds = deque([*self._folds, _Fold(serial, self._clock(), frozenset(self._shown))])
        # First on the disk: a process that is killed now is followed by one that keeps them in the small zone.
        self._store_folds(folds)
        self._renew_main()
        self._folds, self._shown = folds, set()
        log.info("version %d of the large zone has %d names: %d changed", serial, len(self), count)

    def _is_settled(self) -> bool:
        """Whether the names of the oldest fold may leave the small zone."""
        if not self._folds or self._clock() - self._folds[0].at < KEPT_S:
            return False
        if not self._options.resolvers:
            return True
        return self.applied is not None and not newer(self._folds[0].serial, self.applied)

    def _store_folds(self, folds: Iterable[_Fold]) -> None:
        told = [{"serial": fold.serial, "at": fold.at, "names": [*fold.names]} for fold in folds]
        write_through(self._file, json.dumps(told))

    def _stored_folds(self) -> deque[_Fold]:
        try:
            found = json.loads(self._file.read_text(encoding="ascii"))
        except FileNotFoundError:
            return deque()
        except ValueError:
            raise InputError("{file} is damaged: restore it, or remove it to begin anew", file=self._file) from None
        return deque(_Fold(each["serial"], each["at"], frozenset(each["names"])) for each in found)


def zone_of(banks: Banks, serial_file: Path, options: DnsOptions) -> Zone:
    """As the options say."""
    return (Zone if options.recent is None else ZoneWithRecent)(banks, serial_file, options)


def stored_serials(serial_file: Path, options: DnsOptions) -> dict[str, int]:
    """The current version of each zone, by its name, for another process than the one that serves them; nothing on
    a machine that does not have its home."""
    files = {options.zone: serial_file}
    if options.recent is not None:
        files[options.recent] = _recent_serial_file(serial_file)
    return {zone: stored_serial(file) for zone, file in files.items() if file.exists()}


def _recent_serial_file(serial_file: Path) -> Path:
    return serial_file.with_suffix(".recent")


def recent_rules(names: set[str], listed: CoveringNames) -> dict[str, NameRule]:
    """What the small zone says of these names, so that with any large zone behind it that differs from the lists in
    these names only, resolvers answer as the lists say.

    A free name frees all below it, so what is listed there is said, too; and what lies between a free name and another
    rule below it, which its star does not reach (RFC 4592, 2.2.2).
    """
    free = {name for name in names if not listed.blocks(name)}
    blocked = (names - free).union(*(listed.topmost_below(name) for name in free))
    rules = {name: NameRule.LISTED for name in blocked if blocked.isdisjoint(above(name))}
    between: set[str] = set()
    for name in (*free, *rules):
        passed: list[str] = []
        for each in above(name):
            passed.append(each)
            if each in free:
                between.update(passed)
    return rules | dict.fromkeys(free | between, NameRule.FREE)
