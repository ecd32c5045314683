"""Sets of values that are searched: one class a kind for an immutable mapped file, one for a few values in memory.

A file is built under a temporary name, flushed, and only then given its name by whoever owns the directory; it is
opened only after its checksum was compared.
"""

import struct
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from tutela import _native
from tutela.content.signals.base import SignalKind, SignalType
from tutela.errors import IndexCorruptError
from tutela.lists.index.feed import Hit

Values = npt.NDArray[np.uint8]
"""(n, width) values."""
Keys = npt.NDArray[np.uint64]
"""(n,) their keys."""


class Searchable(Protocol):
    """A set of values with keys. Thread-safe."""

    def __len__(self) -> int: ...

    def search_many(self, values: Sequence[bytes], radius: int) -> list[list[Hit]]:
        """For each value, every member within the radius, unordered."""


class Segment(Searchable, Protocol):
    """A set of values in an immutable mapped file."""

    def rows(self, begin: int, end: int) -> tuple[Values, Keys]:
        """A range of the members."""

    def file_bytes(self) -> memoryview:
        """The whole file."""


_HAMMING_BYTES = 32
"""The native core searches values of 256 bits."""


class HammingSegment:
    """256-bit values in the native multi-index file."""

    def __init__(self, path: Path) -> None:
        try:
            self._native = _native.Segment(str(path))
        except _native.CorruptSegmentError as error:
            raise IndexCorruptError("{path}: {error}", path=path, error=error) from error

    @staticmethod
    def build(path: Path, values: Values, keys: Keys) -> None:
        _native.build_segment(str(path), values, keys)

    def __len__(self) -> int:
        return len(self._native)

    def search_many(self, values: Sequence[bytes], radius: int) -> list[list[Hit]]:
        queries = np.frombuffer(b"".join(values), np.uint8).reshape(-1, _HAMMING_BYTES)
        numbers, keys, distances = self._native.search_many(queries, radius)
        results: list[list[Hit]] = [[] for _ in values]
        for number, key, distance in zip(numbers.tolist(), keys.tolist(), distances.tolist(), strict=True):
            results[number].append(Hit(key, distance))
        return results

    def rows(self, begin: int, end: int) -> tuple[Values, Keys]:
        return self._native.rows(begin, end)

    def file_bytes(self) -> memoryview:
        return self._native.bytes()


class HammingMemory:
    """256-bit values in memory, read through for every search."""

    def __init__(self, values: Values, keys: Keys) -> None:
        self._values = values
        self._keys = keys

    def __len__(self) -> int:
        return len(self._keys)

    def search_many(self, values: Sequence[bytes], radius: int) -> list[list[Hit]]:
        if not len(self):
            return [[] for _ in values]
        results = []
        for value in values:
            rows, distances = _native.scan(self._values, value, radius)
            results.append(
                [
                    Hit(key, distance)
                    for key, distance in zip(self._keys[rows].tolist(), distances.tolist(), strict=True)
                ]
            )
        return results


_HEADER = struct.Struct("<8sQQ")
_MAGIC = b"TUTVAL01"
_DATA_AT = 64


class _ValuesFile:
    """Values, then keys, behind a short header."""

    def __init__(self, path: Path, width: int) -> None:
        self._map: Values = np.memmap(path, np.uint8, "r") if path.stat().st_size else np.empty(0, np.uint8)
        if len(self._map) < _DATA_AT:
            raise IndexCorruptError("{path}: the file is shorter than its header", path=path)
        magic, count, stored_width = _HEADER.unpack_from(self._map.data)
        if magic != _MAGIC or stored_width != width:
            raise IndexCorruptError("{path}: the file does not hold {width}-byte values", path=path, width=width)
        keys_at = _keys_at(count, width)
        if len(self._map) != keys_at + 8 * count:
            raise IndexCorruptError("{path}: the file is not as long as its header says", path=path)
        self.values: Values = self._map[_DATA_AT : _DATA_AT + count * width].reshape(count, width)
        self.keys: Keys = self._map[keys_at:].view(np.uint64)

    @staticmethod
    def write(path: Path, values: Values, keys: Keys) -> None:
        count, width = values.shape
        with path.open("xb") as file:
            file.write(_HEADER.pack(_MAGIC, count, width))
            file.seek(_DATA_AT)
            file.write(np.ascontiguousarray(values).data)
            file.truncate(_keys_at(count, width))
            file.seek(_keys_at(count, width))
            file.write(np.ascontiguousarray(keys).data)

    def __len__(self) -> int:
        return len(self.keys)

    def rows(self, begin: int, end: int) -> tuple[Values, Keys]:
        return self.values[begin:end], self.keys[begin:end]

    def file_bytes(self) -> memoryview:
        return self._map.data


