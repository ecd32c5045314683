"""What all gateways of a process share with each other and with the HTTP service: places, threads, and memory for
content that is on its way.
"""

import asyncio
import os
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from tutela.foundation.processes import give_way
from tutela.gateways.gathered import SpareMemory

_DISK_THREADS = 4
_SEALING_THREADS = 2
_LONGEST_WAIT_S = 1.0
_HOLD_AND_REST = 4
"""So many times as long as a hold takes until the next."""
_WEIGHT = 0.2
"""Of the last in the average."""


class Places(Protocol):
    """The screenings that may be under way at once."""

    def waited(self) -> AbstractAsyncContextManager[None]:
        """A place for one screening, as soon as one is free."""


class Semaphore:
    """Places of a process that has no HTTP service."""

    def __init__(self, places: int) -> None:
        self._semaphore = asyncio.Semaphore(places)

    def waited(self) -> AbstractAsyncContextManager[None]:
        """As `Places` says."""
        return self._semaphore


class HoldPace:
    """For holds of what was not screened, such as what is announced as too long: they cost nobody anything who asks for
    them. All together have a quarter of the time, and nobody waits for that longer than a second."""

    def __init__(self) -> None:
        self._next = 0.0
        self._takes_s = 0.0

    def wait_s(self, now: float) -> float:
        """How long whoever comes now is to wait."""
        turn = min(max(now, self._next), now + _LONGEST_WAIT_S)
        self._next = turn + _HOLD_AND_REST * self._takes_s
        return turn - now

    def took(self, seconds: float) -> None:
        """A hold is written down."""
        self._takes_s += _WEIGHT * (seconds - self._takes_s)


class Capacity:
    """Belongs to one event loop. Where the memory is full, whoever brings content waits, but for whoever began first:
    so one of them always comes to its end.
    """

    def __init__(self, places: Places, threads: Executor, *, max_held_bytes: int | None = None) -> None:
        """`threads` run screenings. By default content may take a quarter of the machine's memory."""
        self.places = places
        self.threads = threads
        self.disk = ThreadPoolExecutor(_DISK_THREADS, "tutela-gateway-disk")
        """For what waits for a disk or for the database: never behind a screening."""
        self.sealing = ThreadPoolExecutor(_SEALING_THREADS, "tutela-gateway-sealing", initializer=give_way)
        """For what goes to the disk while more of it comes: it keeps nobody waiting but whoever sends it."""
        self.spare = SpareMemory()
        self.pace = HoldPace()
        """Of holds of what was not screened."""
        self.max_held_bytes = max_held_bytes or _memory_bytes() // 4
        self.held_bytes = 0
        self._held: dict[object, int] = {}
        self._changed: list[asyncio.Future[None]] = []

    @property
    def full(self) -> bool:
        """Whether the memory for content is taken."""
        return self.held_bytes >= self.max_held_bytes

    def must_wait(self, holder: object) -> bool:
        """Whether somebody should bring no more just now."""
        return self.full and next(iter(self._held), holder) is not holder

    def take(self, holder: object, length: int) -> None:
        """Count memory that somebody filled."""
        self._held[holder] = self._held.get(holder, 0) + length
        self.held_bytes += length

    def give_back(self, holder: object) -> None:
        """Count all that somebody held as empty."""
        self.held_bytes -= self._held.pop(holder, 0)
        changed, self._changed = self._changed, []
        for future in changed:
            if not future.done():
                future.set_result(None)

    async def room(self, holder: object) -> None:
        """Return when there is room for somebody."""
        while self.must_wait(holder):
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._changed.append(future)
            await future

    def close(self) -> None:
        """Let go of the threads."""
        self.sealing.shutdown(wait=True)
        self.disk.shutdown(wait=True)


def _memory_bytes() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
