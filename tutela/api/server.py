"""Running the HTTP face: uvicorn with one or more worker processes, structured logs, metrics across processes."""

import asyncio
import contextlib
import os
import socket
import sys
import tempfile
from collections.abc import Sequence
from types import FrameType

import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess

from tutela.api.factory import Factory
from tutela.api.options import ServiceOptions, is_loopback
from tutela.casework.evidence.memory import start_anew_with_clean_memory
from tutela.deployment.settings import Settings
from tutela.errors import InputError
from tutela.foundation.listening import bound
from tutela.foundation.logs import log_config
from tutela.gateways.service import Sockets, listen, unlink


def serve(settings: Settings, host: str, port: int, workers: int) -> None:
    """Serve until told to stop. Raises InputError when the address would be open to everybody without keys."""
    if settings.evidence is not None:
        start_anew_with_clean_memory()
    if not settings.door(ServiceOptions).auth_required and not is_loopback(host):
        raise InputError("without keys the service is only served on a loopback address, not on {host}", host=host)
    settings.open().close()  # what is wrong with the home or the database is said here, once, not by every worker
    gateways = settings.named("gateways")
    own = bound(host, port)
    sockets = listen(gateways)
    try:
        if workers == 1:
            os.environ.pop("PROMETHEUS_MULTIPROC_DIR", None)
            _run(settings, host, port, workers, own, sockets)
            return
        with tempfile.TemporaryDirectory(prefix="tutela-metrics-") as metrics:
            os.environ["PROMETHEUS_MULTIPROC_DIR"] = metrics  # where several processes count together
            _run(settings, host, port, workers, own, sockets)
    finally:
        unlink(gateways, sockets)


def _run(
    settings: Settings, host: str, port: int, workers: int, own: Sequence[socket.socket], gateway_sockets: Sockets
) -> None:
    os.environ.update(settings.environment(workers))
    config = uvicorn.Config(
        Factory(gateway_sockets),
        factory=True,
        host=host,
        port=port,
        workers=workers,
        http="tutela.foundation.receiver:Receiver",
        ws="none",
        access_log=False,
        server_header=False,
        log_config=log_config(),
        timeout_graceful_shutdown=15,
        timeout_keep_alive=15,
        timeout_worker_healthcheck=60,  # a process that starts on a busy machine is not hung
        h11_max_incomplete_event_size=64 * 1024,
    )
    if workers > 1:
        Multiprocess(config, sockets=list(own)).run()
        return
    config.load_app()
    server = _Server(config)
    with contextlib.suppress(KeyboardInterrupt):
        server.run(sockets=list(own))
    if not server.started:
        sys.exit(STARTUP_FAILURE)


class _Server(uvicorn.Server):
    """Uvicorn's server, which looks at the time once a second and not ten times, so that an idle service sleeps."""

    _told: asyncio.Event | None = None
    _loop: asyncio.AbstractEventLoop | None = None

    async def main_loop(self) -> None:
        """Until it is to exit."""
        self._loop, self._told = asyncio.get_running_loop(), asyncio.Event()
        while not await self.on_tick(0):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._told.wait(), 1.0)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """What a signal does."""
        super().handle_exit(sig, frame)
        if self._loop is not None and self._told is not None:
            self._loop.call_soon_threadsafe(self._told.set)
