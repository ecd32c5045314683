"""Leases: who alone works on something now. A holder has it until a moment that it moves on while it works; when it
dies, the moment passes and another takes it.

A lease is two columns of a row that is worked on (`HeldRows`), or a row of its own for work that has none (`Leases`).
Every change of a holder is made only while it still holds; whoever was overtaken learns it before anything is changed.
"""

import logging
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Row, Select, Table, delete, insert, or_, select, update

from tutela.errors import TutelaError
from tutela.foundation.store.database import Store, advance_sequence, now
from tutela.foundation.store.exchange_tables import lease as table

log = logging.getLogger(__name__)

LEASE_S = 60.0
LONGEST_S = 7 * 24 * 3600.0
"""No lease is longer: one that ends later was taken while a clock was wrong, and counts for nothing."""


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


@dataclass(frozen=True, slots=True)
class HeldRows:
    """The rows of a table that one process at a time works on; its column `holder` names it."""

    table: Table
    ends: str = "held_until"
    """The column with the moment at which a row is free again."""

    def free(self, at: int) -> ColumnElement[bool]:
        """The condition that nobody holds a row at that moment."""
        return or_(self._ends.is_(None), self._ends <= at, self._ends > until(LONGEST_S, at))

    def take(
        self, connection: Connection, query: Select[Any], holder: str, lease_s: float, at: int
    ) -> list[tuple[Row[Any], Mapping[str, Any]]]:
        """Hold the free rows that a query finds: each, and what changed of it. Rows that others are just taking are
        passed by."""
        if connection.dialect.name != "sqlite":
            query = query.with_for_update(skip_locked=True, of=self.table)
        taken: list[tuple[Row[Any], Mapping[str, Any]]] = []
        for row in connection.execute(query.where(self.free(at))).all():
            changes: dict[str, Any] = {"holder": holder, self.ends: until(lease_s, at)}
            connection.execute(update(self.table).where(self.table.c.id == row.id).values(changes))
            taken.append((row, changes))
        return taken

    def take_one(self, connection: Connection, row_id: object, holder: str, lease_s: float, *wanted: Any) -> bool:
        """Hold one row that is free or already held by this holder, and as `wanted`; False otherwise."""
        at = now()
        mine = or_(self.free(at), self.table.c.holder == holder)
        statement = update(self.table).where(self.table.c.id == row_id, mine, *wanted)
        return bool(connection.execute(statement.values({"holder": holder, self.ends: until(lease_s, at)})).rowcount)

    def change(
        self, connection: Connection, row_id: object, holder: str | None, values: Mapping[str, Any], *still: Any
    ) -> bool:
        """Change a row that is still held by that holder, and still as it was; False where another has it."""
        statement = update(self.table).where(self.table.c.id == row_id, self.table.c.holder == holder, *still)
        return bool(connection.execute(statement.values(dict(values))).rowcount)

    def renewed(self, lease_s: float) -> dict[str, Any]:
        """What `change` writes to keep a row for that long from now."""
        return {self.ends: until(lease_s)}

    @property
    def _ends(self) -> Column[Any]:
        column: Column[Any] = self.table.c[self.ends]
        return column


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
