"""The server's side of a connection: bytes come into one buffer, which is overwritten as soon as they are parsed.

An event loop keeps what it received last until it receives again, and that may be content. With a buffer of our own
nothing stays behind, and there is one copy less.
"""

import asyncio
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

_BUFFER = memoryview(bytearray(256 * 1024))
"""For all connections of the process: between `get_buffer` and `buffer_updated` the loop does nothing else."""
_ZEROS = memoryview(bytes(len(_BUFFER)))


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

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """As asyncio defines it, as are the others."""
        self._http.connection_made(transport)

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
