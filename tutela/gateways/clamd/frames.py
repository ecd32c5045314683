"""INSTREAM's frames (clamd(8)): a length of four bytes, big-endian, then so many bytes; a length of zero ends.

No I/O: which bytes of what lies in a buffer are content, and how far the buffer is through.
"""

from dataclasses import dataclass

_HEADER = 4


@dataclass(frozen=True, slots=True)
class TakenFrame:
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

    __slots__ = ("_header", "_left", "announced")

    def __init__(self) -> None:
        self._left = 0
        self._header = b""
        self.announced = 0
        """Bytes of content that the lengths so far speak of."""

    @property
    def left(self) -> int:
        """Bytes of content until the next length: so many can be taken without a look."""
        return self._left

    def skip(self, length: int) -> None:
        """So many bytes of content were taken without a look."""
        self._left -= length

    def look(self, buffer: memoryview) -> TakenFrame:
        """Take what is there. Content of several frames is moved together within the buffer."""
        at = begin = end = 0
        length = len(buffer)
        while at < length:
            if self._left:
                size = min(self._left, length - at)
                if begin == end:
                    begin = end = at
                elif end != at:
                    buffer[end : end + size] = buffer[at : at + size]
                end += size
                at += size
                self._left -= size
                continue
            missing = _HEADER - len(self._header)
            part = bytes(buffer[at : at + missing])
            if len(part) < missing:
                self._header += part
                return TakenFrame(begin, end, length, 0)
            self._left = int.from_bytes(self._header + part)
            if not self._left:
                return TakenFrame(begin, end, at, missing)
            self._header = b""
            self.announced += self._left
            at += missing
        return TakenFrame(begin, end, at, 0)
