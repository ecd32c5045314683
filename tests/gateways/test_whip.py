"""What WHIP hands on, without a media server."""

import asyncio
from typing import Any

import pytest

from tutela.gateways.streams import whip


def test_picture_and_sound_that_come_at_once_start_one_program(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("aiortc")
    started: list[asyncio.subprocess.Process] = []
    start = asyncio.create_subprocess_exec

    async def counted(*command: str, **options: Any) -> asyncio.subprocess.Process:
        await asyncio.sleep(0.05)  # as long as a program takes to start
        started.append(await start("cat", **options))
        return started[-1]

    monkeypatch.setattr(whip, "_handing_on", lambda url: ("cat",))
    monkeypatch.setattr(asyncio, "create_subprocess_exec", counted)

    async def publish() -> None:
        publisher = whip.WhipPublisher("rtmp://media.example.org/live/a")
        await asyncio.gather(publisher._write(b"picture"), publisher._write(b"sound"))
        await publisher.end()
        for program in started:
            if program.returncode is None:
                await asyncio.wait_for(program.wait(), 30)

    asyncio.run(publish())
    assert len(started) == 1
