"""clamd's bytes: commands and frames, however they are split on their way."""

import asyncio
import errno
import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.gateways import END, frames
from tutela.gateways.clamd.commands import Command, parse
from tutela.gateways.clamd.frames import FrameGatherer, InstreamFrames, ReceivedFrames

CONTENTS = st.lists(st.binary(min_size=1, max_size=300), max_size=12)


@given(CONTENTS, st.lists(st.integers(1, 200), min_size=1, max_size=40), st.binary(max_size=20))
def test_frames_hold_the_same_content_however_they_come_and_their_end_is_never_taken(parts, sizes, behind):
    stream = b"".join(struct.pack(">I", len(part)) + part for part in parts) + END + behind
    reader, content, at, arrived = InstreamFrames(), b"", 0, 0
    sizes = iter(sizes * len(stream))
    while True:
        arrived = min(len(stream), arrived + next(sizes))
        seen = bytearray(stream[at:arrived])
        taken = reader.look(memoryview(seen))
        content += seen[: taken.content]
        at += taken.length
        if taken.rest:
            break
        assert at == arrived, "what is looked at is taken, but for the end"
    assert content == b"".join(parts)
    assert reader.announced == len(content)
    assert 1 <= taken.rest <= 4
    assert stream[at : at + taken.rest] == bytes(taken.rest)
    assert stream[at + taken.rest :] == behind


@given(st.binary(min_size=1, max_size=5000), st.integers(1, 400))
def test_frames_of_any_size_are_read_in_one_look(content, size):
    stream = bytearray(frames(content, size) + END)
    taken = InstreamFrames().look(memoryview(stream))
    assert stream[: taken.content] == content
    assert taken.length + taken.rest == len(frames(content, size)) + 4


def test_commands_are_read_in_their_three_forms():
    for data, command, end in (
        (b"zPING\0", Command.PING, b"\0"),
        (b"nPING\n", Command.PING, b"\n"),
        (b"nPING\r\n", Command.PING, b"\n"),
        (b"PING", Command.PING, b"\n"),
        (b"PING\r\n", Command.PING, b"\n"),
        (b"zINSTREAM\0rest", Command.STREAM, b"\0"),
        (b"nVERSIONCOMMANDS\nrest", Command.VERSION_COMMANDS, b"\n"),
    ):
        asked = parse(data)
        assert asked is not None
        assert (asked.command, asked.end) == (command, end), data
    asked = parse(b"zSCAN /a folder/with words\0more")
    assert asked is not None
    assert (asked.command, asked.argument, asked.length) == (Command.SCAN, b"/a folder/with words", 27)


def test_what_is_no_command_is_none():
    for data in (
        b"nping\n",
        b"nPING x\n",
        b"n PING\n",
        b"nSCAN\n",
        b"zPING\n\0",
        b"INSTREAM",
        b"GET / HTTP/1.1\r\n",
        b"\0",
    ):
        asked = parse(data)
        assert asked is not None and asked.command is None, data
    assert parse(b"zPI") is None
    assert parse(b"zPING\n") is None


@given(st.binary(min_size=1, max_size=200))
def test_any_bytes_are_a_command_or_none_or_not_at_their_end(data):
    asked = parse(data)
    if asked is None:
        assert data[:1] in (b"n", b"z")
    else:
        assert 0 < asked.length <= len(data)


