"""A zone's versions on disk. A process that is started anew goes on with them, and sends resolvers what differs.

To send the whole zone again would be wrong as well as slow: of such a transfer that breaks off, BIND 9.18 applies what
came, and the rest of the names are free.

A line has the rules of one version, each further line what the next one changed. A line counts only with its end: a
process that was killed while it wrote one has not served that version.
"""

import json
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from tutela.errors import InputError

_SPARE_BYTES = 2**20


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

    def __len__(self) -> int:
        return len(self.removed) + len(self.added)

    def apply(self, rules: dict[str, NameRule]) -> None:
        """Make the rules of the version before those of the version after."""
        for name in self.removed:
            del rules[name]
        rules.update(self.added)

    def undo(self, rules: dict[str, NameRule]) -> None:
        """Make the rules of the version after those of the version before."""
        for name in self.added:
            del rules[name]
        rules.update(self.removed)


@dataclass(frozen=True, slots=True)
class History:
    """The latest version that was kept, and how it came about."""

    form: str
    """What its records look like."""
    serial: int
    rules: dict[str, NameRule]
    differences: list[Difference]


class HistoryFile:
    """Written in one thread at a time."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._end = 0
        """Where the lines that count end."""
        self._begun_with = 0
        """How long it was when it was last written anew."""

    @property
    def is_long(self) -> bool:
        """Whether most of it is of versions that nobody needs any more: it is to be written anew."""
        return self._end > 2 * self._begun_with + _SPARE_BYTES

    def read(self) -> History | None:
        """What was kept, if anything. Raises InputError where that is damaged."""
        try:
            kept = self._file.read_bytes()
        except FileNotFoundError:
            return None
        whole = kept[: kept.rfind(b"\n") + 1]
        try:
            first, *lines = [json.loads(line) for line in whole.splitlines()]
            rules, differences = _rules(first["rules"]), [_difference(line) for line in lines]
            for difference in differences:
                difference.apply(rules)
        except (ValueError, KeyError, TypeError, AttributeError):
            raise InputError("{file} is damaged: restore it, or remove it to begin anew", file=self._file) from None
        self._end, self._begun_with = len(whole), whole.find(b"\n") + 1
        serial = differences[-1].after if differences else first["serial"]
        return History(first["form"], serial, rules, differences)

    def write(self, form: str, serial: int, rules: Rules, differences: Iterable[Difference]) -> None:
        """Begin the file anew with the version of that serial, and with those that came before it."""
        first, kept = dict(rules), [*differences]
        for difference in reversed(kept):
            difference.undo(first)
        head = {"form": form, "serial": kept[0].before if kept else serial, "rules": _told(first)}
        self._end = write_through(self._file, "".join([_line(head), *(_line(_told_of(each)) for each in kept)]))
        self._begun_with = self._end

    def append(self, difference: Difference) -> Callable[[], None]:
        """Add a version; it is on the disk when this returns. It stays there when what is returned has been called:
        otherwise the next one takes its place."""
        line = _line(_told_of(difference)).encode("ascii")
        with self._file.open("r+b") as opened:
            opened.truncate(self._end)
            opened.seek(self._end)
            opened.write(line)
            opened.flush()
            os.fsync(opened.fileno())
        end = self._end + len(line)

        def stay() -> None:
            self._end = end

        return stay


def _line(told: Mapping[str, Any]) -> str:
    return json.dumps(told, separators=(",", ":")) + "\n"


def _told(rules: Rules) -> dict[str, list[str]]:
    return {kind.value: [name for name, rule in rules.items() if rule is kind] for kind in NameRule}


def _rules(told: Mapping[str, list[str]]) -> dict[str, NameRule]:
    return {name: NameRule(kind) for kind, names in told.items() for name in names}


def _told_of(difference: Difference) -> dict[str, Any]:
    return {
        "before": difference.before,
        "after": difference.after,
        "removed": _told(difference.removed),
        "added": _told(difference.added),
    }


def _difference(told: Mapping[str, Any]) -> Difference:
    return Difference(told["before"], told["after"], _rules(told["removed"]), _rules(told["added"]))


def write_through(file: Path, text: str) -> int:
    """Replace a file by another text, which is on the disk when this returns; whoever reads it meanwhile has either.
    How many bytes that are."""
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
    return len(text)
