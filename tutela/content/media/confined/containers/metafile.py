"""Metafiles: EMF ([MS-EMF], [MS-EMFPLUS]), WMF ([MS-WMF]), SVM of OpenOffice: the bitmaps in them, how much they draw.

A chart or a logo passes once its bitmaps were screened. What fills hundreds of fields may be a picture: it is held as
not drawn, however small its file.
"""

import io
import struct
from collections.abc import Iterator, Mapping

from PIL import Image

from tutela.content.media.confined.budget import Budget
from tutela.content.media.confined.carver import carve
from tutela.content.media.confined.encodings import bitmap_file
from tutela.content.media.confined.parts import InnerFile, Part, Unread
from tutela.content.media.content import Content, Shortcoming
from tutela.content.media.sniff import MediaType
from tutela.errors import UnscreenableError

_MOST_FIELDS = 400
"""Filled shapes that draw no picture yet."""
_MOST_LINES = 8_000
_EMF_BITMAPS = {76: 84, 77: 84, 78: 84, 79: 96, 80: 48, 81: 48, 93: 16, 94: 16, 114: 84, 116: 84}
"""Where a record says where its bitmap lies, by its type."""
_EMF_FIELDS = frozenset({3, 8, 15, 42, 43, 44, 46, 47, 56, 62, 63, 71, 73, 74, 86, 91, 92, 118})
_EMF_LINES = frozenset({2, 4, 5, 6, 7, 54, 55, 57, 58, 85, 87, 88, 89, 90})
_POINTS_OF_A_FIELD = 8
_EMF_OUTLINES = {3: _POINTS_OF_A_FIELD, 86: _POINTS_OF_A_FIELD, 8: 1, 91: 1}
_WMF_OUTLINES = {0x0324: _POINTS_OF_A_FIELD, 0x0538: 1}
"""Records of one polygon, which say how many points it has, and of several, which say how many these are."""
_EMF_COMMENT = 70
_EMF_TEXT = frozenset({83, 84, 96, 97})
_OPAQUE = 0x2
_PLUS_FIELDS = frozenset({0x400A, 0x400C, 0x400E, 0x4010, 0x4013, 0x4014, 0x4016, 0x402A})
_PLUS_OBJECT = 0x4008
_WMF_FIELDS = frozenset({0x0228, 0x0324, 0x0418, 0x041B, 0x041F, 0x0538, 0x061C, 0x061D, 0x081A, 0x0830, 0x012B})
_WMF_LINES = frozenset({0x0213, 0x0325, 0x0817})
_WMF_BITMAPS = frozenset({0x0142, 0x0940, 0x0B41, 0x0D33, 0x0F43, 0x0922, 0x0B23, 0x00F7, 0x06FF})
_PLACEABLE = b"\xd7\xcd\xc6\x9a"
_PIXEL_FORMATS = {0x26200A: "BGRA", 0x0E200B: "BGRa", 0x22009: "BGRX", 0x21808: "BGR"}


class Metafile:
    """Each bitmap as a file; then a word where the drawing is more than a diagram."""

    def parts(self, content: Content, budget: Budget) -> Iterator[Part]:
        data = memoryview(content.data)
        tally = _Tally()
        read = _READERS[content.media_type or MediaType.WMF](data, tally)
        for number, (bitmap, speculative) in enumerate(read, start=1):
            budget.spend_bytes(len(bitmap))
            yield InnerFile(f"bitmap {number}", bitmap, speculative=speculative)
        yield from carve(data, budget)
        if tally.fields > _MOST_FIELDS or tally.lines > _MOST_LINES:
            reason = f"it draws {tally.fields:,} fields and {tally.lines:,} lines, and is not drawn here"
            yield Unread("drawing", UnscreenableError(Shortcoming.NOT_RENDERED, reason))


class _Tally:
    def __init__(self) -> None:
        self.fields = 0
        self.lines = 0


def _emf(data: memoryview, tally: _Tally) -> Iterator[tuple[bytes, bool]]:
    at = 0
    plus = bytearray()
    while at + 8 <= len(data):
        kind, size = struct.unpack_from("<II", data, at)
        if size < 8 or at + size > len(data):
            break
        record = data[at : at + size]
        at += size
        tally.fields += _outlines(kind, record[24:28], _EMF_OUTLINES) if kind in _EMF_OUTLINES else kind in _EMF_FIELDS
        tally.lines += kind in _EMF_LINES
        if kind in _EMF_TEXT and size >= 56:
            tally.fields += bool(struct.unpack_from("<I", record, 52)[0] & _OPAQUE)
        elif kind in _EMF_BITMAPS and (bitmap := _emf_bitmap(record, _EMF_BITMAPS[kind])):
            yield bitmap, False
        elif kind in (76, 77):  # a field filled with a brush
            tally.fields += 1
        elif kind == _EMF_COMMENT and bytes(record[12:16]) == b"EMF+":
            plus += record[16:]
    yield from _plus(memoryview(plus), tally)


