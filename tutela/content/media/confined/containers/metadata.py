"""Pictures in the metadata of pictures and films: EXIF thumbnails, maker's previews, Photoshop's and XMP's, covers.

A thumbnail may show what the picture itself no longer does, or never did.
"""

from collections import defaultdict
from collections.abc import Iterator
from itertools import chain

from tutela import _native
from tutela.content.media.confined.budget import Budget
from tutela.content.media.confined.carver import carve
from tutela.content.media.confined.encodings import ANY_ZLIB, ZLIB, packed_in, runs_in
from tutela.content.media.confined.endings import behind_fill, boxes, jpeg_between
from tutela.content.media.confined.parts import InnerFile, Part
from tutela.content.media.content import Content
from tutela.content.media.sniff import PICTURES, VIDEOS, MediaType, sniff

_MIN_BYTES = 128
_ENDS = 16 * 1024 * 1024
"""At the beginning and the end of a film lie the pictures that are attached to it."""


_COMMENT = b""
_LONGEST_NAME = 40
"""Of what a segment says of itself, up to a zero."""
_HEADS = {b"FPXR": 13, b"JP": 16, b"ICC_PROFILE": 14}
"""Bytes before what goes on in the next segment, where there are more than the name (Exif 2.3, 4.7.2; JPEG XT, B.4)."""
_PIXELS = frozenset({b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF"})
_EXTENDED = b"http://ns.adobe.com/xmp/extension/\0"
"""Before each piece of a long XMP packet, its digest and two numbers (XMP specification, part 3, 1.1.3.1)."""


class MetadataBlocks:
    """Whatever a signature gives away in the parts of a file that are not its pixels."""

    def parts(self, content: Content, budget: Budget) -> Iterator[Part]:
        data = memoryview(content.data)
        number = 0
        for block in _blocks(data, content.media_type):
            if len(block) < _MIN_BYTES:
                continue
            budget.check_time()
            letters = runs_in(bytes(block), budget)
            beginnings = ANY_ZLIB if content.media_type is MediaType.PNG else ZLIB
            carried = chain(letters, packed_in(block, budget, beginnings))
            for part in chain(carve(block, budget), (InnerFile("carried", data) for data in carried)):
                kind = sniff(part.data)
                if kind is MediaType.TIFF:  # EXIF itself begins like one
                    continue
                number += 1
                name = "thumbnail" if kind in PICTURES else "attached"
                yield InnerFile(f"{name} {number}", part.data, speculative=True, likeness=kind in PICTURES)


def _blocks(data: memoryview, media_type: MediaType | None) -> Iterator[memoryview]:
    match media_type:
        case MediaType.JPEG:
            return _jpeg(data)
        case MediaType.PNG:
            return _png(data)
        case MediaType.GIF:
            return _gif(data)
        case MediaType.WEBP:
            return _webp(data)
        case MediaType.HEIC | MediaType.AVIF | MediaType.MP4:
            return _boxes(data)
        case kind if kind in VIDEOS:
            return iter((data[64:_ENDS], data[max(_ENDS, len(data) - _ENDS) :]))
        case _:
            return iter(())


def _jpeg(data: memoryview) -> Iterator[memoryview]:
    """APPn and COM segments before the pixels, and as one what goes on over several of them."""
    at = 2
    joined: dict[tuple[int, bytes, int], list[memoryview]] = defaultdict(list)
    while at + 4 <= len(data) and data[at] == 0xFF and data[at + 1] not in (0xD9, 0xDA):
        if data[at + 1] == 0xFF:
            at = behind_fill(data, at)
            continue
        length = int.from_bytes(data[at + 2 : at + 4])
        if 0xE0 <= data[at + 1] <= 0xEF or data[at + 1] == 0xFE:
            segment = data[at + 4 : at + 2 + length]
            yield segment
            for name, head in _heads(data[at + 1], segment):
                joined[data[at + 1], name, head].append(segment[head:])
        at += 2 + length
    yield from jpeg_between(data)
    for segments in joined.values():
        if len(segments) > 1:
            yield memoryview(b"".join(segments))


def _heads(marker: int, segment: memoryview) -> Iterator[tuple[bytes, int]]:
    """(name, how long the head is) of a segment that may go on in others, in each way in which it may be read."""
    if marker == 0xFE:
        yield _COMMENT, 0
    elif bytes(segment[: len(_EXTENDED)]) == _EXTENDED:
        yield _EXTENDED, len(_EXTENDED) + 40
    else:
        name, zero, _ = bytes(segment[:_LONGEST_NAME]).partition(b"\0")
        known = next((each for each in _HEADS if name.startswith(each)), None)
        if zero:
            yield name, len(name) + 1
        if known is not None:
            yield known, _HEADS[known]


def _png(data: memoryview) -> Iterator[memoryview]:
    at = 8
    while at + 12 <= len(data):
        length, kind = int.from_bytes(data[at : at + 4]), bytes(data[at + 4 : at + 8])
        if kind not in (b"IDAT", b"fdAT", b"IHDR", b"PLTE"):
            yield data[at + 8 : at + 8 + length]
        at += 12 + length


def _gif(data: memoryview) -> Iterator[memoryview]:
    """Comments and what applications put there, each as one (GIF89a, 24 and 26)."""
    for label in (0xFE, 0xFF):
        at = 0
        while found := _native.gif_extension(data, at, label, _MIN_BYTES):
            joined, at = found
            yield memoryview(joined)


def _webp(data: memoryview) -> Iterator[memoryview]:
    at = 12
    while at + 8 <= len(data):
        length, kind = int.from_bytes(data[at + 4 : at + 8], "little"), bytes(data[at : at + 4])
        if kind not in _PIXELS:
            yield data[at + 8 : at + 8 + length]
        at += 8 + length + length % 2


def _boxes(data: memoryview) -> Iterator[memoryview]:
    """Every box of the first level but the media themselves; of a picture, whose EXIF lies there, these too."""
    film = sniff(data) is MediaType.MP4
    for kind, box in boxes(data):
        if kind != b"ftyp" and not (film and kind == b"mdat"):
            yield box
