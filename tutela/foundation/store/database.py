"""The database: SQLite by default, PostgreSQL by URL. Connections, transactions, migrations, and the order of changes.

What a transaction accepted is on the disk when it returns (SQLite: WAL with synchronous=FULL).
"""

import contextlib
import secrets
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Engine, Table, create_engine, event, insert, select, text, update
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DataError, OperationalError, SQLAlchemyError
from sqlalchemy.pool import PoolProxiedConnection, StaticPool

from tutela.errors import NotFoundError, StoreError
from tutela.foundation.store.announcements import Listener, announce
from tutela.foundation.store.revisions import MIGRATIONS, current_revision, head_revision, refuse_later
from tutela.foundation.store.tables import clock, meta

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql, sqlite

BUSY_TIMEOUT_S = 30.0
CONNECT_TIMEOUT_S = 5


class Store:
    """One database with Tutela's tables. Thread-safe; many processes may share it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._watch: PoolProxiedConnection | None = None
        """Writes nothing: what it sees changing, others changed."""
        self._listener = Listener(engine)
        self._watching = threading.Lock()
        self.url = engine.url.render_as_string(hide_password=False)
        with self.read() as connection:
            self.identity = connection.execute(select(meta.c.value).where(meta.c.name == "identity")).scalar_one()

    @classmethod
    def open(cls, url: str) -> "Store":
        """The store at a SQLAlchemy URL. Raises StoreError when it is unreachable or of another version."""
        engine = _engine(url)
        try:
            with _answering(engine), engine.connect() as connection:
                found, wanted = current_revision(connection), head_revision()
            refuse_later(found)
            if found != wanted:
                raise StoreError(
                    "the database is at revision {found}, this version needs {wanted}: run `tutela store migrate`",
                    found=found or "none",
                    wanted=wanted,
                )
            return cls(engine)
        except BaseException:
            engine.dispose()
            raise

    @classmethod
    def create(cls, url: str) -> "Store":
        """The store at a URL, made or brought up to this version first. Raises StoreError."""
        engine = _engine(url)
        try:
            migrate(engine)
            return cls(engine)
        except BaseException:
            engine.dispose()
            raise

    def secret(self, name: str) -> bytes:
        """32 random bytes of this deployment's, the same for all its processes. Made when they are first asked for.

        Raises StoreError.
        """
        row = f"secret {name}"
        if (kept := self._meta(row)) is None:
            try:
                with self.write() as connection:
                    connection.execute(insert(meta).values(name=row, value=secrets.token_hex(32)))
            except StoreError:
                if self._meta(row) is None:  # else another process was first
                    raise
            kept = self._meta(row)
        assert kept is not None
        return bytes.fromhex(kept)

    def _meta(self, name: str) -> str | None:
        with self.read() as connection:
            return connection.execute(select(meta.c.value).where(meta.c.name == name)).scalar()

    @contextlib.contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection to read with. Raises StoreError."""
        with _answering(self._engine), self._engine.connect() as connection:
            yield connection

    @contextlib.contextmanager
    def write(self) -> Iterator[Connection]:
        """A connection in a transaction that is durable when the block ends, and undone when it raises.

        Raises StoreError. SQLite lets one writer in at a time; others wait.
        """
        with _answering(self._engine), self._engine.connect() as connection:
            if self.is_sqlite:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            with connection.begin() if not self.is_sqlite else _ending(connection):
                yield connection

    def version(self) -> int | None:
        """Differs whenever anybody wrote something that others wait for: lists, deliveries, jobs. None where the
        database cannot say that at next to no cost."""
        if not self.is_sqlite:
            with self._watching:
                return self._listener.heard()
        if self._engine.url.database in (None, "", ":memory:"):
            return None
        with self._watching, _answering(self._engine):
            if self._watch is None:
                self._watch = self._engine.raw_connection()
            cursor = self._watch.cursor()
            try:
                version: int = cursor.execute("PRAGMA data_version").fetchone()[0]
            finally:
                cursor.close()
        return version

    def unwritable(self) -> str | None:
        """Why a transaction cannot be written now, or None. Writes what is there already."""
        try:
            with self.write() as connection:
                connection.execute(update(clock).values(id=clock.c.id))
        except StoreError as error:
            return str(error)
        return None

    @property
    def is_sqlite(self) -> bool:
        """Whether the database is SQLite."""
        return self._engine.dialect.name == "sqlite"

    def close(self) -> None:
        """Close every connection."""
        with self._watching:
            self._listener.close()
            if self._watch is not None:
                self._watch.close()
                self._watch = None
        self._engine.dispose()


@contextlib.contextmanager
def _ending(connection: Connection) -> Iterator[None]:
    try:
        yield
    except BaseException:
        connection.exec_driver_sql("ROLLBACK")
        raise
    connection.exec_driver_sql("COMMIT")


def advance_sequence(connection: Connection, changes: int) -> int:
    """Take places for that many changes in the one order of all; the first of them is returned.

    The row lock that this takes is held until commit: whoever reads a sequence number has seen every smaller one.
    """
    if changes:
        announce(connection)
    statement = update(clock).values(sequence=clock.c.sequence + changes).returning(clock.c.sequence)
    return int(connection.execute(statement).scalar_one()) - changes + 1


