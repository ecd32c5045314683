"""Change feeds without a database, and unrelated-looking hashes, for the tests of the index."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tutela.lists.index.feed import ListChange


def random_hashes(count: int, seed: int) -> npt.NDArray[np.uint8]:
    """(count, 32) hashes with 128 ones each, as PDQ makes them."""
    rng = np.random.default_rng(seed)
    out = np.empty((count, 32), np.uint8)
    for begin in range(0, count, 50_000):
        noise = rng.random((min(50_000, count - begin), 256), dtype=np.float32)
        median = np.partition(noise, 128, axis=1)[:, 128:129]
        out[begin : begin + len(noise)] = np.packbits(noise < median, axis=1)
    return out


class MemoryFeed:
    """A feed whose changes are made by the test."""

    def __init__(self) -> None:
        self._changes: dict[int, ListChange] = {}
        self._marks: set[str] = set()
        self._sequence = 0

    def set(self, key: int, value: bytes, *, active: bool) -> None:
        self._sequence += 1
        self._changes.pop(key, None)
        self._changes[key] = ListChange(self._sequence, key, value, active)

    def active(self, key: int) -> bool:
        return key in self._changes and self._changes[key].active

    def value(self, key: int) -> bytes:
        return self._changes[key].value

    def head(self, signal: str) -> int:
        return self._sequence

    def changes(self, signal: str, after: int, limit: int) -> Sequence[ListChange]:
        later = [change for change in list(self._changes.values()) if change.sequence > after]
        return later[:limit]

    def mark(self, name: str) -> None:
        self._marks.add(name)

    def marked(self, name: str) -> bool:
        return name in self._marks

    def unmark(self, name: str) -> None:
        self._marks.discard(name)


class FileFeed:
    """A feed in a JSON file, for tests with several processes. It carries PDQ values only."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def set(self, key: int, value: bytes, *, active: bool) -> None:
        changes = self._read()
        changes = [change for change in changes if change.key != key]
        self._write([*changes, ListChange(self.head("pdq") + 1, key, value, active)])

    def set_many(self, values: Mapping[int, bytes]) -> None:
        self._write([ListChange(i, key, value, True) for i, (key, value) in enumerate(values.items(), start=1)])

    def head(self, signal: str) -> int:
        return max((change.sequence for change in self._read()), default=0) if signal == "pdq" else 0

    def changes(self, signal: str, after: int, limit: int) -> Sequence[ListChange]:
        later = [change for change in self._read() if change.sequence > after] if signal == "pdq" else []
        return sorted(later, key=lambda change: change.sequence)[:limit]

    def mark(self, name: str) -> None:
        self._path.with_suffix(f".{name}").touch()

    def marked(self, name: str) -> bool:
        return self._path.with_suffix(f".{name}").exists()

    def unmark(self, name: str) -> None:
        self._path.with_suffix(f".{name}").unlink(missing_ok=True)

    def _read(self) -> list[ListChange]:
        if not self._path.exists():
            return []
        rows = json.loads(self._path.read_text())
        return [ListChange(sequence, key, bytes.fromhex(value), active) for sequence, key, value, active in rows]

    def _write(self, changes: Sequence[ListChange]) -> None:
        temporary = self._path.with_suffix(".new")
        temporary.write_text(json.dumps([(c.sequence, c.key, c.value.hex(), c.active) for c in changes]))
        temporary.replace(self._path)
