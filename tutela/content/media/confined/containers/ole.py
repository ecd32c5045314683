"""OLE compound files: Word, Excel and PowerPoint before 2007, Outlook messages, Thumbs.db ([MS-CFB]).

Their streams are searched for pictures. The documents themselves are not drawn, and some keep pictures in forms of
their own, so they are held as not drawn whatever is found.
"""

import struct
from collections.abc import Iterator

from tutela.content.media.confined.budget import Budget
from tutela.content.media.confined.carver import carve
from tutela.content.media.confined.containers.base import InnerFile, Part, Unread, encrypted
from tutela.content.media.content import Content, Shortcoming
from tutela.content.media.sniff import sniff
from tutela.errors import UnscreenableError

_HEADER = struct.Struct("<8s16s6H10I")
_ENTRY = struct.Struct("<64sHBB3I16sIQQIQ")
_STREAM, _ROOT = 2, 5
_LAST = 0xFFFFFFFA
"""Sector numbers above this one are marks."""
_MINI_CUTOFF = 4096
_ENCRYPTED = frozenset({"EncryptedPackage", "EncryptionInfo"})


class Ole:
    """What signatures give away in each stream, and each stream that is a file of a known type itself."""

    def parts(self, content: Content, budget: Budget) -> Iterator[Part]:
        compound = _Compound(memoryview(content.data), budget)
        for name, data in compound.streams():
            if name in _ENCRYPTED:
                raise encrypted()
            if sniff(data) is not None:
                yield InnerFile(name, data)
                continue
            for part in carve(memoryview(data)):
                yield InnerFile(part.name, part.data, within=name, speculative=True)
        yield Unread(
            "document",
            UnscreenableError(Shortcoming.NOT_RENDERED, "its pictures were looked at, but the document is not drawn"),
        )


class _Compound:
    def __init__(self, data: memoryview, budget: Budget) -> None:
        self._data = data
        self._budget = budget
        header = _HEADER.unpack_from(data)
        shift, mini_shift = header[5], header[6]
        if shift not in (9, 12) or mini_shift != 6:
            raise ValueError("the sector size is none that there is")
        self._size, self._mini_size = 1 << shift, 1 << mini_shift
        self._directory_start, self._mini_fat_start = header[11], header[14]
        self._fat = self._read_fat(first=header[16], blocks=header[17])
        self._mini_fat: list[int] | None = None
        self._mini_stream = b""

    def streams(self) -> Iterator[tuple[str, bytes]]:
        """(name, data) of every stream."""
        directory = self._chain(self._directory_start, len(self._data))
        entries = [_ENTRY.unpack_from(directory, at) for at in range(0, len(directory) - _ENTRY.size + 1, _ENTRY.size)]
        for entry in entries:
            if entry[2] == _ROOT:
                self._mini_stream = self._chain(entry[11], entry[12])
                self._mini_fat = _numbers(self._chain(self._mini_fat_start, len(self._data)))
        for entry in entries:
            if entry[2] == _STREAM:
                name = entry[0][: max(0, entry[1] - 2)].decode("utf-16-le", "replace")
                yield name, self._stream(entry[11], entry[12] & 0xFFFFFFFF)

    def _stream(self, start: int, length: int) -> bytes:
        if length >= _MINI_CUTOFF or self._mini_fat is None:
            return self._chain(start, length)
        blocks: list[bytes] = []
        at = start
        while at < min(_LAST, len(self._mini_fat)) and len(blocks) * self._mini_size < length:
            blocks.append(self._mini_stream[at * self._mini_size : (at + 1) * self._mini_size])
            at = self._mini_fat[at]
        return b"".join(blocks)[:length]

    def _chain(self, start: int, length: int) -> bytes:
        """The bytes of a chain of sectors; one that runs in a circle ends at its length."""
        blocks: list[bytes] = []
        at = start
        while at < min(_LAST, len(self._fat)) and len(blocks) * self._size < length:
            blocks.append(self._sector(at))
            at = self._fat[at]
        data = b"".join(blocks)[:length]
        self._budget.spend_bytes(len(data))
        return data

    def _read_fat(self, first: int, blocks: int) -> list[int]:
        """The table that says which sector follows which: 109 of its sectors are in the header, the rest in a chain."""
        sectors = list(struct.unpack_from("<109I", self._data, 76))
        at = first
        for _ in range(min(blocks, len(self._data) // self._size)):
            if at >= _LAST:
                break
            *numbers, at = _numbers(self._sector(at)) or [_LAST]
            sectors += numbers
        fat: list[int] = []
        for sector in sectors:
            if sector < _LAST and (sector + 1) * self._size < len(self._data):
                fat += _numbers(self._sector(sector))
        return fat

    def _sector(self, number: int) -> bytes:
        return bytes(self._data[(number + 1) * self._size : (number + 2) * self._size])


def _numbers(data: bytes) -> list[int]:
    return list(struct.unpack(f"<{len(data) // 4}I", data[: len(data) // 4 * 4]))
