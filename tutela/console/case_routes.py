"""The pages of cases: the queue, one case, near-identical items together, and what is decided of them."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import TYPE_CHECKING, Annotated, TypeVar

from fastapi import APIRouter, Depends, Request
from starlette.responses import RedirectResponse, Response

from tutela.casework.cases.contacts import AlarmView
from tutela.casework.cases.decisions import UNDO
from tutela.casework.cases.model import OF_CONTENT, Case, CaseEvent, CaseItem, CaseState, Part, Queue, outcomes_of
from tutela.casework.cases.outcomes import Outcome
from tutela.casework.cases.rules import reads_items
from tutela.console.conversation_lines import ShownLine
from tutela.console.outlines import Outline, outline
from tutela.console.pages import Done, back, page
from tutela.console.roles import Permission
from tutela.console.visits import Visit, needs
from tutela.errors import ConflictError, InputError, NotFoundError

if TYPE_CHECKING:
    from tutela.console.service import Console

router = APIRouter()

Seeing = Annotated[Visit, Depends(needs(Permission.SEE_CASES))]
Revealing = Annotated[Visit, Depends(needs(Permission.REVEAL))]
Leading = Annotated[Visit, Depends(needs(Permission.LEAD))]
Deciding = Annotated[Visit, Depends(needs(Permission.DECIDE))]
_WAITING = (CaseState.OPEN, CaseState.CLAIMED, CaseState.SECOND_OPINION, CaseState.ESCALATED)
_SAID_OF: Mapping[CaseState, Done] = {
    CaseState.OPEN: "in-part",
    CaseState.CLAIMED: "in-part",
    CaseState.SECOND_OPINION: "waits",
    CaseState.ESCALATED: "passed-on",
    CaseState.DECIDED: "decided",
}
"""What is said of a decision, by the state in which it leaves its case."""
_PAGE = 50
_MAX_REASON = 2000
_MAX_SIMILAR = 1000
"""So many items are listed, and decided of in one go; a form of them is well within what the guard lets through."""
_IN_WORDS = (Queue.INTAKE, Queue.APPEAL)
"""Cases of what somebody wrote."""
Said = Sequence[tuple[int, Mapping[str, str]]]
"""What was said of each item, by id."""
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


@router.post("/cases")
def claim_next(request: Request, visit: Deciding) -> Response:
    """Take the most urgent free case of the view that the person has chosen."""
    chosen = {name: visit.field(name) for name in ("state", "queue", "label") if visit.field(name)}
    case = _console(request).cases.claim_next(
        by=visit.person.actor,
        state=_chosen(CaseState, visit.field("state")),
        queue=_chosen(Queue, visit.field("queue")),
        label=visit.field("label") or None,
        senior=visit.person.may(Permission.OPPOSE),
    )
    if case is None:
        return back("/cases", "none", **chosen)
    return RedirectResponse(f"/cases/{case.id}", 303)


@router.get("/cases/{case_id}")
def case_page(request: Request, visit: Seeing, case_id: str) -> Response:
    """One case: what matched first, then the covered pictures."""
    console = _console(request)
    case = console.cases.get(case_id)
    if case.id != case_id:
        return RedirectResponse(f"/cases/{case.id}", 303)
    console.record(visit.person.actor, "case.viewed", f"case:{case_id}")
    return _case_page(request, visit, case_id, None)


@router.post("/cases/{case_id}/context")
def context_page(request: Request, visit: Seeing, case_id: str) -> Response:
    """The case with what the platform said of the uploader. It is sealed: whoever has the case opens it, and of a
    decided one those who answer for it or report it; that is written down."""
    console = _console(request)
    case = console.cases.get(case_id)
    if not _reads(case, visit):
        raise ConflictError("claim the case first: only whoever decides of it is shown what it holds")
    return _case_page(request, visit, case_id, _said(console, visit, case))


@router.post("/cases/{case_id}/lines")
def lines_page(request: Request, visit: Revealing, case_id: str) -> Response:
    """A contact case with lines of the conversation: the fewest first. Words shown are counted."""
    console = _console(request)
    case = console.cases.get(case_id)
    if not _is_mine(case, visit):
        raise ConflictError("claim the case before you read of it")
    step = _numbers([visit.field("step", "1")]) or [1]
    lines = console.conversation_lines.show(visit.person, case.id, step[0])
    return _case_page(request, visit, case_id, None, lines=lines, step=step[0])


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
    """Decide of items, of each what is said of it."""
    console = _console(request)
    parts, reason = _parts(visit), _reason(visit)
    if any(part.outcome not in outcomes_of(console.cases.get(case_id).queue) for part in parts):
        raise InputError("this is no decision for such a case; choose one of those offered", field="outcome")
    console.reveals.end_all(visit.person)
    case = console.cases.decide_each(
        case_id,
        parts,
        by=visit.person.actor,
        reason=reason,
        senior=visit.person.may(Permission.OPPOSE),
        undoable=True,
    )
    return back(f"/cases/{case_id}", _SAID_OF[case.state])


@router.post("/cases/{case_id}/undo")
def undo(request: Request, visit: Deciding, case_id: str) -> Response:
    """Take back what was decided a moment ago."""
    _console(request).cases.undo(case_id, visit.field("press"), by=visit.person.actor)
    return back(f"/cases/{case_id}", "undone")


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
    similar = console.cases.similar(case_id)
    return page(
        request,
        "similar.html",
        visit,
        case=case,
        similar=similar[:_MAX_SIMILAR],
        more=max(0, len(similar) - _MAX_SIMILAR),
        mine=_is_mine(case, visit),
        outcomes=OF_CONTENT,
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


def _case_page(
    request: Request,
    visit: Visit,
    case_id: str,
    told: Sequence[tuple[int, Mapping[str, str]]] | None,
    *,
    lines: Sequence[ShownLine] | None = None,
    step: int = 0,
) -> Response:
    console = _console(request)
    case = console.cases.get(case_id)
    policy = console.policy
    if told is None and case.queue in _IN_WORDS and _is_mine(case, visit):
        # A report is words: whoever decides of it reads them first.
        told = _said(console, visit, case)
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
        reads=_reads(case, visit),
        history=_history(console, visit, case_id),
        names=console.people.names(),
        labels=console.labels,
        outcomes=outcomes_of(case.queue),
        told=dict(told) if told is not None else None,
        undoable=_undoable(case, visit),
        why={item.id: _why(console, item) for item in case.items if not item.matches},
        streams={
            item.id: stream.id
            for item in case.items
            if item.verdict_id is not None and (stream := console.streams.of_verdict(item.verdict_id)) is not None
        },
        alarms=_alarms(console, case),
        lines=lines,
        step=step,
        given=console.conversation_lines.given(case.id) if case.queue is Queue.CONTACT else 0,
        words=console.conversation_lines.words_today(visit.person),
        seen=console.exposures.of(visit.person),
        pause=console.exposures.pause(visit.person) if visit.person.may(Permission.REVEAL) else None,
    )


def _alarms(console: "Console", case: Case) -> Mapping[int, Sequence[AlarmView]]:
    """The alarms of a contact case, by the item that each is."""
    contacts = console.casework.contacts
    if case.queue is not Queue.CONTACT or contacts is None:
        return {}
    found: dict[int, list[AlarmView]] = {}
    by_name = {item.item: item.id for item in case.items}
    for alarm in contacts.of_case(case.id):
        found.setdefault(by_name[f"alarm:{alarm.id}"], []).append(alarm)
    return found


def _said(console: "Console", visit: Visit, case: Case) -> Said:
    """What the platform, or whoever reported, said of each item."""
    evidence = console.casework.evidence(visit.person.actor, "review")
    return [(item.id, evidence.context(item.evidence_id).details) for item in case.items]


def _history(console: "Console", visit: Visit, case_id: str) -> list[CaseEvent]:
    reader = None if visit.person.may(Permission.AUDIT) else visit.person.actor
    return [event for event in console.cases.history(case_id, reader=reader) if event.action != "case.viewed"]


def _why(console: "Console", item: CaseItem) -> list[tuple[str, str]]:
    """Why an item is held that no list knows: its reasons' codes, and what each says."""
    if item.verdict_id is None:
        return []
    try:
        return [
            (str(reason["code"]), str(reason["message"])) for reason in console.journal.get(item.verdict_id)["reasons"]
        ]
    except NotFoundError:
        return []


