"""Photos for displays that are brighter than paper: a JPEG with a gain map, which makes of it what such displays show.

Ultra HDR image format 1.0 and 1.1, ISO 21496-1. On other displays, and in most programs, the picture alone is shown.
"""

import re
from collections.abc import Iterator

import numpy as np
from PIL import Image

from tutela.content.media.confined.budget import Budget
from tutela.content.media.confined.carver import carve
from tutela.content.media.confined.endings import end_of, jpeg_segments
from tutela.content.media.confined.opened import OpenedContent
from tutela.content.media.confined.parts import InnerPicture, Part, Unread, unreadable
from tutela.content.media.content import Content, Picture, Shortcoming
from tutela.content.media.sniff import MediaType, sniff
from tutela.errors import UnscreenableError

_SAYS_SO = re.compile(rb"hdr-gain-map|21496|hdrgainmap", re.IGNORECASE)
_VALUE = r"hdrgm:{name}(?:\s*=\s*[\"']|[^<>]*>\s*(?:<[^<>]*>\s*)*)(-?[\d.]+)"
_DEFAULTS = {"GainMapMin": 0.0, "GainMapMax": 2.0, "Gamma": 1.0, "OffsetSDR": 1 / 64, "OffsetHDR": 1 / 64}
_SHARES = (1.0, 0.5)
"""How much of the gain a display applies: all that there is, or half of it."""
_MOST = 8


class GainMap:
    """The picture as bright displays show it."""

    def parts(self, content: Content, budget: Budget) -> Iterator[Part]:
        data = memoryview(content.data)
        end = end_of(data, MediaType.JPEG) if _says_so(data) else None
        if end is None or end >= len(data):
            return
        for number, file in enumerate(carve(data[end:], budget)):
            if number >= _MOST:
                reason = "more files are behind it than are looked at for a gain map"
                yield Unread("gain map", UnscreenableError(Shortcoming.TOO_MANY_PARTS, reason))
                return
            if sniff(file.data) is not MediaType.JPEG or not _says_so(memoryview(file.data)):
                continue
            budget.spend_part()
            gains = OpenedContent(file.data, content.mode, content.limits)
            try:
                yield from _shown(content.picture, gains.picture, _numbers(memoryview(file.data)))
            except Exception as error:
                yield Unread("gain map", unreadable("the gain map", error))


def _says_so(data: memoryview) -> bool:
    return any(_SAYS_SO.search(segment) for marker, segment in jpeg_segments(data) if marker in (0xE1, 0xE2))


def _numbers(data: memoryview) -> dict[str, float]:
    """What the map says of itself; what it does not say in words is taken for the usual."""
    said = b"".join(segment for marker, segment in jpeg_segments(data) if marker == 0xE1).decode("latin-1")
    numbers = dict(_DEFAULTS)
    for name in numbers:
        if found := re.search(_VALUE.format(name=name), said):
            numbers[name] = float(np.clip(float(found[1]), -16.0, 16.0))
    return numbers


def _shown(picture: Picture, gains: Picture, numbers: dict[str, float]) -> Iterator[Part]:
    height, width = picture.pixels.shape[:2]
    scaled = Image.fromarray(gains.pixels).convert("L").resize((width, height), Image.Resampling.BILINEAR)
    grey = np.asarray(Image.fromarray(picture.pixels).convert("L"), np.float64) / 255
    share = (np.asarray(scaled, np.float64) / 255) ** (1 / max(0.01, numbers["Gamma"]))
    gain = numbers["GainMapMin"] + (numbers["GainMapMax"] - numbers["GainMapMin"]) * share
    for applied in _SHARES:
        light = (grey**2.2 + numbers["OffsetSDR"]) * 2 ** (gain * applied) - numbers["OffsetHDR"]
        brightest = max(1.0, 2 ** (numbers["GainMapMax"] * applied))
        for white in {1.0, brightest, max(1e-6, float(np.quantile(light, 0.995)))}:
            shown = np.round(255 * np.clip(light / white, 0, 1) ** (1 / 2.2)).astype(np.uint8)
            pixels = np.ascontiguousarray(shown)
            yield InnerPicture(
                "as bright displays show it", Picture(pixels, width, height, orientation=picture.orientation)
            )
