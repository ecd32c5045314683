"""`tutela console`: the review console, and its first admin."""

from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="The review console: pages on which people decide cases.")


@app.command(epilog="tutela console serve --port 8081")
def serve(
    context: typer.Context,
    host: Annotated[str | None, typer.Option(help="Address to listen on, instead of console.host.")] = None,
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Port to listen on, instead of console.port.")
    ] = None,
) -> None:
    """Run the console until it is told to stop. Only this process holds the review key."""
    settings = context.obj.settings_to_serve(clean=True)
    from tutela.console.options import ConsoleOptions
    from tutela.console.server import serve as run

    options = settings.door(ConsoleOptions)
    run(settings, options, host or options.host, port or options.port)


@app.command(epilog="tutela console invite 'Ada Admin' --role admin")
def invite(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Who it is for.")],
    role: Annotated[list[str], typer.Option(help="reviewer, lead, reporter, auditor or admin; may be repeated.")],
) -> None:
    """Print a link with which somebody makes a passkey. It works once, for 24 hours. The first admin comes in so."""
    from tutela.cli.state import actor
    from tutela.cli.store import open_store
    from tutela.console.options import ConsoleOptions
    from tutela.console.people import People

    settings = context.obj.settings()
    origin = settings.door(ConsoleOptions).origin
    store = open_store(settings)
    try:
        people = People(store)
        person = people.add(name, role, by=actor())
        typer.echo(f"{origin}/enrol/{people.invite(person.id, by=actor())}")
    finally:
        store.close()
