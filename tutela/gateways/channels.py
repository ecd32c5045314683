"""What gateways have in common that speak a protocol of packets over a socket: bytes come through the one overwritten
buffer, connections are served one task each, and the one that is idle for longest makes room.
"""

import asyncio
import contextlib
import logging
import socket
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Any

from tutela.gateways.base import ListenerOptions, Opening
from tutela.gateways.intake import BUFFER, wipe
from tutela.gateways.listeners import Acceptor, Peers

log = logging.getLogger(__name__)

_STOP_S = 15.0


class GatewayChannel:
    """One connection. What came and is not taken yet is overwritten when it is taken."""

    def __init__(self, connection: socket.socket, peer: Any) -> None:
        self.peer = peer
        """As `accept` says it."""
        self.idle = True
        """Whether nothing is under way: such a connection may be let go of."""
        self.task: asyncio.Task[None] | None = None
        self._socket = connection
        self._came = bytearray()
        self._loop = asyncio.get_running_loop()

    async def exactly(self, length: int) -> bytes:
        """So many bytes. Raises EOFError where the peer ends before."""
        while len(self._came) < length:
            await self._fill()
        taken = bytes(self._came[:length])
        self._drop(length)
        return taken

    async def each(self, length: int, use: Callable[[memoryview], object]) -> None:
        """Hand on so many bytes as they come, none of which stays behind. Raises EOFError."""
        while length:
            if not self._came:
                await self._fill()
            count = min(length, len(self._came))
            with memoryview(self._came)[:count] as part:
                use(part)
            self._drop(count)
            length -= count

    async def send(self, data: bytes, within_s: float) -> None:
        """Send it all. Raises OSError, TimeoutError."""
        async with asyncio.timeout(within_s):
            await self._loop.sock_sendall(self._socket, data)

    def close(self) -> None:
        """Let go of the connection."""
        self._came[:] = bytes(len(self._came))
        self._socket.close()

    def _drop(self, length: int) -> None:
        self._came[:length] = bytes(length)
        del self._came[:length]

    async def _fill(self) -> None:
        while True:
            try:
                count = self._socket.recv_into(BUFFER)
            except BlockingIOError:
                await self._readable()
                continue
            self._came += BUFFER[:count]
            wipe(count)
            if not count:
                raise EOFError
            return

    async def _readable(self) -> None:
        future: asyncio.Future[None] = self._loop.create_future()
        self._loop.add_reader(self._socket, _set, future)
        try:
            await future
        finally:
            self._loop.remove_reader(self._socket)


class ChannelService:
    """Serves the connections of one gateway."""

    def __init__(self, opening: Opening[Any], serve: Callable[[GatewayChannel], Awaitable[None]]) -> None:
        """`serve` is a connection's whole life; whatever the peer does wrong it raises as OSError or EOFError."""
        self._options: ListenerOptions = opening.options
        self._intake = opening.intake
        self._serve_one = serve
        self._channels: set[GatewayChannel] = set()
        self._idle: OrderedDict[GatewayChannel, None] = OrderedDict()
        self._acceptor = Acceptor(opening.sockets, Peers(opening.options.allow), self._take, self._make_room)

    def start(self) -> None:
        """Accept."""
        self._acceptor.start()

    async def stop(self) -> None:
        """Accept no more; return when what was under way is answered."""
        self._acceptor.stop()
        self._intake.stop()
        deadline = time.monotonic() + _STOP_S
        while self._channels and time.monotonic() < deadline:
            for channel in tuple(self._channels):
                if channel.idle and channel.task is not None:
                    channel.task.cancel()
            await asyncio.sleep(0.02)
        for channel in tuple(self._channels):
            if channel.task is not None:
                channel.task.cancel()

    def busy(self, channel: GatewayChannel) -> None:
        """Something is under way on it."""
        channel.idle = False
        self._idle.pop(channel, None)

    def waits(self, channel: GatewayChannel) -> None:
        """Nothing is."""
        channel.idle = True
        self._idle[channel] = None

    def _take(self, connection: socket.socket, peer: Any) -> None:
        if len(self._idle) >= self._options.max_idle:
            self._make_room()
        self._intake.counts.connections.inc()
        channel = GatewayChannel(connection, peer)
        self._channels.add(channel)
        self._idle[channel] = None
        channel.task = asyncio.create_task(self._serve(channel))

    async def _serve(self, channel: GatewayChannel) -> None:
        with contextlib.suppress(OSError, EOFError, TimeoutError, asyncio.CancelledError):
            try:
                await self._serve_one(channel)
            except (OSError, EOFError, TimeoutError):
                raise  # the peer is gone, or says what it must not
            except Exception:
                log.exception("a connection failed")
            finally:
                channel.close()
                self._channels.discard(channel)
                self._idle.pop(channel, None)

    def _make_room(self) -> None:
        if self._idle:
            oldest, _ = self._idle.popitem(last=False)
            if oldest.task is not None:
                oldest.task.cancel()


def _set(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
