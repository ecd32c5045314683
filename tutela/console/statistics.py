"""Figures for the statistics page, from what was written down anyway. They name no uploader and no reviewer."""

import statistics as numbers
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta

from sqlalchemy import select

from tutela.casework.cases.model import CaseState
from tutela.console.plots import Chart
from tutela.errors import message
from tutela.foundation.store.case_tables import case, case_decision
from tutela.foundation.store.database import Store, microseconds, moment, now
from tutela.foundation.store.tables import verdict

MAX_DAYS = 366
_KEPT_S = 60.0
"""So long the figures of a period are not counted anew: a page asks for each of them again as a plot."""
_HOUR = 3600 * 1_000_000
_AGES = (
    (message("< 1 h"), 1.0),
    (message("< 4 h"), 4.0),
    (message("< 24 h"), 24.0),
    (message("< 3 d"), 72.0),
    (message("< 7 d"), 168.0),
    (message("≥ 7 d"), float("inf")),
)


class Statistics:
    """The charts of one store. Thread-safe."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._kept: dict[int, tuple[float, Mapping[str, Chart]]] = {}

    def charts(self, days: int) -> Mapping[str, Chart]:
        """Every chart over the last days (UTC), by its name in addresses; at most a minute old."""
        at, (made, charts) = time.monotonic(), self._kept.get(days, (0.0, {}))
        if not charts or at - made > _KEPT_S:
            charts = self._count(days)
            self._kept[days] = (at, charts)
        return charts

    def _count(self, days: int) -> Mapping[str, Chart]:
        return {
            "verdicts": self._verdicts(days),
            "lists": self._lists(days),
            "opened": self._opened(days),
            "decisions": self._decisions(days),
            "hours": self._hours(days),
            "waiting": self._waiting(),
        }

    def _verdicts(self, days: int) -> Chart:
        with self._store.read() as connection:
            query = select(verdict.c.at, verdict.c.decision).where(verdict.c.at >= _start(days))
            found = [(row.at, row.decision) for row in connection.execute(query)]
        return _by_day(message("Verdicts that matched or held"), "verdicts", days, found)

    def _lists(self, days: int) -> Chart:
        with self._store.read() as connection:
            query = select(verdict.c.at, verdict.c.document).where(verdict.c.at >= _start(days))
            found = [
                (row.at, bank)
                for row in connection.execute(query)
                for bank in {match["bank"] for match in row.document["matches"]}
            ]
        return _by_day(message("Matches by list"), "verdicts", days, found)

    def _opened(self, days: int) -> Chart:
        with self._store.read() as connection:
            query = select(case.c.opened_at, case.c.queue).where(case.c.opened_at >= _start(days))
            found = [(row.opened_at, row.queue) for row in connection.execute(query)]
        return _by_day(message("Cases opened, by queue"), "cases", days, found)

    def _decisions(self, days: int) -> Chart:
        with self._store.read() as connection:
            query = select(case_decision.c.at, case_decision.c.outcome).where(
                case_decision.c.at >= _start(days), case_decision.c.final
            )
            found = [(row.at, row.outcome) for row in connection.execute(query)]
        return _by_day(message("Final decisions, by outcome"), "items", days, found)

    def _hours(self, days: int) -> Chart:
        """The median hours from a case's opening to its items' final decisions, by the day of the decision."""
        with self._store.read() as connection:
            query = (
                select(case_decision.c.at, case.c.opened_at)
                .join(case, case.c.id == case_decision.c.case_id)
                .where(case_decision.c.at >= _start(days), case_decision.c.final)
            )
            took: dict[date, list[float]] = {}
            for row in connection.execute(query):
                took.setdefault(moment(row.at).date(), []).append((row.at - row.opened_at) / _HOUR)
        medians = [round(numbers.median(took.get(day, [0.0])), 2) for day in _days(days)]
        return Chart(message("Median hours from opening to decision"), "hours", _labels(days), {"hours": medians})

    def _waiting(self) -> Chart:
        """How old the cases are that still wait."""
        with self._store.read() as connection:
            query = select(case.c.opened_at, case.c.state).where(case.c.state != CaseState.DECIDED.value)
            ages = [((now() - row.opened_at) / _HOUR, row.state) for row in connection.execute(query)]
        counted: Counter[tuple[str, str]] = Counter(
            (state, next(name for name, below in _AGES if age < below)) for age, state in ages
        )
        names = [name for name, _ in _AGES]
        series = {state: [counted[state, name] for name in names] for state in sorted({state for state, _ in counted})}
        return Chart(message("Cases that wait, by age"), "cases", names, series)


def _by_day(title: str, unit: str, days: int, found: Iterable[tuple[int, str]]) -> Chart:
    """How often each name comes up on each day."""
    counted = Counter((name, moment(at).date()) for at, name in found)
    names = sorted({name for name, _ in counted})
    return Chart(title, unit, _labels(days), {name: [counted[name, day] for day in _days(days)] for name in names})


def _labels(days: int) -> Sequence[str]:
    return [day.strftime("%d.%m.") for day in _days(days)]


def _days(days: int) -> list[date]:
    today = datetime.now(UTC).date()
    return [today - timedelta(days=back) for back in range(days - 1, -1, -1)]


def _start(days: int) -> int:
    first = _days(days)[0]
    return microseconds(datetime(first.year, first.month, first.day, tzinfo=UTC))
