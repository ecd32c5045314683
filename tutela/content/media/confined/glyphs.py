"""Fonts of which one glyph is a picture: nothing else in a font has outlines of hundreds of fields.

OpenType 1.9 (glyf, loca, CFF); Adobe Technical Note 5176, The Compact Font Format.
"""

import contextlib
import struct
from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt

_MOST_CONTOURS = 512
"""Fields of a picture in two tones. Letters that look worn or drawn have a few hundred."""
_MOST_CHARSTRING = 6_000
"""Bytes of an outline in CFF, where a field takes about ten."""
_BYTES_OF_A_COMPONENT = 8
_COLLECTION = b"ttcf"
Tables = Mapping[bytes, memoryview]


def tables_of(data: memoryview) -> Iterator[Tables]:
    """The tables of each font in a file of sfnt's form."""
    begins = [0]
    if bytes(data[:4]) == _COLLECTION:
        count = min(int.from_bytes(data[8:12]), 256)
        begins = [int.from_bytes(data[12 + 4 * number : 16 + 4 * number]) for number in range(count)]
    for begin in begins:
        tables = {}
        for number in range(int.from_bytes(data[begin + 4 : begin + 6])):
            entry = data[begin + 12 + 16 * number : begin + 28 + 16 * number]
            if len(entry) == 16:
                tag, _, at, length = struct.unpack(">4sIII", entry)
                tables[tag] = data[at : at + length]
        yield tables


def has_picture(tables: Tables) -> bool:
    """Whether one glyph has as many fields as a picture."""
    with contextlib.suppress(KeyError, struct.error, IndexError, ValueError):
        if b"glyf" in tables:
            return _most_contours(tables) >= _MOST_CONTOURS
        return _longest_charstring(tables[b"CFF "]) >= _MOST_CHARSTRING
    return False


def _most_contours(tables: Tables) -> int:
    """By the number that each glyph begins with; of one that is put together, by its length."""
    is_long = int.from_bytes(tables[b"head"][50:52]) == 1
    size = 4 if is_long else 2
    loca = tables[b"loca"]
    places = np.frombuffer(loca[: len(loca) // size * size], f">u{size}").astype(np.int64) * (1 if is_long else 2)
    glyphs: npt.NDArray[np.uint8] = np.frombuffer(tables[b"glyf"], np.uint8)
    begins, lengths = places[:-1], np.diff(places)
    there = (lengths >= 10) & (begins + 1 < len(glyphs))
    begins, lengths = begins[there], lengths[there]
    contours = (glyphs[begins].astype(np.uint16) << 8 | glyphs[begins + 1]).astype(np.int16)
    counted = np.where(contours < 0, lengths // _BYTES_OF_A_COMPONENT, contours)
    return int(counted.max(initial=0))


def _longest_charstring(font: memoryview) -> int:
    """Raises IndexError, struct.error, ValueError."""
    _, at = _index(font, font[2])
    dictionaries, at = _index(font, at)
    begin, end = dictionaries[0], dictionaries[1]
    operands: list[int] = []
    at = begin
    while at < end:
        first = font[at]
        if first <= 21:
            if first == 17:  # CharStrings
                places, _ = _index(font, operands[-1])
                return int(np.diff(places).max(initial=0))
            operands.clear()
            at += 2 if first == 12 else 1
        elif first == 28:
            operands.append(struct.unpack_from(">h", font, at + 1)[0])
            at += 3
        elif first == 29:
            operands.append(struct.unpack_from(">i", font, at + 1)[0])
            at += 5
        elif first == 30:  # a real number, in half bytes until one is 15
            at += 1
            while font[at] & 15 != 15 and font[at] >> 4 != 15:
                at += 1
            at += 1
        elif first <= 246:
            operands.append(first - 139)
            at += 1
        else:
            operands.append(0)
            at += 2
    return 0


def _index(font: memoryview, at: int) -> tuple[list[int], int]:
    """(where each object of an INDEX begins, and the last ends; what is behind it)."""
    count = struct.unpack_from(">H", font, at)[0]
    if not count:
        return [], at + 2
    size = font[at + 2]
    if not 1 <= size <= 4 or at + 3 + (count + 1) * size > len(font):
        raise ValueError("an index of a font is cut short")
    before = at + 2 + (count + 1) * size
    places = [
        int.from_bytes(font[at + 3 + number * size : at + 3 + (number + 1) * size]) for number in range(count + 1)
    ]
    return [before + place for place in places], before + places[-1]
