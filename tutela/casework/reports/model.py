"""Filings as values: how far a report is, its files and its steps, and how a row is read. What it says is sealed."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, select

from tutela.errors import NotFoundError, Statement, TutelaError
from tutela.foundation.store.database import moment
from tutela.foundation.store.ids import full_id
from tutela.foundation.store.reports_tables import report, report_file


class FilingState(StrEnum):
    """How far a report is. `docs/rooms/reports.md` draws it."""

    READY = "ready"
    """To be opened; nothing of it is at NCMEC, or nothing that counts."""
    OPENING = "opening"
    """Asked to be opened; the answer with its number is not stored yet."""
    OPEN = "open"
    """Opened, its number is stored; its files and their details are under way."""
    FINISHING = "finishing"
    """Asked to be finished; the answer is not stored yet."""
    FINISHED = "finished"
    """It counts. Nothing changes any more."""
    RESTARTING = "restarting"
    """To be retracted and opened anew."""
    RETRACTING = "retracting"
    """To be retracted, because a person said so."""
    RETRACTED = "retracted"
    ATTENTION = "attention"
    """Only a person can go on; `reason` says why."""


MOVING = (
    FilingState.READY,
    FilingState.OPENING,
    FilingState.OPEN,
    FilingState.FINISHING,
    FilingState.RESTARTING,
    FilingState.RETRACTING,
)
"""States in which there is something to do without a person."""
AT_NCMEC = (FilingState.OPEN, FilingState.FINISHING, FilingState.RESTARTING, FilingState.RETRACTING)
"""States in which an open report may be at NCMEC, whose clock runs."""


class FileState(StrEnum):
    """How far a file of a report is."""

    WAITING = "waiting"
    SENDING = "sending"
    """Its upload was begun; the answer is not stored yet."""
    SENT = "sent"
    DESCRIBED = "described"


class OvertakenError(TutelaError):
    """Another process holds the report, or it was changed meanwhile."""

    code = "overtaken"


@dataclass(frozen=True, slots=True)
class FiledFile:
    """A file of a filing, with the number that the server gave it."""

    position: int
    evidence: str
    state: FileState
    file_id: str | None


@dataclass(frozen=True, slots=True)
class Filing:
    """A report on its way. What it says is sealed; see `Ledger.draft`."""

    id: str
    key: str
    case_id: str | None
    environment: str
    state: FilingState
    stuck_in: FilingState | None
    """The state in which a person is needed."""
    reason: Statement | None
    number: int | None
    """NCMEC's number of the report."""
    opened_at: datetime | None
    changed_at: datetime | None
    restarts: int
    attempts: int
    """Tries of the present step that failed, one after the other."""
    due_at: datetime
    created_by: str
    created_at: datetime
    updated_at: datetime
    finished_at: datetime | None
    files: tuple[FiledFile, ...]


@dataclass(frozen=True, slots=True)
class FilingStep:
    """One step in a filing's history."""

    at: datetime
    actor: str
    action: str
    number: int | None
    code: int | None
    detail: str


@dataclass(frozen=True, slots=True)
class Happened:
    """A step of a filing, given to listeners inside the transaction that writes it."""

    filing_id: str
    case_id: str | None
    key: str
    environment: str
    at: datetime
    actor: str
    action: str
    number: int | None
    code: int | None


Listener = Callable[[Connection, Happened], None]


def read_filing(connection: Connection, filing_id: str) -> Filing:
    row = connection.execute(select(report).where(report.c.id == full_id(connection, report.c.id, filing_id))).first()
    if row is None:
        raise NotFoundError("there is no report {filing_id!r}", filing_id=filing_id)
    files = connection.execute(
        select(report_file).where(report_file.c.report_id == row.id).order_by(report_file.c.position)
    )
    return Filing(
        id=row.id,
        key=row.key,
        case_id=row.case_id,
        environment=row.environment,
        state=FilingState(row.state),
        stuck_in=FilingState(row.stuck_in) if row.stuck_in else None,
        reason=Statement.of_stored(row.reason) if row.reason else None,
        number=row.number,
        opened_at=_moment(row.opened_at),
        changed_at=_moment(row.changed_at),
        restarts=row.restarts,
        attempts=row.attempts,
        due_at=moment(row.due_at),
        created_by=row.created_by,
        created_at=moment(row.created_at),
        updated_at=moment(row.updated_at),
        finished_at=_moment(row.finished_at),
        files=tuple(_file(found) for found in files),
    )


def _file(row: Row[Any]) -> FiledFile:
    return FiledFile(row.position, row.evidence, FileState(row.state), row.file_id)


def _moment(value: int | None) -> datetime | None:
    return None if value is None else moment(value)
