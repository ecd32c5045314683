"""Cases as values: what was held of one uploader, what a person thinks of each item, and what follows from it.

A case is one incident: everything held of one uploader until it is decided. An item is one piece of content in it.
Items that show nearly the same picture have one group, in whatever case they are: the picture is looked at once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from tutela.casework.cases.outcomes import Effect, Outcome
from tutela.screening.verdict import Match


class CaseState(StrEnum):
    """Where a case is on its way."""

    OPEN = "open"
    CLAIMED = "claimed"
    """Somebody looks at it now; stored as open, with a claim that has not expired."""
    SECOND_OPINION = "second-opinion"
    """Somebody decided, and another person must too."""
    ESCALATED = "escalated"
    """Two people differ, or one asked: a lead decides."""
    DECIDED = "decided"


class Queue(StrEnum):
    """Why a case is there."""

    MATCH = "match"
    UNSCREENED = "unscreened"
    """Held because it could not be screened; nothing is known of it."""
    INTAKE = "intake"
    """The public, a flagger or an authority said so."""
    CONTACT = "contact"
    """Who contacts whom, and how: an alarm about an account, with reasons."""
    APPEAL = "appeal"
    """Somebody says that a page or name is blocked in error."""


OF_CONTENT = (Outcome.CONFIRM, Outcome.REJECT, Outcome.AGAINST_RULES, Outcome.ESCALATE)
"""What is decided of content that was held."""
OF_REPORTS = (Outcome.CONFIRM, Outcome.NOT_OURS, Outcome.PASS_ON, Outcome.NO_GROUND, Outcome.ESCALATE)
"""What is decided of what somebody told us; to confirm is to act on what is ours."""

OF_APPEALS = (Outcome.UPHOLD, Outcome.LIFT, Outcome.ESCALATE)
"""What is decided of an appeal."""


def outcomes_of(queue: Queue) -> tuple[Outcome, ...]:
    """What a person can decide of the items of such a case, through every door."""
    return {Queue.INTAKE: OF_REPORTS, Queue.APPEAL: OF_APPEALS}.get(queue, OF_CONTENT)


@dataclass(frozen=True, slots=True)
class Claim:
    """Who looks at a case, until when."""

    by: str
    until: datetime


@dataclass(frozen=True, slots=True)
class CaseDecision:
    """What one person decided of one item."""

    item_id: int
    outcome: Outcome
    label: str | None
    """The class that the person gives, such as A1; a confirmed item has one."""
    by: str
    at: datetime
    reason: str
    final: bool
    """Whether it counts; one that waits for a second opinion, or was overruled, does not."""
    press: str | None = None
    """The same for what was decided together."""
    set_aside: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """One of several rulings that a person makes in one go."""

    outcome: Outcome
    label: str | None
    items: Sequence[int] | None
    """All that the person may decide where None."""


@dataclass(frozen=True, slots=True)
class CaseItem:
    """One piece of content in a case."""

    id: int
    case_id: str
    verdict_id: str | None
    """None where no verdict led here, as with a report from the public."""
    evidence_id: str
    """The sealed content and context; only the review key opens it."""
    item: str | None
    """The platform's own opaque name of the content."""
    at: datetime
    sha256: str | None
    media_type: str | None
    byte_length: int | None
    label: str | None
    """The severest label of its matches."""
    matches: tuple[Match, ...]
    group: str
    """The same for items that show nearly the same picture, in any case."""
    decision: CaseDecision | None
    """The final one."""
    banks: tuple[str, ...] = ()
    """Whose policy applies."""
    precedent: CaseDecision | None = None
    """The last final decision of another item of its group: this picture has been looked at."""
    part: str = ""
    """Where in the content the nearest match lies; empty for the content itself."""


@dataclass(frozen=True, slots=True)
class ReportLink:
    """A report that was made of a case."""

    target: str
    """To whom: ncmec, nca, …"""
    reference: str
    """Their number of it."""
    at: datetime


@dataclass(frozen=True, slots=True)
class Case:
    """One incident."""

    id: str
    state: CaseState
    queue: Queue
    urgency: int
    """0 to 100; 100 is looked at first."""
    label: str | None
    """The severest label of its items."""
    uploader: str | None
    """A keyed pseudonym of `details["uploader"]`: equal for equal uploaders, and nothing else can be read from it."""
    opened_at: datetime
    updated_at: datetime
    claim: Claim | None
    items: tuple[CaseItem, ...]
    decisions: tuple[CaseDecision, ...]
    """All that were ever made, oldest first."""
    reports: tuple[ReportLink, ...]

    def undecided(self) -> tuple[CaseItem, ...]:
        """The items that have no final decision."""
        return tuple(item for item in self.items if item.decision is None)

    def confirmed(self) -> tuple[CaseItem, ...]:
        """The items that were confirmed: what a report is about."""
        return tuple(item for item in self.items if item.decision and item.decision.outcome is Outcome.CONFIRM)


@dataclass(frozen=True, slots=True)
class CaseSummary:
    """A case as a queue lists it."""

    id: str
    state: CaseState
    queue: Queue
    urgency: int
    label: str | None
    uploader: str | None
    opened_at: datetime
    updated_at: datetime
    claim: Claim | None
    items: int
    undecided: int


@dataclass(frozen=True, slots=True)
class SimilarDecided:
    """What came of one decision for items of several cases."""

    decided: tuple[str, ...]
    """The cases in which it was made."""
    left: tuple[str, ...]
    """Those that another person has, or that need another person."""


@dataclass(frozen=True, slots=True)
class CaseEvent:
    """One step in a case's history, from the audit log."""

    at: datetime
    actor: str
    action: str
    detail: Mapping[str, Any]


class Change(StrEnum):
    """What happened to a case, for the rooms that follow it."""

    OPENED = "case.opened"
    JOINED = "case.joined"
    DECIDED = "case.decided"
    """Every item has a final decision."""
    ALARM = "case.alarm"
    UNDONE = "case.undone"
    """Decisions were taken back before anybody was told."""
    REOPENED = "case.reopened"
    """Final decisions were set aside, as after a complaint."""


@dataclass(frozen=True, slots=True)
class CaseChange:
    """A change of a case, given to listeners inside the transaction that makes it."""

    change: Change
    case_id: str
    item_ids: tuple[int, ...]
    """The items that came, or whose decision became final."""
    actor: str


@dataclass(frozen=True, slots=True)
class EffectRequest:
    """What the platform is asked to do, and why."""

    effect: Effect
    case_id: str
    items: tuple[str, ...]
    """The platform's own names of the content."""
    verdicts: tuple[str, ...]
    outcome: Outcome | None
    """None at match time."""
    key: str
    """The request's own name: the same in every repetition."""


@dataclass(frozen=True, slots=True)
class NewItem:
    """A piece of content that opens or joins a case."""

    evidence_id: str
    queue: Queue
    at: datetime
    verdict_id: str | None = None
    item: str | None = None
    sha256: str | None = None
    media_type: str | None = None
    byte_length: int | None = None
    matches: Sequence[Match] = ()
    pdq: bytes | None = None
    """The PDQ hash of the whole picture, for finding its near-duplicates; None where it has none of good quality."""
    md5: str | None = None
    uploader: str | None = None
    """The pseudonym, see `Case.uploader`."""
    address: str | None = None
    """A pseudonym too: of the content's address in its plain form."""
    urgency: int | None = None
    """By the label and queue where None."""
    label: str | None = None
    """The severest of the matches where None."""
    banks: Sequence[str] = field(default_factory=tuple)
    """Whose policy applies."""
