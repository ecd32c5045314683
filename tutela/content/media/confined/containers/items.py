"""The pictures of a HEIC or AVIF beside the one that it calls primary: every other top-level one, those marked hidden,
thumbnails, depth maps and whatever else is a picture, and the film that an image sequence is (ISO/IEC 23008-12).

Each is had from a copy of the file in which it is the primary one, and the only one that is not hidden.
"""

import itertools
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from tutela.content.media.confined.budget import Budget
from tutela.content.media.confined.endings import boxes
from tutela.content.media.confined.parts import InnerFile, InnerPicture, Part, Unread
from tutela.content.media.content import Content, Picture, Shortcoming
from tutela.content.media.sniff import MediaType
from tutela.errors import UnscreenableError

_PICTURES = frozenset(
    {b"hvc1", b"hev1", b"hvt1", b"av01", b"avc1", b"vvc1", b"evc1", b"jpeg", b"j2k1", b"unci", b"mski"}
    | {b"grid", b"iovl", b"iden"}
)
_HIDDEN = 1
_MOST = 1_000
_MOST_CUTS = 16


@dataclass(slots=True)
class _Items:
    """What a `meta` box says of its items."""

    primary: int | None = None
    primary_at: int = 0
    """Where in the file its number stands."""
    wide: bool = False
    """Whether that number has four bytes."""
    pictures: dict[int, int] = field(default_factory=dict)
    """Of each picture, where the flags of its entry lie, which end with the hidden bit."""
    tiles: set[int] = field(default_factory=set)
    """Those that others are made of."""
    small: set[int] = field(default_factory=set)
    """Thumbnails."""
    auxiliary: set[int] = field(default_factory=set)


class Items:
    """Every picture that is not the primary one."""

    def parts(self, content: Content, budget: Budget) -> Iterator[Part]:
        data = memoryview(content.data)
        kinds = {kind for kind, _ in boxes(data)}
        if content.media_type is MediaType.HEIC and b"moov" in kinds:
            yield InnerFile("image sequence", _as_film(data), seen_otherwise=True)
        if content.media_type is MediaType.AVIF and b"moov" in kinds and b"meta" in kinds:
            has_frames = bytes(data[8:12]) != b"avis"
            name = "image sequence" if has_frames else "still"
            yield InnerFile(name, _other_brand(data), seen_otherwise=not has_frames)
        for kind, at, box in _children(data, 0, 0):
            if kind == b"meta":
                yield from _apertures(content, box, at)
                yield from _others(data, _read(box, at), budget)


def _apertures(content: Content, meta: memoryview, base: int) -> Iterator[Part]:
    """What only some viewers cut out of the picture (`clap`, ISO/IEC 14496-12, 12.1.4), and the picture whole.

    Our decoder of AVIF does not cut, that of HEIC does.
    """
    data = memoryview(content.data)
    found = list(_properties(meta, base))
    sizes = [struct.unpack_from(">II", box, 4) for kind, _, box in found if kind == b"ispe" and len(box) >= 12]
    cuts = [(at, struct.unpack_from(">8i", box)) for kind, at, box in found if kind == b"clap" and len(box) >= 32]
    if not cuts or not sizes:
        return
    if len(cuts) > _MOST_CUTS:
        reason = "more pieces are cut out of it than are read"
        yield Unread("cuts", UnscreenableError(Shortcoming.TOO_MANY_PARTS, reason))
        return
    if content.media_type is MediaType.HEIC:
        whole = bytearray(data)
        for (at, _), (width, height) in itertools.product(cuts, sizes[:1]):
            struct.pack_into(">8i", whole, at, width, 1, height, 1, 0, 1, 0, 1)
        yield InnerFile("uncut", bytes(whole), seen_otherwise=True)
        return
    picture = content.picture
    for number, (_, cut) in enumerate(cuts, start=1):
        if (box := _cut_out(cut, picture)) is None:
            reason = "a piece is cut out of it that does not lie in it"
            yield Unread(f"cut {number}", UnscreenableError(Shortcoming.PARTLY_SCREENED, reason))
            continue
        left, top, right, bottom = box
        pixels = np.ascontiguousarray(picture.pixels[top:bottom, left:right])
        shown = Picture(pixels, pixels.shape[1], pixels.shape[0], orientation=picture.orientation)
        yield InnerPicture(f"cut {number}", shown)


def _cut_out(cut: tuple[int, ...], picture: Picture) -> tuple[int, int, int, int] | None:
    """Left, top, right and bottom of a clean aperture in the picture's pixels, which may be brought down."""
    if any(below <= 0 for below in cut[1::2]):
        return None
    width, height, across, down = (over / below for over, below in zip(cut[::2], cut[1::2], strict=True))
    x, y = (picture.width - width) / 2 + across, (picture.height - height) / 2 + down
    scale_x, scale_y = picture.pixels.shape[1] / picture.width, picture.pixels.shape[0] / picture.height
    left, top = max(0, round(x * scale_x)), max(0, round(y * scale_y))
    right, bottom = round((x + width) * scale_x), round((y + height) * scale_y)
    return (left, top, right, bottom) if right - left >= 1 and bottom - top >= 1 else None


