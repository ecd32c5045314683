"""Routes of appeals: what waits, by its clock, and suspending an entry. An appeal is answered by deciding its case."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from tutela.api.keys import Scope
from tutela.api.security import needs
from tutela.casework.appeals import Appeal, Appeals, AppealState, Sign
from tutela.deployment.composition import Deployment

router = APIRouter(prefix="/v1/appeals", tags=["cases"])
Reviewer = Annotated[str, needs(Scope.REVIEW)]


class AppealOut(BaseModel):
    """An appeal. What was written is sealed; the console opens it."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    state: AppealState
    reference: str
    entry_id: int
    case_id: str = Field(description="Decide it with `uphold` or `lift`.")
    signs: list[Sign] = Field(description="What points to an error; two of them suspend the entry at once.")
    suspended: list[int] = Field(description="The entries that count for nothing until it is answered.")
    received_at: datetime
    due_at: datetime
    wants_answer: bool
    late: bool
    answered_at: datetime | None
    answered_by: str | None


@router.get("", operation_id="list_appeals")
def list_appeals(request: Request, _: Reviewer, state: AppealState | None = AppealState.OPEN) -> list[AppealOut]:
    """Appeals, the one that is due first at the top."""
    return [_shown(found) for found in _appeals(request).all(state=state)]


@router.get("/{appeal_id}", operation_id="get_appeal")
def get_appeal(request: Request, appeal_id: str, _: Reviewer) -> AppealOut:
    """One appeal."""
    return _shown(_appeals(request).get(appeal_id))


@router.post("/{appeal_id}/suspension", operation_id="suspend_entry")
def suspend_entry(request: Request, appeal_id: str, actor: Reviewer) -> AppealOut:
    """Have the entry count for nothing until the appeal is answered."""
    return _shown(_appeals(request).suspend(appeal_id, actor=actor))


def _shown(found: Appeal) -> AppealOut:
    return AppealOut.model_validate(found)


def _appeals(request: Request) -> Appeals:
    deployment: Deployment = request.app.state.deployment
    return deployment.casework.appeals
