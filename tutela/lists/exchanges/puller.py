"""Pulling: an outside list's changes into its bank, page by page, each in one transaction with its checkpoint.

A pull may be killed anywhere: the next one goes on where the last applied page says. Of two pulls of one exchange only
the one that began later can write.
"""

import gc
import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from sqlalchemy import Connection, update

from tutela.content.links.link import DOMAIN
from tutela.errors import ConflictError, TutelaError
from tutela.foundation.backoff import BackOff, around
from tutela.foundation.http import HttpError, Patience
from tutela.foundation.store.database import microseconds, now
from tutela.foundation.store.exchange_tables import exchange as table
from tutela.lists.banks.growth import Growth
from tutela.lists.exchanges.answers import MAX_UNREADABLE_NAMED
from tutela.lists.exchanges.base import RestartError
from tutela.lists.exchanges.hygiene import Hygiene
from tutela.lists.exchanges.page import Applied, Applier
from tutela.lists.exchanges.prefetch import Batch, read_ahead
from tutela.lists.exchanges.registry import kind
from tutela.lists.exchanges.service import ExchangeRow, Exchanges, earliest

log = logging.getLogger(__name__)

SWEEP = 5_000
SETTLES_AFTER_S = 120.0
"""An entry that moves while a whole list is read may be named nowhere in it. What is missing is withdrawn only by a
pull that begins this long after the reading ended, and so has seen every entry that moved."""
TOGETHER = 5_000
"""Listings of pages that came while others were applied, in one transaction: more would keep other writers waiting."""
MAX_SHRINKING = 0.2
"""A whole list that lacks more than this share of what it had is taken for a broken one."""
_SHRINKING_ALWAYS = 20
_MAX_RESTARTS = 3
_FIRST_BACK_OFF_S = 30.0
_LONGEST_BACK_OFF_S = 3600.0
_ALLOCATED = 200_000
"""Objects, before cycles are looked for."""


class ShrunkenError(TutelaError):
    """A whole list lacks much of what it had: it is not believed until a person says so."""

    code = "shrunken"


@dataclass(frozen=True, slots=True)
class Accepted:
    """What a person said is right of a list that looks broken."""

    shrinking: bool = False
    growth: bool = False


@dataclass(frozen=True, slots=True)
class PullResult:
    """What a pull did."""

    pages: int = 0
    listed: int = 0
    changed: int = 0
    withdrawn: int = 0
    unchanged: int = 0
    rejected: int = 0
    flagged: int = 0
    unreadable: tuple[str, ...] = ()
    """Where the first of the rejected records stand, and why they could not be read."""

    def after(self, applied: Applied, batch: Batch, flagged: int) -> "PullResult":
        """With some more pages."""
        return PullResult(
            self.pages + batch.pages,
            self.listed + applied.listed,
            self.changed + applied.changed,
            self.withdrawn + applied.withdrawn,
            self.unchanged + applied.unchanged,
            self.rejected + batch.page.rejected,
            self.flagged + flagged,
            (*self.unreadable, *batch.page.unreadable)[:MAX_UNREADABLE_NAMED],
        )


