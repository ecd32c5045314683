"""Pictures in a picture's metadata: EXIF thumbnails, maker's previews, Photoshop's and XMP's.

A thumbnail may show what the picture itself no longer does, or never did.
"""

from collections.abc import Iterator

from tutela.media.budget import Budget
from tutela.media.carving import carve
from tutela.media.containers.base import InnerFile, Part
from tutela.media.content import Content
from tutela.media.sniff import MediaType, sniff

_MIN_BYTES = 128


class Metadata:
    """Whatever a signature gives away in the parts of a file that are not its pixels."""

    def parts(self, content: Content, budget: Budget) -> Iterator[Part]:
        data = memoryview(content.data)
        number = 0
        for block in _blocks(data, content.media_type):
            if len(block) < _MIN_BYTES:
                continue
            budget.check_time()
            for part in carve(block):
                if sniff(part.data) is MediaType.TIFF:  # EXIF itself begins like one
                    continue
                number += 1
                yield InnerFile(f"thumbnail {number}", part.data, speculative=True)


def _blocks(data: memoryview, media_type: MediaType | None) -> Iterator[memoryview]:
    match media_type:
        case MediaType.JPEG:
            return _jpeg(data)
        case MediaType.PNG:
            return _png(data)
        case MediaType.WEBP:
            return _webp(data)
        case _:
            return iter(())


def _jpeg(data: memoryview) -> Iterator[memoryview]:
    """APPn and COM segments before the pixels."""
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF and data[at + 1] not in (0xD9, 0xDA):
        length = int.from_bytes(data[at + 2 : at + 4])
        if 0xE0 <= data[at + 1] <= 0xEF or data[at + 1] == 0xFE:
            yield data[at + 4 : at + 2 + length]
        at += 1 if data[at + 1] == 0xFF else 2 + length


def _png(data: memoryview) -> Iterator[memoryview]:
    at = 8
    while at + 12 <= len(data):
        length, kind = int.from_bytes(data[at : at + 4]), bytes(data[at + 4 : at + 8])
        if kind not in (b"IDAT", b"fdAT", b"IHDR", b"PLTE"):
            yield data[at + 8 : at + 8 + length]
        at += 12 + length


def _webp(data: memoryview) -> Iterator[memoryview]:
    at = 12
    while at + 8 <= len(data):
        length, kind = int.from_bytes(data[at + 4 : at + 8], "little"), bytes(data[at : at + 4])
        if kind in (b"EXIF", b"XMP "):
            yield data[at + 8 : at + 8 + length]
        at += 8 + length + length % 2