def _properties(meta: memoryview, base: int) -> Iterator[tuple[bytes, int, memoryview]]:
    for kind, at, box in _children(meta, 4, base):
        if kind == b"iprp":
            for inner, inner_at, properties in _children(box, 0, at):
                if inner == b"ipco":
                    yield from _children(properties, 0, inner_at)


def _others(data: memoryview, items: _Items, budget: Budget) -> Iterator[Part]:
    number = 1
    for item in items.pictures:
        if item == items.primary or item in items.tiles:
            continue
        number += 1
        if number > _MOST:
            limit = UnscreenableError(
                Shortcoming.TOO_MANY_PARTS, "only the first {most:,} pictures were looked at", most=_MOST
            )
            yield Unread("pictures", limit)
            return
        budget.check_time()
        if items.primary is None or (item > 0xFFFF and not items.wide):
            yield Unread(f"page {number}", UnscreenableError(Shortcoming.PARTLY_SCREENED, "it cannot be had by itself"))
            continue
        yield InnerFile(
            f"page {number}",
            _with_primary(data, items, item),
            seen_otherwise=True,
            likeness=item in items.small,
            speculative=item in items.auxiliary,
        )


def _with_primary(data: memoryview, items: _Items, primary: int) -> bytes:
    copy = bytearray(data)
    struct.pack_into(">I" if items.wide else ">H", copy, items.primary_at, primary)
    for item, flags_at in items.pictures.items():
        copy[flags_at] = copy[flags_at] & ~_HIDDEN if item == primary else copy[flags_at] | _HIDDEN
    return bytes(copy)


def _read(meta: memoryview, base: int) -> _Items:
    items = _Items()
    kinds: dict[int, bytes] = {}
    referred: list[tuple[bytes, int, int]] = []
    for kind, at, box in _children(meta, 4, base):
        match kind:
            case b"pitm" if len(box) >= 6:
                items.wide = box[0] > 0 and len(box) >= 8
                items.primary_at = at + 4
                items.primary = int.from_bytes(box[4 : 8 if items.wide else 6])
            case b"iinf" if len(box) >= 6:
                for entry, entry_at, infe in _children(box, 6 if box[0] == 0 else 8, at):
                    if entry == b"infe" and len(infe) >= 12 and infe[0] >= 2:
                        width = 2 if infe[0] == 2 else 4
                        item = int.from_bytes(infe[4 : 4 + width])
                        kinds[item] = bytes(infe[6 + width : 10 + width])
                        if kinds[item] in _PICTURES:
                            items.pictures[item] = entry_at + 3
            case b"iref" if len(box) >= 4:
                width = 2 if box[0] == 0 else 4
                for reference, _, ids in _children(box, 4, at):
                    count = int.from_bytes(ids[width : width + 2]) if len(ids) >= width + 2 else 0
                    numbers = [
                        int.from_bytes(ids[width + 2 + i * width : width + 2 + (i + 1) * width]) for i in range(count)
                    ]
                    source = int.from_bytes(ids[:width])
                    referred += [(reference, source, number) for number in numbers]
    for reference, source, target in referred:
        if reference == b"dimg" and kinds.get(source) in _PICTURES:
            items.tiles.add(target)
        elif reference == b"thmb":
            items.small.add(source)
        elif reference == b"auxl":
            items.auxiliary.add(source)
    return items


def _children(box: memoryview, begin: int, base: int) -> Iterator[tuple[bytes, int, memoryview]]:
    """(type, where its content lies in the file, content) of the boxes in a box, which lies at `base`."""
    at = begin
    while at + 8 <= len(box):
        (length,) = struct.unpack_from(">I", box, at)
        head = 8
        if length == 1 and at + 16 <= len(box):
            (length,) = struct.unpack_from(">Q", box, at + 8)
            head = 16
        if length == 0:
            length = len(box) - at
        if length < head:
            return
        yield bytes(box[at + 4 : at + 8]), base + at + head, box[at + head : at + length]
        at += length


def _as_film(data: memoryview) -> bytes:
    """The file under the brand of films."""
    (length,) = struct.unpack_from(">I", data, 0)
    named = struct.pack(">I4s4sI", length, b"ftyp", b"isom", 0)
    return named + b"isom" * ((int(length) - 16) // 4) + bytes(data[length:])


def _other_brand(data: memoryview) -> bytes:
    """The sequence for those who show the picture that it has beside, or the other way round."""
    brand = b"avif" if bytes(data[8:12]) == b"avis" else b"avis"
    return bytes(data[:8]) + brand + bytes(data[12:])
