"""The pages of cases: the queue, one case, near-identical items together, and what is decided of them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, TypeVar

from fastapi import APIRouter, Depends, Request
from starlette.responses import RedirectResponse, Response

from tutela.casework.cases.model import Case, CaseItem, CaseState, Outcome, Queue
from tutela.console.outlines import Outline, outline
from tutela.console.pages import back, page
from tutela.console.roles import Permission
from tutela.console.visits import Visit, needs
from tutela.errors import InputError, NotFoundError

if TYPE_CHECKING:
    from tutela.console.service import Console

router = APIRouter()

Seeing = Annotated[Visit, Depends(needs(Permission.SEE_CASES))]
Leading = Annotated[Visit, Depends(needs(Permission.LEAD))]
Deciding = Annotated[Visit, Depends(needs(Permission.DECIDE))]
_WAITING = (CaseState.OPEN, CaseState.CLAIMED, CaseState.SECOND_OPINION, CaseState.ESCALATED)
_PAGE = 50
_MAX_REASON = 2000
Choice = TypeVar("Choice", CaseState, Queue, Outcome)


def _console(request: Request) -> "Console":
    console: Console = request.app.state.console
    return console


@router.get("/cases")
def queue_page(
    request: Request, visit: Seeing, state: str = "", queue: str = "", label: str = "", after: str = ""
) -> Response:
    """Cases that wait, the most urgent first. No picture is on this page, nor ever on a list."""
    console = _console(request)
    wanted = _chosen(CaseState, state)
    found = console.cases.queue(
        states=_WAITING if wanted is None else (wanted,),
        queue=_chosen(Queue, queue),
        label=label or None,
        limit=_PAGE + 1,
        after=after or None,
    )
    return page(
        request,
        "cases.html",
        visit,
        cases=found[:_PAGE],
        further=found[_PAGE - 1].id if len(found) > _PAGE else None,
        states=list(CaseState),
        queues=list(Queue),
        labels=console.labels,
        chosen={"state": state, "queue": queue, "label": label},
        names=console.people.names(),
        pause=console.exposures.pause(visit.person) if visit.person.may(Permission.REVEAL) else None,
    )


@router.post("/cases/next")
def claim_next(request: Request, visit: Deciding) -> Response:
    """Take the most urgent case that is free."""
    case = _console(request).cases.claim_next(by=visit.person.actor)
    return back("/cases", "none") if case is None else RedirectResponse(f"/cases/{case.id}", 303)


@router.get("/cases/{case_id}")
def case_page(request: Request, visit: Seeing, case_id: str) -> Response:
    """One case: what matched first, then the covered pictures."""
    console = _console(request)
    console.cases.get(case_id)
    console.record(visit.person.actor, "case.viewed", f"case:{case_id}")
    return _case_page(request, visit, case_id, None)


@router.post("/cases/{case_id}/context")
def context_page(request: Request, visit: Seeing, case_id: str) -> Response:
    """The case with what the platform said of the uploader. It is sealed; opening it is written down."""
    console = _console(request)
    evidence = console.casework.evidence(visit.person.actor, "review")
    told = [(item.id, evidence.context(item.evidence_id).details) for item in console.cases.get(case_id).items]
    return _case_page(request, visit, case_id, told)


@router.post("/cases/{case_id}/claim")
def claim(request: Request, visit: Deciding, case_id: str) -> Response:
    """Take the case, or keep it longer."""
    _console(request).cases.claim(case_id, by=visit.person.actor)
    return back(f"/cases/{case_id}", "claimed")


@router.post("/cases/{case_id}/release")
def release(request: Request, visit: Deciding, case_id: str) -> Response:
    """Let the case go."""
    _console(request).reveals.end_all(visit.person)
    _console(request).cases.release(case_id, by=visit.person.actor)
    return back("/cases", "released")


@router.post("/cases/{case_id}/decide")
def decide(request: Request, visit: Deciding, case_id: str) -> Response:
    """Decide of the chosen items."""
    console = _console(request)
    console.reveals.end_all(visit.person)
    case = console.cases.decide(
        case_id,
        _outcome(visit),
        by=visit.person.actor,
        reason=_reason(visit),
        label=visit.field("label") or None,
        item_ids=_numbers(visit.fields("item")),
        senior=visit.person.may(Permission.OPPOSE),
    )
    return back(f"/cases/{case_id}", "decided" if case.state is CaseState.DECIDED else "waits")


@router.post("/cases/{case_id}/reopen")
def reopen(request: Request, visit: Leading, case_id: str) -> Response:
    """Set the decisions aside."""
    _console(request).cases.reopen(case_id, by=visit.person.actor, reason=_reason(visit))
    return back(f"/cases/{case_id}", "reopened")


@router.get("/cases/{case_id}/similar")
def similar_page(request: Request, visit: Seeing, case_id: str) -> Response:
    """Items of other cases that show nearly the same picture, so that it is looked at once."""
    console = _console(request)
    case = console.cases.get(case_id)
    return page(
        request,
        "similar.html",
        visit,
        case=case,
        similar=console.cases.similar(case_id),
        mine=_is_mine(case, visit),
        outcomes=list(Outcome),
        labels=console.labels,
    )


@router.post("/cases/{case_id}/similar")
def decide_similar(request: Request, visit: Deciding, case_id: str) -> Response:
    """One decision for the chosen items of other cases; each of these cases is claimed for it."""
    console = _console(request)
    found = console.cases.decide_similar(
        case_id,
        _outcome(visit),
        by=visit.person.actor,
        reason=_reason(visit),
        label=visit.field("label") or None,
        item_ids=_numbers(visit.fields("item")) or (),
        senior=visit.person.may(Permission.OPPOSE),
    )
    return back(f"/cases/{case_id}/similar", "some-left" if found.left else "decided")


def _case_page(request: Request, visit: Visit, case_id: str, told: Sequence[tuple[int, object]] | None) -> Response:
    console = _console(request)
    case = console.cases.get(case_id)
    policy = console.policy
    return page(
        request,
        "case.html",
        visit,
        case=case,
        outlines={item.id: _outline(console, item) for item in case.items},
        severe={item.id for item in case.items if policy.severe(item)},
        waits={item.id for item in case.items if policy.waits_for_second(visit.person, item)},
        asked={
            item.id: console.second_looks.latest(visit.person, case.id, str(item.id)) is not None for item in case.items
        },
        similar=console.cases.similar(case_id),
        mine=_is_mine(case, visit),
        history=[event for event in console.cases.history(case_id) if event.action != "case.viewed"],
        names=console.people.names(),
        labels=console.labels,
        outcomes=list(Outcome),
        told=dict(told) if told is not None else None,
        seen=console.exposures.of(visit.person),
        pause=console.exposures.pause(visit.person) if visit.person.may(Permission.REVEAL) else None,
    )


def _outline(console: "Console", item: CaseItem) -> Outline:
    size = (None, None)
    if item.verdict_id is not None:
        try:
            document = console.journal.get(item.verdict_id)
            size = (document["width"], document["height"])
        except NotFoundError:
            pass
    return outline(item.matches, *size)


def _is_mine(case: Case, visit: Visit) -> bool:
    return case.claim is not None and case.claim.by == visit.person.actor


def _outcome(visit: Visit) -> Outcome:
    outcome = _chosen(Outcome, visit.field("outcome"))
    if outcome is None:
        raise InputError("choose what you decide")
    return outcome


def _reason(visit: Visit) -> str:
    reason = visit.field("reason").strip()
    if len(reason) > _MAX_REASON:
        raise InputError(f"a reason has at most {_MAX_REASON} characters")
    return reason


def _chosen(kind: type[Choice], text: str) -> Choice | None:
    if not text:
        return None
    try:
        return kind(text)
    except ValueError:
        raise InputError(f"{text[:40]!r} is not one of {', '.join(kind)}") from None


def _numbers(texts: Sequence[str]) -> list[int] | None:
    if not all(text.isdecimal() and len(text) < 19 for text in texts):
        raise InputError("an item is a number")
    return [int(text) for text in texts] or None
