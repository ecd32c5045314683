"""`tutela key`: API keys."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from tutela.api.keys import Keys

app = typer.Typer(no_args_is_help=True, help="API keys.")


@app.command(epilog="tutela key create my-site --scope screen --days 365")
def create(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Who uses it.")],
    scope: Annotated[list[str], typer.Option(help="screen, curate, review, lead, report, flag, risk, follow, admin.")],
    days: Annotated[int | None, typer.Option(min=1, max=36_500, help="Days until it expires.")] = None,
    person: Annotated[
        str | None, typer.Option(help="Whose it is: a person of the console, by name. What it does, they did.")
    ] = None,
) -> None:
    """Make a key. It is printed once and cannot be had again."""
    from tutela.cli.state import actor
    from tutela.console.people import People

    with _keys(context) as keys:
        expires_at = datetime.now(UTC) + timedelta(days=days) if days else None
        person_id = People(keys.store).named(person).id if person is not None else None
        typer.echo(keys.create(name, scope, by=actor(), expires_at=expires_at, person_id=person_id)[1])


@app.command("list")
def list_(context: typer.Context) -> None:
    """Every key, without its secret."""
    from rich.markup import escape

    from tutela.cli.output import print_table

    def day(moment: datetime | None) -> str:
        return moment.isoformat(timespec="minutes") if moment else ""

    with _keys(context) as keys:
        rows = [
            [
                key.id,
                escape(key.name),
                ", ".join(sorted(key.scopes)),
                day(key.created_at),
                day(key.expires_at),
                day(key.revoked_at),
                day(key.last_used_at),
            ]
            for key in keys.all()
        ]
    print_table(("id", "name", "scopes", "created", "expires", "revoked", "last used"), rows)


@app.command()
def revoke(
    context: typer.Context, key_id: Annotated[str, typer.Argument(help="As `tutela key list` shows it.")]
) -> None:
    """Make a key useless, within a second, in every process."""
    from tutela.cli.state import actor

    with _keys(context) as keys:
        key = keys.revoke(key_id, by=actor())
        typer.echo(f"key {key.id} ({key.name}) is revoked")


@contextmanager
def _keys(context: typer.Context) -> Iterator["Keys"]:
    from tutela.api.keys import Keys
    from tutela.cli.store import open_store

    store = open_store(context.obj.settings())
    try:
        yield Keys(store)
    finally:
        store.close()
