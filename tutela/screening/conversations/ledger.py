"""The ledger: every event that was answered for, in order and durable, as numbers; state is a snapshot and what the
ledger holds since. Any process may write to it; a tail that a kill tore is found and never read.

A file is a run of batches: a header with the batch's length and checksum, records, and the sealed opaque names.
"""

import fcntl
import os
import secrets
import struct
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice, pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import xxhash
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tutela.errors import StoreError
from tutela.foundation.store.database import now
from tutela.screening.conversations.events import FORGOTTEN
from tutela.screening.conversations.ledger_index import LedgerIndex
from tutela.screening.conversations.records import RECORD, Names, Records, read_names, written_names

SEGMENT_BYTES = 64 * 1024**2
"""A file longer than this is followed by another."""
KEPT_S = 30 * 86_400
"""How long records are kept at least: as long as state remembers."""
_HEADER = struct.Struct("<8sIIQQ")
_MAGIC = b"TUTRISK1"
_NONCE = 12


@dataclass(frozen=True, slots=True)
class EventBatch:
    """What was written in one go."""

    records: Records
    sealed: bytes
    segment: int
    offset: int
    """Of the batch, in its file."""
    head: bytes
    """As it stands there; another where the file was written anew."""

    @property
    def following(self) -> int:
        """The position behind it."""
        return int(self.records["position"][-1]) + 1


@dataclass(frozen=True, slots=True)
class _End:
    """Where the next batch goes, with the last one before it, by which that can be told again."""

    segment: int
    offset: int
    position: int
    last: int = 0
    """The offset of the last batch, ..."""
    head: bytes = b""
    """... and how it begins; empty where none is known."""


