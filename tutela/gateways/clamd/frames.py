"""INSTREAM's frames (clamd(8)): a length of four bytes, big-endian, then so many bytes; a length of zero ends."""

import socket
from typing import NamedTuple

from tutela import _native


class TakenFrames(NamedTuple):
    """What came of a look into a buffer."""

    content: int
    """Bytes of content, which stand at the buffer's beginning now."""
    length: int
    """Bytes of the buffer that are done with. The end's own bytes never are: they stay where they came from."""
    rest: int
    """Where the end is there: bytes of its length that are not done with. Zero where it is not."""


class ReceivedFrames(NamedTuple):
    """What came of a socket."""

    there: int
    """Bytes that waited in the kernel; zero where the peer has ended."""
    content: int
    """Bytes of content in the room."""
    rest: int
    """Where the end is there: its bytes that stay in the kernel. Zero where it is not."""


class InstreamFrames:
    """The frames of one stream, however they are split over looks."""

    __slots__ = ("_framing",)

    def __init__(self) -> None:
        self._framing = _native.Framing()

    @property
    def announced(self) -> int:
        """Bytes of content that the lengths so far speak of."""
        return self._framing.announced

    def look(self, buffer: memoryview) -> TakenFrames:
        """Take what is there. Content is moved together to the buffer's beginning."""
        return TakenFrames(*self._framing.look(buffer))

    def receive(self, connection: socket.socket, room: memoryview, *, in_session: bool) -> ReceivedFrames:
        """Take what waits in a socket that does not block, but never the stream's end.

        In a session, where a command may stand behind the end, nothing is taken that was not looked at. Descriptors
        that come along are closed. Raises OSError.
        """
        return ReceivedFrames(*self._framing.receive(connection.fileno(), room, in_session))
