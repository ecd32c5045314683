"""`tutela outbox`: outward calls that wait, were made, or were given up."""

from typing import Annotated

import typer

from tutela.cli.state import MAX_ID

app = typer.Typer(no_args_is_help=True, help="Outward calls: webhooks, reports, feedback.")


@app.command("list", epilog="tutela outbox list --state dead")
def list_(
    context: typer.Context,
    state: Annotated[str | None, typer.Option(help="pending, done or dead.")] = None,
    after: Annotated[int, typer.Option(min=0, max=MAX_ID, help="Only later ones than this id.")] = 0,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")] = 100,
) -> None:
    """Deliveries, oldest first."""
    from rich.markup import escape

    from tutela.cli.output import print_table
    from tutela.cli.store import open_store
    from tutela.errors import InputError
    from tutela.foundation.outbox.service import DeliveryState, Outbox

    if state is not None and state not in set(DeliveryState):
        raise InputError("a state is one of {state}", state=", ".join(DeliveryState))
    store = open_store(context.obj.settings())
    try:
        found = Outbox(store).all(state=DeliveryState(state) if state else None, after=after, limit=limit)
    finally:
        store.close()
    rows = [
        [
            str(one.id),
            escape(one.topic),
            escape(one.key),
            one.state.value,
            str(one.attempts),
            one.next_at.isoformat(timespec="seconds") if one.state is DeliveryState.PENDING else "",
            escape(one.last_error or ""),
        ]
        for one in found
    ]
    print_table(("id", "topic", "key", "state", "tries", "next", "last error"), rows)


@app.command()
def retry(
    context: typer.Context,
    delivery: Annotated[int, typer.Argument(min=1, max=MAX_ID, help="As `tutela outbox list` shows it.")],
) -> None:
    """Try a dead delivery anew; a running service makes it within a second."""
    from tutela.cli.store import open_store
    from tutela.foundation.outbox.service import Outbox

    store = open_store(context.obj.settings())
    try:
        found = Outbox(store).retry(delivery)
    finally:
        store.close()
    typer.echo(f"delivery {found.id} ({found.topic}) is tried anew")


@app.command()
def run(context: typer.Context) -> None:
    """Make every delivery that is due, and end. For sites that run no service; with one, this is never needed."""
    with context.obj.deployment() as deployment:
        typer.echo(f"{deployment.dispatcher.run_due()} tried")


@app.command()
def secret() -> None:
    """Print a fresh secret for a webhook; give it to both sides."""
    from tutela.foundation.outbox.webhooks import new_secret

    typer.echo(new_secret())