def _outlines(kind: int, count: memoryview, records: Mapping[int, int]) -> int:
    """How many fields a record of polygons draws, by the number in it and the points of a field."""
    return max(1, int.from_bytes(count, "little") // records[kind])


def _emf_bitmap(record: memoryview, at: int) -> bytes | None:
    if len(record) < at + 16:
        return None
    header, header_size, bits, bits_size = struct.unpack_from("<4I", record, at)
    if not header_size or not bits_size:
        return None
    return bitmap_file(bytes(record[header : header + header_size]) + bytes(record[bits : bits + bits_size]))


def _plus(data: memoryview, tally: _Tally) -> Iterator[tuple[bytes, bool]]:
    """The records of EMF+. An object may be cut in several; the parts are put together again."""
    at = 0
    joined = bytearray()
    while at + 12 <= len(data):
        kind, flags, size, data_size = struct.unpack_from("<HHII", data, at)
        if size < 12 or at + size > len(data):
            break
        body = data[at + 12 : at + 12 + data_size]
        at += size
        if kind in _PLUS_FIELDS:
            tally.fields += struct.unpack_from("<I", body, 4)[0] if kind == 0x400A and len(body) >= 8 else 1
        if kind == _PLUS_OBJECT:
            joined += body[4:] if flags & 0x8000 and joined else body[4 if flags & 0x8000 else 0 :]
            if not flags & 0x8000:
                if bitmap := _plus_bitmap(memoryview(joined)):
                    yield bitmap, False
                joined.clear()


def _plus_bitmap(data: memoryview) -> bytes | None:
    if len(data) < 28 or struct.unpack_from("<I", data, 4)[0] != 1:
        return None
    width, height, stride, form, kind = struct.unpack_from("<iiiII", data, 8)
    if kind == 1:
        return bytes(data[28:])
    if form not in _PIXEL_FORMATS or not (0 < width < 20_000 and 0 < height < 20_000):
        return None
    raw = _PIXEL_FORMATS[form]
    picture = Image.frombytes(
        "RGB" if raw in ("BGR", "BGRX") else "RGBA", (width, height), data[28:], "raw", raw, stride
    )
    file = io.BytesIO()
    picture.save(file, "PNG", compress_level=1)
    return file.getvalue()


def _wmf(data: memoryview, tally: _Tally) -> Iterator[tuple[bytes, bool]]:
    at = (22 if bytes(data[:4]) == _PLACEABLE else 0) + 18
    while at + 6 <= len(data):
        words, kind = struct.unpack_from("<IH", data, at)
        if words < 3 or at + words * 2 > len(data):
            break
        record = data[at + 6 : at + words * 2]
        at += words * 2
        tally.fields += _outlines(kind, record[:2], _WMF_OUTLINES) if kind in _WMF_OUTLINES else kind in _WMF_FIELDS
        tally.fields += kind == 0x0A32 and len(record) >= 8 and bool(record[6] & _OPAQUE)
        tally.lines += kind in _WMF_LINES
        if kind in _WMF_BITMAPS:
            for begin in range(0, 40, 2):
                if bitmap := bitmap_file(bytes(record[begin:])):
                    yield bitmap, False
                    break
            else:
                tally.fields += 1


def _svm(data: memoryview, tally: _Tally) -> Iterator[tuple[bytes, bool]]:
    """A chart's replacement in OpenDocument: how many actions it has stands at the end of its header."""
    end = 12 + int.from_bytes(data[8:12], "little")
    if end <= len(data):
        tally.lines += int.from_bytes(data[end - 4 : end], "little")
    whole = bytes(data)
    at = whole.find(_DIB)
    while at >= 0:
        if bitmap := bitmap_file(whole[at:]):
            yield bitmap, True
        at = whole.find(_DIB, at + 1)


_DIB = b"\x28\x00\x00\x00"
_READERS = {MediaType.EMF: _emf, MediaType.WMF: _wmf, MediaType.SVM: _svm}
