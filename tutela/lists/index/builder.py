"""Building a segment aside and swapping it in whole.

One process builds at a time (a lock file's flock, which the system releases when the holder dies). The new file gets
its name, and the manifest names it, only after it is complete, flushed and read back with the right checksum.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from tutela.content.signals.base import SignalType
from tutela.errors import IndexCorruptError
from tutela.lists.index.feed import ChangeFeed
from tutela.lists.index.manifest import (
    Manifest,
    checksum,
    open_verified,
    read_manifest,
    sync_directory,
    write_manifest,
)
from tutela.lists.index.segments import Keys, Segment, Values, build_segment, open_segment

PAGE = 100_000
SUFFIX = ".segment"


class Builder:
    """Builds the segments of one signal type's directory."""

    def __init__(self, directory: Path, signal_type: SignalType, store: str) -> None:
        self.directory = directory
        self._type = signal_type
        self._store = store

    def build(self, feed: ChangeFeed) -> bool:
        """Build the current segment plus every committed change. False when another process holds the lock.

        Raises OSError (disk full) and StoreError; what is served stays as it was.
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        with self._alone() as alone:
            if not alone:
                return False
            self._remove_leftovers()
            earlier = self._manifest()
            previous, sequence = self._previous(earlier, feed)
            values, keys, sequence = self._merged(previous, sequence, feed)
            self._publish(values, keys, sequence, feed, earlier.mark if earlier else None)
            if earlier is not None and earlier.previous_mark is not None:
                feed.unmark(earlier.previous_mark)
            self._remove_leftovers()
        return True

    @contextmanager
    def _alone(self) -> Iterator[bool]:
        descriptor = os.open(self.directory / "build.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True
        finally:
            os.close(descriptor)

    def _manifest(self) -> Manifest | None:
        try:
            return read_manifest(self.directory)
        except IndexCorruptError:
            return None

    def _previous(self, manifest: Manifest | None, feed: ChangeFeed) -> tuple[Segment | None, int]:
        """The segment to start from; none where it is torn or of another history, so that all is read anew."""
        if manifest is None or manifest.store != self._store or not feed.marked(manifest.mark):
            return None, 0
        try:
            return open_verified(self.directory, manifest, self._type), manifest.sequence
        except IndexCorruptError:
            return None, 0

    def _merged(self, previous: Segment | None, sequence: int, feed: ChangeFeed) -> tuple[Values, Keys, int]:
        width = self._type.width
        pages_of_values = [np.empty((0, width), np.uint8)]
        pages_of_keys = [np.empty(0, np.uint64)]
        pages_of_active = [np.empty(0, np.bool_)]
        while page := feed.changes(self._type.name, sequence, PAGE):
            joined = np.frombuffer(b"".join(change.value for change in page), np.uint8)
            pages_of_values.append(joined.reshape(len(page), width))
            pages_of_keys.append(np.fromiter((change.key for change in page), np.uint64, len(page)))
            pages_of_active.append(np.fromiter((change.active for change in page), np.bool_, len(page)))
            sequence = page[-1].sequence
        changed = np.concatenate(pages_of_keys)
        # A value that changed again while the pages were read comes twice: its last state counts.
        newest = len(changed) - 1 - np.unique(changed[::-1], return_index=True)[1]
        active = newest[np.concatenate(pages_of_active)[newest]]
        values, keys = np.concatenate(pages_of_values)[active], changed[active]
        if previous is not None and len(previous):
            old_values, old_keys = previous.rows(0, len(previous))
            if len(changed):
                stays = ~np.isin(old_keys, changed)
                old_values, old_keys = old_values[stays], old_keys[stays]
            values, keys = np.concatenate([old_values, values]), np.concatenate([old_keys, keys])
        return values, keys, sequence

    def _publish(self, values: Values, keys: Keys, sequence: int, feed: ChangeFeed, previous_mark: str | None) -> None:
        name = f"{sequence:020d}-{os.urandom(4).hex()}{SUFFIX}"
        path = self.directory / name
        temporary = self.directory / f"{name}.new"
        build_segment(temporary, self._type, values, keys)
        descriptor = os.open(temporary, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        temporary.rename(path)
        sync_directory(self.directory)
        segment = open_segment(path, self._type)
        mark = f"built-{os.urandom(16).hex()}"
        feed.mark(mark)  # after the changes up to `sequence` were read: a state with the mark has them all
        manifest = Manifest(
            store=self._store,
            signal=self._type.name,
            sequence=sequence,
            count=len(keys),
            file=name,
            bytes=path.stat().st_size,
            checksum=checksum(segment),
            mark=mark,
            previous_mark=previous_mark,
        )
        write_manifest(self.directory, manifest)

    def _remove_leftovers(self) -> None:
        """Files that no manifest names: earlier segments, and what a killed build left. Only with the lock held."""
        manifest = self._manifest()
        for path in self.directory.iterdir():
            if path.name.endswith((SUFFIX, ".new")) and (manifest is None or path.name != manifest.file):
                path.unlink(missing_ok=True)
