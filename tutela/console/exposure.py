"""What reviewing shows to people, counted so that it can be limited: items, seconds, and the severest labels.

A person sees their own figures. A lead sees totals of a day, and none of a day on which so few people reviewed that
the totals would speak of one of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import Row, insert, select, update

from tutela.casework.audit.log import append, lock
from tutela.console.options import ExposurePolicy
from tutela.console.people import Person
from tutela.errors import InputError
from tutela.foundation.store.console_tables import exposure
from tutela.foundation.store.database import Store, microseconds, moment, now

MIN_PEOPLE = 3
"""Totals of fewer people are not shown."""


class PauseError(InputError):
    """The person has seen enough for now. `until` is when they may go on."""

    code = "pause"

    def __init__(self, sentence: str, /, *, until: datetime) -> None:
        super().__init__(sentence)
        self.until = until


@dataclass(frozen=True, slots=True)
class Totals:
    """What was shown."""

    items: int = 0
    seconds: float = 0.0
    severe: int = 0


@dataclass(frozen=True, slots=True)
class TeamDay:
    """A day of everybody together."""

    day: date
    people: int
    totals: Totals | None
    """None where too few people reviewed."""


class Exposures:
    """The exposure accounts of one store. Thread-safe."""

    def __init__(self, store: Store, policy: ExposurePolicy | None = None) -> None:
        self._store = store
        self.policy = policy or ExposurePolicy()

    def open(
        self, person: Person, case_id: str, item_id: str, *, severe: bool, most_s: float, clear: bool = False
    ) -> int:
        """Count a reveal that begins, for the longest it can last; `close` puts the true length. Its number.

        Raises PauseError when a limit is reached. Checked and counted in one transaction: many reveals at once do not
        pass a limit together.
        """
        at = now()
        with self._store.write() as connection:
            # SQLite has one writer anyway; in PostgreSQL the person's rows are taken one after the other.
            if not self._store.is_sqlite:
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({int(person.id[:15], 16)})")
            lock(connection)
            rows = connection.execute(_of(person, at - _DAY)).all()
            self._check(rows, at)
            # Written down before it happens: what was shown is never more than what the log says.
            append(
                connection, person.actor, "evidence.reveal", f"case:{case_id}", {"item": item_id, "clear": str(clear)}
            )
            inserted = connection.execute(
                insert(exposure)
                .values(
                    person_id=person.id,
                    case_id=case_id,
                    item_id=item_id,
                    severe=severe,
                    started_at=at,
                    milliseconds=int(most_s * 1000),
                    step=0,
                    whole=False,
                )
                .returning(exposure.c.id)
            )
            return int(inserted.scalar_one())

    def close(self, number: int, seconds: float, step: int, *, whole: bool = False) -> None:
        """Put how long the reveal lasted, how clear it became, and whether all of the content was shown clearly."""
        with self._store.write() as connection:
            connection.execute(
                update(exposure)
                .where(exposure.c.id == number)
                .values(milliseconds=max(0, round(seconds * 1000)), step=step, whole=whole)
            )

    def of(self, person: Person) -> Totals:
        """What the person was shown in the last 24 hours."""
        return _totals(self._rows(person))

    def viewed(self, case_id: str) -> frozenset[str]:
        """The items of a case that somebody has seen whole and clearly: what a report must be honest about."""
        with self._store.read() as connection:
            query = select(exposure.c.item_id).where(exposure.c.case_id == case_id, exposure.c.whole)
            return frozenset(connection.execute(query).scalars())

    def pause(self, person: Person) -> PauseError | None:
        """Why the person may see nothing at the moment, if so."""
        try:
            self._check(self._rows(person), now())
        except PauseError as pause:
            return pause
        return None

    def team(self, days: int) -> Sequence[TeamDay]:
        """Totals of everybody by day (UTC), newest first."""
        first = datetime.now(UTC).date() - timedelta(days=days - 1)
        start = microseconds(datetime(first.year, first.month, first.day, tzinfo=UTC))
        with self._store.read() as connection:
            rows = connection.execute(select(exposure).where(exposure.c.started_at >= start)).all()
        by_day: dict[date, list[Row[Any]]] = {}
        for row in rows:
            by_day.setdefault(moment(row.started_at).date(), []).append(row)
        found = []
        for day, those in sorted(by_day.items(), reverse=True):
            people = len({row.person_id for row in those})
            found.append(TeamDay(day, people, _totals(those) if people >= MIN_PEOPLE else None))
        return found

    def _rows(self, person: Person) -> Sequence[Row[Any]]:
        with self._store.read() as connection:
            return connection.execute(_of(person, now() - _DAY)).all()

    def _check(self, rows: Sequence[Row[Any]], at: int) -> None:
        policy = self.policy
        day = _totals(rows)
        if day.items >= policy.items_a_day or day.seconds >= policy.seconds_a_day or day.severe >= policy.severe_a_day:
            until = moment(rows[0].started_at + _DAY)
            raise PauseError("you have reached today's limit; somebody else will go on", until=until)
        stretch = _stretch(rows, policy.break_minutes * 60 * 1_000_000, at)
        seen = _totals(stretch)
        if seen.items >= policy.items_before_break or seen.seconds >= policy.seconds_before_break:
            last = stretch[-1]
            until = moment(last.started_at + last.milliseconds * 1000 + policy.break_minutes * 60 * 1_000_000)
            raise PauseError("it is time for a break; nothing is lost while you are away", until=until)


_DAY = 24 * 3600 * 1_000_000


def _of(person: Person, since: int) -> Any:
    return (
        select(exposure)
        .where(exposure.c.person_id == person.id, exposure.c.started_at > since)
        .order_by(exposure.c.started_at)
    )


def _stretch(rows: Sequence[Row[Any]], pause: int, at: int) -> Sequence[Row[Any]]:
    """The rows since the last pause of that length (microseconds), oldest first."""
    found: list[Row[Any]] = []
    later = at
    for row in reversed(rows):
        if later - (row.started_at + row.milliseconds * 1000) >= pause:
            break
        found.append(row)
        later = row.started_at
    return found[::-1]


def _totals(rows: Sequence[Row[Any]]) -> Totals:
    return Totals(
        len({(row.case_id, row.item_id) for row in rows}),
        sum(row.milliseconds for row in rows) / 1000,
        len({(row.case_id, row.item_id) for row in rows if row.severe}),
    )