class Puller:
    """Pulls exchanges of one store."""

    def __init__(
        self,
        exchanges: Exchanges,
        *,
        patience: Patience | None = None,
        settles_after_s: float = SETTLES_AFTER_S,
        together: int = TOGETHER,
    ) -> None:
        self._exchanges = exchanges
        self._settles_after_s = settles_after_s
        self._together = together
        self._store = exchanges.store
        self._patience = patience

    def pull(
        self,
        name: str,
        *,
        actor: str,
        full: bool = False,
        accept_shrinking: bool = False,
        accept_growth: bool = False,
        on_page: Callable[[PullResult], None] | None = None,
    ) -> PullResult:
        """Read everything up to now.

        `full` begins at the very beginning. What the list then does not name is withdrawn: at once where the list is
        always given whole, else by the first pull that begins when entries that moved meanwhile have been seen.

        Raises HttpError, ExchangeError, ShrunkenError, GrownError, InputError, ConflictError (another pull began),
        StoreError; what was applied until then stays, and is written down with the failure.
        """
        accepted = Accepted(shrinking=accept_shrinking, growth=accept_growth)
        run = _Run(self._exchanges, self._begin(name, full), actor, accepted, on_page, self._settles_after_s)
        try:
            with _collecting_rarely():
                return run.all(self._patience, self._together)
        except ConflictError:
            raise
        except TutelaError as error:
            self._fail(run.row, error)
            raise

    def _begin(self, name: str, full: bool) -> ExchangeRow:
        row = self._exchanges.get(name)
        sort = kind(row.kind)
        at = datetime.now(UTC)
        forgotten = sort.max_age_s is not None and row.pulled_at is not None and row.age_s(at) > sort.max_age_s
        values: dict[str, object] = {"version": table.c.version + 1, "attempted_at": microseconds(at)}
        if full or forgotten:
            values |= {"checkpoint": None, "sweeping": True, "sweep_at": None, "generation": table.c.generation + 1}
        with self._store.write() as connection:
            connection.execute(update(table).where(table.c.id == row.id).values(**values))
        return self._exchanges.get(name)

    def _fail(self, row: ExchangeRow, error: TutelaError) -> None:
        asked = error.retry_after_s if isinstance(error, HttpError) else None
        pause = max(back_off_s(row.failures + 1, row.interval_s), asked or 0.0)
        with self._store.write() as connection:
            connection.execute(
                update(table)
                .where(table.c.id == row.id)
                .values(
                    failures=table.c.failures + 1,
                    error=f"{type(error).__name__}: {error}"[:1000],
                    next_at=earliest(datetime.now(UTC), pause),
                )
            )


