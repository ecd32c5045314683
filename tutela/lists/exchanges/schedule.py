"""The schedule: every exchange is pulled when its time comes, by one of all processes, in a process of its own.

Who pulls holds a lease, a row that it renews; a lease whose holder died runs out. Should two pull all the same, because
clocks differ or a process slept, only the one that began later can write (see `tutela.lists.exchanges.puller`).
"""

import logging
import os
import random
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import delete, insert, select, update

from tutela.errors import TutelaError
from tutela.foundation.store.database import Store, advance_sequence, now
from tutela.foundation.store.exchange_tables import lease as table
from tutela.lists.exchanges.service import ExchangeRow, Exchanges

log = logging.getLogger(__name__)

TICK_S = 1.0
LEASE_S = 60.0
_RENEWED_EVERY_S = 15.0
MAX_PULLS = 4
"""Pulls under way at once from one process."""


class Leases:
    """Who alone does a piece of work."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def take(self, name: str, holder: str, seconds: float = LEASE_S) -> bool:
        """Take or renew a lease; False while another holds it."""
        with self._store.write() as connection:
            advance_sequence(connection, 0)
            at = now()
            row = connection.execute(select(table).where(table.c.name == name)).first()
            if row is not None and row.holder != holder and row.until > at:
                return False
            until = at + int(seconds * 1_000_000)
            if row is None:
                connection.execute(insert(table).values(name=name, holder=holder, until=until))
            else:
                connection.execute(update(table).where(table.c.name == name).values(holder=holder, until=until))
        return True

    def held(self, name: str) -> bool:
        """Whether anybody holds a lease now."""
        with self._store.read() as connection:
            until = connection.execute(select(table.c.until).where(table.c.name == name)).scalar_one_or_none()
        return until is not None and until > now()

    def give_back(self, name: str, holder: str) -> None:
        """End a lease."""
        with self._store.write() as connection:
            connection.execute(delete(table).where(table.c.name == name, table.c.holder == holder))

    @contextmanager
    def holding(self, name: str) -> Iterator[bool]:
        """Hold a lease while the block runs; False where another holds it."""
        holder = uuid.uuid4().hex
        if not self.take(name, holder):
            yield False
            return
        ending = threading.Event()

        def renew() -> None:
            while not ending.wait(_RENEWED_EVERY_S):
                try:
                    self.take(name, holder)
                except TutelaError as error:
                    log.warning("the lease of %s could not be renewed: %s", name, error)

        thread = threading.Thread(target=renew, name="tutela-lease", daemon=True)
        thread.start()
        try:
            yield True
        finally:
            ending.set()
            thread.join()
            self.give_back(name, holder)


def lease_of(row: ExchangeRow) -> str:
    """The name of an exchange's lease."""
    return f"exchange:{row.id}"


class Schedule(threading.Thread):
    """Starts a pull of every exchange whose time has come, unless another process is at it."""

    def __init__(self, exchanges: Exchanges, home: Path) -> None:
        super().__init__(name="tutela-exchanges", daemon=True)
        self._exchanges = exchanges
        self._leases = Leases(exchanges.store)
        self._home = home
        self._ending = threading.Event()
        self._pulls: dict[int, subprocess.Popen[bytes]] = {}

    def run(self) -> None:
        while not self._ending.wait(TICK_S * random.uniform(0.8, 1.2)):  # noqa: S311
            try:
                self._start_what_is_due()
            except TutelaError as error:
                log.error("exchanges could not be looked at: %s", error)
            except Exception:
                log.exception("exchanges could not be looked at")

    def stop(self) -> None:
        """Start no more pulls and end those under way; they go on where they were."""
        self._ending.set()
        self.join()
        for process in self._pulls.values():
            process.terminate()
        for process in self._pulls.values():
            process.wait()

    def _start_what_is_due(self) -> None:
        self._pulls = {key: process for key, process in self._pulls.items() if process.poll() is None}
        for row in self._exchanges.due(datetime.now(UTC)):
            if len(self._pulls) >= MAX_PULLS:
                return
            if row.id not in self._pulls and not self._leases.held(lease_of(row)):
                self._pulls[row.id] = start_pull(self._home, self._exchanges.store.url, row.name)


def start_pull(home: Path, database: str, name: str) -> subprocess.Popen[bytes]:
    """Pull an exchange in a process of its own; the database's credentials travel in its environment."""
    environment = os.environ | {"TUTELA_PULL_HOME": str(home), "TUTELA_PULL_DATABASE": database}
    return subprocess.Popen(  # noqa: S603
        [sys.executable, "-m", "tutela.lists.exchanges", name],
        env=environment,
        stdin=subprocess.DEVNULL,
    )
