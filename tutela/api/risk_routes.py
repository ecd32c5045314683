"""Routes of contacts and conversations: events in, what is known of an account, and the words that a case asks for.

`POST /v1/events` tells no score: whoever sends events learns nothing from the answer.
"""

from enum import StrEnum
from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from tutela.api.bodies import MAX_JSON_BYTES, limited
from tutela.api.keys import Scope
from tutela.api.models import Moment, Strict
from tutela.api.problems import Problem
from tutela.api.security import needs
from tutela.casework.cases.contacts import ContactCases, Line
from tutela.deployment.composition import Deployment
from tutela.errors import InputError, NotReadyError
from tutela.screening.conversations import AgeBand, AgeSource, Event, EventKind
from tutela.screening.conversations.events import MAX_ID, MAX_TEXT, UNKNOWN_MINUTE

router = APIRouter(prefix="/v1", tags=["conversations"])

MAX_EVENTS = 1_000
Id = Annotated[str, Field(min_length=1, max_length=MAX_ID, pattern=r"^[^\x00-\x1f\x7f]+$")]
Sending = Annotated[str, needs(Scope.SCREEN)]


class Band(StrEnum):
    """Age bands as they are sent."""

    UNKNOWN = "unknown"
    UNDER_13 = "under-13"
    FROM_13 = "13-15"
    FROM_16 = "16-17"
    ADULT = "adult"


class Known(StrEnum):
    """How an age is known, as it is sent."""

    UNKNOWN = "unknown"
    DECLARED = "declared"
    ESTIMATED = "estimated"
    ASSURED = "assured"
    DISPUTED = "disputed"


_BANDS = {band: AgeBand[band.name] for band in Band}
_SOURCES = {known: AgeSource[known.name] for known in Known}


class EventIn(BaseModel):
    """One event, a line of the body."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    id: Id
    type: EventKind
    at: Moment
    sender: Id = Field(alias="from")
    recipient: Id | None = Field(default=None, alias="to")
    conversation: Id | None = None
    text: str = Field(default="", max_length=MAX_TEXT, description="Scored only where content may be; never kept.")
    asked: bool = Field(default=False, description="Of an answer: accepted. Of media: asked for. Of payment: demanded.")
    acquainted: bool = Field(default=False, description="They have a mutual contact, or are family.")
    group: bool = Field(default=False, description="Said to a group or in public.")
    moves: bool = Field(default=False, description="A handle, link or contact card of elsewhere is in it.")
    role: bool = Field(default=False, description="The sender has a declared role: teacher, coach, support.")
    minute: int = Field(default=UNKNOWN_MINUTE, ge=0, description="Minute of the day at the recipient's place.")
    from_age: Band = Band.UNKNOWN
    from_age_known: Known = Known.UNKNOWN
    to_age: Band = Band.UNKNOWN
    to_age_known: Known = Known.UNKNOWN

    def event(self) -> Event:
        """As the room has it. Raises InputError."""
        return Event(
            self.id, self.type, self.at.timestamp(), self.sender, self.recipient or "", self.conversation or "",
            self.text, self.asked, self.acquainted, self.group, self.moves, self.role,
            self.minute if self.minute < 1440 else UNKNOWN_MINUTE,
            _BANDS[self.from_age], _SOURCES[self.from_age_known], _BANDS[self.to_age], _SOURCES[self.to_age_known],
        )  # fmt: skip


class LineIn(Strict):
    """One message of a conversation that a case asks for."""

    id: Id
    at: Moment
    by_suspect: bool = Field(description="Whether the account that the alarm is about sent it.")
    text: str = Field(max_length=MAX_TEXT)


class WordsIn(Strict):
    """Messages of a conversation, in their order."""

    lines: list[LineIn] = Field(min_length=1, max_length=1_000)


_EVENT = TypeAdapter(EventIn)


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
            found.append(_EVENT.validate_json(line).event())
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            at = "/".join([f"line {number}", *map(str, first["loc"])])
            errors.append({"at": at, "what": first["msg"]})
        except InputError as error:
            errors.append({"at": f"line {number}", "what": str(error)})
    if errors:
        raise Problem(422, "invalid-request", "the request is not of the documented form", errors=errors[:50])
    return found
