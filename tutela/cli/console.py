"""`tutela console`: the review console, and its first admin."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from tutela.console.options import ConsoleSettings

app = typer.Typer(no_args_is_help=True, help="The review console: pages on which people decide cases.")


@app.command(epilog="TUTELA_CONSOLE_IDENTITY=/run/keys/review.txt tutela console serve --port 8081")
def serve(
    context: typer.Context,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 8081,
) -> None:
    """Run the console until it is told to stop. Only this process holds the review key."""
    from tutela.console.server import serve as run

    run(context.obj.settings(), _options(), host, port)


@app.command(epilog="tutela console invite 'Ada Admin' --role admin")
def invite(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Who it is for.")],
    role: Annotated[list[str], typer.Option(help="reviewer, lead, reporter, auditor or admin; may be repeated.")],
) -> None:
    """Print a link with which somebody makes a passkey. It works once, for 24 hours. The first admin comes in so."""
    from tutela.cli.state import actor
    from tutela.cli.store import open_store
    from tutela.console.people import People

    origin = _options().origin
    store = open_store(context.obj.settings())
    try:
        people = People(store)
        person = people.add(name, role, by=actor())
        typer.echo(f"{origin}/enrol/{people.invite(person.id, by=actor())}")
    finally:
        store.close()


def _options() -> "ConsoleSettings":
    from pydantic import ValidationError
    from pydantic_settings import SettingsError

    from tutela.console.options import ConsoleSettings
    from tutela.errors import InputError

    try:
        return ConsoleSettings()
    except ValidationError as error:
        lines = [
            f"TUTELA_CONSOLE_{'_'.join(map(str, item['loc'][:1])).upper()}: {item['msg']}" for item in error.errors()
        ]
        raise InputError("; ".join(lines)) from None
    except SettingsError as error:
        raise InputError(f"the environment's TUTELA_CONSOLE_ settings cannot be read: {error}") from None
