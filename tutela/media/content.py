"""Content on its way to signals: the bytes, and the picture in them, decoded once and only when asked for.

Runs inside an isolated worker process; nothing here is called by the serving process.
"""

from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from tutela.media.sniff import MediaType


class Mode(StrEnum):
    """How closely a picture is decoded."""

    FAST = "fast"
    """Grey, scaled in the decoder. For screening."""
    EXACT = "exact"
    """Full-resolution RGB, equal to the reference implementation. For hashes that leave the house."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one piece of content may cost before it is held instead of decoded."""

    max_bytes: int = 64 * 1024 * 1024
    max_pixels: int = 100_000_000
    max_memory_bytes: int = 1024 * 1024 * 1024
    timeout_s: float = 10.0


@dataclass(frozen=True, slots=True)
class Picture:
    """A decoded picture, upright as a viewer shows it only after `orientation` is applied."""

    pixels: npt.NDArray[np.uint8]
    """(height, width) luma or (height, width, 3) RGB, C-contiguous, as stored in the file."""
    width: int
    """Pixels across in the file, before any scaling in the decoder."""
    height: int
    orientation: int
    """EXIF orientation 1-8; 1 where the file says nothing."""
    damaged: bool
    """The decoder had to guess a part, for example because the file is cut short."""


class Content:
    """Bytes with a sniffed type and a lazily decoded picture."""

    def __init__(self, data: bytes | memoryview, mode: Mode, limits: Limits) -> None:
        self.data = data
        self.mode = mode
        self.limits = limits

    @cached_property
    def media_type(self) -> "MediaType | None":
        """The type by content, never by name; None where no decoder of ours knows it."""
        from tutela.media.sniff import sniff

        return sniff(self.data)

    @cached_property
    def picture(self) -> Picture:
        """The (first) picture. Raises UnscreenableError with the reason where there is none to be had."""
        from tutela.media.decode import decode_picture

        return decode_picture(self.data, self.media_type, self.mode, self.limits)