def _keys_at(count: int, width: int) -> int:
    return -(-(_DATA_AT + count * width) // 8) * 8


class ExactSegment(_ValuesFile):
    """Values in ascending order, found by bisection; the radius does not matter."""

    def __init__(self, path: Path, width: int) -> None:
        super().__init__(path, width)
        self._sorted = self.values.view(f"S{width}").ravel()

    @staticmethod
    def build(path: Path, values: Values, keys: Keys) -> None:
        order = np.argsort(np.ascontiguousarray(values).view(f"S{values.shape[1]}").ravel(), kind="stable")
        _ValuesFile.write(path, values[order], keys[order])

    def search_many(self, values: Sequence[bytes], radius: int) -> list[list[Hit]]:
        wanted = np.array(values, self._sorted.dtype)
        begins = np.searchsorted(self._sorted, wanted, "left").tolist()
        ends = np.searchsorted(self._sorted, wanted, "right").tolist()
        return [[Hit(key, 0) for key in self.keys[begin:end].tolist()] for begin, end in zip(begins, ends, strict=True)]


class ExactMemory:
    """Values in memory, found by their hash."""

    def __init__(self, values: Values, keys: Keys) -> None:
        self._keys: dict[bytes, list[int]] = defaultdict(list)
        for value, key in zip(values, keys.tolist(), strict=True):
            self._keys[value.tobytes()].append(key)
        self._count = len(keys)

    def __len__(self) -> int:
        return self._count

    def search_many(self, values: Sequence[bytes], radius: int) -> list[list[Hit]]:
        return [[Hit(key, 0) for key in self._keys.get(value, ())] for value in values]


class PrefixSegment:
    """32-byte digests in the native file of prefixes; the radius does not matter."""

    def __init__(self, path: Path) -> None:
        try:
            self._native = _native.Prefixes(str(path))
        except _native.CorruptPrefixesError as error:
            raise IndexCorruptError("{path}: {error}", path=path, error=error) from error

    @staticmethod
    def build(path: Path, values: Values, keys: Keys) -> None:
        _native.build_prefixes(str(path), np.ascontiguousarray(values), np.ascontiguousarray(keys))

    def __len__(self) -> int:
        return len(self._native)

    def search_many(self, values: Sequence[bytes], radius: int) -> list[list[Hit]]:
        return [[Hit(key, 0) for key in keys] for keys in self._native.search_many(b"".join(values))]

    def may_hold(self, joined: bytes) -> bool:
        """Whether one of the values, 32 bytes each, may be a member: nearly always no, and fast."""
        return self._native.may_hold(joined)

    def rows(self, begin: int, end: int) -> tuple[Values, Keys]:
        return self._native.rows(begin, end)

    def file_bytes(self) -> memoryview:
        return self._native.bytes()

    def forget_tail(self) -> None:
        """Give back the memory of all that only a hit or a build reads."""
        self._native.forget_tail()


class Patterns:
    """Terms, and the native automaton that finds all of them in a text in one pass."""

    def __init__(self, data: Values) -> None:
        self._data = data
        self._native = _native.Patterns(data)

    @classmethod
    def of(cls, values: Values, keys: Keys) -> "Patterns":
        """Over the same values, without a file."""
        built = _native.build_patterns(np.ascontiguousarray(values), np.ascontiguousarray(keys))
        return cls(np.frombuffer(built, np.uint8))

    def __len__(self) -> int:
        return len(self._native)

    def search_many(self, values: Sequence[bytes], radius: int) -> list[list[Hit]]:
        return [[Hit(key, 0) for key in self._native.keys_of(value)] for value in values]

    def find(self, text: bytes, folding: _native.Folding) -> list[tuple[bytes, int, int]]:
        """The value of every term that a text in UTF-8 holds, with its first place in code points."""
        return self._native.find(text, folding)

    def rows(self, begin: int, end: int) -> tuple[Values, Keys]:
        return self._native.rows(begin, end)


class PatternSegment(Patterns):
    """A mapped file of them."""

    def __init__(self, path: Path) -> None:
        try:
            super().__init__(np.memmap(path, np.uint8, "r"))
        except (ValueError, _native.CorruptPatternsError) as error:  # an empty file cannot be mapped
            raise IndexCorruptError("{path}: {error}", path=path, error=error) from error

    @staticmethod
    def build(path: Path, values: Values, keys: Keys) -> None:
        with path.open("xb") as file:
            file.write(_native.build_patterns(np.ascontiguousarray(values), np.ascontiguousarray(keys)))

    def file_bytes(self) -> memoryview:
        return self._data.data


class VectorMemory:
    """Values of any distance, each compared with the query by the signal type."""

    def __init__(self, values: Values, keys: Keys, signal_type: SignalType) -> None:
        self.values = values
        self.keys = keys
        self._signal_type = signal_type

    def __len__(self) -> int:
        return len(self.keys)

    def search_many(self, values: Sequence[bytes], radius: int) -> list[list[Hit]]:
        return [self._search(value, radius) for value in values]

    def _search(self, value: bytes, radius: int) -> list[Hit]:
        compare_all = getattr(self._signal_type, "distances", None)
        if compare_all is not None:
            distances = compare_all(self.values, value)
            near = np.flatnonzero(distances <= radius)
            return [
                Hit(key, distance)
                for key, distance in zip(self.keys[near].tolist(), distances[near].tolist(), strict=True)
            ]
        pairs = zip(self.keys.tolist(), self.values, strict=True)
        hits = (Hit(key, self._signal_type.distance(value, row.tobytes())) for key, row in pairs)
        return [hit for hit in hits if hit.distance <= radius]


class VectorSegment(VectorMemory):
    """A mapped file of such values."""

    def __init__(self, path: Path, signal_type: SignalType) -> None:
        self._file = _ValuesFile(path, signal_type.width)
        super().__init__(self._file.values, self._file.keys, signal_type)

    def rows(self, begin: int, end: int) -> tuple[Values, Keys]:
        return self._file.rows(begin, end)

    def file_bytes(self) -> memoryview:
        return self._file.file_bytes()


def open_segment(path: Path, signal_type: SignalType) -> Segment:
    """The segment in a file. Raises IndexCorruptError, OSError."""
    match signal_type.kind:
        case SignalKind.HAMMING:
            return HammingSegment(path)
        case SignalKind.EXACT:
            return ExactSegment(path, signal_type.width)
        case SignalKind.PREFIXES:
            return PrefixSegment(path)
        case SignalKind.PATTERN:
            return PatternSegment(path)
        case SignalKind.VECTOR:
            return VectorSegment(path, signal_type)


def build_segment(path: Path, signal_type: SignalType, values: Values, keys: Keys) -> None:
    """Write a segment to a new file. Raises OSError."""
    match signal_type.kind:
        case SignalKind.HAMMING:
            HammingSegment.build(path, values, keys)
        case SignalKind.EXACT:
            ExactSegment.build(path, values, keys)
        case SignalKind.PREFIXES:
            PrefixSegment.build(path, values, keys)
        case SignalKind.PATTERN:
            PatternSegment.build(path, values, keys)
        case SignalKind.VECTOR:
            _ValuesFile.write(path, values, keys)


def in_memory(signal_type: SignalType, values: Values, keys: Keys) -> Searchable:
    """The same values, searchable without a file."""
    match signal_type.kind:
        case SignalKind.HAMMING:
            return HammingMemory(values, keys)
        case SignalKind.EXACT:
            return ExactMemory(values, keys)
        case SignalKind.PREFIXES:
            return ExactMemory(values, keys)
        case SignalKind.PATTERN:
            return Patterns.of(values, keys)
        case SignalKind.VECTOR:
            return VectorMemory(values, keys, signal_type)
