"""A request that is somebody's: its session, what the person may do, and the proof that a form came from our page.

Every route but the sign-in takes a `Visit` through `needs`; there is no other way to a person.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from fastapi import Request
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData

from tutela.console.guard import COOKIE, MAX_BODY_BYTES
from tutela.console.languages import Language
from tutela.console.people import Person
from tutela.console.roles import Permission
from tutela.console.sessions import Session
from tutela.errors import InputError

if TYPE_CHECKING:
    from tutela.console.service import Console

SESSION_COOKIE = "__Host-tutela"
DESTINATION_COOKIE = "__Host-tutela-to"
CEREMONY_COOKIE = "__Host-tutela-sign-in"
MAX_FIELDS = MAX_BODY_BYTES // 8
"""A form of ours is held by its bytes: none of its fields, an item's or its label's, is shorter than this."""


class SignInNeededError(InputError):
    """Nobody is signed in."""

    code = "sign-in-needed"


class ForbiddenError(InputError):
    """Somebody is, but may not do this."""

    code = "forbidden"


@dataclass(frozen=True, slots=True)
class Visit:
    """Somebody's request."""

    session: Session
    language: Language
    form: FormData

    @property
    def person(self) -> Person:
        """Who it is."""
        return self.session.person

    def field(self, name: str, default: str = "") -> str:
        """A text field of the form."""
        value = self.form.get(name, default)
        return value if isinstance(value, str) else default

    def fields(self, name: str) -> list[str]:
        """Every value of a field of the form."""
        return [value for value in self.form.getlist(name) if isinstance(value, str)]


def needs(permission: Permission | None) -> Callable[[Request], Awaitable[Visit]]:
    """A dependency that admits who has the permission; None admits everybody who is signed in."""

    async def admitted(request: Request) -> Visit:
        console: Console = request.app.state.console
        token = request.cookies.get(SESSION_COOKIE, "")
        session = await run_in_threadpool(console.sessions.find, token) if token else None
        if session is None:
            raise SignInNeededError("please sign in")
        if session.token is not None:
            request.scope[COOKIE] = session_cookie(session.token)
        request.scope["tutela.person"] = session.person.id
        form = FormData()
        if request.method == "POST":
            form = await request.form(max_files=0, max_fields=MAX_FIELDS)
            proof = request.headers.get("x-csrf-token") or form.get("csrf")
            if not isinstance(proof, str) or not session.proves(proof):
                raise ForbiddenError("this form is not from your session; go back, reload the page, and send it again")
        if permission is not None and not session.person.may(permission):
            raise ForbiddenError("your roles do not permit this")
        return Visit(session, language_of(request), form)

    return admitted


def language_of(request: Request) -> Language:
    """The language that the browser asks for."""
    console: Console = request.app.state.console
    return console.languages.chosen(request.headers.get("accept-language", ""))


def session_cookie(token: str) -> str:
    """The Set-Cookie of a session; an empty token takes it away."""
    lasting = "" if token else "; Max-Age=0"
    return f"{SESSION_COOKIE}={token}; Path=/; Secure; HttpOnly; SameSite=Strict{lasting}"


def ceremony_cookie(token: str) -> str:
    """The Set-Cookie of a sign-in under way: `Lax`, because an identity provider sends the browser back."""
    age = 600 if token else 0
    return f"{CEREMONY_COOKIE}={token}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age={age}"


def destination_cookie(path: str) -> str:
    """The Set-Cookie of the page that somebody wanted before they had signed in; an empty path takes it away."""
    age = 600 if path else 0
    return f"{DESTINATION_COOKIE}={quote(path, safe='/')}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age={age}"


def destination_of(request: Request) -> str | None:
    """The page that was wanted before the sign-in: one of ours, never another site's."""
    path = unquote(request.cookies.get(DESTINATION_COOKIE, ""))
    is_ours = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable() and len(path) < 1000
    return path if is_ours and path != "/" else None
