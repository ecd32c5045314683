"""Open connections of one server: those who say nothing, or say it too slowly, are sent away so that others get in.

For servers of any protocol. A connection waits while nothing is asked, until a whole head is there; it sends while its
body comes; it works while an answer is made, which takes as long as it takes. Used by one event loop.
"""

import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Protocol


class Connection(Protocol):
    """What a server has of each client."""

    @property
    def is_read(self) -> bool:
        """Whether the server takes what the client sends: if not, that it is slow is not the client's fault."""

    def time_is_over(self) -> None:
        """Say so, if the protocol can, and close."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a client must be."""

    head_s: float = 15.0
    """From one request to the whole head of the next."""
    grace_s: float = 10.0
    """What a body may take beyond what the rate allows."""
    bytes_per_s: int = 4096
    """The least at which a body comes."""

    def body_s(self, received: int) -> float:
        """How long so many bytes of a body may take."""
        return self.grace_s + received / self.bytes_per_s


@dataclass(slots=True)
class _Body:
    began: float
    received: int = 0


class Connections:
    """The open connections of one server."""

    def __init__(self, most: int, pace: Pace | None = None) -> None:
        """So many at once: one more ends the one that has waited longest."""
        self._most = most
        self._pace = pace or Pace()
        self._open: set[Connection] = set()
        self._waiting: OrderedDict[Connection, float] = OrderedDict()
        self._sending: dict[Connection, _Body] = {}

    def __len__(self) -> int:
        return len(self._open)

    def opened(self, connection: Connection) -> None:
        """A client has come; where there are too many, one goes."""
        self._open.add(connection)
        self.waits(connection)
        if len(self._open) > self._most:
            # The newest is the last in line: it goes only where everybody else is being served.
            self._end(next(iter(self._waiting)))

    def closed(self, connection: Connection) -> None:
        """A client has gone."""
        self._open.discard(connection)
        self._waiting.pop(connection, None)
        self._sending.pop(connection, None)

    def waits(self, connection: Connection) -> None:
        """It is the client's turn to ask. What comes of a head makes its time no longer."""
        self._sending.pop(connection, None)
        if connection in self._open:
            self._waiting.setdefault(connection, time.monotonic())

    def sends(self, connection: Connection, received: int = 0) -> None:
        """The head is there, or so much more of the body."""
        self._waiting.pop(connection, None)
        body = self._sending.get(connection)
        if body is None:
            body = self._sending[connection] = _Body(time.monotonic())
        body.received += received

    def rests(self, connection: Connection, rested_s: float) -> None:
        """For so long the server did not read: that is not the client's fault."""
        if body := self._sending.get(connection):
            body.began += rested_s

    def works(self, connection: Connection) -> None:
        """The request is whole; now it is the server's turn."""
        self._waiting.pop(connection, None)
        self._sending.pop(connection, None)

    def sweep(self) -> None:
        """End those whose time is over. Call it every second or so."""
        now = time.monotonic()
        late = [connection for connection, since in self._waiting.items() if now - since > self._pace.head_s]
        late += [
            connection
            for connection, body in self._sending.items()
            if connection.is_read and now - body.began > self._pace.body_s(body.received)
        ]
        for connection in late:
            self._end(connection)

    def _end(self, connection: Connection) -> None:
        self.closed(connection)
        connection.time_is_over()
