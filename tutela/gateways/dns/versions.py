"""One zone as resolvers transfer it: its rules in versions, with what differs between the latest of them.

The serial rises with every version. It is kept in a file and never goes back, whatever database was restored: a
resolver that saw a later version would not take an earlier one.
"""

import os
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

KEPT_VERSIONS = 1_000
"""Differences that an incremental transfer can be made of; who is further behind gets the whole zone."""
_MAX_SERIAL = 2**32


class NameRule(Enum):
    """What a zone says of a name and of all below it."""

    LISTED = "listed"
    """They are answered with the garden, or do not exist."""
    FREE = "free"
    """They are answered as they are, whatever the zones behind this one say: `rpz-passthru`."""


Rules = Mapping[str, NameRule]


@dataclass(frozen=True, slots=True)
class Difference:
    """What one version changed."""

    before: int
    """The serial of the version before."""
    after: int
    removed: Rules
    added: Rules


class ZoneVersions:
    """Advanced in one thread at a time, and read in any: what is read is of one version."""

    def __init__(self, serial_file: Path) -> None:
        self._file = serial_file
        self._rules: dict[str, NameRule] = {}
        self._differences: deque[Difference] = deque(maxlen=KEPT_VERSIONS)
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
        """Set the rules of the first version of this process. What differs from those before it is not known."""
        with self._lock:
            self._rules = dict(rules)
            self._store(self.next_serial())
            self._differences.clear()

    def resume(self, serial: int, rules: Rules) -> None:
        """Go on with a version of an earlier process, which resolvers may have."""
        with self._lock:
            self._rules = dict(rules)
            self._store(serial)

    def advance(self, removed: Rules, added: Rules) -> None:
        """Make the next version."""
        difference = Difference(self.serial, self.next_serial(), removed, added)
        with self._lock:
            self._store(difference.after)
            for name in removed:
                del self._rules[name]
            self._rules.update(added)
            self._differences.append(difference)

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


def write_through(file: Path, text: str) -> None:
    """Replace a file by another text, which is on the disk when this returns; whoever reads it meanwhile has either."""
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_name(f"{file.name}.new")
    with temporary.open("w", encoding="ascii") as opened:
        opened.write(text)
        opened.flush()
        os.fsync(opened.fileno())
    temporary.replace(file)
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
