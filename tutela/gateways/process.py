"""Gateways in a process of their own: `tutela gateway run NAME`."""

import asyncio
import signal
from concurrent.futures import ThreadPoolExecutor

import structlog
import uvloop

from tutela.casework.evidence.memory import guard_memory, start_anew_with_clean_memory
from tutela.deployment.composition import Deployment
from tutela.deployment.metrics import count_verdict
from tutela.deployment.settings import Settings
from tutela.errors import InputError
from tutela.foundation.logs import configure_logs
from tutela.foundation.processes import answer_promptly
from tutela.gateways.base import Options
from tutela.gateways.capacity import Semaphore
from tutela.gateways.service import Gateways, Sockets, listen, unlink

log = structlog.get_logger(__name__)


def run(settings: Settings, name: str, places: int) -> None:
    """Run one gateway, with so many screenings at once, until told to stop. Raises InputError for an unknown name."""
    if settings.evidence is not None:
        start_anew_with_clean_memory()
    gateways = settings.named("gateways")
    if name not in gateways:
        known = ", ".join(gateways) or "none"
        raise InputError("there is no gateway {name!r}; the settings describe {known}", name=name, known=known)
    chosen = {name: gateways[name]}
    sockets = listen(chosen)
    try:
        configure_logs()
        with settings.open() as deployment:
            guard_memory()
            deployment.job_runner.on_verdict = count_verdict
            # The loop that `tutela serve` has: with asyncio's own, a gateway takes a quarter more processor time.
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(_serve(deployment, chosen, sockets, places))
    finally:
        unlink(chosen, sockets)


async def _serve(deployment: Deployment, chosen: dict[str, Options], sockets: Sockets, places: int) -> None:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    with ThreadPoolExecutor(places, "tutela-screening") as threads:
        await asyncio.to_thread(deployment.pool.warm)
        answer_promptly()
        gateways = Gateways(deployment, chosen, sockets, Semaphore(places), threads)
        await gateways.start()
        deployment.start()
        log.info("gateway up", gateway=next(iter(chosen)))
        await stop.wait()
        await gateways.stop()
        await asyncio.to_thread(deployment.stop)
