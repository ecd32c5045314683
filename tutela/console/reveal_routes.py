"""The addresses that pictures come from, and the questions of the two-person rule. Pictures are answers to POST: no
link, no image element, no prefetching and no history leads to one."""

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import JSONResponse, Response

from tutela.console.pages import back, page
from tutela.console.roles import Permission
from tutela.console.visits import Visit, needs
from tutela.errors import InputError

if TYPE_CHECKING:
    from tutela.console.service import Console

router = APIRouter()

Revealing = Annotated[Visit, Depends(needs(Permission.REVEAL))]


def _console(request: Request) -> "Console":
    console: Console = request.app.state.console
    return console


@router.post("/cases/{case_id}/items/{item_id}/reveal")
def begin(request: Request, visit: Revealing, case_id: str, item_id: int) -> Response:
    """Begin a reveal: the token that its pictures are asked with."""
    console = _console(request)
    subject, item = console.policy.subject(visit.person, console.cases.get(case_id), item_id)
    frame = visit.field("frame", "-1")
    if not frame.removeprefix("-").isdecimal() or len(frame) > 6:
        raise InputError("a frame is a number")
    actor = visit.person.actor
    begun = console.reveals.begin(
        visit.person,
        subject,
        lambda: console.casework.evidence(actor, "review").read(item.evidence_id),
        frame=int(frame) if int(frame) >= 0 else None,
    )
    return JSONResponse(
        {
            "token": begun.token,
            "steps": begun.steps,
            "frames": begun.frames,
            "pace_ms": begun.pace_ms,
            "lasts_ms": begun.lasts_ms,
            "waits": begun.waits_for_second,
        }
    )


@router.post("/reveals/{token}/steps/{step}")
def picture(request: Request, visit: Revealing, token: str, step: int) -> Response:
    """The rendition of a step."""
    return Response(_console(request).reveals.picture(visit.person, token, step), media_type="image/jpeg")


@router.post("/reveals/{token}/end")
def end(request: Request, visit: Revealing, token: str) -> Response:
    """Cover it, and say what was counted."""
    console = _console(request)
    console.reveals.end(visit.person, token)
    seen = console.exposures.of(visit.person)
    return JSONResponse({"items": seen.items, "seconds": round(seen.seconds)})


@router.post("/cases/{case_id}/items/{item_id}/second-look")
def ask(request: Request, visit: Revealing, case_id: str, item_id: int) -> Response:
    """Ask for a second person."""
    console = _console(request)
    console.policy.subject(visit.person, console.cases.get(case_id), item_id)
    console.second_looks.ask(visit.person, case_id, str(item_id))
    return back(f"/cases/{case_id}", "asked")


@router.get("/second-looks")
def second_looks_page(request: Request, visit: Revealing) -> Response:
    """The questions that this person may answer. No picture is on this page."""
    console = _console(request)
    return page(
        request,
        "second-looks.html",
        visit,
        questions=console.second_looks.open(visit.person),
        names=console.people.names(),
    )


@router.post("/second-looks/{number}")
def answer(request: Request, visit: Revealing, number: int) -> Response:
    """Grant or decline."""
    console = _console(request)
    granted = visit.field("granted") == "yes"
    console.second_looks.answer(visit.person, number, granted)
    return back("/second-looks", "granted" if granted else "declined")
