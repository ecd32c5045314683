"""Routes for moderation tools of the platform's own: queues, claims and decisions. Evidence is not served here."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import Field, StringConstraints

from tutela.api.keys import Scope
from tutela.api.models import Name, Strict
from tutela.api.security import has, needs
from tutela.casework.cases.documents import case_document, item_document, item_outline, summary_document
from tutela.casework.cases.model import Case, CaseEvent, CaseState, Queue
from tutela.casework.cases.outcomes import Outcome
from tutela.casework.cases.rules import reads_items
from tutela.casework.cases.service import UNDECIDED, Cases
from tutela.deployment.composition import Deployment

router = APIRouter(prefix="/v1/cases", tags=["cases"])
Reviewer = Annotated[str, needs(Scope.REVIEW)]
Lead = Annotated[str, needs(Scope.LEAD)]
Reason = Annotated[str, StringConstraints(min_length=1, max_length=4_000)]


class DecisionIn(Strict):
    """What a person decided of items of a case."""

    outcome: Outcome
    label: Name | None = Field(None, description="The class; needed to confirm.", examples=["A1"])
    reason: Reason
    items: list[int] = Field(min_length=1, max_length=1000, description="The items that the person has judged.")


class ReopeningIn(Strict):
    """Why decisions are set aside."""

    reason: Reason
    items: list[int] | None = Field(None, min_length=1, max_length=1000, description="All items where not given.")


@router.get("", operation_id="list_cases")
def list_cases(
    request: Request,
    _: Reviewer,
    state: Annotated[list[CaseState] | None, Query()] = None,
    queue: Queue | None = None,
    label: str | None = None,
    after: str | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> dict[str, Any]:
    """A page of cases, the most urgent first; ask again with `after` = `next` for more."""
    found = _cases(request).queue(states=state or UNDECIDED, queue=queue, label=label, after=after, limit=limit)
    return {
        "cases": [summary_document(case) for case in found],
        "next": found[-1].id if len(found) == limit else None,
    }


@router.get("/{case_id}", operation_id="get_case")
def get_case(request: Request, case_id: str, actor: Reviewer) -> dict[str, Any]:
    """One case with its items, decisions and history. What is known of its items is told to whoever has claimed it;
    of a decided one to whoever decided, and to keys that also have the scope `lead` or `report`."""
    cases = _cases(request)
    return _told(request, cases.get(case_id), actor, cases.history(case_id, reader=actor))


@router.post("/{case_id}/claim", operation_id="claim_case")
def claim_case(request: Request, case_id: str, actor: Reviewer) -> dict[str, Any]:
    """Take a case for a quarter of an hour, or keep it longer; 409 while another has it."""
    return _told(request, _cases(request).claim(case_id, by=actor), actor)


@router.delete("/{case_id}/claim", operation_id="release_case")
def release_case(request: Request, case_id: str, actor: Reviewer) -> dict[str, Any]:
    """Give a claim back."""
    return _told(request, _cases(request).release(case_id, by=actor), actor)


@router.post("/{case_id}/decision", operation_id="decide_case")
def decide_case(request: Request, case_id: str, body: DecisionIn, actor: Reviewer) -> dict[str, Any]:
    """Decide of items. Where the policy asks for a second opinion, another key's person gives it."""
    return _decide(request, case_id, body, actor, senior=False)


@router.post("/{case_id}/ruling", operation_id="rule_case")
def rule_case(request: Request, case_id: str, body: DecisionIn, actor: Lead) -> dict[str, Any]:
    """Decide as a lead, of what was escalated."""
    return _decide(request, case_id, body, actor, senior=True)


@router.get("/{case_id}/similar", operation_id="list_similar")
def list_similar(request: Request, case_id: str, actor: Reviewer) -> list[dict[str, Any]]:
    """Undecided items of other cases that show nearly the same pictures: each need be looked at once only.

    What is known of them is told to whoever has claimed this case.
    """
    cases = _cases(request)
    told = item_document if reads_items(cases.get(case_id), actor, oversees=False) else item_outline
    return [told(item) | {"case": item.case_id} for item in cases.similar(case_id)]


@router.post("/{case_id}/similar/decision", operation_id="decide_similar")
def decide_similar(request: Request, case_id: str, body: DecisionIn, actor: Reviewer) -> dict[str, Any]:
    """One decision for such items; each of their cases is claimed for it. `left` are those that another person has."""
    found = _cases(request).decide_similar(
        case_id, body.outcome, by=actor, reason=body.reason, label=body.label, item_ids=body.items
    )
    return {"decided": found.decided, "left": found.left}


@router.post("/{case_id}/reopening", operation_id="reopen_case")
def reopen_case(request: Request, case_id: str, body: ReopeningIn, actor: Lead) -> dict[str, Any]:
    """Set decisions aside, as after a complaint."""
    case = _cases(request).reopen(case_id, by=actor, reason=body.reason, item_ids=body.items)
    return _told(request, case, actor)


def _decide(request: Request, case_id: str, body: DecisionIn, actor: str, *, senior: bool) -> dict[str, Any]:
    case = _cases(request).decide(
        case_id, body.outcome, by=actor, reason=body.reason, label=body.label, item_ids=body.items, senior=senior
    )
    return _told(request, case, actor)


def _told(request: Request, case: Case, actor: str, history: Sequence[CaseEvent] = ()) -> dict[str, Any]:
    """The case as this person is told of it."""
    oversees = has(request, Scope.LEAD) or has(request, Scope.REPORT)
    return case_document(case, history, whole=reads_items(case, actor, oversees=oversees))


def _cases(request: Request) -> Cases:
    deployment: Deployment = request.app.state.deployment
    return deployment.casework.cases
