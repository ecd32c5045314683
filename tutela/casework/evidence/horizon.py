"""How far clocks can be trusted where something is lost for good: until when evidence's time counts as over.

A clock that leaps makes no evidence old. What the database wrote last is the witness of the time that was; from there
time goes on in small steps. A greater step counts once the clock of the machine has gone on steadily for an hour more,
from one upkeep to another, as the system's count of seconds since its start says. The database's clock must agree.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, delete, func, insert, select, text, update

from tutela.foundation.store.database import Store, now
from tutela.foundation.store.evidence_tables import audit
from tutela.foundation.store.tables import meta

STEP_S = 900.0
"""So far time may have gone on since the last upkeep without a second look."""
STEADY_S = 3600.0
"""So long a clock that leapt must go on steadily before it is believed."""
_TOLERANCE_S = 120.0
_WITNESS, _LEAP = "clock.witness", "clock.leap"


@dataclass(frozen=True, slots=True)
class Clocks:
    """Where time comes from."""

    wall: Callable[[], int] = now
    """Microseconds since the epoch."""
    steady: Callable[[], float] = lambda: time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
    """Seconds that nobody sets, since the machine started."""
    start: Callable[[], str] = lambda: _start_of_the_machine()
    """Which start of which machine that was."""
    database: Callable[[Connection], int | None] = lambda connection: _database_clock(connection)
    """The time of the database's own machine (microseconds since the epoch), where it has one."""


class Horizon:
    """The moment that clocks agree on, by one database."""

    def __init__(self, store: Store, clocks: Clocks | None = None) -> None:
        self._store = store
        self._clocks = clocks or Clocks()

    def reach(self) -> int:
        """The latest moment (microseconds since the epoch) that is certainly past. Call it at every upkeep."""
        with self._store.write() as connection:
            at = min(self._clocks.wall(), self._clocks.database(connection) or self._clocks.wall())
            witness = _read(connection, _WITNESS)
            seen = int(witness) if witness else _last_written(connection) or at
            if at <= seen + STEP_S * 1e6 or self._is_steady(connection, at):
                _write(connection, _WITNESS, str(at))
                _forget(connection, _LEAP)
                return at
            return seen

    def _is_steady(self, connection: Connection, at: int) -> bool:
        """Whether time has gone on as it should since it was seen to leap. A first look is the beginning of that."""
        steady, start = self._clocks.steady(), self._clocks.start()
        if leap := _read(connection, _LEAP):
            leapt_at, leapt_steady, leapt_start = leap.split(" ")
            passed_s = steady - float(leapt_steady)
            agree = abs((at - int(leapt_at)) / 1e6 - passed_s) <= _TOLERANCE_S
            if leapt_start == start and agree:
                return passed_s >= STEADY_S
        _write(connection, _LEAP, f"{at} {steady} {start}")
        return False


def _last_written(connection: Connection) -> int | None:
    """When the audit log got its newest row."""
    written: int | None = connection.execute(select(func.max(audit.c.at))).scalar_one()
    return written


def _database_clock(connection: Connection) -> int | None:
    """The time of the database's own machine, where it has one."""
    if connection.dialect.name == "sqlite":
        return None
    return int(connection.execute(text("SELECT extract(epoch FROM clock_timestamp()) * 1000000")).scalar_one())


def _start_of_the_machine() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return "unknown"


def _read(connection: Connection, name: str) -> str | None:
    return connection.execute(select(meta.c.value).where(meta.c.name == name)).scalar_one_or_none()


def _write(connection: Connection, name: str, value: str) -> None:
    if not connection.execute(update(meta).where(meta.c.name == name).values(value=value)).rowcount:
        connection.execute(insert(meta).values(name=name, value=value))


def _forget(connection: Connection, name: str) -> None:
    connection.execute(delete(meta).where(meta.c.name == name))
