"""The home: the folder of a deployment, and the database that is in it where none is named."""

from pathlib import Path

from tutela.errors import InputError


def database_url(home: Path, database: str | None) -> str:
    """The database's URL: the given one, or a SQLite file in the home."""
    return database or f"sqlite:///{home / 'tutela.db'}"


def prepare_home(home: Path) -> None:
    """Make the home, for this user only. Raises InputError when that is not possible."""
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"the home {home} cannot be made: {error.strerror}") from error
