"""How many frames an animation has by its own structure, and how long each is shown: known before one is decoded.

GIF89a 23; APNG (W3C PNG third edition) 11.3.6; WebP container, ANMF.
"""

import struct
from collections.abc import Callable, Mapping

from tutela.content.media.confined.endings import gif_blocks
from tutela.content.media.confined.tones import png_chunks, riff_chunks
from tutela.content.media.sniff import MediaType

UNTIMED = 0.0


def frame_seconds(data: memoryview, media_type: MediaType, limit: int) -> list[float] | None:
    """Seconds for which each frame is shown, of `limit` at most; None for formats whose structure is not read here."""
    read = _READERS.get(media_type)
    return read(data, limit) if read else None


def _gif(data: memoryview, limit: int) -> list[float]:
    seconds: list[float] = []
    delay = UNTIMED
    for introducer, begin, _ in gif_blocks(data):
        if introducer == 0x21 and bytes(data[begin + 1 : begin + 3]) == b"\xf9\x04" and begin + 6 <= len(data):
            delay = int.from_bytes(data[begin + 4 : begin + 6], "little") / 100
        elif introducer == 0x2C:
            seconds.append(delay)
            delay = UNTIMED
            if len(seconds) >= limit:
                break
    return seconds


def _png(data: memoryview, limit: int) -> list[float]:
    """Of the frames that are controlled, whatever is said of their number; a picture before the first is one more."""
    seconds: list[float] = []
    shown = False
    for kind, chunk in png_chunks(data):
        if kind == b"fcTL" and len(chunk) >= 24:
            over, under = struct.unpack_from(">HH", chunk, 20)
            seconds.append(over / (under or 100))
        elif kind == b"IDAT" and not shown:
            shown = True
            if not seconds:
                seconds.append(UNTIMED)
        if len(seconds) >= limit:
            break
    return seconds


def _webp(data: memoryview, limit: int) -> list[float]:
    frames = (chunk for kind, chunk in riff_chunks(data) if kind == b"ANMF" and len(chunk) >= 16)
    seconds = [int.from_bytes(chunk[12:15], "little") / 1000 for _, chunk in zip(range(limit), frames, strict=False)]
    return seconds or [UNTIMED]


_READERS: Mapping[MediaType, Callable[[memoryview, int], list[float]]] = {
    MediaType.GIF: _gif,
    MediaType.PNG: _png,
    MediaType.WEBP: _webp,
}
