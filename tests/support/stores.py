"""Empty stores in SQLite, made after one that the migrations made: they take a tenth of a second each time."""

import contextlib
import functools
import sqlite3
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from unittest import mock

from sqlalchemy import Connection, create_engine

from tutela.foundation.store import database
from tutela.foundation.store.database import Store
from tutela.foundation.store.revisions import current_revision


def new_store(file: Path) -> str:
    """The URL of a file that holds an empty store now, with an identity of its own; its folder is made where needed."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    file.write_bytes(_migrated())
    with contextlib.closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE meta SET value = ? WHERE name = 'identity'", [uuid.uuid4().hex])
    return f"sqlite:///{file}"


def new_home(home: Path) -> Path:
    """The folder, made where needed, with an empty store where deployments look for it."""
    new_store(home / "tutela.db")
    return home


@functools.cache
def _migrated() -> bytes:
    """What a new store's file holds."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "store.db"
        Store.create(f"sqlite:///{file}").close()
        assert [path.name for path in Path(folder).iterdir()] == ["store.db"]  # no write-ahead log beside it
        return file.read_bytes()


@contextlib.contextmanager
def migrated_once() -> Iterator[None]:
    """Meanwhile what this process makes of an empty SQLite database is made after what the migrations made once.

    Any other database is migrated as ever.
    """
    migrations = database._upgrade

    @functools.cache
    def outcome() -> Sequence[str]:
        engine = create_engine("sqlite://")
        with engine.begin() as connection:
            migrations(connection)
            dump: list[str] = list(connection.connection.driver_connection.iterdump())  # type: ignore[union-attr]
        engine.dispose()
        return dump[1:-1]  # without its transaction

    def upgrade(connection: Connection) -> None:
        if connection.dialect.name != "sqlite" or current_revision(connection) is not None:
            migrations(connection)
            return
        for statement in outcome():
            connection.exec_driver_sql(statement)

    with mock.patch.object(database, "_upgrade", upgrade):
        yield
