"""What a body's bytes are in while they come: memory that is used again, never with anything of the last body."""

import asyncio
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.waiting import PATIENCE_S
from tutela.content.media.content_file import ContentFile
from tutela.gateways.capacity import Capacity, HoldPace, Semaphore
from tutela.gateways.gathered import SHORT_BYTES, GatheredContent, SpareMemory
from tutela.gateways.intake import Body, Intake, _shared
from tutela.screening.verdict import Context


@given(st.lists(st.tuples(st.booleans(), st.binary(max_size=500)), max_size=30))
def test_content_is_the_same_however_it_comes(parts):
    content = GatheredContent(SpareMemory())
    for straight, part in parts:
        if straight:
            content.room()[: len(part)] = part
            content.came(len(part))
        else:
            content.write(part)
    assert bytes(content.view()) == b"".join(part for _, part in parts)
    assert len(content) == sum(len(part) for _, part in parts)
    content.close()


def test_memory_is_used_again_and_nothing_of_the_last_content_is_in_it():
    spare = SpareMemory()
    first = GatheredContent(spare)
    first.write(b"secret" * 100_000)
    memory = first._memory
    first.close()
    second = GatheredContent(spare)
    second.write(b"x")
    assert second._memory is memory
    assert memory is not None and memory[:] == b"x" + bytes(SHORT_BYTES - 1)


def test_memory_that_somebody_still_looks_at_is_overwritten_and_not_used_again():
    spare = SpareMemory()
    first = GatheredContent(spare)
    first.write(b"secret")
    memory, view = first._memory, first.view()
    first.close()
    assert bytes(view) == bytes(6)
    second = GatheredContent(spare)
    second.write(b"other")
    assert second._memory is not memory
    assert bytes(view) == bytes(6)


def test_long_content_goes_on_in_a_file_and_its_memory_is_free():
    spare = SpareMemory()
    content = GatheredContent(spare)
    content.write(b"a" * SHORT_BYTES)
    assert isinstance(content.whole(), memoryview)
    assert not len(content.room())
    content.write(b"b")
    assert isinstance(content.whole(), ContentFile)
    assert not len(content.room())
    assert bytes(content.view()) == b"a" * SHORT_BYTES + b"b"
    assert spare.take()[:] == bytes(SHORT_BYTES)
    content.close()


def test_nothing_can_be_asked_of_closed_content():
    """Nobody may take it for empty content, of which nothing is listed."""
    for length in (0, 5, SHORT_BYTES + 1):
        content = GatheredContent(SpareMemory())
        content.write(bytes(length))
        content.close()
        for ask in (content.view, content.whole, content.room, lambda content=content: content.write(b"x")):
            with pytest.raises(ValueError, match="closed"):
                ask()


@pytest.mark.parametrize("length", [1, SHORT_BYTES, SHORT_BYTES + 1])
def test_content_is_sent_as_it_is(length):
    content = GatheredContent(SpareMemory())
    sent = bytes(range(256)) * (length // 256) + b"x" * (length % 256)
    content.write(sent)
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    came, offset = b"", 0
    with ours, theirs:
        while offset < length:
            count = content.send(ours, offset)
            offset += count
            while count:
                part = theirs.recv(count)
                came += part
                count -= len(part)
    assert came == sent
    content.close()


def test_content_stays_as_it_is_while_a_thread_reads_it_though_its_caller_was_cancelled():
    asyncio.run(_cancelled_while_it_is_read())


async def _cancelled_while_it_is_read() -> None:
    reads, goes_on = threading.Event(), threading.Event()
    with ThreadPoolExecutor(1) as threads:
        capacity = Capacity(Semaphore(1), threads)
        intake = cast(Intake, SimpleNamespace(capacity=capacity))
        body = Body(intake, Context("test", {}))
        body.write(memoryview(b"secret"))
        memory, view = body.content._memory, body.content.view()

        def read() -> bytes:
            reads.set()
            assert goes_on.wait(PATIENCE_S)
            return bytes(view)

        future = threads.submit(read)
        asking = asyncio.create_task(_shared(body, future))
        await asyncio.to_thread(reads.wait, PATIENCE_S)
        asking.cancel()
        await asyncio.wait({asking})
        body.close()
        assert asking.cancelled()
        goes_on.set()
        assert await asyncio.to_thread(future.result) == b"secret"
        async with asyncio.timeout(PATIENCE_S):
            while memory is None or memory[:6] != bytes(6):
                await asyncio.sleep(0.01)
        assert capacity.held_bytes == 0
        capacity.close()


def test_holds_that_anybody_causes_have_a_quarter_of_the_time_and_nobody_waits_longer_than_a_second():
    pace, now, waited = HoldPace(), 100.0, 0.0
    assert pace.wait_s(now) == 0, "whoever comes alone is held at once"
    for _ in range(200):
        pace.took(0.002)
        waited += (wait_s := pace.wait_s(now))
        now += wait_s + 0.002
    assert 0.7 < waited / (now - 100.0) < 0.8
    assert pace.wait_s(now + 10.0) == 0
    assert max(pace.wait_s(now + 10.0) for _ in range(100_000)) == pytest.approx(1.0)
