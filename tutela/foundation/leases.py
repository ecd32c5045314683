"""Leases: who alone works on something now. A holder has it until a moment that it moves on while it works; when it
dies, the moment passes and another takes it.

`Leases` are rows of their own, for work that has none; jobs, deliveries and reports have theirs in columns of their own
row.
"""

import logging
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import ColumnElement, and_, delete, insert, select, update

from tutela.errors import TutelaError
from tutela.foundation.store.database import Store, advance_sequence, now
from tutela.foundation.store.exchange_tables import lease as table

log = logging.getLogger(__name__)

LEASE_S = 60.0
LONGEST_S = 8 * 3600.0
"""No lease is longer: one that ends later was taken while a clock was wrong, and counts for nothing."""
_AHEAD_S = 3600.0
"""So far ahead of ours the clocks of other processes may be."""


def new_holder() -> str:
    """A name that no other holder has."""
    return uuid.uuid4().hex


def until(lease_s: float, at: int | None = None) -> int:
    """The moment at which a lease of that length ends (microseconds since the epoch), from now or from `at`."""
    return (now() if at is None else at) + int(lease_s * 1e6)


def counts(ends: int) -> bool:
    """Whether a lease that ends then is held now."""
    at = now()
    return at < ends <= until(LONGEST_S, at)


def held(ends: ColumnElement[int], at: int) -> ColumnElement[bool]:
    """The same as a condition on a column, where null is free."""
    return and_(ends.is_not(None), ends > at, ends <= until(LONGEST_S, at))


def written_ahead(written: ColumnElement[int], at: int) -> ColumnElement[bool]:
    """The condition that a row was written at a moment that is yet to come: what it puts off waits no longer."""
    return written > until(_AHEAD_S, at)


class Leases:
    """Leases by name, of work that has no row of its own."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def take(self, name: str, holder: str, seconds: float = LEASE_S) -> bool:
        """Take or renew a lease; False while another holds it."""
        with self._store.write() as connection:
            advance_sequence(connection, 0)
            row = connection.execute(select(table).where(table.c.name == name)).first()
            if row is not None and row.holder != holder and counts(row.until):
                return False
            values = {"holder": holder, "until": until(seconds)}
            if row is None:
                connection.execute(insert(table).values(name=name, **values))
            else:
                connection.execute(update(table).where(table.c.name == name).values(**values))
        return True

    def held(self, name: str) -> bool:
        """Whether anybody holds a lease now."""
        with self._store.read() as connection:
            ends = connection.execute(select(table.c.until).where(table.c.name == name)).scalar_one_or_none()
        return ends is not None and counts(ends)

    def give_back(self, name: str, holder: str) -> None:
        """End a lease."""
        with self._store.write() as connection:
            connection.execute(delete(table).where(table.c.name == name, table.c.holder == holder))

    @contextmanager
    def holding(self, name: str, seconds: float = LEASE_S) -> Iterator[bool]:
        """Hold a lease while the block runs; False where another holds it."""
        holder = new_holder()
        if not self.take(name, holder, seconds):
            yield False
            return
        try:
            with kept(lambda: self.take(name, holder, seconds), seconds, what=name):
                yield True
        finally:
            self.give_back(name, holder)


@contextmanager
def kept(renew: Callable[[], bool], lease_s: float, *, what: str) -> Iterator[None]:
    """Renew a lease in the background while the block runs, three times in its length; `renew` says False when it is
    lost."""
    ending = threading.Event()

    def keep() -> None:
        while not ending.wait(lease_s / 3):
            try:
                if not renew():
                    return
            except TutelaError as error:
                log.warning("the lease of %s could not be renewed: %s", what, error)

    keeper = threading.Thread(target=keep, name="tutela-lease", daemon=True)
    keeper.start()
    try:
        yield
    finally:
        ending.set()
        keeper.join()
