"""OLE compound files: Word, Excel and PowerPoint before 2007, macros, Outlook messages, Thumbs.db ([MS-CFB]).

Their streams are searched for pictures, those that are packed too ([MS-ODRAW]). A document of a known kind passes once
they were screened; one that draws hundreds of shapes or coloured cells, or is of no known kind, is held as not drawn.
"""

import re
import struct
import zlib
from collections.abc import Iterator, Mapping

from tutela.content.media.confined.budget import Budget
from tutela.content.media.confined.carver import carve
from tutela.content.media.confined.containers.rich_text import unpacked_rich_text
from tutela.content.media.confined.encodings import bitmap_file
from tutela.content.media.confined.parts import InnerFile, Part, Unread, encrypted
from tutela.content.media.content import Content, Shortcoming
from tutela.content.media.plain import is_text
from tutela.content.media.sniff import sniff
from tutela.errors import UnscreenableError

_HEADER = struct.Struct("<8s16s6H10I")
_ENTRY = struct.Struct("<64sHBB3I16sIQQIQ")
_STREAM, _ROOT = 2, 5
_LAST = 0xFFFFFFFA
"""Sector numbers above this one are marks."""
_MINI_CUTOFF = 4096
_ENCRYPTED = frozenset({"EncryptedPackage", "EncryptionInfo", "EncryptedSummary"})
_MAIN = frozenset({"WordDocument", "Workbook", "Book", "PowerPoint Document"})
_ATTACHMENT = "__substg1.0_37010102"
_RICH_TEXT = "__substg1.0_10090102"
"""The body of a message in RTF, compressed in a way of its own."""
_MOST_RICH_TEXT = 8 * 1024
_NATIVE = "\x01Ole10Native"
_KNOWN = re.compile(
    r"WordDocument|[01]Table|Data|Workbook|Book|PowerPoint Document|Pictures|Current User|[\x01\x03\x05].*|"
    r"__(?:properties|nameid|substg1|recip).*|Catalog|\d+(?:_[0-9a-fA-F]+)?|_VBA_PROJECT.*|PROJECT.*|__SRP_\w+|dir|"
    r"CONTENTS|Package|Equation Native|EPRINT|MsoDataStore|Item|Properties|XCB|Ctls|[fo]|VBFrame|_SX_DB_CUR|\d{4}"
)
"""Streams of which the documents and messages that pass consist."""
_UNKNOWN = 4096
_MOST_SHAPES = 400
_MOST_CELLS = 200
_METAFILES = frozenset({0xF01A, 0xF01B, 0xF01C})
_BITMAP = 0xF01F
_BLIP = re.compile(rb"[\x00-\xff][\x00-\xff][\x1a-\x1c\x1f]\xf0", re.DOTALL)
_SHAPE = re.compile(rb"\x0a\xf0\x08\x00\x00\x00")
"""How the record of a shape begins, behind two bytes of its kind."""
_PACKED = 34
"""Bytes of a packed metafile's header, behind one or two identifiers of 16."""


class Ole:
    """What signatures give away in each stream, each stream that is a file itself, and pictures that are packed."""

    def parts(self, content: Content, budget: Budget) -> Iterator[Part]:
        data = memoryview(content.data)
        streams = dict(_Compound(data, budget).streams())
        if _ENCRYPTED & streams.keys() or _is_locked(streams):
            raise encrypted()
        for name, stream in streams.items():
            yield from _in_stream(name, _joined(name, stream), budget)
        yield from carve(data, budget, begin=1)  # sectors that no stream has
        for name, reason in _beyond_us(streams):
            yield Unread(name, UnscreenableError(Shortcoming.NOT_RENDERED, reason))


def _in_stream(name: str, data: bytes, budget: Budget) -> Iterator[Part]:
    if name == _RICH_TEXT and (text := unpacked_rich_text(data)) is not None:
        budget.spend_bytes(len(text))
        yield InnerFile("text", text)
        return
    if name == _ATTACHMENT or sniff(data) is not None:
        yield InnerFile(name, data)
        return
    if name == _NATIVE:
        yield InnerFile("embedded", _native(data), within=name, speculative=is_text(_native(data)))
    for part in carve(memoryview(data), budget):
        yield InnerFile(part.name, part.data, within=name, speculative=True)
    for number, blip in enumerate(_blips(data, budget), start=1):
        yield InnerFile(f"picture {number}", blip, within=name, speculative=True)


def _native(data: bytes) -> bytes:
    """The file in a packaged object: behind its length, a mark, two names, and some fields ([MS-OLEDS], 2.3.6)."""
    end = 6
    for _ in range(2):
        end = data.find(b"\x00", end) + 1
    end += 8
    length = int.from_bytes(data[end - 4 : end], "little")
    end += length if length < len(data) else 0
    return data[end + 4 :] if len(data) > end + 4 else data