class ConversationLedger:
    """The ledger in a folder. Thread-safe; many processes may share it."""

    def __init__(self, folder: Path, secret: bytes) -> None:
        """Raises StoreError."""
        self._folder = folder
        self._cipher = AESGCM(secret)
        self._index = LedgerIndex(folder)
        self._lock = threading.Lock()
        self._end: _End | None = None
        """Behind the last batch that this process knows of."""
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._guard = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreError(
                "the ledger in {folder} cannot be opened: {why}", folder=folder, why=error.strerror
            ) from error

    def append(self, records: Records, names: bytes = b"") -> int:
        """Write records, which get their positions here; return the first of them, once all are durable.

        Raises StoreError: then nothing of them counts.
        """
        with self._alone():
            try:
                end = self._find_end()
                segment, offset, position = end.segment, end.offset, end.position
                records["position"] = np.arange(position, position + len(records), dtype=np.uint64)
                body = records.tobytes() + self._seal(names)
                header = _header(len(records), len(body) - records.nbytes, position, body)
                if offset + len(header) + len(body) > SEGMENT_BYTES and offset > 0:
                    segment, offset = position, 0
                _write(self._path(segment), offset, header + body, folder=self._folder if offset == 0 else None)
            except OSError as error:
                self._end = None
                raise StoreError("the ledger cannot be written: {why}", why=error.strerror) from error
            following = offset + len(header) + len(body)
            self._end = _End(segment, following, position + len(records), offset, header)
        return position

    def read(self, position: int = 0, *, after: EventBatch | None = None) -> Iterator[EventBatch]:
        """Every whole batch from the one on that has this position; ends at what is torn or not written yet.

        `after` is the batch before it, where that is known: then nothing is read twice.
        """
        segments = self.segments()
        last = max(segments, default=-1)
        if after is not None and after.segment == last and self._stands(last, after.offset, after.head):
            found = False
            for batch in self._batches(after.segment, after.offset + _length(after)):
                found = True
                yield batch
            if found or self._path(after.segment).stat().st_size <= after.offset + _length(after):
                return
        first = max((begin for begin in segments if begin <= position), default=min(segments, default=0))
        for segment in segments:
            if segment >= first:
                yield from (batch for batch in self._batches(segment) if batch.following > position)

    def names(self, batch: EventBatch) -> list[Names]:
        """The opaque names of a batch's events; empty where it has none."""
        return read_names(self._open(batch.sealed))

    def segments(self) -> list[int]:
        """The files, by the position that each begins with."""
        return sorted(int(path.stem) for path in self._folder.glob("*.risk"))

    def drop_before(self, position: int, received_s: int) -> int:
        """Remove files whose every record lies before that position and was taken before that time; how many."""
        segments, dropped = self.segments(), 0
        for segment, following in pairwise(segments):
            last = [int(batch.records["received_s"].max()) for batch in self._batches(segment)]
            if following > position or (last and max(last) >= received_s):
                break
            with self._alone():
                self._index.drop(self._path(segment))
                self._path(segment).unlink()
            dropped += 1
        return dropped

    def erase(self, account: int) -> int:
        """Make nothing of every record that an account has part in, and forget the names beside it; how many."""
        erased = 0
        with self._alone():
            segments = self.segments()
            for segment in segments:
                if segment != segments[-1] and not any(_with(account, self._finished(segment, account))):
                    continue
                rewritten, changed = b"", 0
                for batch in self._batches(segment):
                    records, names = batch.records.copy(), self.names(batch)
                    gone = (records["sender"] == account) | (records["recipient"] == account)
                    gone &= records["kind"] != FORGOTTEN  # that it is to be forgotten is not
                    changed += int(gone.sum())
                    kept = records["position"][gone]
                    records[gone] = np.zeros(1, RECORD)
                    records["position"][gone] = kept
                    line = [names[i] if names and not gone[i] else Names("", "", "", "") for i in range(len(records))]
                    body = records.tobytes() + self._seal(written_names(line) if names else b"")
                    first = int(records["position"][0])
                    rewritten += _header(len(records), len(body) - records.nbytes, first, body) + body
                if changed:
                    self._index.drop(self._path(segment))
                    _replace(self._path(segment), rewritten)
                    erased += changed
            self._end = None
        return erased

    def of_account(self, account: int) -> list[tuple[EventBatch, list[int]]]:
        """The batches with records that an account has part in, and the rows of those; oldest first."""
        found: list[tuple[EventBatch, list[int]]] = []
        segments = self.segments()
        for segment in segments[:-1]:
            with self._alone():
                if self._path(segment).exists():
                    found += _with(account, self._finished(segment, account))
        for segment in segments[-1:]:
            found += _with(account, self._batches(segment))
        return found

    def _finished(self, segment: int, account: int) -> Iterator[EventBatch]:
        """Of a file that nothing is added to, the batches that may have an account in them. The ledger is locked."""
        path = self._path(segment)
        if (offsets := self._index.offsets(path, account)) is None:
            self._index.write(path, ((batch.offset, _accounts(batch)) for batch in self._batches(segment)))
            offsets = self._index.offsets(path, account)
        for offset in offsets or []:
            yield from islice(self._batches(segment, offset), 1)

    def close(self) -> None:
        """Let go of the lock file."""
        os.close(self._guard)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with self._lock:
            fcntl.flock(self._guard, fcntl.LOCK_EX)
            try:
                yield
            finally:
                fcntl.flock(self._guard, fcntl.LOCK_UN)

    def _find_end(self) -> _End:
        """Where the next batch goes; what a kill tore behind it is cut off."""
        segments = self.segments()
        if not segments:
            return _End(0, 0, 0)
        segment = segments[-1]
        end, known = _End(segment, 0, segment), self._end
        if known is not None and known.segment == segment and self._stands(segment, known.last, known.head):
            end = known
        for batch in self._batches(segment, end.offset):
            end = _End(segment, batch.offset + _length(batch), batch.following, batch.offset, batch.head)
        path = self._path(segment)
        if path.stat().st_size > end.offset:
            os.truncate(path, end.offset)
        return end

    def _stands(self, segment: int, offset: int, head: bytes) -> bool:
        """Whether a batch still stands where it did: `erase` of another process writes files anew."""
        with self._path(segment).open("rb") as file:
            file.seek(offset)
            return len(head) == _HEADER.size and file.read(_HEADER.size) == head

    def _batches(self, segment: int, offset: int = 0) -> Iterator[EventBatch]:
        with self._path(segment).open("rb") as file:
            file.seek(offset)
            while len(head := file.read(_HEADER.size)) == _HEADER.size:
                magic, count, tail, _, checksum = _HEADER.unpack(head)
                length = count * RECORD.itemsize + tail
                if magic != _MAGIC or length > SEGMENT_BYTES or len(body := file.read(length)) < length:
                    return
                if xxhash.xxh3_64_intdigest(head[:-8] + body) != checksum or count == 0:
                    return
                records = np.frombuffer(body, RECORD, count)
                yield EventBatch(records, body[count * RECORD.itemsize :], segment, offset, head)
                offset += _HEADER.size + length

    def _path(self, segment: int) -> Path:
        return self._folder / f"{segment:020d}.risk"

    def _seal(self, names: bytes) -> bytes:
        if not names:
            return b""
        nonce = secrets.token_bytes(_NONCE)
        return nonce + self._cipher.encrypt(nonce, names, _MAGIC)

    def _open(self, sealed: bytes) -> bytes:
        return self._cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], _MAGIC) if sealed else b""


def received_now_s() -> int:
    """The time that the ledger writes down for what it takes now."""
    return now() // 1_000_000


def _accounts(batch: EventBatch) -> npt.NDArray[np.uint64]:
    return np.concatenate([batch.records["sender"], batch.records["recipient"]])


def _with(account: int, batches: Iterable[EventBatch]) -> Iterator[tuple[EventBatch, list[int]]]:
    """Those in which an account has part, and the rows of that."""
    for batch in batches:
        rows = np.flatnonzero((batch.records["sender"] == account) | (batch.records["recipient"] == account))
        if len(rows):
            yield batch, rows.tolist()


def _length(batch: EventBatch) -> int:
    return _HEADER.size + batch.records.nbytes + len(batch.sealed)


def _header(count: int, tail: int, position: int, body: bytes) -> bytes:
    head = _HEADER.pack(_MAGIC, count, tail, position, 0)[:-8]
    return head + xxhash.xxh3_64_digest(head + body)[::-1]


def _write(path: Path, offset: int, data: bytes, *, folder: Path | None) -> None:
    """Write at a place of a file, durably; `folder` where the file is new in it."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        view = memoryview(data)
        while view:
            written = os.pwrite(descriptor, view, offset)
            view, offset = view[written:], offset + written
        os.fdatasync(descriptor)
    finally:
        os.close(descriptor)
    if folder is not None:
        sync_folder(folder)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _replace(path: Path, data: bytes) -> None:
    beside = path.with_suffix(".new")
    _write(beside, 0, data, folder=None)
    beside.replace(path)
    sync_folder(path.parent)
