"""The sub-directories of a TIFF, and the raw picture of a camera's file such as a DNG: what only some viewers show.

A sub-directory is had from a copy of the file that begins with it (TIFF 6.0 and its supplement 1; DNG 1.7). Raw
pictures are developed by LibRaw, at half their size.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from PIL import Image

from tutela.content.media.confined.budget import Budget
from tutela.content.media.confined.parts import InnerFile, InnerPicture, Part, Unread, file_over, unreadable
from tutela.content.media.confined.readings import MIN_SIDE, luma
from tutela.content.media.content import Content, Picture, Shortcoming
from tutela.errors import UnscreenableError

_SUB_DIRECTORIES, _PHOTOMETRIC = 330, 262
_RAW = frozenset({32803, 34892})
"""Colour filter array, linear raw."""
_HALVED = 1024
"""Pixels of the shorter side from which on half of them are enough."""
_MOST = 64
_MOST_ENTRIES = 4_096


@dataclass(slots=True)
class _Directories:
    """What the directories of a file say, each looked at once."""

    subs: list[int] = field(default_factory=list)
    """Where those begin that are no pages."""
    raw: int = 0
    """How many hold a raw picture."""
    is_partial: bool = False
    """More are there than are gone through, or some cannot be read."""
    is_ambiguous: bool = False
    """A tag stands twice in one of them."""
    places: set[int] = field(default_factory=set)
    """Where those begin that were looked at."""


class Directories:
    """Every sub-directory, and the raw picture."""

    def parts(self, content: Content, budget: Budget) -> Iterator[Part]:
        data = memoryview(content.data)
        budget.check_time()
        found = _read(data)
        for number, at in enumerate(found.subs, 1):
            budget.check_time()
            yield InnerFile(f"sub-directory {number}", _beginning_with(data, at), seen_otherwise=True)
        if found.raw:
            yield _developed(data, content)
        if found.is_partial or found.raw > 1:
            yield Unread("sub-directories", UnscreenableError(Shortcoming.PARTLY_SCREENED, "not all could be had"))
        if found.is_ambiguous:
            reason = "a directory says one thing twice, and viewers differ in which of them they take"
            yield Unread("directories", UnscreenableError(Shortcoming.PARTLY_SCREENED, reason))


def places_of(data: memoryview) -> set[int]:
    """Where its directories begin."""
    return _read(data).places


def _developed(data: memoryview, content: Content) -> Part:
    name = "raw picture"
    try:
        import rawpy
    except ImportError:
        error = UnscreenableError(Shortcoming.UNSUPPORTED_TYPE, "raw pictures need the extra tutela[formats]")
        return Unread(name, error)
    try:
        with rawpy.imread(file_over(data)) as raw:
            width, height = raw.sizes.width, raw.sizes.height
            if width * height > content.limits.max_pixels:
                limit = f"{width:,} x {height:,} pixels are over the limit of {content.limits.max_pixels:,}"
                raise UnscreenableError(Shortcoming.TOO_MANY_PIXELS, limit)
            half = min(width, height) > _HALVED
            shown = [small_luma(raw.postprocess(half_size=half, use_camera_wb=balanced)) for balanced in (True, False)]
    except Exception as error:
        return Unread(name, unreadable("the raw picture", error))
    height, width = shown[0].shape
    return InnerPicture(name, Picture(shown[0], width, height, readings=(("without its white balance", shown[1]),)))


def small_luma(developed: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Its luma, as a picture of that size: half of an odd size is not its eighths."""
    image = Image.fromarray(developed)
    small = image if min(image.size) < 2 * MIN_SIDE else image.reduce(min(image.size) // MIN_SIDE)
    return np.ascontiguousarray(luma(small))


def _beginning_with(data: memoryview, at: int) -> bytes:
    copy = bytearray(data)
    order = "<" if copy[:2] == b"II" else ">"
    if _is_big(copy, order):
        struct.pack_into(order + "Q", copy, 8, at)
    else:
        struct.pack_into(order + "I", copy, 4, at)
    return bytes(copy)


def _is_big(data: bytes | bytearray | memoryview, order: str) -> bool:
    (version,) = struct.unpack_from(order + "H", data, 2)
    return bool(version == 43)


def _read(data: memoryview) -> _Directories:
    found = _Directories()
    if len(data) < 16:
        return found
    order = "<" if bytes(data[:2]) == b"II" else ">"
    big = _is_big(data, order)
    offset = "Q" if big else "I"
    waiting = [(int(struct.unpack_from(order + offset, data, 8 if big else 4)[0]), False)]
    while waiting:
        at, is_sub = waiting.pop()
        if at in found.places or not 0 < at < len(data) - 2:
            continue
        if len(found.places) >= _MOST * 16 or len(found.subs) >= _MOST:
            found.is_partial = True
            return found
        found.places.add(at)
        try:
            following, subs, photometric = _directory(data, at, order, big, found)
        except struct.error:
            found.is_partial |= is_sub
            continue
        if photometric in _RAW:
            found.raw += 1
        elif is_sub:
            found.subs.append(at)
        waiting.append((following, is_sub))
        waiting += [(sub, True) for sub in subs]
    return found


def _directory(data: memoryview, at: int, order: str, big: bool, found: _Directories) -> tuple[int, list[int], int]:
    """(where the next one begins, sub-directories, photometric interpretation)."""
    counted, entry_length = ("Q", 20) if big else ("H", 12)
    (count,) = struct.unpack_from(order + counted, data, at)
    found.is_partial |= count > _MOST_ENTRIES
    count = min(count, _MOST_ENTRIES)
    begin = at + struct.calcsize(counted)
    subs: list[int] = []
    tags: set[int] = set()
    photometric = -1
    for entry in range(begin, begin + count * entry_length, entry_length):
        tag, kind, number = struct.unpack_from(order + ("HHQ" if big else "HHI"), data, entry)
        value_at = entry + (12 if big else 8)
        found.is_ambiguous |= tag in tags
        tags.add(tag)
        if tag == _PHOTOMETRIC:
            (photometric,) = struct.unpack_from(order + ("I" if kind == 4 else "H"), data, value_at)
        elif tag == _SUB_DIRECTORIES:
            width = "Q" if kind in (16, 17, 18) else "I"
            found.is_partial |= number > _MOST
            number = min(number, _MOST)
            if number * struct.calcsize(width) > (8 if big else 4):
                (value_at,) = struct.unpack_from(order + ("Q" if big else "I"), data, value_at)
            try:
                subs += struct.unpack_from(f"{order}{number}{width}", data, value_at)
            except struct.error:
                found.is_partial = True
    (following,) = struct.unpack_from(order + ("Q" if big else "I"), data, begin + count * entry_length)
    return following, subs, photometric
