"""Listening: sockets that are made once and shared by the processes of a service, and the peers that are heard."""

import asyncio
import contextlib
import errno
import logging
import os
import resource
import socket
import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Any

from pydantic import GetCoreSchemaHandler
from pydantic_core import core_schema

from tutela.errors import InputError

log = logging.getLogger(__name__)

_BACKLOG = 1024
_ACCEPTED_AT_ONCE = 64
_PAUSE_S = 0.1
"""So long nobody is accepted when the process has no descriptor left."""
_SOCKET_MODE = 0o660
_CREDENTIALS = struct.Struct("3i")


@dataclass(frozen=True, slots=True)
class ListenAddress:
    """Where a gateway listens: a host and a port, or the path of a UNIX socket."""

    host: str = ""
    port: int = 0
    path: str = ""

    @classmethod
    def parse(cls, text: str) -> "ListenAddress":
        """The address in `host:port` or `/path`. Raises ValueError."""
        if text.startswith("/"):
            return cls(path=text)
        host, colon, port = text.rpartition(":")
        if not colon or not port.isdecimal() or not 0 <= int(port) <= 65535:
            raise ValueError(f"{text!r} is not an address: write host:port, or the absolute path of a UNIX socket")
        try:
            name = ip_address(host.strip("[]")).compressed
        except ValueError:
            if host != "localhost":
                raise ValueError(f"{text!r} is not an address: write the host as an IP address, or localhost") from None
            name = "127.0.0.1"
        return cls(name, int(port))

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        """Read from text, written as text."""
        return core_schema.no_info_after_validator_function(
            lambda given: given if isinstance(given, ListenAddress) else cls.parse(given),
            core_schema.union_schema([core_schema.is_instance_schema(cls), core_schema.str_schema()]),
            serialization=core_schema.to_string_ser_schema(),
        )

    @property
    def is_local(self) -> bool:
        """Whether only this machine reaches it."""
        return bool(self.path) or ip_address(self.host).is_loopback

    def __str__(self) -> str:
        return self.path or (f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}")

    def listen(self) -> socket.socket:
        """A socket that listens there. Raises InputError."""
        try:
            return self._listening_path() if self.path else self._listening_port()
        except OSError as error:
            raise InputError("nothing can listen at {value}: {why}", value=self, why=error.strerror or error) from None

    def unlink(self) -> None:
        """Remove its path, if nobody listens there."""
        with contextlib.suppress(OSError):
            self._remove_what_a_killed_service_left()

    def connect(self, timeout_s: float) -> socket.socket:
        """A connection to it. Raises OSError."""
        if not self.path:
            return socket.create_connection((self.host, self.port), timeout_s)
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(timeout_s)
        try:
            connection.connect(self.path)
        except OSError:
            connection.close()
            raise
        return connection

    def _listening_port(self) -> socket.socket:
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        return socket.create_server((self.host, self.port), family=family, backlog=_BACKLOG)

    def _listening_path(self) -> socket.socket:
        with contextlib.suppress(FileNotFoundError):
            self._remove_what_a_killed_service_left()
        listener = socket.socket(socket.AF_UNIX)
        former = os.umask(0o777 & ~_SOCKET_MODE)
        try:
            listener.bind(self.path)
        except OSError:
            listener.close()
            raise
        finally:
            os.umask(former)
        listener.listen(_BACKLOG)
        return listener

    def _remove_what_a_killed_service_left(self) -> None:
        if not Path(self.path).is_socket():
            return
        with socket.socket(socket.AF_UNIX) as asking:
            try:
                asking.connect(self.path)
            except ConnectionRefusedError:
                Path(self.path).unlink()
            else:
                raise OSError(errno.EADDRINUSE, "another process listens there")


class Peers:
    """Who is heard."""

    def __init__(self, networks: Iterable[str]) -> None:
        """This machine, and peers in those networks."""
        self._networks: list[IPv4Network | IPv6Network] = [ip_network(network) for network in networks]

    def hears(self, connection: socket.socket, peer: Any) -> bool:
        """Whether a connection comes from one of them."""
        if connection.family == socket.AF_UNIX:
            return True
        address = ip_address(str(peer[0]).partition("%")[0])
        address = getattr(address, "ipv4_mapped", None) or address
        return address.is_loopback or any(address in network for network in self._networks)


def user_of(connection: socket.socket) -> dict[str, str]:
    """Which user and process is at the other end of a UNIX socket."""
    if connection.family != socket.AF_UNIX:
        return {}
    given = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    process, user, _ = _CREDENTIALS.unpack(given)
    return {"peer_user": str(user), "peer_process": str(process)}


class Acceptor:
    """Takes connections off listening sockets and hands them on, each unblocking."""

    def __init__(
        self,
        sockets: Sequence[socket.socket],
        peers: Peers,
        take: Callable[[socket.socket, Any], object],
        make_room: Callable[[], object],
    ) -> None:
        """`make_room` drops a connection that does nothing; it is called where no descriptor is left."""
        self._sockets = sockets
        self._peers = peers
        self._take = take
        self._make_room = make_room
        self._loop = asyncio.get_running_loop()

    def start(self) -> None:
        """Begin."""
        for listener in self._sockets:
            listener.setblocking(False)
            self._loop.add_reader(listener, self._accept, listener)

    def stop(self) -> None:
        """Accept no more."""
        for listener in self._sockets:
            if listener.fileno() >= 0:
                self._loop.remove_reader(listener)
                listener.close()

    def _accept(self, listener: socket.socket) -> None:
        for _ in range(_ACCEPTED_AT_ONCE):
            try:
                connection, peer = listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                log.error("a connection could not be accepted: %s", error)
                self._make_room()
                self._loop.remove_reader(listener)
                self._loop.call_later(_PAUSE_S, self._resume, listener)
                return
            if not self._peers.hears(connection, peer):
                log.warning("a peer outside the allowed networks was turned away")
                connection.close()
                continue
            connection.setblocking(False)
            self._take(connection, peer)

    def _resume(self, listener: socket.socket) -> None:
        if listener.fileno() >= 0:
            self._loop.add_reader(listener, self._accept, listener)


def raise_descriptor_limit() -> None:
    """Let this process have as many descriptors as it may: a connection takes one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