@given(
    CONTENTS,
    st.sampled_from([1, 5, 4096, 70_000, 200_000]),
    st.lists(st.integers(2_000, 100_000), min_size=1, max_size=8),
    st.binary(max_size=9),
    st.booleans(),
)
def test_of_a_socket_everything_is_taken_but_the_end_of_a_stream(parts, longer, sizes, behind, in_session):
    """And in a session, not what stands behind it either."""
    parts = [part * (1 + longer // len(part)) if number == 0 else part for number, part in enumerate(parts)]
    stream = b"".join(struct.pack(">I", len(part)) + part for part in parts) + END + behind
    reader, content, rest, begin = InstreamFrames(), b"", 0, 0
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with ours, theirs:
        for size in sizes * (len(stream) // sum(sizes) + 1):
            theirs.sendall(stream[begin : begin + size])
            begin += size
            while not rest:
                room = memoryview(bytearray(b"z" * 30_000))
                try:
                    there, length, rest = reader.receive(ours, room, in_session=in_session)
                except BlockingIOError:
                    break
                assert there
                content += room[:length]
                assert set(bytes(room[length:])) <= {0, ord("z")}, "nothing is left of it beyond the content"
        assert rest
        assert content == b"".join(parts)
        left = ours.recv(1000)
        assert len(left) >= 1, "the process may die here: the peer is to see that"
        assert not in_session or left == bytes(rest) + behind


def test_a_socket_whose_peer_has_ended_says_so():
    reader = InstreamFrames()
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with ours:
        with pytest.raises(BlockingIOError):
            reader.receive(ours, memoryview(bytearray(10)), in_session=False)
        theirs.close()
        assert reader.receive(ours, memoryview(bytearray(10)), in_session=False) == (0, 0, 0)


class _Gathering:
    """A stream that is gathered in a loop, and what came of it."""

    def __init__(self, room: int, most: int = 2**32) -> None:
        self.ours, self.theirs = socket.socketpair()
        self.ours.setblocking(False)
        loop = asyncio.get_running_loop()
        self.gatherer, self.frames = FrameGatherer(loop), InstreamFrames()
        self.room, self.most = memoryview(bytearray(room)), most
        self.decided: asyncio.Future[tuple[ReceivedFrames, int]] = loop.create_future()

    async def __aenter__(self) -> "_Gathering":
        self.gatherer.add(
            self.ours,
            self.frames,
            self.room,
            lambda received, error: self.decided.set_result((received, error)),
            in_session=False,
            most=self.most,
            there=0,
            took_s=0.0,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        self.gatherer.remove(self.ours)
        self.gatherer.close()
        self.ours.close()
        self.theirs.close()

    async def came(self) -> tuple[ReceivedFrames, int]:
        return await asyncio.wait_for(self.decided, 30)


@given(CONTENTS, st.lists(st.integers(1, 3_000), min_size=1, max_size=8))
def test_what_is_gathered_is_the_content_and_the_end_is_never_taken(parts, sizes):
    stream = b"".join(struct.pack(">I", len(part)) + part for part in parts) + END

    async def run() -> None:
        async with _Gathering(100_000) as gathering:
            begin = 0
            for size in sizes * (len(stream) // sum(sizes) + 1):
                gathering.theirs.sendall(stream[begin : begin + size])
                begin += size
                await asyncio.sleep(0)
            received, error = await gathering.came()
            assert error in (0, errno.EAGAIN)
            while not received.rest:  # it was thought that nothing more would come
                room = gathering.room[received.content :]
                more = gathering.frames.receive(gathering.ours, room, in_session=False)
                received = ReceivedFrames(more.there, received.content + more.content, more.rest)
            assert gathering.room[: received.content] == b"".join(parts)
            assert len(gathering.ours.recv(1_000)) >= 1, "the process may die here: the peer is to see that"

    asyncio.run(run())


async def _sent(gathering: _Gathering, data: bytes, *, ends: bool = False) -> tuple[ReceivedFrames, int]:
    gathering.theirs.sendall(data)
    if ends:
        gathering.theirs.close()
    return await gathering.came()


@pytest.mark.parametrize(
    ("room", "most", "sent", "ends", "decided"),
    [
        (1_000, 2**32, 5_000, False, lambda received, error: received.content == 1_000 and not error),
        (10_000, 4_000, 5_000, False, lambda received, error: received.there and not error),
        (10_000, 2**32, 0, True, lambda received, error: not received.there and not error),
        (10_000, 2**32, 5_000, False, lambda received, error: received.content == 5_000 and error == errno.EAGAIN),
    ],
    ids=["the room is full", "too much is announced", "the peer has ended", "nothing more comes"],
)
def test_somebody_decides_as_soon_as_a_stream_cannot_go_on(room, most, sent, ends, decided):
    async def run() -> tuple[ReceivedFrames, int]:
        async with _Gathering(room, most) as gathering:
            data = struct.pack(">I", sent) + b"x" * sent if sent else b""
            return await _sent(gathering, data, ends=ends)

    for _ in range(100):
        received, error = asyncio.run(run())
        if (received.content, error) != (0, errno.EAGAIN):  # else put aside for so long that nothing had come yet
            break
    assert decided(received, error)


def test_what_is_gathered_is_counted_once_and_nothing_comes_once_it_is_taken_away():
    async def is_shown() -> bool:
        """False where this process was put aside for so long that the gatherer thought that nothing comes."""
        async with _Gathering(100_000) as gathering:
            gathering.theirs.sendall(struct.pack(">I", 50_000) + b"x" * 1_000)
            counted = 0
            while counted < 1_000 and not gathering.decided.done():
                counted += gathering.gatherer.count(gathering.ours)
                await asyncio.sleep(0.0005)
                gathering.theirs.send(b"y")
            if gathering.decided.done():
                return False
            counted += gathering.gatherer.remove(gathering.ours)
            came = bytes(gathering.room)
            assert came[:counted] == b"x" * 1_000 + b"y" * (counted - 1_000)
            assert not any(came[counted:])
            gathering.theirs.sendall(b"z" * 1_000)
            await asyncio.sleep(0.02)
            assert bytes(gathering.room) == came
            assert not gathering.decided.done()
            return True

    assert any(asyncio.run(is_shown()) for _ in range(500))
