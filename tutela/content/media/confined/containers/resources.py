"""Pictures that fonts and programs carry in forms of their own: compressed tables, bitmaps without a file's header.

WOFF (W3C, 2012) compresses each table with zlib, WOFF 2 (W3C, 2022) all of them together; Windows programs keep icons
and bitmaps as they lie in memory (BITMAPINFOHEADER).
"""

import re
import zlib
from collections.abc import Iterator

from tutela.content.media.confined.budget import Budget
from tutela.content.media.confined.carver import carve
from tutela.content.media.confined.encodings import bitmap_file
from tutela.content.media.confined.glyphs import has_picture, tables_of
from tutela.content.media.confined.parts import InnerFile, Part, Unread
from tutela.content.media.content import Shortcoming
from tutela.errors import UnscreenableError

_BITMAP = re.compile(
    rb"[\x28\x6c\x7c]\0\0\0..\0\0..\0\0\x01\0(?:\x01|\x04|\x08|\x10|\x18|\x20)\0[\0-\3]\0\0\0", re.DOTALL
)
_SMALLEST = 32
_KNOWN_TAGS = 63
_GLYF, _LOCA = 10, 11
_DRAWN = frozenset({15, 32, 36, 37})
"""EBDT, CBDT, SVG and sbix, by their numbers in WOFF 2: glyphs that are pictures."""


def of_font(data: memoryview, budget: Budget) -> Iterator[Part]:
    """What the tables of a WOFF hold; a font whose glyphs are pictures is held."""
    if bytes(data[:4]) == b"wOF2":
        if _draws(data):
            yield _not_drawn()
        return
    if bytes(data[:4]) != b"wOFF":
        if any(map(has_picture, tables_of(data))):
            yield _not_drawn()
        return
    tables: dict[bytes, memoryview] = {}
    for number in range(int.from_bytes(data[12:14])):
        entry = data[44 + 20 * number : 64 + 20 * number]
        start, packed = (int.from_bytes(entry[at : at + 4]) for at in (4, 8))
        if len(entry) < 20:
            continue
        try:  # whatever its length is said to be
            table = zlib.decompressobj().decompress(data[start : start + packed], budget.limits.max_bytes)
        except zlib.error:
            continue
        budget.spend_bytes(len(table))
        tables[bytes(entry[:4])] = memoryview(table)
        yield from carve(memoryview(table), budget)
    if has_picture(tables):
        yield _not_drawn()


def _not_drawn() -> Unread:
    reason = "its glyphs are pictures, and are not drawn here"
    return Unread("font", UnscreenableError(Shortcoming.NOT_RENDERED, reason))


def _draws(data: memoryview) -> bool:
    """Whether the directory of a WOFF 2 has a table of pictures, or cannot be read."""
    at = 48
    try:
        for _ in range(int.from_bytes(data[12:14])):
            flags = data[at]
            at += 1
            tag = flags & 0x3F
            if tag == _KNOWN_TAGS:
                at += 4
            is_transformed = (flags >> 6 != 3) if tag in (_GLYF, _LOCA) else flags >> 6 != 0
            for _ in range(1 + is_transformed):
                while data[at] & 0x80:
                    at += 1
                at += 1
            if tag in _DRAWN:
                return True
    except IndexError:
        return True
    return False


def bitmaps(data: memoryview) -> Iterator[Part]:
    """Bitmaps without a file's header, as files. Of an icon, which has a mask below it, the upper half."""
    content = bytes(data)
    for found in _BITMAP.finditer(content):
        header = content[found.start() : found.start() + 40]
        width, height = (int.from_bytes(header[at : at + 4], "little") for at in (4, 8))
        if not _SMALLEST <= width <= 8_192 or not _SMALLEST <= height <= 16_384:
            continue
        bits = int.from_bytes(header[14:16], "little")
        lines = height // 2 if height == 2 * width else height
        length = int.from_bytes(header[:4], "little") + 4 * 256 + 12 + (width * bits + 31) // 32 * 4 * lines
        dib = bytearray(content[found.start() : found.start() + length])
        dib[8:12] = lines.to_bytes(4, "little")
        if (file := bitmap_file(bytes(dib))) is not None:
            yield InnerFile(f"bitmap at byte {found.start():,}", file, speculative=True)
