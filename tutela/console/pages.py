"""Templates to pages: what every page shares, and errors as pages (or as JSON for our own scripts)."""

import logging
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlencode

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.exceptions import HTTPException
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Match

from tutela.console.brake import TooManyAttemptsError
from tutela.console.conversation_lines import since_of
from tutela.console.exposure import PauseError
from tutela.console.guard import MAX_BODY_BYTES
from tutela.console.languages import Language
from tutela.console.people import Preferences
from tutela.console.roles import Permission
from tutela.console.visits import (
    MAX_FIELDS,
    ForbiddenError,
    SignInNeededError,
    Visit,
    destination_cookie,
    language_of,
    session_cookie,
)
from tutela.errors import ConflictError, InputError, NotFoundError, Statement, TutelaError, UnscreenableError, message

if TYPE_CHECKING:
    from tutela.console.service import Console

log = logging.getLogger(__name__)

Done = Literal[
    "answered",
    "asked",
    "claimed",
    "decided",
    "declined",
    "disabled",
    "enabled",
    "filed",
    "granted",
    "in-part",
    "none",
    "opened",
    "passed-on",
    "registered",
    "released",
    "removed",
    "reopened",
    "resumed",
    "retracted",
    "roles",
    "saved",
    "sent-before",
    "some-left",
    "stream-cut",
    "stream-release",
    "suspended",
    "undone",
    "waits",
    "withdrawn",
]
"""What a page can say was done; its sentences are in `done.html`."""

_NOTHING = message("there is nothing at this address")
_REFUSED = message("the console does not take such a request; go to the start, and on from there")
_UNREADABLE = Statement(
    message("the form cannot be read: it holds a file, or more than {max_fields} fields; send less of it at once"),
    {"max_fields": MAX_FIELDS},
)
_TOO_LONG = Statement(
    message("what you sent is longer than {max_bytes} bytes; send less of it at once"), {"max_bytes": MAX_BODY_BYTES}
)
_NO_PAGE = message("this address only takes forms; go to the start, and on from there")
_MALFORMED = message("this address is not of the form it must be")
_FAILED = message("the console failed; its log says why")
_OF_STATUS: Mapping[int, Statement | str] = {400: _UNREADABLE, 404: _NOTHING, 405: _NO_PAGE, 413: _TOO_LONG}
"""What the framework refuses, as it is said to people."""


def page(request: Request, template: str, visit: Visit | None = None, status: int = 200, **values: object) -> Response:
    """A template as a page; with the person's navigation where somebody is signed in."""
    console: Console = request.app.state.console
    language = visit.language if visit else language_of(request)
    shared: dict[str, object] = {
        "visit": visit,
        "person": visit.person if visit else None,
        "csrf": visit.session.csrf if visit else "",
        "preferences": visit.person.preferences if visit else Preferences(),
        "may": (lambda name: visit.person.may(Permission(name))) if visit else (lambda name: False),
        "path": request.url.path,
        "done": request.query_params.get("done", ""),
        "language": language,
        "waiting": console.waiting(visit.person) if visit else 0,
    }
    assert not shared.keys() & values.keys(), "a page's own value would hide one that all pages share"
    text = _environment(language).get_template(template).render(shared | values)
    return HTMLResponse(text, status)


def back(path: str, done: Done | None = None, **query: str) -> Response:
    """The answer to a form: see that page, which says what was done."""
    said = query | ({"done": done} if done else {})
    return RedirectResponse(f"{path}?{urlencode(said)}" if said else path, 303)


def answer_with_pages(app: FastAPI) -> None:
    """Make every error of the application a page, or JSON for our own scripts."""
    app.add_middleware(BaseHTTPMiddleware, dispatch=_answer_our_scripts)
    for kind in (HTTPException, RequestValidationError, TutelaError, Exception):
        app.add_exception_handler(kind, _error)


async def _answer_our_scripts(request: Request, call_next: RequestResponseEndpoint) -> Response:
    """To a form that a script of ours has sent, where it leads is an answer: the page goes there itself."""
    response = await call_next(request)
    if response.status_code != 303 or request.method != "POST" or not _wants_json(request):
        return response
    answer = JSONResponse({"to": response.headers["location"]})
    answer.raw_headers += [pair for pair in response.raw_headers if pair[0] in (b"set-cookie", b"clear-site-data")]
    return answer


@cache
def _environment(language: Language) -> Environment:
    environment = Environment(
        loader=PackageLoader("tutela.console"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    environment.install_gettext_translations(language.translations, newstyle=True)  # type: ignore[attr-defined]
    environment.filters |= {"moment": language.moment, "ago": language.ago, "number": language.number}
    environment.filters |= {"instant": datetime.fromisoformat}
    environment.filters |= {
        "word": language.word,
        "told": language.told,
        "reason": language.reason,
        "text": language.text,
    }
    environment.filters |= {"sentence": language.match, "seconds": since_of}
    return environment


def _error(request: Request, error: Exception) -> Response:
    status, said = _status(error)
    if isinstance(error, SignInNeededError) and request.method == "GET" and not _wants_json(request):
        response: Response = RedirectResponse("/sign-in", 303)
        if request.url.path != "/":
            wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
            response.headers.append("set-cookie", destination_cookie(wanted[:500]))
        return response
    if status == 405 and request.method == "GET" and not _wants_json(request) and (above := _page_above(request)):
        return RedirectResponse(above, 303)
    if status >= 500:
        log.error("a request failed", exc_info=error)
    if _wants_json(request):
        detail = language_of(request).told(said) or str(said)
        extra: dict[str, str | None] = {"until": error.until.isoformat()} if isinstance(error, PauseError) else {}
        if isinstance(error, InputError) and error.field is not None:
            extra["field"] = error.field
        response = JSONResponse({"detail": detail} | extra, status)
    else:
        response = page(request, "error.html", status=status, code=status, message=said)
    if isinstance(error, SignInNeededError):
        response.headers["set-cookie"] = session_cookie("")
    return response


def _page_above(request: Request) -> str | None:
    """The page that a form's address belongs to, for anyone who opens that address: the nearest page above it."""
    names = request.scope["path"].strip("/").split("/")
    for path in ["/" + "/".join(names[:length]) for length in range(len(names) - 1, 0, -1)] or ["/"]:
        scope = dict(request.scope) | {"path": path, "method": "GET"}
        if any(route.matches(scope)[0] is Match.FULL for route in request.app.routes):
            return path
    return None


def _status(error: Exception) -> tuple[int, TutelaError | Statement | str]:
    match error:
        case SignInNeededError():
            return 401, error
        case ForbiddenError():
            return 403, error
        case TooManyAttemptsError() | PauseError():
            return 429, error
        case NotFoundError():
            return 404, error
        case ConflictError():
            return 409, error
        case InputError() | UnscreenableError():
            return 422, error
        case HTTPException():
            return error.status_code, _OF_STATUS.get(error.status_code, _REFUSED)
        case RequestValidationError():
            return 422, _MALFORMED
        case _:
            return 500, _FAILED


def _wants_json(request: Request) -> bool:
    return request.headers.get("accept", "").startswith("application/json")
