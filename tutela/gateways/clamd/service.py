"""The clamd gateway: what every program asks that was written for ClamAV's daemon.

A hold is said as FOUND, because several clients let content pass on ERROR. A name in an answer holds the verdict's
first digits and nothing else.
"""

import asyncio
import socket
import struct
import time
from collections import OrderedDict
from typing import Any

from tutela.gateways.base import GatewayKind, Opening, Passes
from tutela.gateways.beneath import Roots
from tutela.gateways.clamd.commands import Command
from tutela.gateways.clamd.connection import ClamdConnection, ConnectionStage
from tutela.gateways.clamd.frames import FrameGatherer
from tutela.gateways.clamd.options import ClamdOptions, HeldAs
from tutela.gateways.listeners import Acceptor, ListenAddress, Peers
from tutela.gateways.outcome import GatewayOutcome
from tutela.screening.decision import Decision
from tutela.screening.reason_codes import GatewayFault

ENGINE = "1.4.6"
"""The version of ClamAV whose answers these are."""
_SWEEP_S = 1.0
_STOP_S = 15.0
_COMMANDS = (
    "SCAN RELOAD PING CONTSCAN VERSIONCOMMANDS VERSION END MULTISCAN FILDES STATS IDSESSION INSTREAM ALLMATCHSCAN"
)
_ASKED_S = 60.0


class ClamdGateway:
    """A clamd gateway in one process."""

    def __init__(self, opening: Opening[ClamdOptions]) -> None:
        self.options = opening.options
        self.intake = opening.intake
        self.loop = asyncio.get_running_loop()
        self.roots = Roots(opening.options.roots) if opening.options.roots else None
        self.gatherer = FrameGatherer(self.loop)
        self._connections: set[ClamdConnection] = set()
        self._idle: OrderedDict[ClamdConnection, None] = OrderedDict()
        self._acceptor = Acceptor(opening.sockets, Peers(opening.options.allow), self._take, self._make_room)
        self._sweeper: asyncio.Task[None] | None = None
        self._lists = (-1, time.time())

    async def start(self) -> None:
        """Begin to answer."""
        self._acceptor.start()
        self._sweeper = asyncio.create_task(self._sweep())

    async def stop(self) -> None:
        """Accept no more; answer what is under way, by its verdict or held."""
        self._acceptor.stop()
        self.intake.stop()
        for connection in tuple(self._connections):
            if connection.stage in (ConnectionStage.COMMAND, ConnectionStage.DESCRIPTOR, ConnectionStage.END):
                connection.close()
            else:
                connection.interrupt(GatewayFault.INTERRUPTED)
        deadline = time.monotonic() + _STOP_S
        while (
            any(c.stage in (ConnectionStage.BODY, ConnectionStage.ANSWER) for c in self._connections)
            and time.monotonic() < deadline
        ):
            await asyncio.sleep(0.01)
        for connection in tuple(self._connections):
            connection.close()
        if self._sweeper is not None:
            self._sweeper.cancel()
        self.gatherer.close()

    def word(self, outcome: GatewayOutcome) -> bytes:
        """What is said of content after its name."""
        if outcome.allowed:
            return b"OK"
        name, end = outcome.name, "FOUND"
        if outcome.decision is Decision.HOLD and self.options.held_as is HeldAs.LIMITS:
            name = f"Heuristics.Limits.Exceeded.Tutela.{outcome.number}"
        elif outcome.decision is Decision.HOLD and self.options.held_as is HeldAs.ERROR:
            end = "ERROR"
        return f"{name} {end}".encode()

    def answer(self, command: Command | None) -> bytes:
        """What is said to a command that asks nothing about content."""
        match command:
            case Command.PING:
                return b"PONG"
            case Command.VERSION:
                return self._version().encode()
            case Command.VERSION_COMMANDS:
                return f"{self._version()}| COMMANDS: {_COMMANDS}".encode()
            case Command.STATS:
                return self._statistics().encode()
            case Command.SELF_CHECK:
                return b"DBUPTODATE"
            case Command.SHUTDOWN | Command.QUIT:
                return b"COMMAND UNAVAILABLE"
            case _:
                return b"UNKNOWN COMMAND"

    async def reload(self) -> None:
        """Make every committed list change count now."""
        await self.intake.on_disk(self.intake.deployment.refresh)

    def busy(self, connection: ClamdConnection) -> None:
        """A connection has asked something."""
        self._idle.pop(connection, None)

    def waits(self, connection: ClamdConnection) -> None:
        """A connection has nothing more to be answered."""
        self._idle[connection] = None

    def gone(self, connection: ClamdConnection) -> None:
        """A connection is closed."""
        self._connections.discard(connection)
        self._idle.pop(connection, None)

    def _take(self, connection: socket.socket, _: Any) -> None:
        if len(self._idle) >= self.options.max_idle:
            self._make_room()
        self.intake.counts.connections.inc()
        taken = ClamdConnection(self, connection)
        self._connections.add(taken)
        self._idle[taken] = None
        taken.start()

    def _make_room(self) -> None:
        if self._idle:
            next(iter(self._idle)).close()

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(_SWEEP_S)
            now = time.monotonic()
            for connection in tuple(self._connections):
                connection.check(now)

    def _version(self) -> str:
        sequence = sum(self.intake.deployment.indexes.sequences.values())
        if sequence != self._lists[0]:
            self._lists = (sequence, time.time())
        return f"ClamAV {ENGINE}/{sequence}/{time.asctime(time.gmtime(self._lists[1]))}"

    def _statistics(self) -> str:
        """As clamdtop reads it."""
        pool, capacity = self.intake.deployment.pool, self.intake.capacity
        waiting = sum(connection.stage is ConnectionStage.ANSWER for connection in self._connections)
        busy = min(waiting, pool.size)
        used = capacity.held_bytes / 1024**2
        return (
            "POOLS: 1\n\nSTATE: VALID PRIMARY\n"
            f"THREADS: live {pool.size}  idle {pool.size - busy} max {pool.size} idle-timeout 30\n"
            f"QUEUE: {waiting - busy} items\n\n"
            "MEMSTATS: heap N/A mmap N/A used N/A free N/A releasable N/A pools 1 "
            f"pools_used {used:.3f}M pools_total {capacity.max_held_bytes / 1024**2:.3f}M\nEND"
        )


class _Asking:
    """Asks as clamd's clients do."""

    def __init__(self, address: ListenAddress) -> None:
        self._address = address

    def __call__(self, content: bytes) -> bool:
        with self._address.connect(_ASKED_S) as connection:
            connection.sendall(b"zINSTREAM\0" + struct.pack(">I", len(content)) + content + bytes(4))
            answer = b""
            while part := connection.recv(4096):
                answer += part
        if answer == b"stream: OK\0":
            return True
        if answer.startswith(b"stream: ") and answer.endswith((b" FOUND\0", b" ERROR\0")):
            return False
        raise ValueError(f"the gateway answered {answer[:80]!r}")


def _asking(options: ClamdOptions) -> Passes:
    return _Asking(options.listen[0])


KIND = GatewayKind("clamd", "as ClamAV's daemon: mail, clouds, forums, frameworks", ClamdOptions, ClamdGateway, _asking)
