"""The ledger of reports: what is filed, how far it is, and every step, durable before the next one is made.

A report is worked on by one holder at a time. Every change is made only while the holder still has it; whoever was
overtaken learns it before anything is changed.
"""

import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Column, Connection, Select, delete, func, insert, or_, select, update

from tutela.casework.audit.log import lock
from tutela.casework.cases.outcomes import Outcome
from tutela.casework.reports.model import (
    MOVING,
    FileState,
    Filing,
    FilingState,
    FilingStep,
    Happened,
    Listener,
    OvertakenError,
    read_filing,
)
from tutela.errors import ConflictError, InputError, NotFoundError, Statement
from tutela.foundation.leases import held, until, written_ahead
from tutela.foundation.store.bulk import CHUNK
from tutela.foundation.store.case_tables import case_decision, case_item
from tutela.foundation.store.database import Store, moment, now
from tutela.foundation.store.reports_tables import report, report_event, report_file

if TYPE_CHECKING:
    from tutela.casework.reports.draft import Draft, Sealing

MAX_KEY = 255
MAX_DETAIL = 2_000


class Ledger:
    """The filings of one store. Thread-safe; many processes may share it."""

    def __init__(self, store: Store, sealing: "Sealing", clock: Callable[[], int] = now) -> None:
        """`clock` gives microseconds since the epoch."""
        self.store = store
        self._sealing = sealing
        self.clock = clock
        self._listeners: list[Listener] = []

    def listen(self, listener: Listener) -> None:
        """Have a function called inside every transaction that writes a step."""
        self._listeners.append(listener)

    def add(self, key: str, draft: "Draft", *, environment: str, actor: str, case_id: str | None = None) -> Filing:
        """Let a draft be filed. `key` says what it is for: a second one of the same key is the first one.

        Raises InputError for a draft with problems, ConflictError when a piece of its evidence is in another filing
        that was not retracted: nothing is reported twice.
        """
        if not key or len(key) > MAX_KEY:
            raise InputError("the key of a report has 1 to {max_key} characters", max_key=MAX_KEY)
        if found := draft.problems():
            raise InputError("the report would be refused: {found}", found="; ".join(found[:5]))
        at, filing_id = self.clock(), uuid.uuid4().hex
        with self.store.write() as connection:
            lock(connection)  # two drafts with the same evidence are added one after the other
            existing = connection.execute(select(report.c.id).where(report.c.key == key)).scalar()
            if existing is not None:
                return read_filing(connection, existing)
            if found_in := _reported(connection, [file.evidence for file in draft.files]):
                evidence, other = next(iter(found_in.items()))
                raise ConflictError(
                    "evidence {evidence} is in report {other} already; leave it out", evidence=evidence, other=other
                )
            connection.execute(
                insert(report).values(
                    id=filing_id, key=key, case_id=case_id, environment=environment, state=FilingState.READY.value,
                    sealed=self._sealing.seal(draft.json()), restarts=0, attempts=0, due_at=at, held_until=0,
                    created_by=actor, created_at=at, updated_at=at,
                )
            )  # fmt: skip
            _replace_files(connection, filing_id, draft)
            filing = read_filing(connection, filing_id)
            FilingChange(connection, filing, at, tuple(self._listeners)).note("added", actor=actor)
            return filing

    def get(self, filing_id: str) -> Filing:
        """One filing. Raises NotFoundError."""
        with self.store.read() as connection:
            return read_filing(connection, filing_id)

    def of_key(self, key: str) -> Filing | None:
        """The filing of that key, if there is one."""
        with self.store.read() as connection:
            found = connection.execute(select(report.c.id).where(report.c.key == key)).scalar()
            return None if found is None else read_filing(connection, found)

    def reported(self, evidence: Sequence[str]) -> dict[str, Filing]:
        """Which of these pieces of evidence are in a filing that was not retracted, and in which."""
        with self.store.read() as connection:
            return {one: read_filing(connection, other) for one, other in _reported(connection, evidence).items()}

    def unreported_cases(self, limit: int = 100) -> list[str]:
        """Cases with a confirmed item that is in no filing that counts, the longest waiting first."""
        confirmed = (
            select(case_decision.c.case_id)
            .join(case_item, case_item.c.id == case_decision.c.item_id)
            .where(case_decision.c.final, case_decision.c.outcome == Outcome.CONFIRM.value)
            .where(case_item.c.evidence_id.not_in(_in_filings()))
            .order_by(case_decision.c.at)
        )
        with self.store.read() as connection:
            return list(dict.fromkeys(connection.execute(confirmed).scalars()))[:limit]

    def all(self, *, case_id: str | None = None, states: Sequence[FilingState] = (), limit: int = 1000) -> list[Filing]:
        """Filings, the newest first."""
        query = select(report.c.id).order_by(report.c.created_at.desc(), report.c.id).limit(limit)
        if case_id is not None:
            query = query.where(report.c.case_id == case_id)
        if states:
            query = query.where(report.c.state.in_([state.value for state in states]))
        with self.store.read() as connection:
            return [read_filing(connection, found) for found in connection.execute(query).scalars().all()]

    def counts(self) -> dict[FilingState, int]:
        """How many filings there are, by state."""
        query = select(report.c.state, func.count()).group_by(report.c.state)
        with self.store.read() as connection:
            return {FilingState(row[0]): row[1] for row in connection.execute(query)}

    def due(self, environment: str, limit: int = 100) -> list[str]:
        """Ids of filings that have something to do now and that nobody holds."""
        at = self.clock()
        query = (
            select(report.c.id)
            .where(
                report.c.state.in_([state.value for state in MOVING]),
                report.c.environment == environment,
                or_(report.c.due_at <= at, written_ahead(report.c.updated_at, at)),
                or_(report.c.holder.is_(None), ~held(report.c.held_until, at)),
            )
            .order_by(report.c.due_at)
            .limit(limit)
        )
        with self.store.read() as connection:
            return list(connection.execute(query).scalars().all())

    def history(self, filing_id: str) -> list[FilingStep]:
        """What happened to a filing, oldest first."""
        query = select(report_event).where(report_event.c.report_id == filing_id).order_by(report_event.c.id)
        with self.store.read() as connection:
            return [
                FilingStep(moment(row.at), row.actor, row.action, row.number, row.code, row.detail)
                for row in connection.execute(query)
            ]

    def draft(self, filing_id: str) -> "Draft":
        """What a filing says. Needs the review key. Raises NotFoundError, TutelaError without the key."""
        with self.store.read() as connection:
            sealed = connection.execute(select(report.c.sealed).where(report.c.id == filing_id)).scalar()
        if sealed is None:
            raise NotFoundError("there is no report {filing_id!r}", filing_id=filing_id)
        from tutela.casework.reports.draft import Draft

        return Draft.read(self._sealing.unseal(bytes(sealed)))

    # --- one holder at a time

    def take(self, filing_id: str, holder: str, lease_s: float) -> Filing | None:
        """Hold a filing that has something to do, or None where another holds it or nothing is to be done."""
        at = self.clock()
        with self.store.write() as connection:
            statement = (
                update(report)
                .where(
                    report.c.id == filing_id,
                    report.c.state.in_([state.value for state in MOVING]),
                    or_(report.c.holder.is_(None), ~held(report.c.held_until, at), report.c.holder == holder),
                )
                .values(holder=holder, held_until=until(lease_s, at))
            )
            return read_filing(connection, filing_id) if connection.execute(statement).rowcount else None

    def release(self, filing_id: str, holder: str) -> None:
        """Let others have it, if it is still held."""
        with self.store.write() as connection:
            connection.execute(
                update(report)
                .where(report.c.id == filing_id, report.c.holder == holder)
                .values(holder=None, held_until=0)
            )

    @contextmanager
    def change(self, filing: Filing, holder: str, lease_s: float = 0.0) -> Iterator["FilingChange"]:
        """One durable step of whoever holds the filing. Raises OvertakenError where it is held or changed by others."""
        at = self.clock()
        with self.store.write() as connection:
            statement = update(report).where(
                report.c.id == filing.id, report.c.holder == holder, report.c.state == filing.state.value
            )
            values = {"held_until": until(lease_s, at), "updated_at": at}
            if not connection.execute(statement.values(**values)).rowcount:
                raise OvertakenError("report {id} is held by another process, or was changed", id=filing.id)
            yield FilingChange(connection, filing, at, tuple(self._listeners))

    @contextmanager
    def decision(self, filing_id: str, allowed: Sequence[FilingState]) -> Iterator["FilingChange"]:
        """A person's change of a filing in one of these states; whoever works on it is overtaken.

        Raises NotFoundError, ConflictError.
        """
        at = self.clock()
        with self.store.write() as connection:
            statement = (
                update(report)
                .where(report.c.id == filing_id, report.c.state.in_([state.value for state in allowed]))
                .values(holder=None, held_until=0, updated_at=at, due_at=at, attempts=0)
            )
            if not connection.execute(statement).rowcount:
                found = read_filing(connection, filing_id)
                raise ConflictError(
                    "report {filing_id} is {state}; this takes {allowed}",
                    filing_id=filing_id,
                    state=found.state,
                    allowed=" or ".join(allowed),
                )
            yield FilingChange(connection, read_filing(connection, filing_id), at, tuple(self._listeners))

    def replace_draft(self, change: "FilingChange", draft: "Draft") -> None:
        """Say something else in a filing whose files are all to be sent anew."""
        change.set(sealed=self._sealing.seal(draft.json()))
        _replace_files(change.connection, change.filing.id, draft)


