"""Transparency figures of a period, counted from the audit log, whose integrity anyone with its checkpoints can check.

What the EU's Digital Services Act (articles 15 and 24) and the UK's Online Safety Act ask services to publish about
known-hash detection: volumes, sources, times to action, decisions, complaints, errors. No figure names anybody.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from statistics import median, quantiles

from sqlalchemy import func, select

from tutela.casework.audit.log import AuditLog, AuditRow
from tutela.errors import InputError
from tutela.foundation.store.database import microseconds
from tutela.foundation.store.tables import verdict

MIN_FOR_P90 = 10
"""A ninth decile of fewer values would be a single case."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One number: what of, of which part, and in which unit."""

    group: str
    name: str
    part: str
    value: float | int | None
    """None where there was nothing to count it from."""
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of a period; `until` is the first moment after it."""

    since: datetime
    until: datetime
    figures: tuple[Figure, ...]

    def of(self, group: str, name: str) -> dict[str, float | int | None]:
        """The values of one name, by part."""
        return {one.part: one.value for one in self.figures if (one.group, one.name) == (group, name)}


@dataclass(slots=True)
class _Counted:
    """What one pass over the log gathers."""

    items: Counter[str] = field(default_factory=Counter)
    labels: Counter[str] = field(default_factory=Counter)
    cases: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    decision_hours: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    reopened: int = 0
    changed_after_complaint: int = 0
    reports: Counter[tuple[str, str]] = field(default_factory=Counter)
    at_match: int = 0
    report_hours: list[float] = field(default_factory=list)
    notices: Counter[tuple[str, str]] = field(default_factory=Counter)
    notice_hours: list[float] = field(default_factory=list)
    targets: Counter[str] = field(default_factory=Counter)
    intake: Counter[tuple[str, str]] = field(default_factory=Counter)
    evidence: Counter[str] = field(default_factory=Counter)


def transparency(log: AuditLog, since: datetime, until: datetime) -> Figures:
    """The figures of a period. Raises InputError for a period that is none."""
    if since.utcoffset() is None or until.utcoffset() is None or since >= until:
        raise InputError("a period begins before it ends, both with a time zone")
    counted = _count(log, since, until)
    found = (*_screening(log, since, until), *_of_cases(counted), *_of_reports(counted), *_of_others(counted))
    return Figures(since.astimezone(UTC), until.astimezone(UTC), tuple(found))


def _count(log: AuditLog, since: datetime, until: datetime) -> _Counted:
    counted, state = _Counted(), _State()
    for row in log.rows(until=until):
        inside = row.at >= since
        state.before(row)
        if inside:
            _count_row(counted, state, row)
        state.after(row)
    return counted


@dataclass(slots=True)
class _State:
    """What of earlier rows a later one needs."""

    opened: dict[int, tuple[datetime, str]] = field(default_factory=dict)
    """When an item came, and by which queue."""
    decided: dict[int, str] = field(default_factory=dict)
    """The last final outcome of an item."""
    reopened: set[int] = field(default_factory=set)
    cases: dict[str, datetime] = field(default_factory=dict)

    def before(self, row: AuditRow) -> None:
        """Note what came, before it is counted."""
        if row.action in ("case.opened", "case.joined"):
            self.opened[_item(row)] = (row.at, str(row.detail.get("queue", "")))
            self.cases.setdefault(row.subject, row.at)

    def after(self, row: AuditRow) -> None:
        """Note what was decided, once it is counted."""
        if row.action == "case.decision" and row.detail.get("final"):
            self.decided[_item(row)] = str(row.detail.get("outcome"))
            self.reopened.discard(_item(row))
        elif row.action == "case.reopened":
            self.reopened.update(int(item) for item in row.detail.get("items", ()))


def _count_row(counted: _Counted, state: _State, row: AuditRow) -> None:
    kind, _, what = row.action.partition(".")
    match kind:
        case "case":
            _count_case(counted, state, row, what)
        case "report":
            _count_report(counted, state, row, what)
        case "notice":
            _count_notice(counted, row, what)
        case "intake":
            source = str(row.detail.get("source", "")).partition(":")[0]
            counted.intake[source, str(row.detail.get("category", ""))] += 1
        case "evidence" | "hold":
            counted.evidence[row.action] += 1


def _count_case(counted: _Counted, state: _State, row: AuditRow, what: str) -> None:
    if what in ("opened", "joined"):
        queue = str(row.detail.get("queue", ""))
        counted.items[queue] += 1
        counted.labels[str(row.detail.get("label") or "none")] += 1
        counted.cases[queue] += what == "opened"
    elif what == "decision" and row.detail.get("final"):
        item, outcome = _item(row), str(row.detail.get("outcome"))
        came, queue = state.opened.get(item, (None, "unknown"))
        counted.outcomes[queue, outcome] += 1
        if came is not None and item not in state.reopened:
            counted.decision_hours[queue].append(_hours(came, row.at))
        if item in state.reopened and state.decided.get(item) != outcome:
            counted.changed_after_complaint += 1
    elif what == "reopened":
        counted.reopened += len(row.detail.get("items", ()))


def _count_report(counted: _Counted, state: _State, row: AuditRow, what: str) -> None:
    environment = str(row.detail.get("environment", ""))
    if what in ("added", "finished", "confirmed", "packaged") or what == "retracted":
        counted.reports[what, environment] += 1
    if what == "added" and row.actor == "report-worker":
        counted.at_match += 1
    if what == "finished" and (came := state.cases.get(f"case:{row.detail.get('case')}")) is not None:
        counted.report_hours.append(_hours(came, row.at))


def _count_notice(counted: _Counted, row: AuditRow, what: str) -> None:
    if what == "received":
        counted.notices["received", str(row.detail.get("authority", ""))] += 1
    elif what in ("answered", "withdrawn"):
        counted.notices[what, "late" if row.detail.get("late") else "in time"] += 1
        if what == "answered":
            counted.notice_hours.append(float(row.detail.get("after_s", 0)) / 3600)
            counted.targets.update({str(name): int(count) for name, count in row.detail.get("outcomes", {}).items()})


# --- from counts to figures


def _screening(log: AuditLog, since: datetime, until: datetime) -> Iterator[Figure]:
    query = (
        select(verdict.c.decision, func.count())
        .where(verdict.c.at >= microseconds(since), verdict.c.at < microseconds(until))
        .group_by(verdict.c.decision)
    )
    with log.store.read() as connection:
        found = {str(row[0]): int(row[1]) for row in connection.execute(query)}
    for decision in ("block", "hold"):
        yield Figure("screening", "verdicts", decision, found.get(decision, 0))


def _of_cases(counted: _Counted) -> Iterator[Figure]:
    yield from _each("cases", "items", counted.items)
    yield from _each("cases", "items by label", counted.labels)
    yield from _each("cases", "cases", counted.cases)
    by_outcome: Counter[str] = Counter()
    for (_, outcome), number in counted.outcomes.items():
        by_outcome[outcome] += number
    yield from _each("decisions", "items decided", by_outcome)
    for queue, hours in sorted(counted.decision_hours.items()):
        yield from _times("decisions", f"time to decision, {queue}", hours)
    rejected = counted.outcomes["match", "reject"]
    judged = sum(number for (queue, _), number in counted.outcomes.items() if queue == "match")
    yield Figure("decisions", "matches judged by a person", "", judged)
    yield Figure("decisions", "false-match rate", "", rejected / judged if judged else None, "share")
    yield Figure("complaints", "items reopened", "", counted.reopened)
    yield Figure("complaints", "decisions changed", "", counted.changed_after_complaint)


def _of_reports(counted: _Counted) -> Iterator[Figure]:
    for (what, environment), number in sorted(counted.reports.items()):
        yield Figure("reports", what, environment, number)
    yield Figure("reports", "filed before a person looked", "", counted.at_match)
    yield from _times("reports", "time from case to finished report", counted.report_hours)


def _of_others(counted: _Counted) -> Iterator[Figure]:
    for (what, part), number in sorted(counted.notices.items()):
        yield Figure("notices", what, part, number)
    yield from _each("notices", "content named in answered notices", counted.targets)
    yield from _times("notices", "time to answer", counted.notice_hours)
    for (source, category), number in sorted(counted.intake.items()):
        yield Figure("intake", f"reports, {source}", category, number)
    yield from _each("evidence", "events", counted.evidence)


def _each(group: str, name: str, counts: Mapping[str, int]) -> Iterator[Figure]:
    for part, number in sorted(counts.items()):
        yield Figure(group, name, part, number)


def _times(group: str, name: str, hours: Iterable[float]) -> Iterator[Figure]:
    found = sorted(hours)
    yield Figure(group, name, "counted", len(found))
    yield Figure(group, name, "median", round(median(found), 3) if found else None, "hours")
    enough = len(found) >= MIN_FOR_P90
    yield Figure(group, name, "9 of 10 within", round(quantiles(found, n=10)[8], 3) if enough else None, "hours")


def _item(row: AuditRow) -> int:
    return int(row.detail.get("item", 0))


def _hours(start: datetime, end: datetime) -> float:
    return (end - start).total_seconds() / 3600
