"""The pictures of an icon or cursor: every size, each as a file of its own. A viewer shows the one that fits."""

import io
import struct
from collections.abc import Iterator

import numpy as np
from PIL import Image

from tutela.content.media.confined.budget import Budget
from tutela.content.media.confined.containers.unsaid import as_png
from tutela.content.media.confined.parts import InnerFile, Part
from tutela.content.media.content import Content

_BITMAP = struct.Struct("<Iii2xH")
_LONG = struct.Struct("<Iii2xHI12xI")
_BITFIELDS, _ICON, _WIDEST = 3, 1, 4096
_HEAD, _ENTRY = struct.Struct("<HHH"), struct.Struct("<8sII")


class Icons:
    """Every picture, where there are several; one with alpha by its mask too, as viewers take it that find no alpha."""

    def parts(self, content: Content, budget: Budget) -> Iterator[Part]:
        data = memoryview(content.data)
        if len(data) < _HEAD.size:
            return
        reserved, kind, count = _HEAD.unpack_from(data)
        for number in range(count):
            at = _HEAD.size + number * _ENTRY.size
            if at + _ENTRY.size > len(data):
                return
            budget.check_time()
            described, length, begin = _ENTRY.unpack_from(data, at)
            picture = bytes(data[begin : begin + length])
            if (masked := _by_its_mask(picture)) is not None:
                budget.spend_bytes(len(masked))
                yield InnerFile(f"icon {number + 1} by its mask", masked, seen_otherwise=True)
            for name, said in _of_bitmap(data[begin:]):
                budget.spend_bytes(len(said))
                yield InnerFile(f"icon {number + 1} {name}", said)
            if count == 1 and kind == _ICON:
                continue
            # A cursor's place of the point stands where an icon says how deep it is.
            described = described if kind == _ICON else described[:4] + bytes(4)
            alone = _HEAD.pack(reserved, _ICON, 1) + _ENTRY.pack(described, len(picture), _HEAD.size + _ENTRY.size)
            yield InnerFile(f"icon {number + 1}", alone + picture, seen_otherwise=True)


def _of_bitmap(rest: memoryview) -> Iterator[tuple[str, bytes]]:
    """The bitmap without its mask, as browsers read it, and with it: as long as its header makes it, whatever the list
    of pictures says. Pillow looks for the mask where it would be without a palette."""
    if len(rest) < _LONG.size:
        return
    length, width, twice, bits, compression, colours = _LONG.unpack_from(rest)
    if not 40 <= length <= 124 or not 0 < width <= _WIDEST or not 0 < abs(twice) <= 2 * _WIDEST or bits > 32:
        return
    most = 1 << bits if 0 < bits <= 8 else 0
    pixels = length + (12 if compression == _BITFIELDS and length == 40 else 0) + 4 * min(colours or most, most)
    height, stride = abs(twice) // 2, (width + 31) // 32 * 4
    end = pixels + (width * bits + 31) // 32 * 4 * height
    # Numbers that the palette does not have are black.
    head = bytes(rest[:8]) + struct.pack("<i", int(twice / 2)) + bytes(rest[12:32]) + struct.pack("<I", most)
    head += bytes(rest[36:pixels]) + bytes(4 * (most - min(colours or most, most)))
    bitmap = b"BM" + struct.pack("<IHHI", 14 + len(head) + end - pixels, 0, 0, 14 + len(head)) + head
    bitmap += bytes(rest[pixels:end])
    yield "as a bitmap", bitmap
    mask = bytes(rest[end : end + stride * height])
    if bits < 32 and len(mask) == stride * height and any(mask):
        hidden = np.unpackbits(np.frombuffer(mask, np.uint8).reshape(height, stride), axis=1)[:: -1 if twice > 0 else 1]
        shown = Image.open(io.BytesIO(bitmap), formats=["BMP"]).convert("RGB")
        yield "with its mask", as_png(np.dstack([np.asarray(shown), 255 * (1 - hidden[:, :width])]).astype(np.uint8))


def _by_its_mask(picture: bytes) -> bytes | None:
    """A bitmap of 32 bits that shows where its mask of one bit a pixel does; None for any other, or an even mask."""
    if len(picture) < _BITMAP.size:
        return None
    length, width, twice, bits = _BITMAP.unpack_from(picture)
    height = twice // 2
    if length < 40 or bits != 32 or not 0 < width <= _WIDEST or not 0 < height <= _WIDEST:
        return None
    begin, stride = length + 4 * width * height, (width + 31) // 32 * 4
    mask = np.frombuffer(picture[begin : begin + stride * height], np.uint8)
    if len(mask) < stride * height:
        return None
    hidden = np.unpackbits(mask.reshape(height, stride), axis=1)[:, :width]
    if hidden.min() == hidden.max():
        return None
    pixels = np.frombuffer(picture[length:begin], np.uint8).reshape(height, width, 4)[..., [2, 1, 0, 3]].copy()
    pixels[..., 3] = 255 * (1 - hidden)
    return as_png(pixels[::-1])
