"""The shapes of requests and answers about reports, notices and intake."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, Field, StringConstraints

from tutela.api.models import Moment, Strict
from tutela.casework.reports.alarms import Alarm
from tutela.casework.reports.held_content import FoundContent
from tutela.casework.reports.intake import MAX_LINK, MAX_LINKS, MAX_TEXT, Category
from tutela.casework.reports.model import Filing, FilingStep
from tutela.casework.reports.notices import MAX_TARGETS, Notice, TargetOutcome

Reason = Annotated[str, StringConstraints(min_length=1, max_length=2_000, strip_whitespace=True)]


class ReasonIn(Strict):
    """Why a person does it."""

    reason: Reason


class FilingOut(BaseModel):
    """How far a report is. What it says is sealed, and shown by the console alone."""

    id: str
    case: str | None
    environment: str
    state: str
    reason: str | None = Field(description="Why it needs a person, in the state attention.")
    number: int | None = Field(description="NCMEC's number.")
    files: int
    created_at: datetime
    updated_at: datetime
    finished_at: datetime | None

    @classmethod
    def of(cls, filing: Filing) -> "FilingOut":
        """As the API shows it."""
        return cls(
            id=filing.id,
            case=filing.case_id,
            environment=filing.environment,
            state=filing.state.value,
            reason=str(filing.reason) if filing.reason else None,
            number=filing.number,
            files=len(filing.files),
            created_at=filing.created_at,
            updated_at=filing.updated_at,
            finished_at=filing.finished_at,
        )


class StepOut(BaseModel):
    """One step of a report."""

    at: datetime
    actor: str
    action: str
    number: int | None
    code: int | None
    detail: str

    @classmethod
    def of(cls, step: FilingStep) -> "StepOut":
        """As the API shows it."""
        return cls(**{name: getattr(step, name) for name in step.__slots__})


class AlarmOut(BaseModel):
    """Something about a report that cannot wait."""

    kind: str
    report: str
    case: str | None
    message: str
    deadline: datetime | None

    @classmethod
    def of(cls, alarm: Alarm) -> "AlarmOut":
        """As the API shows it."""
        return cls(
            kind=alarm.kind.value,
            report=alarm.filing_id,
            case=alarm.case_id,
            message=alarm.message,
            deadline=alarm.deadline,
        )


class TargetIn(Strict):
    """Content that a notice names."""

    kind: Annotated[str, StringConstraints(max_length=64)] = Field(
        description="url, item (the platform's own name), or a signal type whose value is a hash."
    )
    value: Annotated[str, StringConstraints(min_length=1, max_length=2_000)]


class NoticeIn(Strict):
    """A takedown notice."""

    authority: Annotated[str, StringConstraints(min_length=1, max_length=255)]
    reference: Annotated[str, StringConstraints(min_length=1, max_length=255)]
    within: str = Field(description="Its clock: minutes, hours or days.", examples=["1h", "24h", "14d"])
    targets: list[TargetIn] = Field(min_length=1, max_length=MAX_TARGETS)
    law: Annotated[str, StringConstraints(max_length=255)] = ""
    text: Annotated[str, StringConstraints(max_length=10_000)] = ""
    received_at: Moment | None = Field(None, description="When it came; now by default. The clock runs from there.")


class TargetOut(BaseModel):
    """Content that a notice names, and what came of it."""

    position: int
    kind: str
    value: str
    outcome: TargetOutcome | None


class NoticeOut(BaseModel):
    """A takedown notice."""

    id: str
    authority: str
    reference: str
    law: str
    text: str
    state: str
    received_at: datetime
    due_at: datetime
    alarms: int
    late: bool
    answer: str | None
    answered_at: datetime | None
    targets: list[TargetOut]

    @classmethod
    def of(cls, notice: Notice) -> "NoticeOut":
        """As the API shows it."""
        same = ("id", "authority", "reference", "law", "text", "received_at", "due_at", "alarms", "answer")
        targets = [
            TargetOut(position=one.position, kind=one.kind, value=one.value, outcome=one.outcome)
            for one in notice.targets
        ]
        return cls(
            **{name: getattr(notice, name) for name in same},
            state=notice.state.value,
            late=notice.late,
            answered_at=notice.answered_at,
            targets=targets,
        )


class FoundOut(BaseModel):
    """Content that we screened and that a notice means."""

    position: int
    verdict: str | None
    case: str | None
    item: str | None
    distance: int = Field(description="Between its PDQ hash and the one that the notice names; else 0.")

    @classmethod
    def of(cls, found: FoundContent) -> "FoundOut":
        """As the API shows it."""
        return cls(
            position=found.position,
            verdict=found.verdict_id,
            case=found.case_id,
            item=found.item,
            distance=found.distance,
        )


class AnswerIn(Strict):
    """What came of the content that a notice names, by position."""

    outcomes: dict[int, TargetOutcome] = Field(min_length=1, max_length=MAX_TARGETS)
    text: Annotated[str, StringConstraints(max_length=10_000)] = ""


class IntakeIn(Strict):
    """What a trusted flagger reports: links and words, never files."""

    category: Category
    links: list[Annotated[str, StringConstraints(max_length=MAX_LINK)]] = Field(
        default_factory=list, max_length=MAX_LINKS
    )
    text: Annotated[str, StringConstraints(max_length=MAX_TEXT)] = ""
    contact: Annotated[str, StringConstraints(max_length=255)] = ""
    danger_now: bool = False


class ReceiptOut(BaseModel):
    """That a report was received, and by which name to ask for it."""

    id: str
    received_at: datetime
