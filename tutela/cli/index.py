"""`tutela index`: the search index."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from tutela.lists.index.service import Indexes

app = typer.Typer(no_args_is_help=True, help="The search index: it is derived from the database and can be rebuilt.")


@app.command(epilog="tutela index build --signal pdq")
def build(
    context: typer.Context,
    signal: Annotated[list[str] | None, typer.Option(help="Only these types; all by default.")] = None,
) -> None:
    """Build the index aside and swap it in. A torn one is read anew from the database."""
    from tutela.cli.output import complain, err

    with _indexes(context) as indexes:
        for name in signal or list(indexes.by_signal):
            with err.status(f"building {name}"):
                built = indexes.build(name)
            if not built:
                complain(f"{name}: another process is building it")
                raise typer.Exit(1)
            typer.echo(f"{name}: {len(indexes.by_signal[name]):,} values")


@app.command()
def status(context: typer.Context) -> None:
    """What is searched: values, the last list change, changes not yet built in, faults. Exit code 1 on a fault."""
    from rich.markup import escape

    from tutela.cli.output import coloured, print_table

    with _indexes(context) as indexes:
        rows = [
            [
                name,
                coloured("fail" if index.fault else "ok"),
                f"{len(index):,}",
                f"{index.sequence:,}",
                f"{index.changed:,}",
                escape(index.fault or ""),
            ]
            for name, index in indexes.by_signal.items()
        ]
        faults = indexes.faults()
    print_table(("signal", "state", "values", "last change", "not built in", "fault"), rows)
    raise typer.Exit(1 if faults else 0)


@app.command()
def verify(context: typer.Context) -> None:
    """Compare the index with the database, value by value. Exit code 1 when they differ."""
    from tutela.cli.output import complain
    from tutela.lists.index.verification import differences

    found = 0
    with _indexes(context) as indexes:
        for name, index in indexes.by_signal.items():
            for difference in differences(index, indexes.feed):
                complain(f"{name}: {difference}")
                found += 1
    typer.echo("the index holds what the database lists" if not found else "run: tutela index build")
    raise typer.Exit(1 if found else 0)


@contextmanager
def _indexes(context: typer.Context) -> Iterator["Indexes"]:
    from tutela.cli.store import open_store
    from tutela.content.signals.registry import signal_types
    from tutela.lists.banks.service import Banks
    from tutela.lists.index.service import Indexes

    settings = context.obj.settings()
    store = open_store(settings)
    try:
        yield Indexes(settings.home / "index", signal_types(), Banks(store, settings.home), store.identity)
    finally:
        store.close()
