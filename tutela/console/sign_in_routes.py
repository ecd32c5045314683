"""Signing in and out: passkeys, the identity provider, and the invitation that a first passkey is made with."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, RedirectResponse, Response

from tutela.console.guard import COOKIE
from tutela.console.pages import page
from tutela.console.people import Person
from tutela.console.visits import CEREMONY_COOKIE, Visit, ceremony_cookie, needs, session_cookie
from tutela.errors import InputError

if TYPE_CHECKING:
    from tutela.console.service import Console

router = APIRouter()


def _console(request: Request) -> "Console":
    console: Console = request.app.state.console
    return console


@router.get("/sign-in")
def sign_in_page(request: Request) -> Response:
    """The ways in."""
    return page(request, "sign-in.html", oidc=_console(request).oidc is not None)


@router.post("/sign-in/passkey/options")
def passkey_options(request: Request) -> Response:
    """A challenge for any passkey of this console."""
    _console(request).brake.check(request)
    return _challenge(_console(request).passkeys.sign_in_options())


@router.post("/sign-in/passkey")
async def sign_in_by_passkey(request: Request) -> Response:
    """The answer to the challenge, and with it a session."""
    console, answer = _console(request), (await request.body()).decode("utf-8", "replace")
    return await run_in_threadpool(_enter, request, "passkey", lambda token: console.passkeys.sign_in(token, answer))


@router.get("/enrol/{invitation}")
def enrol_page(request: Request, invitation: str) -> Response:
    """What an invited person sees. Looking at it uses nothing up."""
    console = _console(request)
    console.brake.check(request)
    person = console.people.invited(invitation)
    if person is None:
        console.brake.failed(request)
        raise InputError("the invitation was used already or has expired; ask for a new one")
    return page(request, "enrol.html", invited=person)


@router.post("/enrol/{invitation}/options")
def enrol_options(request: Request, invitation: str) -> Response:
    """What the browser makes a passkey from."""
    _console(request).brake.check(request)
    try:
        return _challenge(_console(request).passkeys.enrolment(invitation))
    except InputError:
        _console(request).brake.failed(request)
        raise


@router.post("/enrol/{invitation}")
async def enrol(request: Request, invitation: str) -> Response:
    """The passkey that was made; the invitation is used up and the person is signed in."""
    console, answer = _console(request), (await request.body()).decode("utf-8", "replace")
    return await run_in_threadpool(_enter, request, "enrolment", lambda token: console.passkeys.enrol(token, answer))


@router.get("/sign-in/oidc")
def start_oidc(request: Request) -> Response:
    """Off to the identity provider."""
    console = _console(request)
    console.brake.check(request)
    if console.oidc is None:
        raise InputError("there is no identity provider here")
    token, address = console.oidc.start()
    response = RedirectResponse(address, 303)
    response.headers.append("set-cookie", ceremony_cookie(token))
    return response


@router.get("/sign-in/oidc/return")
def finish_oidc(request: Request, state: str = "", code: str = "") -> Response:
    """Back from the identity provider."""
    console = _console(request)
    console.brake.check(request)
    if console.oidc is None:
        raise InputError("there is no identity provider here")
    oidc = console.oidc
    try:
        person = oidc.finish(request.cookies.get(CEREMONY_COOKIE, ""), state, code)
    except InputError:
        console.brake.failed(request)
        console.sessions.refuse("oidc")
        raise
    # The session's cookie is not sent on a way that began at another site: the page itself takes the last step.
    response = page(request, "signed-in.html")
    _begin(console, response, person, "oidc")
    return response


@router.post("/sign-out")
def sign_out(request: Request, visit: Annotated[Visit, Depends(needs(None))]) -> Response:
    """End the session."""
    console = _console(request)
    console.reveals.end_all(visit.person)
    console.sessions.sign_out(visit.session)
    request.scope.pop(COOKIE, None)
    response = RedirectResponse("/sign-in", 303)
    response.headers.append("set-cookie", session_cookie(""))
    response.headers["clear-site-data"] = '"cache", "storage"'
    return response


def _challenge(begun: tuple[str, str]) -> Response:
    token, options = begun
    response = Response(options, media_type="application/json")
    response.headers.append("set-cookie", ceremony_cookie(token))
    return response


def _enter(request: Request, method: str, check: Callable[[str], Person]) -> Response:
    console = _console(request)
    console.brake.check(request)
    try:
        person = check(request.cookies.get(CEREMONY_COOKIE, ""))
    except InputError:
        console.brake.failed(request)
        console.sessions.refuse(method)
        raise
    response = JSONResponse({"to": "/"})
    _begin(console, response, person, method)
    return response


def _begin(console: "Console", response: Response, person: Person, method: str) -> None:
    session = console.sessions.begin(person, method)
    assert session.token is not None
    response.headers.append("set-cookie", session_cookie(session.token))
    response.headers.append("set-cookie", ceremony_cookie(""))
