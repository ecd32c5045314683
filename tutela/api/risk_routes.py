"""Routes of contacts and conversations: events in, what is known of an account, and the words that a case asks for.

`POST /v1/events` tells no score: whoever sends events learns nothing from the answer.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from tutela.api.bodies import MAX_JSON_BYTES, limited
from tutela.api.keys import Scope
from tutela.api.models import Moment, Strict
from tutela.api.problems import Problem
from tutela.api.security import needs
from tutela.casework.cases.contacts import ContactCases, Line
from tutela.deployment.composition import Deployment
from tutela.errors import NotReadyError
from tutela.screening.conversations import Event
from tutela.screening.conversations.events import MAX_ID, MAX_TEXT
from tutela.screening.conversations.wire import Id, UnreadableEventError, read_event

router = APIRouter(prefix="/v1", tags=["conversations"])

MAX_EVENTS = 1_000
Sending = Annotated[str, needs(Scope.SCREEN)]


class LineIn(Strict):
    """One message of a conversation that a case asks for."""

    id: Id
    at: Moment
    by_suspect: bool = Field(description="Whether the account that the alarm is about sent it.")
    text: str = Field(max_length=MAX_TEXT)


class WordsIn(Strict):
    """Messages of a conversation, in their order."""

    lines: list[LineIn] = Field(min_length=1, max_length=1_000)


@router.post("/events", operation_id="observe_events", status_code=202)
async def observe(request: Request, _: Sending) -> Response:
    """Take up to 1,000 events, a JSON object a line. 202 once all are durable; one sent again counts once."""
    deployment: Deployment = request.app.state.deployment
    conversations = deployment.conversations
    body = b"".join([part async for part in limited(request, MAX_JSON_BYTES)])
    taken = await run_in_threadpool(lambda: conversations.observe(_events(body)))
    return JSONResponse({"taken": taken}, 202)


@router.get("/risk/{account}", operation_id="risk_of_account")
def risk(request: Request, account: str, _: Annotated[str, needs(Scope.RISK)]) -> dict[str, Any]:
    """What is known of an account: level, reasons, versions. A low score clears nobody; no score is a penalty."""
    deployment: Deployment = request.app.state.deployment
    return deployment.conversations.risk(account[:MAX_ID]).document()


@router.get("/cases/{case_id}/alarms", operation_id="alarms_of_case")
def alarms(request: Request, case_id: str, _: Annotated[str, needs(Scope.REVIEW)]) -> dict[str, Any]:
    """The alarms of a contact case: reasons with counts and times, no text."""
    case = request.app.state.deployment.casework.cases.get(case_id)
    return {"alarms": [{"id": one.id, **one.document} for one in _contacts(request).of_case(case.id)]}


@router.post("/cases/{case_id}/context", operation_id="give_context", status_code=201)
def give_context(request: Request, case_id: str, body: WordsIn, actor: Sending) -> dict[str, int]:
    """Give the messages that an open contact case asks for. They are sealed at once; nobody reads them here."""
    lines = [Line(one.id, one.at, one.by_suspect, one.text) for one in body.lines]
    return {"lines": _contacts(request).add_words(case_id, lines, actor=actor).lines}


def _contacts(request: Request) -> ContactCases:
    deployment: Deployment = request.app.state.deployment
    if deployment.casework.contacts is None:
        raise NotReadyError("nothing can be sealed here: set [evidence] with recipients")
    return deployment.casework.contacts


def _events(body: bytes) -> list[Event]:
    """The events of the body's lines. Raises Problem: then none of them was taken."""
    lines = [line for line in body.split(b"\n") if line.strip()]
    if len(lines) > MAX_EVENTS:
        raise Problem(413, "too-long", f"at most {MAX_EVENTS:,} events in one request")
    found, errors = [], []
    for number, line in enumerate(lines, 1):
        try:
            found.append(read_event(line))
        except UnreadableEventError as error:
            at = f"line {number}/{error.at}" if error.at else f"line {number}"
            errors.append({"at": at, "what": str(error)})
    if errors:
        raise Problem(422, "invalid-request", "the request is not of the documented form", errors=errors[:50])
    return found
