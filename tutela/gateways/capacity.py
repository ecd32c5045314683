"""What all gateways of a process share with each other and with the HTTP service: places, threads, and memory for
content that is on its way.
"""

import asyncio
import os
from collections import deque
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager
from typing import Protocol

_DISK_THREADS = 4


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


class Capacity:
    """Belongs to one event loop. Where the memory is full, whoever brings content waits."""

    def __init__(self, places: Places, threads: Executor, *, max_held_bytes: int | None = None) -> None:
        """`threads` run screenings. By default content may take a quarter of the machine's memory."""
        self.places = places
        self.threads = threads
        self.disk = ThreadPoolExecutor(_DISK_THREADS, "tutela-gateway-disk")
        """For what waits for a disk or for the database: never behind a screening."""
        self.max_held_bytes = max_held_bytes or _memory_bytes() // 4
        self.held_bytes = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def full(self) -> bool:
        """Whether nobody should bring more just now."""
        return self.held_bytes >= self.max_held_bytes

    def take(self, length: int) -> None:
        """Count memory that was filled."""
        self.held_bytes += length

    def give_back(self, length: int) -> None:
        """Count memory that was emptied."""
        self.held_bytes -= length
        while self._waiting and not self.full:
            future = self._waiting.popleft()
            if not future.done():
                future.set_result(None)
                break  # the next one once this one has taken what it brings, or given it back

    async def room(self) -> None:
        """Return when there is room."""
        while self.full:
            future = asyncio.get_running_loop().create_future()
            self._waiting.append(future)
            await future
        self.give_back(0)

    def close(self) -> None:
        """Let go of the threads."""
        self.disk.shutdown(wait=True)


def _memory_bytes() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
