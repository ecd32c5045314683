"""The server's side of a connection: whatever is sent through it arrives whole, in order, and in few pieces."""

import asyncio
from collections.abc import Callable

import pytest

from tests.support.asgi import behind_the_receiver


async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    bodies: dict[str, list[bytes | memoryview]] = {
        "/whole": [body],
        "/parts": [b"HTTP/1.1 ", memoryview(b"two "), b"three"],
        "/none": [],
    }
    parts = bodies[scope["path"]]
    length = [(b"content-length", str(sum(map(len, parts))).encode())]
    await send({"type": "http.response.start", "status": 200 if parts else 204, "headers": length if parts else []})
    if scope["path"] == "/none":
        await asyncio.sleep(0.05)  # the head does not wait for a body that is not there yet
    for part in parts:
        await send({"type": "http.response.body", "body": part, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def talk(request: bytes, done: Callable[[bytes], bool]) -> list[bytes]:
    """What comes back, by the pieces in which it was received, until it is all there."""
    async with behind_the_receiver(app) as address:
        reader, writer = await asyncio.open_connection(*address)
        writer.write(request)
        pieces: list[bytes] = []
        async with asyncio.timeout(20):
            while not done(b"".join(pieces)) and (piece := await reader.read(1 << 20)):
                pieces.append(piece)
        writer.close()
    return pieces


def answers(received: bytes) -> list[bytes]:
    """The bodies of answers one after the other."""
    bodies = []
    while received:
        head, _, rest = received.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 2"), head
        lengths = [line.split(b":")[1] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")]
        length = int(lengths[0]) if lengths else 0
        bodies.append(rest[:length])
        received = rest[length:]
    return bodies


def test_an_answer_leaves_in_one_piece():
    request = b"POST /whole HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nhello"
    pieces = asyncio.run(talk(request, lambda got: b"hello" in got))
    assert len(pieces) == 1
    assert answers(pieces[0]) == [b"hello"]


def test_a_long_answer_arrives_whole():
    body = bytes(range(256)) * 10_000
    request = b"POST /whole HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % len(body)
    pieces = asyncio.run(talk(request + body, lambda got: got.endswith(body)))
    assert answers(b"".join(pieces)) == [body]


@pytest.mark.parametrize("path", ["/parts", "/none"])
def test_a_body_in_parts_and_a_head_without_one_arrive(path):
    expected = {"/parts": b"HTTP/1.1 two three", "/none": b""}[path]
    request = b"GET %s HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n" % path.encode()
    assert answers(b"".join(asyncio.run(talk(request, lambda _: False)))) == [expected]


def test_requests_in_one_go_are_answered_in_their_order():
    requests = b"".join(
        b"POST /whole HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\n\r\n%d" % number for number in range(8)
    )
    received = asyncio.run(
        talk(requests + b"GET /none HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n", lambda _: False)
    )
    assert answers(b"".join(received)) == [*(str(number).encode() for number in range(8)), b""]


def test_a_client_that_asks_first_is_told_to_go_on():
    request = b"POST /whole HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n"
    pieces = asyncio.run(talk(request, lambda got: got.endswith(b"\r\n\r\n")))
    assert b"".join(pieces).startswith(b"HTTP/1.1 100 ")
