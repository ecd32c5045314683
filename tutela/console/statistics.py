"""Figures for the statistics page, from what was written down anyway. They name no uploader and no reviewer."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import Row, select

from tutela.console.plots import Chart
from tutela.store.database import Store, microseconds, moment
from tutela.store.tables import verdict

MAX_DAYS = 366


class Statistics:
    """The charts of one store. Thread-safe."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def charts(self, days: int) -> Mapping[str, Chart]:
        """Every chart over the last days (UTC), by its name in addresses."""
        return {"verdicts": self._verdicts(days), "lists": self._lists(days)}

    def _verdicts(self, days: int) -> Chart:
        rows = self._rows(days)
        return _by_day("Verdicts that matched or held", "verdicts", days, rows, lambda row: [row.decision])

    def _lists(self, days: int) -> Chart:
        return _by_day(
            "Matches by list",
            "verdicts",
            days,
            self._rows(days),
            lambda row: {m["bank"] for m in row.document["matches"]},
        )

    def _rows(self, days: int) -> Sequence[Row[Any]]:
        with self._store.read() as connection:
            found = connection.execute(
                select(verdict.c.at, verdict.c.decision, verdict.c.document).where(verdict.c.at >= _start(days))
            )
            return [*found]


def _by_day(title: str, unit: str, days: int, rows: Sequence[Row[Any]], names: Callable[[Row[Any]], Any]) -> Chart:
    """How often each name comes up on each day."""
    counted: Counter[tuple[str, date]] = Counter()
    for row in rows:
        for name in names(row):
            counted[name, moment(row.at).date()] += 1
    every = _days(days)
    series = {name: [counted[name, day] for day in every] for name in sorted({name for name, _ in counted})}
    return Chart(title, unit, [day.strftime("%d.%m.") for day in every], series)


def _days(days: int) -> list[date]:
    today = datetime.now(UTC).date()
    return [today - timedelta(days=back) for back in range(days - 1, -1, -1)]


def _start(days: int) -> int:
    first = _days(days)[0]
    return microseconds(datetime(first.year, first.month, first.day, tzinfo=UTC))
