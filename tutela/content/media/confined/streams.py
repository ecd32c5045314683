"""Compressed streams, member by member: what comes out, and which bytes of the file it came from.

gzip (RFC 1952), bzip2, xz, Zstandard (RFC 8878), Deflate (RFC 1951). Libraries that read files pass over what stands
between and behind members; here it is told, so that it can be searched.
"""

import bz2
import lzma
import re
import struct
import zlib
from collections.abc import Callable, Iterator
from typing import Protocol

from tutela.content.media.confined.accounting import Extent
from tutela.content.media.confined.budget import Budget
from tutela.content.media.content import Shortcoming
from tutela.content.media.sniff import MediaType
from tutela.errors import UnscreenableError

_INPUT = 256 * 1024
_FIRST_INPUT = 4096
"""A member may be twenty bytes, and what is behind it is copied."""
_OUTPUT = 1024 * 1024
_ZSTD_WINDOW = 128 * 1024 * 1024
_SKIPPABLE = range(0x184D2A50, 0x184D2A60)
_FIXED = 10
"""Bytes of a gzip header before its fields."""
_PADDING = re.compile(rb"\x00*")
_TEXT = re.compile(rb"[^\x00]*")
_MAGIC = {
    MediaType.GZIP: b"\x1f\x8b",
    MediaType.BZIP2: b"BZh",
    MediaType.XZ: b"\xfd7zXZ\x00",
    MediaType.ZSTD: b"\x28\xb5\x2f\xfd",
}


class Decompressor(Protocol):
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...

    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...


class Members:
    """Iterate over it for the blocks that come out; `accounted` then says what they came from."""

    def __init__(self, data: memoryview, media_type: MediaType, budget: Budget) -> None:
        self._data = data
        self._type = media_type
        self._budget = budget
        self.accounted: list[Extent] = []
        """Of each member its compressed bytes, checked by its checksum; header fields that carry text are left out."""

    def __iter__(self) -> Iterator[bytes]:
        """Raises what the library does of a damaged member; what came before it has been given out."""
        at = 0
        while self._begins(at):
            self._budget.check_time()
            begin = _gzip_header(self._data, at) if self._type is MediaType.GZIP else at
            reader = MemberReader(self._data, at, _DECOMPRESSORS[self._type]())
            for block in reader:
                self._budget.spend_bytes(len(block))
                yield block
            self._account(at, min(at + _FIXED, begin))
            self._account(begin, reader.end)
            at = self._next(reader.end)

    def _account(self, begin: int, end: int) -> None:
        """An extent, as one with that before it where they touch: there may be millions."""
        if self.accounted and self.accounted[-1][1] == begin:
            begin = self.accounted.pop()[0]
        self.accounted.append((begin, end))

    def _begins(self, at: int) -> bool:
        magic = _MAGIC[self._type]
        return bytes(self._data[at : at + len(magic)]) == magic

    def _next(self, end: int) -> int:
        """Where the next member may begin: behind padding, and behind frames that are skipped."""
        at = end
        while self._type is MediaType.ZSTD and at + 8 <= len(self._data):
            magic, length = struct.unpack_from("<II", self._data, at)
            if magic not in _SKIPPABLE:
                break
            at += 8 + length
        return at if self._type is MediaType.ZSTD else _behind(_PADDING, self._data, at)


class MemberReader:
    """One member. `end` is behind its last byte, once it was gone through."""

    def __init__(self, data: memoryview, begin: int, decompressor: Decompressor) -> None:
        self._data = data
        self._decompressor = decompressor
        self.end = begin

    def __iter__(self) -> Iterator[bytes]:
        held, length = b"", _FIRST_INPUT
        while True:
            if not held and getattr(self._decompressor, "needs_input", True):
                held = bytes(self._data[self.end : self.end + length])
                self.end += len(held)
                length = min(4 * length, _INPUT)
                if not held:
                    raise EOFError("the stream ends before its end is marked")
            block = self._decompressor.decompress(held, _OUTPUT)
            held = getattr(self._decompressor, "unconsumed_tail", b"")
            if block:
                yield block
            if self._decompressor.eof:
                self.end -= len(self._decompressor.unused_data)
                return


def _behind(pattern: re.Pattern[bytes], data: memoryview, at: int) -> int:
    """Where what fits ends."""
    found = pattern.match(data, at)
    return found.end() if found else at


def _gzip_header(data: memoryview, at: int) -> int:
    """Where a gzip member's compressed bytes begin, behind the fields of its header."""
    flags = data[at + 3] if at + 10 <= len(data) else 0
    begin = at + 10
    if flags & 4 and begin + 2 <= len(data):
        begin += 2 + int.from_bytes(data[begin : begin + 2], "little")
    for flag in (8, 16):
        if flags & flag:
            begin = _behind(_TEXT, data, begin) + 1
    return begin + (2 if flags & 2 else 0)


class Zlib:
    """What zlib unpacks, in the form that the others have."""

    def __init__(self, window_bits: int = 31) -> None:
        """As `zlib.decompressobj`: 31 for a gzip member, which is checked by its checksum, -15 for bare Deflate."""
        self._object = zlib.decompressobj(window_bits)

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        return self._object.decompress(data, max_length)

    @property
    def unconsumed_tail(self) -> bytes:
        return self._object.unconsumed_tail

    @property
    def eof(self) -> bool:
        return self._object.eof

    @property
    def unused_data(self) -> bytes:
        return self._object.unused_data


class _Zstandard:
    """A frame. The library's object gives out all that its input holds: it is fed little at once."""

    def __init__(self) -> None:
        try:
            import zstandard
        except ImportError:
            message = "Zstandard needs the extra tutela[archives]"
            raise UnscreenableError(Shortcoming.UNSUPPORTED_TYPE, message) from None
        self._object = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW).decompressobj()
        self.unconsumed_tail = b""

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        self.unconsumed_tail = data[_ZSTD_INPUT:]
        return bytes(self._object.decompress(data[:_ZSTD_INPUT]))

    @property
    def eof(self) -> bool:
        return bool(self._object.eof)

    @property
    def unused_data(self) -> bytes:
        return bytes(self._object.unused_data) + self.unconsumed_tail


_ZSTD_INPUT = 4096
_DECOMPRESSORS: dict[MediaType, Callable[[], Decompressor]] = {
    MediaType.GZIP: Zlib,
    MediaType.BZIP2: bz2.BZ2Decompressor,
    MediaType.XZ: lzma.LZMADecompressor,
    MediaType.ZSTD: _Zstandard,
}
