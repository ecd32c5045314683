"""Where a file of a known type ends by its own structure, so that what stands behind it can be found.

JPEG: ITU-T T.81 B.1; PNG: W3C PNG 5.3; GIF: GIF89a; RIFF: WebP container; boxes: ISO/IEC 14496-12 4.2.
"""

import re
import struct
from collections.abc import Callable, Iterator, Mapping

from tutela import _native
from tutela.content.media.sniff import MediaType

_MARK = re.compile(rb"\xff")
_MARKER = re.compile(rb"\xff(?=[^\x00\xff])")
_FILL = re.compile(rb"\xff+(?=\xff)")
_NO_MARKER = re.compile(rb"(?:\xff+\x00)+|\xff+(?=\xff)")
_BOX_TYPE = re.compile(rb"[A-Za-z0-9 _\xa9-]{4}")


def end_of(data: memoryview, media_type: MediaType) -> int | None:
    """The number of bytes that belong to the file at the beginning of the data; None where its form does not say."""
    find = _ENDS.get(media_type)
    return find(data) if find else None


def _jpeg(data: memoryview) -> int | None:
    at, entropy_coded = 2, False
    while True:
        if entropy_coded:
            found = _native.jpeg_marker(data, at)
            if found is None:
                return None
            at = found
        elif at >= len(data) or data[at] != 0xFF:
            return None
        marker = data[at + 1] if at + 1 < len(data) else 0
        if marker == 0xD9:
            return at + 2
        if marker == 0xFF:
            at = behind_fill(data, at)
            continue
        if marker == 0x01 or 0xD0 <= marker <= 0xD7:
            at += 2
            continue
        if at + 4 > len(data):
            return None
        at += 2 + int.from_bytes(data[at + 2 : at + 4])
        entropy_coded = marker == 0xDA or entropy_coded


def jpeg_segments(data: memoryview) -> Iterator[tuple[int, memoryview]]:
    """(marker, content) of every segment before the first scan; what stands between them is passed over."""
    at, last = 2, len(data) - 3
    while 0 <= at < last:
        marker = data[at + 1]
        if data[at] != 0xFF or marker in (0x00, 0xFF):
            found = _MARKER.search(data, at)
            at = found.start() if found else -1
            continue
        if marker == 0xDA:
            return
        length = 0 if 0xD0 <= marker <= 0xD8 else data[at + 2] << 8 | data[at + 3]
        yield marker, data[at + 4 : at + 2 + length]
        at += 2 + length


def jpeg_between(data: memoryview) -> Iterator[memoryview]:
    """What stands in a JPEG between the segments before its first scan, and in segments from that scan on."""
    at, scans = 2, False
    while at < len(data) - 3:
        if passed := _NO_MARKER.match(data, at):
            at = passed.end()
            continue
        if data[at] != 0xFF:
            mark = _MARK.search(data, at)
            end = mark.start() if mark else len(data)
            yield data[at:end]
            at = end
            continue
        marker = data[at + 1]
        if marker == 0xD9:
            return
        length = 2 if 0xD0 <= marker <= 0xD8 else 2 + int.from_bytes(data[at + 2 : at + 4])
        if scans and (0xE0 <= marker <= 0xEF or marker == 0xFE):
            yield data[at + 4 : at + length]
        at += length
        scans = scans or marker == 0xDA
        if scans:
            found = _native.jpeg_marker(data, at)
            if found is None:
                return
            at = found


def behind_fill(data: memoryview, at: int) -> int:
    """Where a marker begins of which there are fill bytes from there on."""
    fill = _FILL.match(data, at)
    return fill.end() if fill else at


def _png(data: memoryview) -> int | None:
    at = 8
    while at + 12 <= len(data):
        kind = bytes(data[at + 4 : at + 8])
        at += 12 + int.from_bytes(data[at : at + 4])
        if kind == b"IEND":
            return min(at, len(data))
    return None


def _gif(data: memoryview) -> int | None:
    for introducer, _, end in gif_blocks(data):
        if introducer == 0x3B:
            return end
    return None


def count_gif_frames(data: memoryview, limit: int) -> int:
    """How many frames a GIF has, counted up to the limit: without decoding, however many it claims to have."""
    count = 0
    for introducer, _, _ in gif_blocks(data):
        count += introducer == 0x2C
        if count >= limit:
            break
    return count


def gif_blocks(data: memoryview) -> Iterator[tuple[int, int, int]]:
    """(introducer, where it begins, where it ends) of every frame and graphic control, up to the trailer; other
    extensions are left out, and what is no block is passed over."""
    end = 0
    while block := _native.gif_block(data, end):
        yield block
        introducer, _, end = block
        if introducer == 0x3B:
            return


def _riff(data: memoryview) -> int | None:
    length = 8 + int.from_bytes(data[4:8], "little")
    return length + length % 2 if 12 <= length <= len(data) else None


def _bmp(data: memoryview) -> int | None:
    length = int.from_bytes(data[2:6], "little")
    return length if 54 <= length <= len(data) else None


def _boxes(data: memoryview) -> int | None:
    """A second `ftyp` begins another file."""
    end, named = 0, False
    for kind, box in boxes(data):
        if kind == b"ftyp" and named:
            break
        named = named or kind == b"ftyp"
        end += 8 + len(box)
    return end or None


def boxes(data: memoryview) -> Iterator[tuple[bytes, memoryview]]:
    """(type, what follows the short header) of every box of the first level; the last may be cut short."""
    at = 0
    while at + 8 <= len(data) and _BOX_TYPE.fullmatch(data, at + 4, at + 8):
        (length,) = struct.unpack_from(">I", data, at)
        if length == 1 and at + 16 <= len(data):
            (length,) = struct.unpack_from(">Q", data, at + 8)
        if length == 0 or at + length > len(data):
            length = len(data) - at
        if length < 8:
            return
        yield bytes(data[at + 4 : at + 8]), data[at + 8 : at + length]
        at += length


def _pdf(data: memoryview) -> int | None:
    last = None
    for found in re.finditer(rb"%%EOF[\r\n]{0,2}", data):
        last = found.end()
    return last


_ENDS: Mapping[MediaType, Callable[[memoryview], int | None]] = {
    MediaType.JPEG: _jpeg,
    MediaType.PNG: _png,
    MediaType.GIF: _gif,
    MediaType.WEBP: _riff,
    MediaType.AVI: _riff,
    MediaType.BMP: _bmp,
    MediaType.AVIF: _boxes,
    MediaType.HEIC: _boxes,
    MediaType.MP4: _boxes,
    MediaType.JPEG2000: _boxes,
    MediaType.JXL: _boxes,
    MediaType.PDF: _pdf,
}
