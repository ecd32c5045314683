"""Hosts that many people share: one listed page there must not take the others away.

Such a host is never named to routers, and a page on it is blocked by a network only when two curators confirmed it. The
list that is shipped is from public knowledge; an operator's `shared-hosts.txt` in the home comes on top.
"""

from collections.abc import Iterable, Iterator
from functools import cache
from importlib.resources import files
from pathlib import Path

from tutela.errors import InputError

FILE = "shared-hosts.txt"


class SharedHosts:
    """A set of names, each with all that is below it."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = frozenset(names)
        self._above = frozenset(above for name in self._names for above in _with_those_above(name))

    def __len__(self) -> int:
        return len(self._names)

    def covers(self, host: str) -> bool:
        """Whether a host (lower-case ASCII) is one of them, or below one."""
        return any(name in self._names for name in _with_those_above(host.rstrip(".")))

    def within(self, host: str) -> bool:
        """Whether one of them is this host or lies below it: who blocks `example` blocks `shared.example`."""
        return host in self._above

    def touched_by(self, host: str) -> bool:
        """Whether blocking this host takes something from people who share it."""
        return self.covers(host) or self.within(host)


def _with_those_above(host: str) -> Iterator[str]:
    """A name, and every name that it lies below."""
    while host:
        yield host
        host = host.partition(".")[2]


def shared_hosts(home: Path | None = None) -> SharedHosts:
    """Those that are shipped, and an operator's on top; a line `-name` takes one off. Raises InputError."""
    names = set(_shipped())
    own = home / FILE if home is not None else None
    if own is not None and own.exists():
        for name in _lines(own.read_text(encoding="utf-8")):
            if name.startswith("-"):
                names.discard(name[1:].strip())
            else:
                names.add(name)
    return SharedHosts(names)


@cache
def _shipped() -> frozenset[str]:
    return frozenset(_lines((files("tutela.lists.banks") / "shared_hosts.txt").read_text(encoding="utf-8")))


def _lines(text: str) -> Iterable[str]:
    for number, line in enumerate(text.splitlines(), 1):
        name = line.partition("#")[0].strip().lower().rstrip(".")
        if not name:
            continue
        if not name.isascii() or any(character.isspace() or character in "/:*@" for character in name):
            raise InputError(
                "{file}, line {number}: {name!r} is not a host; write one such as example.org",
                file=FILE,
                number=number,
                name=name[:80],
            )
        yield name