class _Run:
    """One pull under way."""

    def __init__(
        self,
        exchanges: Exchanges,
        row: ExchangeRow,
        actor: str,
        accepted: Accepted,
        on_page: Callable[[PullResult], None] | None,
        settles_after_s: float,
    ) -> None:
        self.row = row
        self._began = now()
        self._settles_after_us = int(settles_after_s * 1_000_000)
        self._exchanges = exchanges
        self._store = exchanges.store
        self._accepted = accepted
        bank = exchanges.banks.get(row.bank)
        remedy = f"tutela exchange pull {row.name} --accept-growth"
        self._growth = Growth(bank, row.listed, accepted=accepted.growth, remedy=remedy, source=row.source)
        self._on_page = on_page
        self._applier = Applier(row, exchanges.banks.labels(), actor)
        self._hygiene = Hygiene(exchanges.banks)
        self._whole = kind(row.kind).whole
        self._result = PullResult()

    def all(self, patience: Patience | None, together: int) -> PullResult:
        restarts = 0
        with_connection = self._exchanges.open(self.row, patience)
        try:
            while True:
                try:
                    self._apply_all(read_ahead(with_connection.pull(self.row.checkpoint), together))
                    break
                except RestartError as error:
                    restarts += 1
                    if restarts > _MAX_RESTARTS:
                        raise
                    self._write(checkpoint=error.checkpoint)
        finally:
            with_connection.close()
        self._finish()
        return self._result

    def _apply_all(self, batches: Iterable[Batch]) -> None:
        for batch in batches:
            self._apply(batch)
            if self._on_page is not None:
                self._on_page(self._result)
            if batch.page.final and self.row.sweeping and self._is_settled():
                self._sweep()

    def _apply(self, batch: Batch) -> None:
        page = batch.page
        begins = page.begins and self._whole
        generation = self.row.generation + (1 if begins else 0)
        sweeping = self.row.sweeping or begins
        with self._store.write() as connection:
            at = now()
            applied = self._applier.apply(connection, page.listings, at=at, generation=generation, whole=sweeping)
            domains = [item.entry_id for item in applied.values if item.signal == DOMAIN]
            self._growth.check(connection, applied.listed, domains)
            flagged = self._hygiene.examine(connection, applied.values, at)
            row = replace(
                self.row,
                checkpoint=page.checkpoint,
                generation=generation,
                sweeping=sweeping,
                sweep_at=None if begins else self.row.sweep_at,
                listed=self.row.listed + applied.growth,
                rejected=(0 if begins else self.row.rejected) + page.rejected,
            )
            self._advance(connection, row)
        self.row = replace(row, version=row.version + 1)
        for place in page.unreadable:
            log.warning("exchange %s: not readable and left out: %s", row.name, place)
        self._result = self._result.after(applied, batch, flagged)

    def _is_settled(self) -> bool:
        """Whether what the whole list did not name is gone, and has not only moved."""
        if self._whole or self._settles_after_us == 0:
            return True
        if self.row.sweep_at is not None:
            return self._began >= self.row.sweep_at
        sweep_at = now() + self._settles_after_us
        self._write(sweep_at=sweep_at)
        self.row = replace(self.row, sweep_at=sweep_at)
        return False

    def _sweep(self) -> None:
        """Withdraw what the whole list did not name, unless that is so much that the list must be broken."""
        with self._store.read() as connection:
            missing = self._applier.unnamed(connection, self.row.generation)
        if missing > max(_SHRINKING_ALWAYS, MAX_SHRINKING * self.row.listed) and not self._accepted.shrinking:
            raise ShrunkenError(
                "the list lacks {missing:,} of {listed:,} entries that it had: nothing was withdrawn. If "
                "that is right: tutela exchange pull {name} --full --accept-shrinking",
                missing=missing,
                listed=self.row.listed,
                name=self.row.name,
            )
        while True:
            with self._store.write() as connection:
                swept = self._applier.sweep(connection, at=now(), generation=self.row.generation, limit=SWEEP)
                row = replace(self.row, listed=self.row.listed - swept, sweeping=swept == SWEEP)
                self._advance(connection, row)
            self.row = replace(row, version=row.version + 1)
            self._result = replace(self._result, withdrawn=self._result.withdrawn + swept)
            if swept < SWEEP:
                return

    def _finish(self) -> None:
        at = datetime.now(UTC)
        pause = around(self.row.interval_s, 0.1)
        self._write(pulled_at=microseconds(at), failures=0, error=None, next_at=earliest(at, pause))

    def _write(self, **values: object) -> None:
        with self._store.write() as connection:
            self._advance(connection, self.row, **values)
        checkpoint = values.get("checkpoint", self.row.checkpoint)
        assert checkpoint is None or isinstance(checkpoint, str)
        self.row = replace(self.row, version=self.row.version + 1, checkpoint=checkpoint)

    def _advance(self, connection: Connection, row: ExchangeRow, **values: object) -> None:
        """Write how far the pull is, if it is still the one that may write. Raises ConflictError."""
        changed = connection.execute(
            update(table)
            .where(table.c.id == row.id, table.c.version == self.row.version)
            .values(
                {
                    "version": self.row.version + 1,
                    "checkpoint": row.checkpoint,
                    "generation": row.generation,
                    "sweeping": row.sweeping,
                    "sweep_at": row.sweep_at if row.sweeping else None,
                    "listed": row.listed,
                    "rejected": row.rejected,
                    **values,
                }
            )
        )
        if changed.rowcount != 1:
            raise ConflictError("another pull of {name} began, or it was removed: this one ends", name=row.name)


@contextmanager
def _collecting_rarely() -> Iterator[None]:
    """What a pull allocates holds no cycles: looking for them every few hundred objects is a fifth of its work."""
    before = gc.get_threshold()
    gc.set_threshold(_ALLOCATED, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


def back_off_s(failures: int, interval_s: int) -> float:
    """How long to leave a failing service alone: a list that is pulled seldom is not asked oftener for failing."""
    return BackOff(_FIRST_BACK_OFF_S, max(_LONGEST_BACK_OFF_S, float(interval_s))).wait_s(failures)
