"""Content on its way to signals: why it is held, and what a signal type sees of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import numpy as np
import numpy.typing as npt

from tutela.content.media.limits import Limits
from tutela.content.media.sniff import MediaType

SEPARATOR = " › "
"""Between the steps to a part of the content: `report.zip › holiday.pdf › page 3`. No step's own name contains it."""


class Mode(StrEnum):
    """How closely a picture is decoded."""

    FAST = "fast"
    """Grey, scaled in the decoder. For screening."""
    EXACT = "exact"
    """Full-resolution RGB, so that hashes equal the reference implementation's. For hashes that leave the house."""


class Shortcoming(StrEnum):
    """Why content is not, or not wholly, screened: the reason codes of this room."""

    EMPTY = "empty"
    """There is no content."""
    TOO_MANY_BYTES = "too-many-bytes"
    """The content is longer than the limit."""
    TOO_MANY_PIXELS = "too-many-pixels"
    """The picture has more pixels than the limit."""
    UNKNOWN_TYPE = "unknown-type"
    """The first bytes are of no known type."""
    UNSUPPORTED_TYPE = "unsupported-type"
    """The type is known, but not decoded or not expected here."""
    UNREADABLE = "unreadable"
    """The file cannot be decoded at all."""
    DAMAGED = "damaged"
    """Only a part could be decoded; that part was matched."""
    PARTLY_SCREENED = "partly-screened"
    """Only a part could be screened; that part was matched."""
    OUT_OF_MEMORY = "out-of-memory"
    """Decoding needs more memory than allowed."""
    TIMEOUT = "timeout"
    """Decoding takes longer than allowed."""
    DECODER_CRASH = "decoder-crash"
    """The decoding process ended on this content."""
    BUSY = "busy"
    """No decoding worker was free in time."""
    ENCRYPTED = "encrypted"
    """An archive or document that opens only with a password."""
    TOO_DEEP = "too-deep"
    """More containers lie in each other than allowed; what came before was matched."""
    TOO_MANY_PARTS = "too-many-parts"
    """There are more files, pages and frames inside than allowed; what came before was matched."""
    EXPANDS_TOO_FAR = "expands-too-far"
    """More bytes come out of containers than allowed; what came before was matched."""
    UNKNOWN_PART = "unknown-part"
    """Something inside is of no known type."""
    NOT_RENDERED = "not-rendered"
    """A drawing or document whose pictures were screened, but which is not drawn as a viewer would draw it."""
    TRAILING_DATA = "trailing-data"
    """Bytes after the end of a file are of no known type."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A decoded picture, as stored in its file: `orientation` says how a viewer turns it."""

    pixels: npt.NDArray[np.uint8]
    """(height, width) luma or (height, width, 3) RGB, C-contiguous; in fast mode possibly smaller than the file's."""
    width: int
    """Pixels across in the file, before any scaling in the decoder."""
    height: int
    eighths: int = 8
    """The pixels are the file's brought down to so many eighths, each the mean of those it covers."""
    orientation: int = 1
    """EXIF orientation 1-8; 1 where the file says nothing."""
    damaged: bool = False
    """The decoder had to guess a part, for example because the file is cut short."""
    frames: int = 1
    """Frames or pages in the file, of which this is the first."""
    readings: tuple[tuple[str, npt.NDArray[np.uint8]], ...] = ()
    """Other ways in which viewers may show it, by their names: `on black`; of the same shape as the pixels."""
    unread: str = ""
    """What of it could not be had, as a sentence."""

    def displayed(self) -> tuple[npt.NDArray[np.uint8], tuple[int, int, int]]:
        """The pixels turned as EXIF says, and their `source`."""
        turn = _TURNS[self.orientation]
        height, width = (self.width, self.height) if self.orientation >= 5 else (self.height, self.width)
        return np.ascontiguousarray(turn(self.pixels)), (height, width, self.eighths)

    @property
    def source(self) -> tuple[int, int, int]:
        """(height, width, eighths) as the native core takes them."""
        return self.height, self.width, self.eighths


_TURNS: Mapping[int, Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.uint8]]] = {
    1: lambda pixels: pixels,
    2: np.fliplr,
    3: lambda pixels: np.rot90(pixels, 2),
    4: np.flipud,
    5: lambda pixels: pixels.swapaxes(0, 1),
    6: lambda pixels: np.rot90(pixels, 3),
    7: lambda pixels: np.rot90(pixels, 2).swapaxes(0, 1),
    8: lambda pixels: np.rot90(pixels, 1),
}
"""How a viewer turns the stored pixels, by EXIF orientation (CIPA DC-008, 4.6.4)."""


class Content(Protocol):
    """Content as a signal type sees it, in an isolated worker: bytes, and the picture in them once it is asked for."""

    data: bytes | memoryview
    mode: Mode
    limits: Limits

    @property
    def media_type(self) -> MediaType | None:
        """The type by content, never by name; None where it is not a known one."""

    @property
    def is_text(self) -> bool:
        """Whether its bytes are text, as `plain.is_text` says."""

    @property
    def text(self) -> bytes:
        """Its bytes in UTF-8 where they are UTF-16; else as they are."""

    @property
    def picture(self) -> Picture:
        """The (first) picture, decoded once. Raises UnscreenableError with the reason where there is none to be had."""
