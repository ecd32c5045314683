"""An ASGI application behind the receiver that the service has."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn

from tutela.foundation.receiver import Receiver


@asynccontextmanager
async def behind_the_receiver(app: Any) -> AsyncIterator[tuple[str, int]]:
    """The address at which it answers while the block lasts."""
    config = uvicorn.Config(
        app,
        port=0,
        http=Receiver,  # type: ignore[arg-type]
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        yield server.servers[0].sockets[0].getsockname()[:2]
    finally:
        server.should_exit = True
        await serving
