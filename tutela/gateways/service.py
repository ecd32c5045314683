"""The gateways of one process: opened over one deployment, with one limit of screenings, and ended together."""

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from socket import socket

from tutela.deployment.composition import Deployment
from tutela.gateways.base import Gateway, ListenerOptions, Opening, Options
from tutela.gateways.capacity import Capacity, Places
from tutela.gateways.intake import Intake, Terms
from tutela.gateways.listeners import raise_descriptor_limit
from tutela.gateways.registry import kind_of
from tutela.screening.screener import Screener

Sockets = Mapping[str, Sequence[socket]]


def listen(gateways: Mapping[str, Options]) -> dict[str, list[socket]]:
    """The sockets of every gateway that listens, made once for all processes. Raises InputError."""
    made: dict[str, list[socket]] = {}
    try:
        for name, options in gateways.items():
            made[name] = []
            if isinstance(options, ListenerOptions):
                for address in options.listen:
                    made[name].append(address.listen())
    except BaseException:
        for sockets in made.values():
            for listener in sockets:
                listener.close()
        raise
    return made


def unlink(gateways: Mapping[str, Options], sockets: Sockets) -> None:
    """Close the sockets, and remove the paths of those in the file system."""
    for listener in (each for made in sockets.values() for each in made):
        listener.close()
    for options in gateways.values():
        for address in options.listen if isinstance(options, ListenerOptions) else ():
            address.unlink()


class Gateways:
    """Belongs to one event loop."""

    def __init__(
        self,
        deployment: Deployment,
        gateways: Mapping[str, Options],
        sockets: Sockets,
        places: Places,
        threads: Executor,
    ) -> None:
        """`places` and `threads` are those of the process's other screenings."""
        self._capacity = Capacity(places, threads)
        self._gateways: list[Gateway] = []
        for name, options in gateways.items():
            intake = Intake(name, deployment, _screener(deployment, options), self._capacity, _terms(options))
            opening = Opening(name, options, intake, tuple(sockets.get(name, ())))
            self._gateways.append(kind_of(options).open(opening))

    async def start(self) -> None:
        """Begin to answer."""
        if self._gateways:
            raise_descriptor_limit()
        for gateway in self._gateways:
            await gateway.start()

    async def stop(self) -> None:
        """Take nothing new; return when all that was under way is answered."""
        await asyncio.gather(*(gateway.stop() for gateway in self._gateways))
        await asyncio.to_thread(self._capacity.close)


def _screener(deployment: Deployment, options: Options) -> Screener:
    policy = deployment.screener.policy
    return deployment.screener.with_policy(replace(policy, overrides={**policy.overrides, **options.overrides}))


def _terms(options: Options) -> Terms:
    cut_at = options.cut_at if isinstance(options, ListenerOptions) else frozenset[int]()
    return Terms(options.answer_s, options.profile, cut_at)
