"""Pages about people: an admin invites and disables them; everybody sets their own preferences and sees their own
exposure; a lead sees the team's totals."""

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from tutela.console.pages import back, page
from tutela.console.people import Person, Preferences, Theme
from tutela.console.roles import Permission, Role
from tutela.console.visits import Visit, needs
from tutela.errors import InputError

if TYPE_CHECKING:
    from tutela.console.service import Console

router = APIRouter()

Admin = Annotated[Visit, Depends(needs(Permission.PEOPLE))]
Somebody = Annotated[Visit, Depends(needs(None))]
Lead = Annotated[Visit, Depends(needs(Permission.LEAD))]


def _console(request: Request) -> "Console":
    console: Console = request.app.state.console
    return console


@router.get("/people")
def people_page(request: Request, visit: Admin) -> Response:
    """Everybody."""
    return _people(request, visit)


@router.post("/people")
def invite(request: Request, visit: Admin) -> Response:
    """A new person, and the link to give them. It is shown this once; the form sent again makes nothing new."""
    console = _console(request)
    if not _is_new(request, visit):
        return back("/people", "sent-before")
    try:
        person = console.people.add(visit.field("name"), visit.fields("role"), by=visit.person.actor)
    except InputError as error:
        return _people(request, visit, status=422, problem=error)
    return _with_link(request, visit, person.id)


@router.post("/people/{person_id}/invitation")
def invite_again(request: Request, visit: Admin, person_id: str) -> Response:
    """Another link for somebody who lost theirs, or their passkey."""
    if not _is_new(request, visit):
        return back("/people", "sent-before")
    return _with_link(request, visit, person_id)


@router.post("/people/{person_id}/roles")
def set_roles(request: Request, visit: Admin, person_id: str) -> Response:
    """Other roles."""
    _console(request).people.set_roles(person_id, visit.fields("role"), by=visit.person.actor)
    return back("/people", "roles")


@router.post("/people/{person_id}/disabled")
def set_disabled(request: Request, visit: Admin, person_id: str) -> Response:
    """In no more, or in again."""
    disabled = visit.field("disabled") == "yes"
    _console(request).people.set_disabled(person_id, disabled, by=visit.person.actor)
    return back("/people", "disabled" if disabled else "enabled")


@router.get("/settings")
def settings_page(request: Request, visit: Somebody) -> Response:
    """One's own preferences and exposure, and the helplines."""
    console = _console(request)
    return page(
        request,
        "settings.html",
        visit,
        seen=console.exposures.of(visit.person),
        policy=console.exposures.policy,
        pause=console.exposures.pause(visit.person),
        helplines=console.helplines,
        themes=list(Theme),
        passkeys=console.passkeys.of(visit.person),
    )


@router.post("/settings/passkeys/{passkey_id}/name")
def name_passkey(request: Request, visit: Somebody, passkey_id: str) -> Response:
    """What one calls a passkey."""
    _console(request).passkeys.name(visit.person, passkey_id, visit.field("name"))
    return back("/settings", "saved")


@router.post("/settings/passkeys/{passkey_id}/remove")
def remove_passkey(request: Request, visit: Somebody, passkey_id: str) -> Response:
    """A passkey that is to open nothing any more, such as that of a lost device."""
    _console(request).passkeys.remove(visit.person, passkey_id)
    return back("/settings", "removed")


@router.post("/settings")
def set_preferences(request: Request, visit: Somebody) -> Response:
    """Keep one's preferences."""
    try:
        theme = Theme(visit.field("theme", Theme.SYSTEM))
    except ValueError:
        raise InputError("there is no such theme") from None
    preferences = Preferences(theme, visit.field("shortcuts") == "yes", visit.field("press_to_reveal") == "yes")
    _console(request).people.set_preferences(visit.person.id, preferences)
    return back("/settings", "saved")


@router.get("/team")
def team_page(request: Request, visit: Lead) -> Response:
    """Totals of everybody by day."""
    return page(request, "team.html", visit, days=_console(request).exposures.team(30))


def _with_link(request: Request, visit: Visit, person_id: str) -> Response:
    console = _console(request)
    token = console.people.invite(person_id, by=visit.person.actor)
    person = console.people.get(person_id)
    return _people(request, visit, link=f"{console.origin}/enrol/{token}", invited=person)


def _is_new(request: Request, visit: Visit) -> bool:
    """Whether a form that makes a link was not sent before."""
    return _console(request).once.spend(visit.session.id, visit.field("once"))


def _people(
    request: Request,
    visit: Visit,
    *,
    status: int = 200,
    link: str | None = None,
    invited: Person | None = None,
    problem: InputError | None = None,
) -> Response:
    """Everybody; with a link that was just made, or with what is wrong in the form beside what was given there."""
    console = _console(request)
    return page(
        request,
        "people.html",
        visit,
        status,
        everybody=console.people.all(),
        roles=list(Role),
        link=link,
        invited=invited,
        problem=problem,
        given=(visit.field("name"), visit.fields("role")) if problem else ("", []),
        once=lambda: console.once.token(visit.session.id),
    )
