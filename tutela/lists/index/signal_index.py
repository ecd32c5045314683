"""The index of one signal type: a mapped segment, and what changed since it was built.

A search reads one immutable state and so sees either all of a change or none of it. `refresh` makes the next state;
`build` writes the next segment aside, which every process then finds through the manifest.
"""

import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from tutela import _native
from tutela.content.signals.base import SignalType
from tutela.errors import IndexCorruptError, NotReadyError
from tutela.lists.index.builder import Builder
from tutela.lists.index.feed import ChangeFeed, Hit, ListChange
from tutela.lists.index.manifest import Manifest, checksum, manifest_stamp, open_verified, read_manifest
from tutela.lists.index.segments import Patterns, PrefixSegment, Searchable, Segment, in_memory

log = logging.getLogger(__name__)

PAGE = 20_000
MAX_CHANGED = 2_000_000
"""Changes beyond this many are not taken into memory: the index waits for a build, and is not ready until then."""


@dataclass(frozen=True, slots=True)
class IndexState:
    """What a search reads."""

    segment: Segment | None
    changed: Mapping[int, ListChange]
    """By key, every value whose segment row, if it has one, no longer counts."""
    live: Searchable
    """The changed values that are active."""
    sequence: int
    mark: str | None = None
    """The segment's mark in the lists."""


