"""Listed names of which some lie below others: a name covers all below it, so only the topmost need a rule.

More than that, a rule below another one does harm. With rules for `example.org`, `*.example.org` and `a.b.example.org`,
the name `b.example.org` exists in the zone, so the star does not reach it nor what is below it (RFC 4592, 2.2.2 and
3.3.1): seen in BIND and Unbound, where these names resolved.
"""

from collections.abc import Collection, Iterator


def above(name: str) -> Iterator[str]:
    """The names above one, the nearest first; no single label, which is never listed."""
    while "." in (name := name.partition(".")[2]):
        yield name


class CoveringNames:
    """Listed names, and which of them no other one covers."""

    def __init__(self) -> None:
        self._listed: set[str] = set()
        self._covered: set[str] = set()
        """Those below another listed name."""
        self._below: dict[str, set[str]] = {}
        """The listed names below each name that is above one."""

    def __len__(self) -> int:
        return len(self._listed) - len(self._covered)

    def __iter__(self) -> Iterator[str]:
        """The topmost names."""
        return (name for name in self._listed if name not in self._covered)

    def blocks(self, name: str) -> bool:
        """Whether a name is listed, or lies below a listed one."""
        return name in self._listed or any(each in self._listed for each in above(name))

    def topmost_below(self, name: str) -> Iterator[str]:
        """The topmost listed names among those below a name that is not blocked."""
        return (each for each in self._below.get(name, ()) if each not in self._covered)

    def change(self, removed: Collection[str], added: Collection[str]) -> tuple[set[str], set[str]]:
        """Take in names that are no longer listed, and names that now are. The topmost names that are none any more,
        and the new ones."""
        touched = {*removed, *added}
        for name in (*removed, *added):
            touched |= self._below.get(name, set())
        before = {name for name in touched if name in self._listed and name not in self._covered}
        self._listed -= {*removed}
        self._listed |= {*added}
        for name in added:
            for each in above(name):
                self._below.setdefault(each, set()).add(name)
        for name in removed:
            for each in above(name):
                self._below[each].discard(name)
                if not self._below[each]:
                    del self._below[each]
        touched &= self._listed
        covered = {name for name in touched if any(each in self._listed for each in above(name))}
        self._covered -= {*removed} | touched
        self._covered |= covered
        after = touched - covered
        return before - after, after - before
