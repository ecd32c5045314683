"""Empty stores in SQLite files, copied from one that the migrations made: they take a tenth of a second each time."""

import contextlib
import functools
import sqlite3
import tempfile
import uuid
from pathlib import Path

from tutela.foundation.store.database import Store


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