def _joined(name: str, data: bytes) -> bytes:
    """Excel's drawings are cut in records; here they are put together."""
    if name not in ("Workbook", "Book"):
        return data
    joined = bytearray(data)
    previous = 0
    for kind, body in _records(data):
        kind = previous if kind == _CONTINUE else kind
        if kind in (_DRAWING_GROUP, _DRAWING):
            joined += body
        previous = kind
    return bytes(joined)


_CONTINUE, _DRAWING_GROUP, _DRAWING = 0x3C, 0xEB, 0xEC
_LOCKED, _FORMAT = 0x2F, 0xE0
_BLANK, _BLANKS = 0x201, 0xBE
_CELLS = frozenset({0x201, 0x203, 0x204, 0x205, 0x27E, 0xFD, 0x06})


def _records(data: bytes) -> Iterator[tuple[int, bytes]]:
    """(kind, body) of every record of a workbook ([MS-XLS])."""
    at = 0
    while at + 4 <= len(data):
        kind, length = struct.unpack_from("<HH", data, at)
        yield kind, data[at + 4 : at + 4 + length]
        at += 4 + length


def _blips(data: bytes, budget: Budget) -> Iterator[bytes]:
    """Metafiles that are packed, and bitmaps without a file's header."""
    for found in _BLIP.finditer(data):
        instance, kind = struct.unpack_from("<HH", data, found.start())
        begin = found.start() + 8
        length = int.from_bytes(data[begin - 4 : begin], "little")
        body = data[begin : begin + length]
        for identifiers in (16, 32) if (instance >> 4) & 1 == 0 else (32, 16):
            if kind == _BITMAP and (bitmap := bitmap_file(body[identifiers + 1 :])):
                yield bitmap
            if kind in _METAFILES and body[identifiers + _PACKED : identifiers + _PACKED + 1] == b"\x78":
                try:
                    packed = zlib.decompressobj().decompress(body[identifiers + _PACKED :], budget.bytes_left + 1)
                except zlib.error:
                    continue
                budget.spend_bytes(len(packed))
                yield packed


def _is_locked(streams: Mapping[str, bytes]) -> bool:
    word = streams.get("WordDocument", b"")
    if len(word) > 11 and word[11] & 1:  # FibBase, fEncrypted
        return True
    workbook = streams.get("Workbook", streams.get("Book", b""))
    return any(kind == _LOCKED for kind, _ in _records(workbook[:65_536]))


def _beyond_us(streams: Mapping[str, bytes]) -> Iterator[tuple[str, str]]:
    """(where, why) the file may show more than its pictures."""
    macros = any(name.startswith("_VBA_PROJECT") or name == "dir" for name in streams)
    message = any(name.startswith("__properties") for name in streams)
    thumbnails = "Catalog" in streams or all(re.fullmatch(r"\d+(?:_[0-9a-fA-F]+)?", name) for name in streams)
    if not (_MAIN & streams.keys() or macros or message or thumbnails):
        yield "document", "its pictures were looked at, but the document is not drawn"
        return
    for name, data in streams.items():
        if not (macros or _KNOWN.fullmatch(name) or len(data) <= _UNKNOWN or is_text(data) or sniff(data)):
            yield name, "it is no part of such a document that is known"
        if sum(1 for _ in _SHAPE.finditer(data)) > _MOST_SHAPES:
            yield name, "it draws hundreds of shapes, and is not drawn here"
    rich_text = streams.get(_RICH_TEXT, b"")
    if len(rich_text) > _MOST_RICH_TEXT and unpacked_rich_text(rich_text) is None:
        yield _RICH_TEXT, "its text is long enough for pictures, and cannot be unpacked"
    if (cells := _coloured_cells(streams.get("Workbook", streams.get("Book", b"")))) > _MOST_CELLS:
        yield "Workbook", f"{cells:,} of its cells are coloured, and they are not drawn here"


def _coloured_cells(workbook: bytes) -> int:
    coloured: list[bool] = []
    colours: set[int] = set()
    count = 0
    for kind, body in _records(workbook):
        if kind == _FORMAT and len(body) >= 20:
            pattern, colour = int.from_bytes(body[14:18], "little") >> 26, body[18] & 0x7F
            coloured.append(pattern > 0)
            if pattern:
                colours.add(colour)
        elif kind in _CELLS and len(body) >= 6:
            count += _is_coloured(coloured, int.from_bytes(body[4:6], "little"))
        elif kind == _BLANKS:
            for at in range(4, len(body) - 3, 2):
                count += _is_coloured(coloured, int.from_bytes(body[at : at + 2], "little"))
    return count if len(colours) >= 4 else 0


def _is_coloured(coloured: list[bool], form: int) -> bool:
    return form < len(coloured) and coloured[form]


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
