"""What a file leaves open, and viewers decide: whether a fourth channel is alpha, whether frames are cut at the screen.

Each way that our decoder does not take is a copy of the file that says so. BITMAPV4HEADER; TIFF 6.0, ExtraSamples;
WebP container, VP8X; GIF89a, 18 and 20.
"""

import io
import struct
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from PIL import Image

from tutela.content.media.confined.budget import Budget
from tutela.content.media.confined.endings import gif_blocks
from tutela.content.media.confined.parts import InnerFile, Part
from tutela.content.media.confined.tones import riff_chunks
from tutela.content.media.content import Content
from tutela.content.media.sniff import MediaType

_EXTRA_SAMPLES = 338
_MOST_ENTRIES = 4096
_BITFIELDS = 3
_V4_LENGTH = 108
_ALPHA_FLAG = 0x10


class Unsaid:
    """The file once more, with what it leaves open said."""

    def parts(self, content: Content, budget: Budget) -> Iterator[Part]:
        data = memoryview(content.data)
        match content.media_type:
            case MediaType.BMP:
                ways = (
                    ("with its fourth channel as alpha", _bitmap(data) or _of_sixteen_bits(data)),
                    *_of_palette(data),
                )
            case MediaType.TIFF:
                ways = (("with its fourth channel as alpha", _tiff(data)),)
            case MediaType.WEBP:
                ways = (("with its fourth channel as alpha", _webp(data)),)
            case _:
                ways = (("with whole frames", _gif(data)),)
        for name, said in ways:
            if said is not None:
                budget.spend_bytes(len(said))
                yield InnerFile(name, said, seen_otherwise=content.media_type is not MediaType.GIF)


def _of_palette(data: memoryview) -> Iterator[tuple[str, bytes]]:
    """Where pixels are said to begin at the file's beginning, or where the palette does, browsers read them from there,
    Pillow behind the palette; numbers that the palette does not have are black to browsers."""
    if len(data) < 58:
        return
    begin, length = (int.from_bytes(data[at : at + 4], "little") for at in (10, 14))
    bits, compression = struct.unpack_from("<HI", data, 28)
    most = 1 << bits if 0 < bits <= 8 else 0
    colours = (int.from_bytes(data[46:50], "little") or most) if most else 0
    palette = 14 + length + (12 if compression == _BITFIELDS and length == 40 else 0)
    if length < 40:
        return
    said = bytes(data[14:46]) + struct.pack("<I", max(most, colours)) + bytes(data[50 : palette + 4 * colours])
    said += bytes(4 * max(most - colours, 0))
    whole = bytes(data[:10]) + struct.pack("<I", 14 + len(said)) + said
    if begin in (0, 14 + length if colours else 0):
        yield "from where its pixels are said to begin", whole + bytes(data[begin:])
    if colours < most:
        yield "with a whole palette", whole + bytes(data[begin if begin != 14 + length else palette + 4 * colours :])


def _bitmap(data: memoryview) -> bytes | None:
    """One of 32 bits without a mask of alpha, whose fourth bytes are not all alike."""
    length, bits, compression = struct.unpack_from("<I10xHI", data, 14) if len(data) >= 58 else (0, 0, 0)
    if (length, bits, compression) != (40, 32, 0):
        return None
    begin = int.from_bytes(data[10:14], "little")
    fourth = np.frombuffer(data[begin:], np.uint8)[3::4]
    if len(fourth) == 0 or fourth.min() == fourth.max():
        return None
    masks = struct.pack("<4I", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    header = bytearray((struct.pack("<I", _V4_LENGTH) + bytes(data[18:54]) + masks).ljust(_V4_LENGTH, b"\0"))
    struct.pack_into("<I", header, 16, _BITFIELDS)
    header[56:60] = b"BGRs"
    pixels = 14 + _V4_LENGTH
    return b"BM" + struct.pack("<IHHI", pixels + len(data) - begin, 0, 0, pixels) + bytes(header) + bytes(data[begin:])


def _of_sixteen_bits(data: memoryview) -> bytes | None:
    """One of 16 bits whose mask of alpha, or first bit, our decoder passes over; as a PNG."""
    if len(data) < 70:
        return None
    length, width, height, bits, compression = struct.unpack_from("<Iii2xHI", data, 14)
    if length < 40 or bits != 16 or compression not in (0, _BITFIELDS) or not 0 < width <= 0x7FFF or not height:
        return None
    masks = struct.unpack_from("<4I", data, 54) if compression else (0x7C00, 0x3E0, 0x1F, 0x8000)
    if compression and length < 56:
        masks = (*masks[:3], 0x8000)
    begin, stride = int.from_bytes(data[10:14], "little"), -(-width // 2) * 4
    whole = np.frombuffer(data[begin : begin + stride * abs(height)], np.uint8)
    if len(whole) < stride * abs(height):
        return None
    numbers = whole.reshape(abs(height), stride).view("<u2")[:, :width].astype(np.uint32)
    planes = [(numbers & mask) * (255 / mask) if mask else np.zeros(numbers.shape) for mask in masks]
    if planes[3].min() == planes[3].max():
        return None
    pixels = np.dstack(planes).astype(np.uint8)
    return as_png(pixels[::-1] if height > 0 else pixels)


def as_png(pixels: npt.NDArray[np.uint8]) -> bytes:
    """(height, width, 4) as a file."""
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(file, "PNG", compress_level=1)
    return file.getvalue()


def _tiff(data: memoryview) -> bytes | None:
    """One whose first directory has a further channel that it does not name."""
    order = "<" if bytes(data[:2]) == b"II" else ">"
    if len(data) < 8 or struct.unpack_from(order + "H", data, 2) != (42,):
        return None
    (begin,) = struct.unpack_from(order + "I", data, 4)
    if not 8 <= begin <= len(data) - 2:
        return None
    (count,) = struct.unpack_from(order + "H", data, begin)
    for entry in range(begin + 2, min(begin + 2 + 12 * min(count, _MOST_ENTRIES), len(data) - 12), 12):
        tag, kind, number, value = struct.unpack_from(order + "HHIH", data, entry)
        if (tag, kind, number, value) == (_EXTRA_SAMPLES, 3, 1, 0):
            copy = bytearray(data)
            struct.pack_into(order + "H", copy, entry + 8, 2)
            return bytes(copy)
    return None


def _webp(data: memoryview) -> bytes | None:
    """One that has an alpha and says that it has none."""
    if bytes(data[12:16]) != b"VP8X" or len(data) < 30 or data[20] & _ALPHA_FLAG:
        return None
    if not any(kind == b"ALPH" for kind, _ in riff_chunks(data)):
        return None
    copy = bytearray(data)
    copy[20] |= _ALPHA_FLAG
    return bytes(copy)


def _gif(data: memoryview) -> bytes | None:
    """One with a frame that leaves the screen."""
    if len(data) < 13:
        return None
    width, height = first = struct.unpack_from("<HH", data, 6)
    for introducer, begin, _ in gif_blocks(data):
        if introducer == 0x2C:
            left, top, across, down = struct.unpack_from("<4H", data, begin + 1)
            width, height = max(width, left + across), max(height, top + down)
    if (width, height) == first or max(width, height) > 0xFFFF:
        return None
    return bytes(data[:6]) + struct.pack("<HH", width, height) + bytes(data[10:])
