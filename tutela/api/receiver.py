"""The server's side of a connection: bytes come into one buffer, which is overwritten as soon as they are parsed.

An event loop keeps what it received last until it receives again, and that may be content. With a buffer of our own
nothing stays behind, and there is one copy less. An answer leaves in one piece, where the server would send its head
alone.
"""

import asyncio
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

_BUFFER = memoryview(bytearray(256 * 1024))
"""For all connections of the process: between `get_buffer` and `buffer_updated` the loop does nothing else."""
_ZEROS = memoryview(bytes(len(_BUFFER)))
_HEAD = b"HTTP/1.1 "


class Receiver(asyncio.BufferedProtocol):
    """Uvicorn's HTTP protocol behind that buffer."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self._http = HttpToolsProtocol(config, server_state, app_state, _loop)
        self._loop = _loop or asyncio.get_running_loop()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """As asyncio defines it, as are the others."""
        self._http.connection_made(_Sender(transport, self._loop))  # type: ignore[arg-type]

    def connection_lost(self, exc: Exception | None) -> None:
        self._http.connection_lost(exc)

    def get_buffer(self, sizehint: int) -> memoryview:
        return _BUFFER

    def buffer_updated(self, nbytes: int) -> None:
        try:
            self._http.data_received(_BUFFER[:nbytes])  # type: ignore[arg-type]  # its parser reads any buffer
        finally:
            _BUFFER[:nbytes] = _ZEROS[:nbytes]

    def eof_received(self) -> None:
        self._http.eof_received()

    def pause_writing(self) -> None:
        self._http.pause_writing()

    def resume_writing(self) -> None:
        self._http.resume_writing()


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

    def _flush(self) -> None:
        head, self._head = self._head, b""
        if head and not self._transport.is_closing():
            self._transport.write(head)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