class Changes:
    """Whether a database may have changed since somebody looked: for loops that look again and again."""

    def __init__(self, store: Store, *, at_least_every_s: float) -> None:
        """`any` is True at least so often, for what time alone brings."""
        self._store = store
        self._every_s = at_least_every_s
        self._seen: int | None = None
        self._looked_at = -at_least_every_s

    def any(self) -> bool:
        """Whether to look now; whoever is told so is taken to look. Raises StoreError."""
        version, now = self._store.version(), time.monotonic()
        if version is not None and version == self._seen and now - self._looked_at < self._every_s:
            return False
        self._seen, self._looked_at = version, now
        return True

    def again(self) -> None:
        """What was seen could not be taken in: look again next time."""
        self._seen = None
        self._looked_at = -self._every_s


def last_change(store: Store) -> tuple[int, int]:
    """Differs whenever a list or a bank was changed. Raises StoreError."""
    with store.read() as connection:
        row = connection.execute(select(clock.c.sequence, clock.c.banks)).one()
    return row.sequence, row.banks


def advance_banks(connection: Connection) -> None:
    """Let every process notice that a bank changed."""
    announce(connection)
    connection.execute(update(clock).values(banks=clock.c.banks + 1))


def insert_once(connection: Connection, table: Table, row: Mapping[str, Any]) -> "postgresql.Insert | sqlite.Insert":
    """The insertion of a row where there is none with its key. Of the dialects the one that is spoken is read: every
    command would wait for the other's drivers."""
    if connection.dialect.name == "sqlite":
        from sqlalchemy.dialects import sqlite

        return sqlite.insert(table).values(row).on_conflict_do_nothing()
    from sqlalchemy.dialects import postgresql

    return postgresql.insert(table).values(row).on_conflict_do_nothing()


def now() -> int:
    """Microseconds since the epoch."""
    return microseconds(datetime.now(UTC))


def microseconds(moment: datetime) -> int:
    """Microseconds since the epoch of an aware datetime."""
    delta = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds


def moment(value: int) -> datetime:
    """The UTC datetime of microseconds since the epoch."""
    seconds, rest = divmod(value, 1_000_000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest)


def migrate(engine: Engine) -> None:
    """Make the tables, or bring earlier ones up, in one transaction. Raises StoreError."""
    with _answering(engine), engine.connect() as connection:
        current = current_revision(connection)
        if current == head_revision():
            return
        refuse_later(current)
        connection.rollback()
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        else:
            connection.begin()
            connection.execute(text("SELECT pg_advisory_xact_lock(7846185)"))  # one process migrates at a time
        _upgrade(connection)
        if connection.execute(select(meta.c.value).where(meta.c.name == "identity")).first() is None:
            connection.execute(insert(meta).values(name="identity", value=uuid.uuid4().hex))
            connection.execute(insert(clock).values(id=1, sequence=0, banks=0))
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("COMMIT")
        else:
            connection.commit()


def _upgrade(connection: Connection) -> None:
    from alembic import command  # every process opens a database, few migrate one
    from alembic.config import Config

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    command.upgrade(config, "head")


def _engine(url: str) -> Engine:
    parsed = _parse(url)
    if parsed.get_backend_name() != "sqlite":
        return create_engine(
            parsed,
            pool_pre_ping=True,
            pool_size=10,
            max_overflow=20,
            isolation_level="READ COMMITTED",
            connect_args={"connect_timeout": CONNECT_TIMEOUT_S},
        )
    in_memory = parsed.database in (None, "", ":memory:")
    if in_memory:
        engine = create_engine(parsed, poolclass=StaticPool, connect_args={"check_same_thread": False})
    else:
        engine = create_engine(
            parsed,
            pool_size=20,
            max_overflow=40,
            connect_args={"timeout": BUSY_TIMEOUT_S, "check_same_thread": False},
        )
    event.listen(engine, "connect", _prepare_sqlite)
    return engine


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise StoreError(
            "the database URL cannot be read; it looks like sqlite:///file or postgresql://host/name"
        ) from None
    backend = parsed.get_backend_name()
    if backend == "sqlite":
        return parsed.set(drivername="sqlite")
    if backend in ("postgresql", "postgres"):
        return parsed.set(drivername="postgresql+psycopg")
    raise StoreError("databases of type {backend!r} are not supported; use SQLite or PostgreSQL", backend=backend)


def _prepare_sqlite(connection: "object", _record: object) -> None:
    # Transactions are begun by us: the driver would otherwise begin them late and in the wrong mode.
    connection.isolation_level = None  # type: ignore[attr-defined]
    cursor = connection.cursor()  # type: ignore[attr-defined]
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        f"busy_timeout={int(BUSY_TIMEOUT_S * 1000)}",
        "cache_size=-65536",
        "temp_store=MEMORY",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


@contextlib.contextmanager
def _answering(engine: Engine) -> Iterator[None]:
    """Turn the database's own errors into StoreError, without its address or any value."""
    try:
        yield
    except (OverflowError, DataError) as error:
        # What no column holds is no row's: an id that a caller made up.
        raise NotFoundError("there is nothing of that number: it is larger than any of ours") from error
    except OperationalError as error:
        raise StoreError(
            "the database ({name}) does not answer: {error}", name=engine.dialect.name, error=_brief(error)
        ) from error
    except SQLAlchemyError as error:
        raise StoreError(
            "the database ({name}) refused: {error}", name=engine.dialect.name, error=_brief(error)
        ) from error


def _brief(error: SQLAlchemyError) -> str:
    cause = getattr(error, "orig", None) or error
    lines = str(cause).strip().splitlines()
    return f"{type(cause).__name__}: {lines[0][:200] if lines else ''}"
