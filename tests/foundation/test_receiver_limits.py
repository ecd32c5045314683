"""The server's side of connections that say too much, too little, or too slowly: they end, and others are answered."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from tests.support.asgi import behind_the_receiver
from tests.support.waiting import PATIENCE_S
from tutela.foundation import receiver
from tutela.foundation.connections import Connections, Pace
from tutela.foundation.receiver import MAX_HEAD_BYTES, Clients


async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    more = True
    while more:
        message = await receive()
        more = message["type"] == "http.request" and message.get("more_body", False)
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


@contextlib.asynccontextmanager
async def served(most: int = 100, pace: Pace | None = None) -> AsyncIterator[tuple[str, int]]:
    loop = asyncio.get_running_loop()
    clients = Clients.of(loop)
    clients.connections = Connections(most, pace)
    async with behind_the_receiver(app) as address:
        yield address


async def answer(address: tuple[str, int], *parts: bytes) -> bytes:
    reader, writer = await asyncio.open_connection(*address)
    with contextlib.suppress(ConnectionError):
        for part in parts:
            writer.write(part)
            await writer.drain()
    async with asyncio.timeout(20):
        with contextlib.suppress(ConnectionError):
            return await reader.read(12)
    return b""


OK = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.mark.parametrize(
    ("status", "request_"),
    [
        (b"431", b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * (MAX_HEAD_BYTES + 1) + b"\r\n\r\n"),
        (b"431", b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * (MAX_HEAD_BYTES + 300_000)),
        (b"431", b"GET /" + b"a" * (MAX_HEAD_BYTES + 300_000)),
        (b"431", b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: " + b"a" * 400_000),
        (b"400", b"GET / HTTP/1.1\r\n\r\n"),
        (b"400", b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n"),
        (b"204", b"GET / HTTP/1.0\r\n\r\n"),
        (b"204", b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * (MAX_HEAD_BYTES - 100) + b"\r\n\r\n"),
    ],
    ids=range(8),
)
def test_a_head_has_one_host_and_an_end(status, request_):
    async def ask() -> bytes:
        async with served() as address:
            return await answer(address, request_)

    assert asyncio.run(ask()).split(b" ")[1:2] == [status]


def test_many_that_ask_nothing_keep_no_other_out():
    async def ask() -> bytes:
        async with served(most=20) as address:
            held = [await asyncio.open_connection(*address) for _ in range(60)]
            for _, writer in held:
                writer.write(b"GET / HTTP/1.1\r\n")
            ends = [asyncio.create_task(reader.read()) for reader, _ in held]
            async with asyncio.timeout(PATIENCE_S):
                while sum(end.done() for end in ends) < 40:
                    await asyncio.sleep(0.01)
            answered = await answer(address, OK)
            for end in ends:
                end.cancel()
            return answered

    assert asyncio.run(ask()).startswith(b"HTTP/1.1 204")


@pytest.mark.slow
@pytest.mark.parametrize(
    "begun",
    [
        b"",
        b"GET / HTTP/1.1\r\nHost: x",
        OK,
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999\r\n\r\nx",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n",
    ],
    ids=["nothing", "half a head", "no second request", "half a body", "half a body in chunks"],
)
def test_whoever_does_not_go_on_is_sent_away(begun, monkeypatch):
    monkeypatch.setattr(receiver, "_SWEEP_S", 0.1)

    async def ask() -> bool:
        async with served(pace=Pace(head_s=0.5, grace_s=0.5)) as address:
            reader, writer = await asyncio.open_connection(*address)
            writer.write(begun)
            async with asyncio.timeout(PATIENCE_S):
                with contextlib.suppress(ConnectionError):
                    await reader.read()
            return True

    assert asyncio.run(ask())


@pytest.mark.slow
def test_a_body_that_comes_fast_enough_may_take_long(monkeypatch):
    monkeypatch.setattr(receiver, "_SWEEP_S", 0.1)

    async def ask() -> bytes:
        async with served(pace=Pace(head_s=60.0, grace_s=0.5, bytes_per_s=10)) as address:
            reader, writer = await asyncio.open_connection(*address)
            writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 8000\r\n\r\n")
            for _ in range(8):
                writer.write(b"x" * 1000)
                await asyncio.sleep(0.1)
            async with asyncio.timeout(PATIENCE_S):
                return await reader.read(12)

    assert asyncio.run(ask()).startswith(b"HTTP/1.1 204")
