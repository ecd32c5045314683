"""Serving the stop page in a process of its own. Nothing of a request is logged."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import AsyncIterator

from tutela.deployment.edge import opened_edge
from tutela.deployment.settings import Settings
from tutela.errors import InputError
from tutela.gateways.http import InnerServer
from tutela.gateways.pages.app import StopPageApp
from tutela.gateways.pages.options import StopPageOptions
from tutela.screening.check.deterrence import Deterrences


@contextlib.asynccontextmanager
async def serving(app: StopPageApp, listener: socket.socket) -> AsyncIterator[None]:
    """Serve the application at a socket that listens, as long as the block runs."""
    server = InnerServer(app)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started and not task.done():
        await asyncio.sleep(0.01)
    try:
        yield
    finally:
        server.should_exit = True
        await task


def serve(settings: Settings, options: StopPageOptions) -> None:
    """Serve until told to stop. Raises InputError where nothing can listen."""
    try:
        family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
        listener = socket.create_server((options.host, options.port), family=family, backlog=1024)
    except OSError as error:
        raise InputError(
            "nothing can listen at {host}, port {port}: {why}", host=options.host, port=options.port, why=error.strerror
        ) from None

    async def run() -> None:
        stopping = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stopping.set)
        app = StopPageApp(edge, options, Deterrences(settings.home))
        async with serving(app, listener):
            print(f"the stop page is served at {options.host}, port {options.port}", flush=True)  # noqa: T201
            await stopping.wait()

    with listener, opened_edge(settings.home, settings.database_text, settings.casework, options.dry_run) as edge:
        asyncio.run(run())
