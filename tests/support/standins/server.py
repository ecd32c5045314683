"""A stand-in as a real HTTP server in a thread, and the faults that it can have on the wire."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tests.support.waiting import PATIENCE_S


class Fault(StrEnum):
    """What may go wrong between two services."""

    CUT = "cut"
    """The connection ends in the middle of the body."""
    TORN = "torn"
    """Half the body, as if it were all of it."""
    EMPTY = "empty"
    ERROR = "error"
    BUSY = "busy"
    STALE = "stale"
    """A cache answers with the body of the request before."""
    REPEATED = "repeated"
    """The answer to the request before, as if it were the one to this."""
    DRIP = "drip"
    """A few bytes now and then."""
    REFUSED = "refused"
    """No answer at all."""


class Faulty:
    """ASGI middleware that asks before every answer whether it is to go wrong."""

    def __init__(self, app: ASGIApp, next_fault: Callable[[str], Fault | None], method: str = "GET") -> None:
        self._app = app
        self._method = method
        self._next_fault = next_fault
        self._before: tuple[Message, bytes] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start, body = await self._answer(scope, receive)
        fault = self._next_fault(scope["path"]) if scope["method"] == self._method else None
        before, self._before = self._before, (start, body)
        match fault:
            case None:
                await _send(send, start, body)
            case Fault.CUT:
                await send(_with_length(start, len(body)))
                await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
                raise ConnectionResetError
            case Fault.TORN:
                await _send(send, start, body[: len(body) // 2])
            case Fault.EMPTY:
                await _send(send, start, b"")
            case Fault.STALE:
                stale, old = before or (start, body)
                age = [(b"age", b"7")] if before else []
                await _send(send, {**stale, "headers": [*stale["headers"], *age]}, old)
            case Fault.REPEATED:
                await _send(send, *(before or (start, body)))
            case Fault.ERROR:
                await _send(send, {**start, "status": 500}, b"fault")
            case Fault.BUSY:
                headers = [(b"retry-after", b"0"), (b"content-type", b"text/plain")]
                await _send(send, {**start, "status": 429, "headers": headers}, b"slow down")
            case Fault.DRIP:
                await send(_with_length(start, len(body)))
                for at in range(min(len(body), 40)):
                    await send({"type": "http.response.body", "body": body[at : at + 1], "more_body": True})
                    await asyncio.sleep(0.1)
                raise ConnectionResetError
            case Fault.REFUSED:
                raise ConnectionResetError

    async def _answer(self, scope: Scope, receive: Receive) -> tuple[Message, bytes]:
        start: Message = {}
        pieces: list[bytes] = []

        async def keep(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                start = message
            else:
                pieces.append(message.get("body", b""))

        await self._app(scope, receive, keep)
        return start, b"".join(pieces)


def _with_length(start: Message, length: int) -> Message:
    headers = [(name, value) for name, value in start["headers"] if name.lower() != b"content-length"]
    return {**start, "headers": [*headers, (b"content-length", str(length).encode())]}


async def _send(send: Send, start: Message, body: bytes) -> None:
    await send(_with_length(start, len(body)))
    await send({"type": "http.response.body", "body": body})


@contextmanager
def served(app: ASGIApp, certificate: Path | None = None) -> Iterator[str]:
    """The address of a server that runs while the block does, by TLS with a file of certificate and key."""
    config = uvicorn.Config(
        app, port=0, log_level="critical", timeout_graceful_shutdown=1, lifespan="off", ssl_certfile=certificate
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the stand-in does not start"
        threading.Event().wait(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"{'https' if certificate else 'http'}://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(PATIENCE_S)
