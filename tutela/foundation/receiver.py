"""The server's side of a connection: bytes come into one buffer, which is overwritten as soon as they are parsed.

An event loop keeps what it received last until it receives again, and that may be content. With a buffer of our own
nothing stays behind, and there is one copy less. An answer leaves in one piece, where the server would send its head
alone.
"""

import asyncio
import resource
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, ClassVar

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from tutela.foundation.connections import Connections

MAX_HEAD_BYTES = 64 * 1024
"""Of a request's line and headers, and of what a body in chunks brings beside its bytes."""
_MOST_CONNECTIONS = 4096
_OTHER_FILES = 256
"""Descriptors that connections leave to databases, segments and workers."""
_SWEEP_S = 1.0
_TOO_LONG = f"a head has at most {MAX_HEAD_BYTES:,} bytes"

BODY_TAP = "tutela.body"
"""Among the extensions of an ASGI scope: the `BodyTap` of the request."""

_BUFFER = memoryview(bytearray(256 * 1024))
"""For all connections of the process: between `get_buffer` and `buffer_updated` the loop does nothing else."""
_ZEROS = memoryview(bytes(len(_BUFFER)))
_HEAD = b"HTTP/1.1 "


class BodyTap:
    """A request's body without the application: set `take`, and each part goes there as it is parsed, in the order in
    which it came. The application is woken where `take` says that it should be, and at the end."""

    __slots__ = ("take",)

    def __init__(self) -> None:
        self.take: Callable[[bytes], bool] | None = None


class Clients:
    """The clients of one event loop: too many, or too slow, and they are sent away."""

    _of_loops: ClassVar[dict[asyncio.AbstractEventLoop, "Clients"]] = {}

    @classmethod
    def of(cls, loop: asyncio.AbstractEventLoop) -> "Clients":
        """Those of a loop."""
        if loop not in cls._of_loops:
            cls._of_loops = {known: clients for known, clients in cls._of_loops.items() if not known.is_closed()}
            cls._of_loops[loop] = Clients(loop)
        return cls._of_loops[loop]

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.connections = Connections(_most_connections())
        self._loop = loop
        self._sweeping = False

    def opened(self, receiver: "Receiver") -> None:
        """A client has come. While there is any, somebody looks at the time."""
        self.connections.opened(receiver)
        if not self._sweeping:
            self._sweeping = True
            self._loop.call_later(_SWEEP_S, self._sweep)

    def _sweep(self) -> None:
        self.connections.sweep()
        self._sweeping = len(self.connections) > 0
        if self._sweeping:
            self._loop.call_later(_SWEEP_S, self._sweep)


