"""The schedule: every exchange is pulled when its time comes, by one of all processes, in a process of its own.

Who pulls holds a lease, a row that it renews; a lease whose holder died runs out. Should two pull all the same, because
clocks differ or a process slept, only the one that began later can write (see `tutela.lists.exchanges.puller`).
"""

import subprocess
from datetime import UTC, datetime
from pathlib import Path

from tutela.foundation.background import BackgroundLoop
from tutela.foundation.backoff import around
from tutela.foundation.leases import Leases
from tutela.foundation.processes import end, start_module
from tutela.lists.exchanges.service import ExchangeRow, Exchanges

TICK_S = 1.0
MAX_PULLS = 4
"""Pulls under way at once from one process."""


def lease_of(row: ExchangeRow) -> str:
    """The name of an exchange's lease."""
    return f"exchange:{row.id}"


class Schedule:
    """Starts a pull of every exchange whose time has come, unless another process is at it."""

    def __init__(self, exchanges: Exchanges, home: Path) -> None:
        self._exchanges = exchanges
        self._leases = Leases(exchanges.store)
        self._home = home
        self._pulls: dict[int, subprocess.Popen[bytes]] = {}
        self._loop = BackgroundLoop(
            self._start_what_is_due,
            name="tutela-exchanges",
            every_s=lambda: around(TICK_S),
            failed="exchanges could not be looked at",
            at_once=False,
        )

    def start(self) -> None:
        """Look in the background until `stop`."""
        self._loop.start()

    def stop(self) -> None:
        """Start no more pulls and end those under way; they go on where they were."""
        self._loop.stop()
        end(self._pulls.values())

    def _start_what_is_due(self) -> None:
        self._pulls = {key: process for key, process in self._pulls.items() if process.poll() is None}
        for row in self._exchanges.due(datetime.now(UTC)):
            if len(self._pulls) >= MAX_PULLS:
                return
            if row.id not in self._pulls and not self._leases.held(lease_of(row)):
                self._pulls[row.id] = start_pull(self._home, self._exchanges.store.url, row.name)


def start_pull(home: Path, database: str, name: str) -> subprocess.Popen[bytes]:
    """Pull an exchange in a process of its own; the database's credentials travel in its environment."""
    return start_module(
        "tutela.lists.exchanges", name, environment={"TUTELA_PULL_HOME": str(home), "TUTELA_PULL_DATABASE": database}
    )
