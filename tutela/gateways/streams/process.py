"""The watching process, `tutela stream serve`: the gate for media servers, and what watches their streams."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass

import structlog
import uvicorn

from tutela.casework.evidence.memory import guard_memory, start_anew_with_clean_memory
from tutela.deployment.composition import Deployment
from tutela.deployment.settings import Settings
from tutela.deployment.streams import open_streams
from tutela.errors import InputError
from tutela.foundation.logs import configure_logs
from tutela.gateways.streams.base import Door
from tutela.gateways.streams.hooks import hook_application
from tutela.gateways.streams.metrics import exposition
from tutela.gateways.streams.options import HookOptions
from tutela.gateways.streams.registry import open_servers
from tutela.gateways.streams.warden import guarded
from tutela.screening.streams.options import StreamOptions
from tutela.screening.streams.service import Streams

log = structlog.get_logger(__name__)

_STOP_S = 5


@dataclass(frozen=True, slots=True)
class Open:
    """The streams of a process and the doors of their media servers."""

    streams: Streams
    doors: Mapping[str, Door]


@contextlib.contextmanager
def opened(deployment: Deployment, options: StreamOptions, doors: Mapping[str, Door]) -> Iterator[Open]:
    """Streams that are watched within the block, with the outbox that repeats their cuts."""
    streams = open_streams(deployment, options, {name: door.server for name, door in doors.items()})
    streams.start()
    deployment.dispatcher.start()
    try:
        yield Open(streams, doors)
    finally:
        streams.stop()
        deployment.dispatcher.stop()


class _Server(uvicorn.Server):
    """A server within a process that has its own signals."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


def hook_server(running: Open, options: HookOptions) -> uvicorn.Server:
    """What answers media servers."""
    app = hook_application(running.streams, running.doors, options, lambda: exposition(running.streams))
    return _Server(
        uvicorn.Config(
            app,
            host=options.host,
            port=options.port,
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,  # who asks is who is connected, whatever a header claims
            ws="none",
            lifespan="off",
            timeout_graceful_shutdown=_STOP_S,
        )
    )


def run(settings: Settings) -> None:
    """Watch streams until told to stop. Raises InputError where no media server is named."""
    if settings.evidence is not None:
        start_anew_with_clean_memory()
    servers = settings.named("media_servers")
    if not servers:
        raise InputError("no media server is named: write a table [media_servers.NAME], see docs/live-streams.md")
    configure_logs()
    options = settings.door(HookOptions)
    doors = open_servers(servers)
    # An error that ends the process leaves its streams to the warden, too.
    with _taken(options), guarded(doors, f"http://{options.host}:{options.port}/readyz"), settings.open() as deployment:
        guard_memory()
        with opened(deployment, settings.streams, doors) as running:
            asyncio.run(_serve(hook_server(running, options)))


@contextlib.contextmanager
def _taken(options: HookOptions) -> Iterator[None]:
    """Say at once where the port is somebody else's. Raises InputError."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((options.host, options.port))
        except OSError as error:
            raise InputError(
                "stream_hooks: {host}:{port} cannot be had: {why}",
                host=options.host,
                port=options.port,
                why=error.strerror,
            ) from None
    yield


async def _serve(server: uvicorn.Server) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, lambda: setattr(server, "should_exit", True))
    serving = asyncio.create_task(server.serve())
    log.info("streams are watched", port=server.config.port)
    await serving
