"""Counts of requests without watching people: by list and hour, nothing of addresses, names or links, nothing under 20.

An hour is counted in memory and written when it is over; what is under 20 is forgotten. Retries are counted, too:
these are requests, never people.
"""

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import insert, select, update

from tutela.foundation.store.appeal_tables import request_count as table
from tutela.foundation.store.database import Store, moment, now

LEAST = 20
_ROUNDED_BELOW = 100
_HOUR = 3_600_000_000


class What(StrEnum):
    """What is counted."""

    REFUSED = "refused"
    DRY = "dry"
    """It would have been refused, but the entry runs dry."""
    GUARDED = "guarded"
    """It would have been refused, but the host is shared by many."""
    SHOWN = "shown"
    """The stop page, by a browser that asked for it."""
    HELP = "help"
    """Somebody followed the way to help."""


@dataclass(frozen=True, slots=True)
class HourCount:
    """How many requests there were in an hour; to the nearest ten below a hundred."""

    hour: datetime
    rule_set: str
    what: What
    count: int


class CheckCounts:
    """The counts of one process, written to the store it shares. Thread-safe."""

    def __init__(self, store: Store, clock: Callable[[], int] = now) -> None:
        self._store = store
        self._clock = clock
        self._counts: Counter[tuple[int, str, str]] = Counter()
        self._lock = threading.Lock()

    def add(self, rule_set: str, what: What) -> None:
        """Count one request."""
        hour = self._clock() // _HOUR * _HOUR
        with self._lock:
            self._counts[(hour, rule_set, what.value)] += 1

    def write(self) -> None:
        """Write down the hours that are over. Raises StoreError; what could not be written is written next time."""
        this_hour = self._clock() // _HOUR * _HOUR
        with self._lock:
            over = {key: count for key, count in self._counts.items() if key[0] < this_hour}
            for key in over:
                del self._counts[key]
        enough = {key: count for key, count in over.items() if count >= LEAST}
        try:
            self._write(enough)
        except Exception:
            with self._lock:
                self._counts.update(enough)
            raise

    def _write(self, counts: dict[tuple[int, str, str], int]) -> None:
        if not counts:
            return
        with self._store.write() as connection:
            for (hour, rule_set, what), count in counts.items():
                same = (table.c.hour == hour, table.c.rule_set == rule_set, table.c.what == what)
                more = update(table).where(*same).values(count=table.c.count + count)
                if connection.execute(more).rowcount == 0:
                    values = {"hour": hour, "rule_set": rule_set, "what": what, "count": count}
                    connection.execute(insert(table).values(values))


def read_counts(store: Store, since: datetime | None = None) -> list[HourCount]:
    """The hours that were written down, oldest first."""
    query = select(table).order_by(table.c.hour, table.c.rule_set, table.c.what)
    if since is not None:
        query = query.where(table.c.hour >= int(since.timestamp() * 1e6))
    with store.read() as connection:
        rows = connection.execute(query).all()
    return [HourCount(moment(row.hour), row.rule_set, What(row.what), rounded(row._mapping["count"])) for row in rows]


def rounded(count: int) -> int:
    """To the nearest ten below a hundred, so that one request more or less does not show."""
    return count if count >= _ROUNDED_BELOW else (count + 5) // 10 * 10
