"""`tutela store`: the database."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from tutela.deployment.settings import Settings
    from tutela.foundation.store.database import Store

app = typer.Typer(no_args_is_help=True, help="The database.")


def open_store(settings: "Settings") -> "Store":
    """The store of these settings, made on first use."""
    from tutela.deployment.store import made_store

    return made_store(settings)


@app.command()
def migrate(context: typer.Context) -> None:
    """Make the tables, or bring those of an earlier version up to this one."""
    from tutela.foundation.store.revisions import head_revision

    open_store(context.obj.settings()).close()
    typer.echo(f"the database is at revision {head_revision()}")


@app.command(epilog="tutela store backup /backup/tutela.db")
def backup(context: typer.Context, file: Annotated[Path, typer.Argument(help="The copy; it must not exist.")]) -> None:
    """Copy a SQLite database while the service runs. With PostgreSQL, use pg_dump or what your database has."""
    from tutela.errors import InputError

    store = open_store(context.obj.settings())
    try:
        if not store.is_sqlite:
            raise InputError("this command copies SQLite databases; use pg_dump for PostgreSQL")
        if file.exists():
            raise InputError("{file} exists already", file=file)
        with store.read() as connection:
            connection.exec_driver_sql("VACUUM INTO ?", (str(file),))
    finally:
        store.close()
    file.chmod(0o600)
    typer.echo(f"the database is copied to {file}")
