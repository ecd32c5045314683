"""Which schema revisions there are, and which one a database has.

Asked by every process that opens a database, so without Alembic, whose import takes longer than opening one.
"""

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from tutela.errors import StoreError

MIGRATIONS = Path(__file__).parent / "migrations"


def revisions() -> list[str]:
    """The revisions that this version knows, the earliest first: each migration's file name begins with its own."""
    return sorted(path.name[:4] for path in (MIGRATIONS / "versions").glob("[0-9]*.py"))


def head_revision() -> str:
    """The schema revision that this version reads."""
    return revisions()[-1]


def current_revision(connection: Connection) -> str | None:
    """The revision of that database; None where nothing was made yet."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return found


def refuse_later(revision: str | None) -> None:
    """Raise StoreError where the database is of a later version of Tutela."""
    if revision is not None and revision not in revisions():
        raise StoreError(
            "the database is of a later version of Tutela (revision {revision}): update this one", revision=revision
        )
