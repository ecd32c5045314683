"""INSTREAM's frames (clamd(8)): a length of four bytes, big-endian, then so many bytes; a length of zero ends.

Clients send them small, a thousand for a megabyte. To be woken for each takes longer than everything else: of a long
body what comes is taken a thousand times a second at most.
"""

import asyncio
import socket
from collections.abc import Callable
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
    def native(self) -> _native.Framing:
        """How far it is, for whoever goes on natively."""
        return self._framing

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


Decide = Callable[[ReceivedFrames, int], None]
"""Is called with what came of a stream, and an error's number or zero. The stream is gathered no longer."""


class FrameGatherer:
    """Gathers long streams in a thread of its own, until somebody has to decide about one: it takes what came a
    thousand times a second at most, and leaves each alone three times as long as a look took, for each of them. So all
    together have a quarter of a core, however they are cut up. Belongs to one event loop; close it.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._alarm, alarmed = socket.socketpair()
        self._alarmed = alarmed
        for each in (self._alarm, alarmed):
            each.setblocking(False)
        self._gatherer = _native.Gatherer(self._alarm.fileno())
        self._decide: dict[int, Decide] = {}
        self._loop = loop
        loop.add_reader(alarmed, self._take)

    def add(
        self,
        connection: socket.socket,
        frames: InstreamFrames,
        room: memoryview,
        decide: Decide,
        *,
        in_session: bool,
        most: int,
        there: int,
        took_s: float,
    ) -> None:
        """Gather what comes into the room until it is full, the stream's end is there, nothing comes, or more than
        `most` is announced. Without any room, only wait. At the last look so much was `there`, and it took so long.
        """
        self._decide[connection.fileno()] = decide
        self._gatherer.add(connection.fileno(), frames.native, room, in_session, most, there, took_s)

    def count(self, connection: socket.socket) -> int:
        """Bytes of content that came into the room since the last call."""
        return self._gatherer.count(connection.fileno())

    def remove(self, connection: socket.socket) -> int:
        """The same, and the stream is gathered no longer."""
        self._decide.pop(connection.fileno(), None)
        return self._gatherer.remove(connection.fileno())

    def close(self) -> None:
        """Let go of the sockets. Nothing is gathered any more."""
        self._loop.remove_reader(self._alarmed)
        self._alarmed.close()
        self._alarm.close()

    def _take(self) -> None:
        self._alarmed.recv(16)
        for number, there, content, rest, error in self._gatherer.take():
            self._decide.pop(number)(ReceivedFrames(there, content, rest), error)
