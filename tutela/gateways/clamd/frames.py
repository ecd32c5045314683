"""INSTREAM's frames (clamd(8)): a length of four bytes, big-endian, then so many bytes; a length of zero ends.

No I/O: which bytes of what lies in a buffer are content, and how far the buffer is through.
"""

from typing import NamedTuple

from tutela import _native


class TakenFrame(NamedTuple):
    """What came of a look into the buffer."""

    begin: int
    """Where in the buffer the content begins, all in one piece, ..."""
    end: int
    """... and where it ends."""
    length: int
    """Bytes of the buffer that are done with. The end's own bytes never are: they stay where they came from."""
    rest: int
    """Where the end is there: bytes of its length that are not done with. Zero where it is not."""


class InstreamFrames:
    """The frames of one stream, however they are split over looks."""

    __slots__ = ("_framing",)

    def __init__(self) -> None:
        self._framing = _native.Framing()

    @property
    def announced(self) -> int:
        """Bytes of content that the lengths so far speak of."""
        return self._framing.announced

    @property
    def left(self) -> int:
        """Bytes of content until the next length: so many can be taken without a look."""
        return self._framing.left

    def skip(self, length: int) -> None:
        """So many bytes of content were taken without a look."""
        self._framing.skip(length)

    def look(self, buffer: memoryview) -> TakenFrame:
        """Take what is there. Content of several frames is moved together within the buffer."""
        return TakenFrame(*self._framing.look(buffer))