def _undoable(case: Case, visit: Visit) -> tuple[str, int] | None:
    """What the person decided last, and for how many seconds it can still be undone."""
    mine = [one for one in case.decisions if one.by == visit.person.actor and one.press is not None]
    if not mine or mine[-1].set_aside:
        return None
    left = UNDO - (datetime.now(UTC) - mine[-1].at)
    return (mine[-1].press or "", ceil(left.total_seconds())) if left > timedelta() else None


def _parts(visit: Visit) -> list[Part]:
    """What is said of each item: one thing of all that are chosen, or of each its own."""
    own: dict[tuple[Outcome, str | None], list[int]] = {}
    for name in visit.form:
        number = name.removeprefix("outcome-")
        if number != name and (outcome := _chosen(Outcome, visit.field(name))) is not None:
            item = (_numbers([number]) or [0])[0]
            label = visit.field(f"label-{number}") or None
            if outcome is Outcome.CONFIRM and label is None:
                raise InputError("a confirmation needs a label", field=f"label-{number}")
            own.setdefault((outcome, label if outcome is Outcome.CONFIRM else None), []).append(item)
    if own:
        return [Part(outcome, label, items) for (outcome, label), items in own.items()]
    outcome = _outcome(visit)
    # What is prefilled from the match is of a confirmation; another outcome carries no label unless it asks for one.
    label = visit.field("label") or None
    if outcome is Outcome.CONFIRM and label is None:
        raise InputError("a confirmation needs a label", field="label")
    return [Part(outcome, label if outcome is Outcome.CONFIRM else None, _numbers(visit.fields("item")))]


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


def _reads(case: Case, visit: Visit) -> bool:
    oversees = visit.person.may(Permission.LEAD) or visit.person.may(Permission.FILE)
    return reads_items(case, visit.person.actor, oversees=oversees)


def _outcome(visit: Visit) -> Outcome:
    outcome = _chosen(Outcome, visit.field("outcome"))
    if outcome is None:
        raise InputError("choose what you decide", field="outcome")
    return outcome


def _reason(visit: Visit) -> str:
    reason = visit.field("reason").strip()
    if not reason:
        raise InputError("say why: what made you decide", field="reason")
    if len(reason) > _MAX_REASON:
        raise InputError("a reason has at most {max_reason} characters", max_reason=_MAX_REASON, field="reason")
    return reason


def _chosen(kind: type[Choice], text: str) -> Choice | None:
    if not text:
        return None
    try:
        return kind(text)
    except ValueError:
        raise InputError("{text!r} is not one of {kind}", text=text[:40], kind=", ".join(kind)) from None


def _numbers(texts: Sequence[str]) -> list[int] | None:
    if not all(text.isdecimal() and len(text) < 19 for text in texts):
        raise InputError("an item is a number")
    return [int(text) for text in texts] or None
