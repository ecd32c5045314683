"""The page of appeals with their clocks. Each is answered on its case's page; here its entry can be suspended."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from tutela.casework.appeals import AppealState
from tutela.console.pages import back, page
from tutela.console.roles import Permission
from tutela.console.visits import Visit, needs

if TYPE_CHECKING:
    from tutela.console.service import Console

router = APIRouter()

Deciding = Annotated[Visit, Depends(needs(Permission.DECIDE))]


def _console(request: Request) -> "Console":
    console: Console = request.app.state.console
    return console


@router.get("/appeals")
def appeals_page(request: Request, visit: Deciding) -> Response:
    """Every open appeal, the one that is due first at the top, and those that were answered."""
    appeals = _console(request).casework.appeals
    found = appeals.all(limit=500)
    open_appeals = [appeal for appeal in found if appeal.state is AppealState.OPEN]
    answered = [appeal for appeal in reversed(found) if appeal.state is not AppealState.OPEN][:50]
    return page(request, "appeals.html", visit, open_appeals=open_appeals, answered=answered, now=datetime.now(UTC))


@router.post("/appeals/{appeal_id}/suspend")
def suspend(request: Request, visit: Deciding, appeal_id: str) -> Response:
    """The entry counts for nothing until the appeal is answered."""
    _console(request).casework.appeals.suspend(appeal_id, actor=visit.person.actor)
    return back("/appeals", "suspended")
