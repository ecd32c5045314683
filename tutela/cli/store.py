"""`tutela store`: the database."""

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from tutela.settings import Settings
    from tutela.store.database import Store

app = typer.Typer(no_args_is_help=True, help="The database.")


def open_store(settings: "Settings") -> "Store":
    """The store of these settings, made on first use."""
    from tutela.deployment import database_url, prepare_home
    from tutela.store.database import Store

    prepare_home(settings.home)
    return Store.create(database_url(settings.home, settings.database_text))


@app.command()
def migrate(context: typer.Context) -> None:
    """Make the tables, or bring those of an earlier version up to this one."""
    from tutela.store.database import head_revision

    open_store(context.obj.settings()).close()
    typer.echo(f"the database is at revision {head_revision()}")
