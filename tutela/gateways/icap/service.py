"""The ICAP gateway (RFC 3507): proxies and clouds that have every upload or download adapted.

Own code on asyncio: the libraries for Python are not kept, and take whole bodies into memory.
"""

import asyncio
import hashlib
import logging
import socket
import time
from collections import OrderedDict
from typing import Any

from tutela.gateways.base import GatewayKind, Opening, Passes
from tutela.gateways.icap import answers
from tutela.gateways.icap.connection import IcapConnection
from tutela.gateways.icap.options import IcapOptions
from tutela.gateways.icap.pages import PageGuard
from tutela.gateways.listeners import Acceptor, ListenAddress, Peers

log = logging.getLogger(__name__)

_STOP_S = 15.0
_ASKED_S = 60.0


class IcapGateway:
    """An ICAP gateway in one process."""

    def __init__(self, opening: Opening[IcapOptions]) -> None:
        self.options = opening.options
        self.intake = opening.intake
        self.trusted = Peers(opening.options.trusted)
        self.pages = PageGuard(opening.intake.deployment) if opening.options.pages else None
        self._tagged: tuple[dict[str, int], int] | None = None
        """The lists that the tag stands for."""
        self._tag = ""
        self._connections: set[IcapConnection] = set()
        self._idle: OrderedDict[IcapConnection, None] = OrderedDict()
        self._acceptor = Acceptor(opening.sockets, Peers(opening.options.allow), self._take, self._make_room)

    async def start(self) -> None:
        """Begin to answer."""
        if self.pages is not None:
            self.pages.start()
        self._acceptor.start()

    async def stop(self) -> None:
        """Accept no more; answer what is under way, by its verdict or held."""
        self._acceptor.stop()
        self.intake.stop()
        for connection in tuple(self._connections):
            if connection.idle and connection.task is not None:
                connection.task.cancel()
        deadline = time.monotonic() + _STOP_S
        while self._connections and time.monotonic() < deadline:
            for connection in tuple(self._connections):
                if connection.idle and connection.task is not None:
                    connection.task.cancel()
            await asyncio.sleep(0.02)
        for connection in tuple(self._connections):
            if connection.task is not None:
                connection.task.cancel()
        if self.pages is not None:
            await asyncio.to_thread(self.pages.stop)

    def tag(self) -> str:
        """Changes whenever the lists do, so that proxies forget what was answered before (RFC 3507, 4.7)."""
        deployment = self.intake.deployment
        lists = (deployment.indexes.sequences, deployment.banks.known_version)
        if lists != self._tagged:
            said = (sorted(lists[0].items()), lists[1], self.options.profile)
            self._tagged, self._tag = lists, f'"{hashlib.sha256(repr(said).encode()).hexdigest()[:24]}"'
        return self._tag

    def described(self) -> bytes:
        """The answer to OPTIONS."""
        said = {"Max-Connections": "1000", "Options-TTL": "60"}
        if headers := sorted(set(self.options.details.values())):
            said["X-Include"] = ", ".join(headers)
        return answers.options(self.tag(), "RESPMOD, REQMOD", said)

    def busy(self, connection: IcapConnection) -> None:
        """A request has begun."""
        self._idle.pop(connection, None)

    def waits(self, connection: IcapConnection) -> None:
        """No request is under way."""
        self._idle[connection] = None

    def _take(self, connection: socket.socket, _: Any) -> None:
        if len(self._idle) >= self.options.max_idle:
            self._make_room()
        self.intake.counts.connections.inc()
        taken = IcapConnection(self, connection)
        self._connections.add(taken)
        taken.task = asyncio.create_task(self._serve(taken))

    async def _serve(self, connection: IcapConnection) -> None:
        try:
            await connection.serve()
        except (OSError, TimeoutError, asyncio.CancelledError):
            pass  # the peer is gone, or this service ends
        except Exception:
            log.exception("a connection failed")
        finally:
            connection.close()
            self._connections.discard(connection)
            self._idle.pop(connection, None)

    def _make_room(self) -> None:
        if self._idle:
            oldest, _ = self._idle.popitem(last=False)
            if oldest.task is not None:
                oldest.task.cancel()


class _Asking:
    """Asks as a proxy does, about an upload."""

    def __init__(self, options: IcapOptions) -> None:
        self._address: ListenAddress = options.listen[0]
        self._service = options.services[0]

    def __call__(self, content: bytes) -> bool:
        head = b"POST /upload HTTP/1.1\r\nHost: check\r\n\r\n"
        request = (
            f"REQMOD icap://check/{self._service} ICAP/1.0\r\nHost: check\r\nAllow: 204\r\nConnection: close\r\n"
            f"Encapsulated: req-hdr=0, req-body={len(head)}\r\n\r\n"
        ).encode()
        with self._address.connect(_ASKED_S) as connection:
            connection.sendall(request + head + b"%x\r\n%s\r\n0\r\n\r\n" % (len(content), content))
            answer = connection.makefile("rb").read()
        if answer.startswith(b"ICAP/1.0 204 "):
            return True
        if answer.startswith(b"ICAP/1.0 200 ") and b"X-Infection-Found:" in answer:
            return False
        raise ValueError(f"the gateway answered {answer[:80]!r}")


def _asking(options: IcapOptions) -> Passes:
    return _Asking(options)


KIND = GatewayKind("icap", "proxies and clouds: squid, F5, FortiGate, Nextcloud", IcapOptions, IcapGateway, _asking)
