"""What the headers show that writers leave in a TIFF before each page that they append, as Pillow does.

What begins at such a header is the same file, read in another way: its first directory is one of the file's, and the
places in it are the whole file's. Where they can be its own, the picture there is one that a viewer shows of what is
cut out.
"""

import struct
from collections.abc import Iterator
from typing import Literal

import numpy as np
from PIL import Image

from tutela._native import find_literals
from tutela.content.media.confined.budget import Budget
from tutela.content.media.confined.carver import WINDOW, literals_between
from tutela.content.media.confined.containers.directories import places_of, small_luma
from tutela.content.media.confined.parts import InnerPicture, Part, file_over
from tutela.content.media.content import Content, Picture

_HEADERS = (b"II*\0", b"MM\0*")
_PLACE = 273
_TELLING = frozenset({256, 257, 258, 259, 262, 266, 277, 278, 284, 317})
"""How samples are read: width, height, bits, compression, colours, order of bits, samples, rows, planes, predictor."""
_MOST_FIELDS = 512

_Look = tuple[frozenset[tuple[int, int, int, bytes]], int]
"""How a page's samples are read, and where they begin."""


class AppendedPages:
    """The picture at each such header, unless it is one of the pages."""

    def parts(self, content: Content, budget: Budget) -> Iterator[Part]:
        data = memoryview(content.data)
        headers = headers_of(data)
        if not headers:
            return
        order: Literal["little", "big"] = "little" if bytes(data[:2]) == b"II" else "big"
        pages = {_look(data, at, order) for at in places_of(data)}
        for header in sorted(headers):
            budget.check_time()
            look, place = _look(data, header + int.from_bytes(data[header + 4 : header + 8], order), order)
            if place and (look, header + place) in pages:
                continue
            if picture := _first_picture(data[header:], content.limits.max_pixels):
                yield InnerPicture(f"tiff at byte {header:,}", picture)


def headers_of(data: memoryview) -> set[int]:
    """Where they lie."""
    mark = bytes(data[:4])
    if mark not in _HEADERS or not find_literals(data[4:], [mark], most=1):
        return set()
    order, places = "<" if mark[:1] == b"I" else ">", places_of(data)
    found: set[int] = set()
    for begin in range(4, len(data) - 8, WINDOW):  # not all at once: pixels can be nothing but such marks
        for at, _ in literals_between(data, [mark], begin, min(begin + WINDOW, len(data) - 8)):
            if at + struct.unpack_from(order + "I", data, at + 4)[0] in places:
                found.add(at)
    return found


def _look(data: memoryview, at: int, order: Literal["little", "big"]) -> _Look:
    """Of a directory. The place is 0 where there are several."""
    read = struct.Struct("<HHI4s" if order == "little" else ">HHI4s")
    fields, place = set(), 0
    first, count = at + 2, min(int.from_bytes(data[at : at + 2], order), _MOST_FIELDS)
    for entry in range(first, min(first + 12 * count, len(data) - read.size + 1), read.size):
        tag, kind, number, value = read.unpack_from(data, entry)
        if tag == _PLACE and number == 1:
            place = int.from_bytes(value[:2] if kind == 3 else value, order)
        elif tag in _TELLING:
            fields.add((tag, kind, number, value if number == 1 else b""))
    return frozenset(fields), place


def _first_picture(data: memoryview, most_pixels: int) -> Picture | None:
    """What the first directory shows, if anything."""
    try:
        with Image.open(file_over(data), formats=["TIFF"]) as image:
            if image.width * image.height > most_pixels:
                return None  # as the page of the whole file is held for
            pixels = small_luma(np.asarray(image.convert("RGB")))
    except Exception:
        return None
    height, width = pixels.shape
    return Picture(pixels, width, height)
