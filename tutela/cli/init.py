"""`tutela init`: from nothing to a deployment that works."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.markup import escape
from rich.prompt import Confirm, IntPrompt, Prompt

from tutela.api.keys import Keys, Scope
from tutela.cli.output import out
from tutela.cli.state import actor
from tutela.console.options import ConsoleOptions
from tutela.console.people import People
from tutela.console.roles import Role
from tutela.deployment.installation import Made, Plan, install, keys_beside
from tutela.deployment.settings import default_home
from tutela.errors import InputError
from tutela.foundation.home import database_url
from tutela.foundation.store.database import Store

if TYPE_CHECKING:
    from tutela.deployment.settings import Settings

_FIRST_KEY = "first"
FIRST_ROLES = (Role.ADMIN, Role.REVIEWER)


def run(given: Plan, person: str, *, ask: bool) -> None:
    """Make what is not there, and say how to go on. Raises InputError, StoreError."""
    if ask and not sys.stdin.isatty():
        raise InputError("there is nobody to ask: add --yes to take the defaults and the options")
    plan, person = asked(given, person) if ask else (given, person)
    made = install(plan)
    for step in made.steps:
        out.print(f"[green]made[/green] {escape(step)}", highlight=False)
    store = Store.create(database_url(made.settings.home, made.settings.database_text))
    try:
        key, link = first_key(store), first_invitation(store, made.settings, person)
    finally:
        store.close()
    if not (made.steps or key or link):
        out.print("everything is there already; nothing was changed")
    _say(made, key, link)


def asked(plan: Plan, person: str) -> tuple[Plan, str]:
    """The plan and the first person's name, as somebody at the terminal wants them."""
    home = Path(Prompt.ask("Folder of the deployment (its home)", default=str(plan.home), console=out)).expanduser()
    keys = plan.keys if plan.keys != keys_beside(plan.home) else keys_beside(home)
    printed = not Confirm.ask(
        "Write the review key, which opens evidence, to a file? (no: it is printed once)", default=True, console=out
    )
    if not printed:
        keys = Path(Prompt.ask("Folder of the review key", default=str(keys), console=out)).expanduser()
    port = IntPrompt.ask("Port of the HTTP service", default=plan.port, console=out)
    console_port = IntPrompt.ask("Port of the review console", default=plan.console_port, console=out)
    origin = plan.origin if plan.console_port == console_port else f"http://localhost:{console_port}"
    origin = Prompt.ask("Where browsers reach the console", default=origin, console=out)
    person = Prompt.ask("Who is the first to sign in there", default=person, console=out)
    address = ConsoleOptions(origin=origin).origin
    return Plan(home, keys, printed, address, port, console_port, plan.database), person


def first_key(store: Store) -> str | None:
    """A key that screens, where there is no key at all."""
    keys = Keys(store)
    return None if keys.all() else keys.create(_FIRST_KEY, [Scope.SCREEN], by=actor())[1]


def first_invitation(store: Store, settings: "Settings", name: str) -> str | None:
    """A link into the console for its first person, where nobody is there."""
    people = People(store)
    if people.all():
        return None
    person = people.add(name, FIRST_ROLES, by=actor())
    return f"{settings.door(ConsoleOptions).origin}/enrol/{people.invite(person.id, by=actor())}"


def _say(made: Made, key: str | None, link: str | None) -> None:
    """What is shown once, and the next commands."""
    if made.review_key is not None:
        out.print("\nThe review key. It is shown this once and opens all evidence; keep it, and not on this machine:")
        typer.echo(f"  {made.review_key}")
    if key is not None:
        out.print("\nAn API key that screens. It is shown this once:")
        typer.echo(f"  {key}")
    home = made.settings.home
    tutela = "tutela" if home == default_home() else f"tutela --home {home}"
    out.print("\nNext:")
    typer.echo(f"  {tutela} serve")
    typer.echo(f"  {tutela} console serve")
    if link is not None:
        typer.echo(f"  open {link}")
    out.print("Then: a list to screen against (tutela exchange kinds, tutela bank --help).", highlight=False)
