"""The indexes of every signal type, side by side in one directory."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from tutela import _native
from tutela.content.signals.base import SignalType
from tutela.errors import InputError
from tutela.lists.index.feed import ChangeFeed, Hit
from tutela.lists.index.signal_index import SignalIndex


class Indexes:
    """Search over every signal type of an installation. Thread-safe."""

    def __init__(self, directory: Path, types: Mapping[str, SignalType], feed: ChangeFeed, store: str) -> None:
        """`store` is the identity of the database that `feed` reads; segments of another are refused."""
        self.feed = feed
        self.by_signal = {name: SignalIndex(directory / name, kind, store) for name, kind in types.items()}
        self.refresh()

    def search_many(self, signal: str, values: Sequence[bytes], radius: int) -> list[list[Hit]]:
        """For each value, every listed value within the radius. Raises NotReadyError, InputError (unknown type)."""
        return self._index(signal).search_many(values, radius)

    def may_hold(self, signal: str, values: Sequence[bytes]) -> bool:
        """Whether one of the values may be listed as it is; a no is certain. Raises NotReadyError, InputError."""
        return self._index(signal).may_hold(values)

    def find(self, signal: str, text: bytes, folding: _native.Folding) -> list[tuple[bytes, int]]:
        """As `SignalIndex.find`. Raises NotReadyError, InputError."""
        return self._index(signal).find(text, folding)

    @property
    def sequences(self) -> dict[str, int]:
        """Per signal type, the last list change that is searched."""
        return {name: index.sequence for name, index in self.by_signal.items()}

    def faults(self) -> dict[str, str]:
        """Per signal type that cannot be searched, why."""
        return {name: index.fault for name, index in self.by_signal.items() if index.fault is not None}

    def refresh(self) -> None:
        """Make committed changes and newly built segments visible. Raises StoreError."""
        for index in self.by_signal.values():
            index.refresh(self.feed)

    def verify(self) -> None:
        """Read every mapped segment and compare it with what was built; `faults` says which differ."""
        for index in self.by_signal.values():
            index.verify()

    def due(self) -> list[str]:
        """The signal types for which a build pays now."""
        return [name for name, index in self.by_signal.items() if index.due()]

    def build(self, signal: str) -> bool:
        """Build one type's segment now. False when another process is building it. Raises OSError, StoreError."""
        index = self._index(signal)
        built = index.build(self.feed)
        index.refresh(self.feed)
        return built

    def _index(self, signal: str) -> SignalIndex:
        try:
            return self.by_signal[signal]
        except KeyError:
            raise InputError(
                "unknown signal type {signal!r}; known here: {by_signal}",
                signal=signal,
                by_signal=", ".join(self.by_signal),
            ) from None
