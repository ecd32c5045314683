"""One zone as resolvers transfer it: its rules in versions, with what differs between the latest of them.

The serial rises with every version. It is kept in a file and never goes back, whatever database was restored: a
resolver that saw a later version would not take an earlier one.
"""

import threading
from collections import deque
from pathlib import Path

from tutela.gateways.dns.history import Difference, HistoryFile, NameRule, Rules, write_through

KEPT_VERSIONS = 1_000
"""Differences that an incremental transfer can be made of; who is further behind gets the whole zone."""
KEPT_NAMES = 100_000
"""Nor are differences kept with more names in all than these and twice those of the zone."""
_MAX_SERIAL = 2**32


class ZoneVersions:
    """Advanced in one thread at a time, and read in any: what is read is of one version."""

    def __init__(self, serial_file: Path, form: str = "") -> None:
        """`form`: what the records look like. Where that changed, the same rules are another version."""
        self._file = serial_file
        self._form = form
        self._history = HistoryFile(serial_file.with_name(f"{serial_file.name}.versions"))
        self._rules: dict[str, NameRule] = {}
        self._differences: deque[Difference] = deque()
        self._names = 0
        """In all differences."""
        self._lock = threading.Lock()
        self.serial = stored_serial(serial_file)

    @property
    def rules(self) -> Rules:
        """Those of the latest version, for the thread that advances them."""
        return self._rules

    def whole(self) -> tuple[int, Rules]:
        """The serial of the latest version, and its rules."""
        with self._lock:
            return self.serial, self._rules.copy()

    def since(self, serial: int) -> list[Difference] | None:
        """What changed since a version, version by version; None where that is not known any more."""
        with self._lock:
            if serial == self.serial:
                return []
            found = [difference for difference in self._differences if newer(difference.after, serial)]
        return found if found and found[0].before == serial else None

    def next_serial(self) -> int:
        """That of the next version."""
        return (self.serial + 1) % _MAX_SERIAL or 1

    def begin(self, rules: Rules) -> None:
        """Set the rules of a version of which it is not known how it differs from those before it."""
        serial = self.next_serial()
        self._history.write(self._form, serial, rules, ())
        with self._lock:
            self._rules = dict(rules)
            self._store(serial)
            self._differences.clear()
            self._names = 0

    def resume(self) -> bool:
        """Go on with what an earlier process kept, if it did; in a new version where records look otherwise now. Raises
        InputError."""
        found = self._history.read()
        if found is None or newer(self.serial, found.serial):
            return False  # or served by a program that keeps nothing
        if found.form != self._form:
            self.serial = found.serial
            self.begin(found.rules)
            return True
        with self._lock:
            self._rules = found.rules
            self._differences = deque(found.differences)
            self._names = sum(map(len, found.differences))
            self._store(found.serial)
        return True

    def advance(self, removed: Rules, added: Rules) -> None:
        """Make the next version."""
        if self._history.is_long:
            self._history.write(self._form, self.serial, self._rules, self._differences)
        difference = Difference(self.serial, self.next_serial(), removed, added)
        stay = self._history.append(difference)
        with self._lock:
            self._store(difference.after)
            stay()
            difference.apply(self._rules)
            self._differences.append(difference)
            self._names += len(difference)
            while len(self._differences) > KEPT_VERSIONS or self._names > 2 * len(self._rules) + KEPT_NAMES:
                self._names -= len(self._differences.popleft())

    def _store(self, serial: int) -> None:
        write_through(self._file, f"{serial}\n")
        self.serial = serial


def stored_serial(file: Path) -> int:
    """The serial that a file has; 0 where it has none."""
    try:
        return int(file.read_text(encoding="ascii"))
    except (FileNotFoundError, ValueError):
        return 0


def newer(serial: int, than: int) -> bool:
    """Whether a serial comes behind another (RFC 1982, 3.2)."""
    return serial != than and (serial - than) % _MAX_SERIAL < _MAX_SERIAL // 2
