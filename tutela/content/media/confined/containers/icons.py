"""The pictures of an icon or cursor: every size, each as a file of its own. A viewer shows the one that fits."""

import struct
from collections.abc import Iterator

import numpy as np

from tutela.content.media.confined.budget import Budget
from tutela.content.media.confined.containers.unsaid import as_png
from tutela.content.media.confined.parts import InnerFile, Part
from tutela.content.media.content import Content

_BITMAP = struct.Struct("<Iii2xH")
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
            if count == 1:
                continue
            alone = _HEAD.pack(reserved, kind, 1) + _ENTRY.pack(described, len(picture), _HEAD.size + _ENTRY.size)
            yield InnerFile(f"icon {number + 1}", alone + picture, seen_otherwise=True)


def _by_its_mask(picture: bytes) -> bytes | None:
    """A bitmap of 32 bits that shows where its mask of one bit a pixel does; None for any other, or an even mask."""
    if len(picture) < _BITMAP.size:
        return None
    length, width, twice, bits = _BITMAP.unpack_from(picture)
    height = twice // 2
    if length < 40 or bits != 32 or not 0 < width <= 4096 or not 0 < height <= 4096:
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