class SignalIndex:
    """Search over one signal type. Thread-safe; one writer of the segment among all processes."""

    def __init__(self, directory: Path, signal_type: SignalType, store: str) -> None:
        self.directory = directory
        self.signal_type = signal_type
        self._store = store
        self._stamp: tuple[int, int] | None = None
        self._manifest: Manifest | None = None
        self._file: tuple[int, ...] | None = None
        self._damage: str | None = None
        self._torn: tuple[int, int] | None = None
        self._state = _empty(signal_type)
        self._fault: str | None = "the lists have not been read yet"
        self._refreshing = threading.Lock()

    @property
    def sequence(self) -> int:
        """The last list change that is searched."""
        return self._state.sequence

    @property
    def fault(self) -> str | None:
        """Why searches are refused, or None."""
        return self._fault

    def __len__(self) -> int:
        state = self._state
        return (len(state.segment) if state.segment else 0) + len(state.live)

    @property
    def changed(self) -> int:
        """How many values changed since the segment was built."""
        return len(self._state.changed)

    def search_many(self, values: Sequence[bytes], radius: int) -> list[list[Hit]]:
        """For each value, every listed value within the radius. Raises NotReadyError rather than miss one."""
        if self._fault is not None:
            raise NotReadyError(
                "the index of {name} is not ready: {fault}", name=self.signal_type.name, fault=self._fault
            )
        state = self._state
        results = state.live.search_many(values, radius)
        if state.segment is not None:
            for result, found in zip(results, state.segment.search_many(values, radius), strict=True):
                result += [hit for hit in found if hit.key not in state.changed]
        return results

    def may_hold(self, values: Sequence[bytes]) -> bool:
        """Whether one of the values may be listed as it is; a no is certain, and of prefixes also fast."""
        if self._fault is not None:
            raise NotReadyError(
                "the index of {name} is not ready: {fault}", name=self.signal_type.name, fault=self._fault
            )
        state = self._state
        if len(state.live) and any(state.live.search_many(values, 0)):
            return True
        if isinstance(state.segment, PrefixSegment):
            return state.segment.may_hold(b"".join(values))
        return state.segment is not None and any(state.segment.search_many(values, 0))

    def find(self, text: bytes, folding: _native.Folding) -> list[tuple[bytes, int]]:
        """The value of every listed term that a text in UTF-8 holds, and where in it, in code points. Of kind PATTERN
        alone. Raises NotReadyError rather than miss one. A term that was taken off lists since the segment was built
        may be told: who looks up its listings finds none."""
        if self._fault is not None:
            raise NotReadyError(
                "the index of {name} is not ready: {fault}", name=self.signal_type.name, fault=self._fault
            )
        state = self._state
        found: dict[bytes, int] = {}
        for patterns in (state.live, state.segment):
            if isinstance(patterns, Patterns) and len(patterns):
                for value, begin, _ in patterns.find(text, folding):
                    found.setdefault(value, begin)
        return list(found.items())

    def refresh(self, feed: ChangeFeed) -> None:
        """Take in what was committed and built since the last time. Afterwards `fault` says whether it can serve."""
        with self._refreshing:
            try:
                state = self._with_current_segment(self._state, feed)
                state = self._with_changes(state, feed)
            except (IndexCorruptError, NotReadyError) as error:
                self._fault = str(error)
                return
            self._state = state
            self._fault = self._overwritten(state)

    def verify(self) -> None:
        """Compare the mapped segment with what was built, whatever its file's times say. Reads all of it."""
        with self._refreshing:
            self._file, before = None, self._damage
            damage = self._overwritten(self._state)
            if damage is not None or self._fault == before:
                self._fault = damage

    def due(self) -> bool:
        """Whether enough changed that a build pays: reading through the changes slows every search a little."""
        state = self._state
        size = len(state.segment) if state.segment else 0
        return self._fault is not None or self._torn is not None or len(state.changed) > max(10_000, size // 200)

    def build(self, feed: ChangeFeed) -> bool:
        """Build and swap in a segment with every committed change. False when another process is at it."""
        return Builder(self.directory, self.signal_type, self._store).build(feed)

    def _overwritten(self, state: IndexState) -> str | None:
        """Why the mapped segment is not what was built. It is read again where its file was changed since."""
        if state.segment is None or self._manifest is None:
            return None
        try:
            status = (self.directory / self._manifest.file).stat()
        except OSError:
            return None  # removed for the next one; what is mapped stays
        file = (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        if file != self._file:
            whole = checksum(state.segment) == self._manifest.checksum
            self._file, self._damage = file, None if whole else "its segment was overwritten after it was built"
            if not whole:
                log.error("the index of %s is not served: %s", self.signal_type.name, self._damage)
        return self._damage

    def _with_current_segment(self, state: IndexState, feed: ChangeFeed) -> IndexState:
        stamp = manifest_stamp(self.directory)
        if stamp == self._stamp or (state.segment is not None and stamp == self._torn):
            return state
        try:
            state = self._with_new_segment(state, feed)
        except IndexCorruptError as error:
            if manifest_stamp(self.directory) != stamp:  # replaced while it was being opened
                return self._with_current_segment(state, feed)
            self._torn = stamp
            if state.segment is None:
                raise
            log.error("a torn segment is not served, the earlier one is: %s", error)
            return state
        self._stamp, self._torn = stamp, None
        return state

    def _with_new_segment(self, state: IndexState, feed: ChangeFeed) -> IndexState:
        manifest = read_manifest(self.directory)
        if manifest is None:
            return _empty(self.signal_type)
        if manifest.store != self._store or not feed.marked(manifest.mark):
            raise NotReadyError("it was built from another database, or from a later state of it; it must be rebuilt")
        segment = open_verified(self.directory, manifest, self.signal_type)
        self._manifest, self._file, self._damage = manifest, None, None
        later = {key: change for key, change in state.changed.items() if change.sequence > manifest.sequence}
        sequence = max(state.sequence, manifest.sequence)
        return IndexState(segment, later, _live(self.signal_type, later), sequence, manifest.mark)

    def _with_changes(self, state: IndexState, feed: ChangeFeed) -> IndexState:
        name = self.signal_type.name
        head = feed.head(name)
        if head == state.sequence:
            return state
        if head < state.sequence or (state.mark is not None and not feed.marked(state.mark)):
            self._state, self._stamp = _empty(self.signal_type), None
            raise NotReadyError("the database went back to an earlier state; the lists are being read anew")
        changed = dict(state.changed)
        sequence = state.sequence
        while page := feed.changes(name, sequence, PAGE):
            changed.update((change.key, change) for change in page)
            sequence = page[-1].sequence
            if len(changed) > MAX_CHANGED:
                raise NotReadyError(
                    "more than {max_changed:,} changes wait to be built into it", max_changed=MAX_CHANGED
                )
        if sequence == state.sequence:
            return state
        return replace(state, changed=changed, live=_live(self.signal_type, changed), sequence=sequence)


def _empty(signal_type: SignalType) -> IndexState:
    return IndexState(None, {}, _live(signal_type, {}), 0)


def _live(signal_type: SignalType, changed: Mapping[int, ListChange]) -> Searchable:
    active = [change for change in changed.values() if change.active]
    values = np.frombuffer(b"".join(change.value for change in active), np.uint8)
    keys = np.fromiter((change.key for change in active), np.uint64, len(active))
    return in_memory(signal_type, values.reshape(len(active), signal_type.width), keys)
