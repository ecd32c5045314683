"""The home: the folder of a deployment, and the database that is in it where none is named."""

import logging
import os
import stat
from pathlib import Path

from tutela.errors import InputError

log = logging.getLogger(__name__)

_NOT_OURS = (Path("/"), Path.home())
"""Folders of the system's or the user's own, which are not closed to others for us."""


def database_url(home: Path, database: str | None) -> str:
    """The database's URL: the given one, or a SQLite file in the home."""
    return database or f"sqlite:///{home / 'tutela.db'}"


def prepare_home(home: Path) -> None:
    """Make the home, for this user only; one that others can read is closed to them.

    Raises InputError when that is not possible: it is another's, or a place that others are meant to use.
    """
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = home.stat()
        if not status.st_mode & 0o077:
            if os.access(home, os.R_OK | os.X_OK):
                return
            raise InputError(
                "the home {home} is another user's: run this as that user, or name a folder of your own", home=home
            )
        if status.st_uid == os.geteuid() and not status.st_mode & stat.S_ISVTX and home.resolve() not in _NOT_OURS:
            home.chmod(0o700)
            log.warning("the home %s was open to others; it is its user's only now", home)
            return
    except OSError as error:
        raise InputError("the home {home} cannot be made: {why}", home=home, why=error.strerror) from error
    raise InputError(
        "the home {home} is open to others: give it a folder of its own, that nobody else may read", home=home
    )