@dataclass(frozen=True, slots=True)
class FilingChange:
    """What is written in one transaction about one filing."""

    connection: Connection
    filing: Filing
    at: int
    listeners: tuple[Listener, ...] = ()

    def set(self, **values: Any) -> None:
        """Set columns of the filing."""
        self.connection.execute(update(report).where(report.c.id == self.filing.id).values(**values))

    def to(self, state: FilingState, **values: Any) -> None:
        """Go to a state, with nothing that failed there yet."""
        self.set(state=state.value, attempts=0, due_at=self.at, reason=None, stuck_in=None, **values)

    def stop(self, reason: Statement) -> None:
        """Wait for a person."""
        self.set(
            state=FilingState.ATTENTION.value, stuck_in=self.filing.state.value, reason=reason.stored(), attempts=0
        )

    def file(self, position: int, state: FileState, file_id: str | None = None) -> None:
        """Set how far a file is."""
        self.connection.execute(
            update(report_file)
            .where(report_file.c.report_id == self.filing.id, report_file.c.position == position)
            .values(state=state.value, file_id=file_id)
        )

    def forget_files(self) -> None:
        """Every file is to be sent anew."""
        self.connection.execute(
            update(report_file)
            .where(report_file.c.report_id == self.filing.id)
            .values(state=FileState.WAITING.value, file_id=None)
        )

    def note(
        self, action: str, *, actor: str, number: int | None = None, code: int | None = None, detail: str = ""
    ) -> None:
        """Write a step into the history."""
        filing = self.filing
        self.connection.execute(
            insert(report_event).values(
                at=self.at, report_id=filing.id, actor=actor, action=action, number=number, code=code,
                detail=detail[:MAX_DETAIL],
            )
        )  # fmt: skip
        happened = Happened(
            filing.id, filing.case_id, filing.key, filing.environment, moment(self.at), actor, action, number, code
        )
        for listener in self.listeners:
            listener(self.connection, happened)


def _reported(connection: Connection, evidence: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for start in range(0, len(evidence), CHUNK):
        chunk = evidence[start : start + CHUNK]
        query = _in_filings(report_file.c.report_id).where(report_file.c.evidence.in_(chunk))
        found |= {row.evidence: row.report_id for row in connection.execute(query)}
    return found


def _in_filings(*further: Column[Any]) -> Select[Any]:
    """The evidence of every filing that was not taken back."""
    return (
        select(report_file.c.evidence, *further)
        .join(report, report.c.id == report_file.c.report_id)
        .where(report.c.state.not_in((FilingState.RETRACTED.value, FilingState.RETRACTING.value)))
    )


def _replace_files(connection: Connection, filing_id: str, draft: "Draft") -> None:
    connection.execute(delete(report_file).where(report_file.c.report_id == filing_id))
    rows = [
        {"report_id": filing_id, "position": position, "evidence": file.evidence, "state": FileState.WAITING.value}
        for position, file in enumerate(draft.files)
    ]
    if rows:
        connection.execute(insert(report_file), rows)
