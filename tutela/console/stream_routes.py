"""The pages of live streams: those that run and the last that ended, and the time line of each. Never a picture.

A person may cut a stream, or let viewers or a publisher in again; the watching process does it within a second.
"""

import time
from typing import TYPE_CHECKING, Annotated, Literal

from fastapi import APIRouter, Depends, Request
from starlette.responses import RedirectResponse, Response

from tutela.console.pages import back, page
from tutela.console.roles import Permission
from tutela.console.visits import Visit, needs
from tutela.errors import ConflictError
from tutela.screening.streams.model import LIVE

if TYPE_CHECKING:
    from tutela.console.service import Console

router = APIRouter()

Seeing = Annotated[Visit, Depends(needs(Permission.SEE_CASES))]
Deciding = Annotated[Visit, Depends(needs(Permission.DECIDE))]
_ENDED = 50


def _console(request: Request) -> "Console":
    console: Console = request.app.state.console
    return console


@router.get("/streams")
def streams_page(request: Request, visit: Seeing) -> Response:
    """Streams that run now, in the order in which people look, and the last that ended."""
    records = _console(request).streams
    live, ended = records.ranked(), records.all(live=False, limit=_ENDED)
    return page(request, "streams.html", visit, live=live, ended=ended, now=time.time())


@router.get("/streams/{stream_id}")
def stream_page(request: Request, visit: Seeing, stream_id: str) -> Response:
    """One stream and its time line."""
    console = _console(request)
    facts = console.streams.get(stream_id)
    if facts.id != stream_id:
        return RedirectResponse(f"/streams/{facts.id}", 303)
    item = console.cases.of_verdict(facts.verdict) if facts.verdict is not None else None
    return page(
        request,
        "stream.html",
        visit,
        stream=facts,
        live=facts.state in LIVE,
        line=console.streams.time_line(stream_id),
        signals=console.streams.signals(stream_id),
        case=item.case_id if item is not None else None,
        names=console.people.names(),
        now=time.time(),
    )


@router.post("/streams/{stream_id}/cut")
def cut(request: Request, visit: Deciding, stream_id: str) -> Response:
    """End a stream; its last seconds are sealed, and a case is opened."""
    return _asked(request, visit, stream_id, "cut")


@router.post("/streams/{stream_id}/release")
def release(request: Request, visit: Deciding, stream_id: str) -> Response:
    """Let viewers in again, or the publisher of a stream that was cut."""
    return _asked(request, visit, stream_id, "release")


def _asked(request: Request, visit: Visit, stream_id: str, what: Literal["cut", "release"]) -> Response:
    console, actor = _console(request), visit.person.actor
    facts = console.streams.get(stream_id)
    if what == "cut" and facts.state not in LIVE:
        raise ConflictError("the stream has ended; there is nothing to cut")
    console.record(actor, f"stream.{what}", f"stream:{facts.id}")
    if facts.state in LIVE:
        console.streams.ask(facts.id, what, actor)
    else:
        console.streams.admit_again(facts.id, actor)
    return back(f"/streams/{facts.id}", "stream-cut" if what == "cut" else "stream-release")
