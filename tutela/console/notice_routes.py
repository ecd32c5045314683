"""The pages of takedown notices with their clocks, and of what the public and flaggers reported."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from tutela.casework.cases.model import CaseState, Queue
from tutela.casework.reports.intake import Category, IntakeReport
from tutela.casework.reports.notices import NewTarget, NoticeState, TargetOutcome, read_clock
from tutela.console.pages import back, page
from tutela.console.roles import Permission
from tutela.console.visits import Visit, needs
from tutela.errors import InputError

if TYPE_CHECKING:
    from tutela.console.service import Console

router = APIRouter()

Answering = Annotated[Visit, Depends(needs(Permission.ANSWER))]
_KINDS = ("url", "item", "sha256", "md5", "pdq")
_CLOCKS = ("1h", "24h", "48h", "7d", "14d")


def _console(request: Request) -> "Console":
    console: Console = request.app.state.console
    return console


@router.get("/notices")
def notices_page(request: Request, visit: Answering) -> Response:
    """Every notice, the one that is due first at the top."""
    notices = _console(request).notices
    return page(
        request,
        "notices.html",
        visit,
        open_notices=notices.all(state=NoticeState.OPEN, limit=200),
        answered=notices.all(state=NoticeState.ANSWERED, limit=50),
        now=datetime.now(UTC),
        kinds=_KINDS,
        clocks=_CLOCKS,
    )


@router.post("/notices")
def register(request: Request, visit: Answering) -> Response:
    """Register a notice; its clock runs."""
    kind = visit.field("kind", "url")
    lines = [line.strip() for line in visit.field("targets").splitlines()]
    notice = _console(request).notices.register(
        visit.field("authority"),
        visit.field("reference"),
        [NewTarget(kind, line) for line in lines if line],
        within=read_clock(visit.field("clock")),
        law=visit.field("law"),
        text=visit.field("text"),
        actor=visit.person.actor,
    )
    return back(f"/notices/{notice.id}", "registered")


@router.get("/notices/{notice_id}")
def notice_page(request: Request, visit: Answering, notice_id: str) -> Response:
    """One notice, and what it means of ours."""
    notices = _console(request).notices
    return page(
        request,
        "notice.html",
        visit,
        notice=notices.get(notice_id),
        matches=notices.matches(notice_id),
        outcomes=list(TargetOutcome),
        names=_console(request).people.names(),
        now=datetime.now(UTC),
    )


@router.post("/notices/{notice_id}/answer")
def answer(request: Request, visit: Answering, notice_id: str) -> Response:
    """What came of each thing that the notice names."""
    _console(request).notices.answer(notice_id, _outcomes(visit), text=visit.field("text"), actor=visit.person.actor)
    return back(f"/notices/{notice_id}", "answered")


@router.post("/notices/{notice_id}/withdraw")
def withdraw(request: Request, visit: Answering, notice_id: str) -> Response:
    """The authority took it back."""
    _console(request).notices.withdraw(notice_id, reason=visit.field("reason"), actor=visit.person.actor)
    return back(f"/notices/{notice_id}", "withdrawn")


@router.get("/intake")
def intake_page(request: Request, visit: Answering) -> Response:
    """Cases that somebody told us of, the most urgent first."""
    waiting = (CaseState.OPEN, CaseState.CLAIMED, CaseState.SECOND_OPINION, CaseState.ESCALATED)
    found = _console(request).cases.queue(queue=Queue.INTAKE, states=waiting)
    return page(request, "intake.html", visit, cases=found, categories=list(Category))


@router.post("/intake")
def take_in(request: Request, visit: Answering) -> Response:
    """Write down what reached the organisation by telephone or letter: links and words, never files."""
    console = _console(request)
    try:
        category = Category(visit.field("category"))
    except ValueError:
        raise InputError("choose what it is about") from None
    links = [line.strip() for line in visit.field("links").splitlines() if line.strip()]
    report = IntakeReport(
        category, links, visit.field("text"), visit.field("contact"), visit.field("danger_now") == "yes"
    )
    if console.intake is None:
        raise InputError("nothing can be sealed here: evidence.recipients of the console's settings names nobody")
    receipt = console.intake.receive(report, flagger=visit.person.actor)
    return back(f"/cases/{console.intake.case_of(receipt.id)}", "opened")


def _outcomes(visit: Visit) -> Mapping[int, TargetOutcome]:
    found = {}
    for name, value in visit.form.multi_items():
        position = name.removeprefix("target-")
        if position == name or value == "":
            continue
        if not position.isdecimal() or len(position) > 6 or value not in set(TargetOutcome):
            raise InputError("an answer names what came of a target")
        found[int(position)] = TargetOutcome(str(value))
    return found