class Receiver(asyncio.BufferedProtocol):
    """Uvicorn's HTTP protocol behind that buffer."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self._loop = _loop or asyncio.get_running_loop()
        self._clients = Clients.of(self._loop)
        self._http = _Http(self, self._clients.connections, config, server_state, app_state, _loop)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """As asyncio defines it, as are the others."""
        self._http.connection_made(_Sender(transport, self._loop))  # type: ignore[arg-type]
        self._clients.opened(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._clients.connections.closed(self)
        self._http.connection_lost(exc)
        self._http.forget()

    def get_buffer(self, sizehint: int) -> memoryview:
        return _BUFFER

    def buffer_updated(self, nbytes: int) -> None:
        try:
            self._http.received(_BUFFER[:nbytes])
        finally:
            _BUFFER[:nbytes] = _ZEROS[:nbytes]

    def eof_received(self) -> None:
        self._http.eof_received()

    def pause_writing(self) -> None:
        self._http.pause_writing()

    def resume_writing(self) -> None:
        self._http.resume_writing()

    @property
    def is_read(self) -> bool:
        """As `connections.Connection` says."""
        return self._http.is_read

    def time_is_over(self) -> None:
        """As `connections.Connection` says."""
        self._http.time_is_over()


class _Http(HttpToolsProtocol):
    """Uvicorn's protocol, which tells how far each request is, and has limits of its own."""

    def __init__(self, receiver: Receiver, connections: Connections, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._receiver = receiver
        self._connections = connections
        self._in_head = True
        self._beside_bytes = 0
        """Received since the head began, or since a byte of the body came."""
        self._refusal = (HTTPStatus.BAD_REQUEST, "the request is not HTTP/1.1 as RFC 9112 has it")
        self._rested_at: float | None = None
        self._tap = BodyTap()

    def received(self, data: memoryview) -> None:
        """What a client sent."""
        if self.transport.is_closing():
            return
        if self._rested_at is not None and self.is_read:
            self._connections.rests(self._receiver, time.monotonic() - self._rested_at)
            self._rested_at = None
        self._beside_bytes += len(data)
        self.data_received(data)  # type: ignore[arg-type]  # its parser reads any buffer
        if self._beside_bytes > MAX_HEAD_BYTES and self.parser is not None and not self.transport.is_closing():
            self.refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, _TOO_LONG)
        elif not self.is_read:
            self._rested_at = self._rested_at or time.monotonic()

    def forget(self) -> None:
        """Let go of the last request: it may hold what was said of an uploader, and the two of us refer to each other,
        so that it would stay until a collection comes by."""
        self.headers = []
        self.scope = None  # type: ignore[assignment]
        self.cycle = None  # type: ignore[assignment]
        self.url = b""

    def refuse(self, status: HTTPStatus, why: str) -> None:
        """Answer, where no answer has begun, and close."""
        self._refusal = (status, why)
        if self.transport.is_closing():
            return
        if self.cycle is not None and self.cycle.response_started and not self.cycle.response_complete:
            self.transport.close()
        else:
            self.send_400_response(why)

    def time_is_over(self) -> None:
        """Close where there is no request yet; whoever sends a body too slowly is told."""
        if self._in_head:
            self.transport.close()
        else:
            self.refuse(HTTPStatus.REQUEST_TIMEOUT, "the body did not come in time")

    @property
    def is_read(self) -> bool:
        """Whether the server takes what the client sends."""
        return self.flow is None or not self.flow.read_paused

    def send_400_response(self, msg: str) -> None:
        """What uvicorn calls where a request cannot be read."""
        status, why = self._refusal
        body = f'{{"type":"/problems/unreadable-request","status":{status.value},"detail":"{why}"}}'.encode()
        head = (
            f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-type: application/problem+json\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head = True

    def on_headers_complete(self) -> None:
        length, hosts = len(self.url), 0
        for name, value in self.headers:
            length += len(name) + len(value) + 4
            hosts += name == b"host"
        if length > MAX_HEAD_BYTES:
            self._refuse_head(
                HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"a head has at most {MAX_HEAD_BYTES:,} bytes"
            )
        if hosts > 1 or (hosts == 0 and self.parser.get_http_version() == "1.1"):
            self._refuse_head(HTTPStatus.BAD_REQUEST, "a request names one Host")
        self._in_head = False
        self._beside_bytes = 0
        self._connections.sends(self._receiver)
        # One for each request: while an application is at one, another may come behind it.
        self._tap = BodyTap()
        self.scope["extensions"] = {BODY_TAP: self._tap}  # type: ignore[dict-item]
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._beside_bytes = 0
        self._connections.sends(self._receiver, len(body))
        if self._tap.take is None or self.cycle.response_complete:
            super().on_body(body)
        elif self._tap.take(body):
            self.flow.pause_reading()
            self.cycle.message_event.set()

    def on_message_complete(self) -> None:
        self._in_head = True
        self._beside_bytes = 0
        if self.cycle.response_complete:
            self._connections.waits(self._receiver)  # it was answered before it was whole
        else:
            self._connections.works(self._receiver)
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if not self.pipeline:
            self._connections.waits(self._receiver)

    def _refuse_head(self, status: HTTPStatus, why: str) -> None:
        self._refusal = (status, why)
        raise ValueError(why)  # which the parser makes an error of its own


def _most_connections() -> int:
    """As many as the process may open, with room for everything else."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST_CONNECTIONS + _OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return max(64, min(_MOST_CONNECTIONS, soft - _OTHER_FILES)) if soft != resource.RLIM_INFINITY else _MOST_CONNECTIONS


class _Sender:
    """A transport that keeps the head of an answer back for its body, which follows in the same turn of the loop."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._head = b""

    def write(self, data: bytes | memoryview) -> None:
        if not self._head and data[: len(_HEAD)] == _HEAD:
            self._head = bytes(data)
            self._loop.call_soon(self._flush)
            return
        head, self._head = self._head, b""
        self._transport.write(head + data)

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def is_closing(self) -> bool:
        return self._transport.is_closing()

    def _flush(self) -> None:
        head, self._head = self._head, b""
        if head and not self._transport.is_closing():
            self._transport.write(head)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
