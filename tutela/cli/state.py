"""What every command shares: where the deployment is."""

import contextlib
import getpass
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tutela.deployment.casework import Casework
    from tutela.deployment.composition import Deployment
    from tutela.deployment.settings import Settings
    from tutela.lists.banks.service import Banks


MAX_ID = 2**63 - 1
"""The largest number that the database holds."""


@dataclass(frozen=True, slots=True)
class CommandState:
    """The options of the root command."""

    home: Path | None = None
    database: str | None = None
    config: Path | None = None

    def settings(self) -> "Settings":
        """The settings of the file and the environment, with the options over them. Raises InputError."""
        from tutela.deployment.settings import load_settings

        return load_settings(config=self.config, home=self.home, database=self.database)

    def settings_to_serve(self, *, clean: bool = False) -> "Settings":
        """The settings, for a process that stays. Raises InputError.

        Where evidence is kept, or `clean` says so, the program starts anew first, so that memory is overwritten: before
        it loads what it serves with, which takes longest and would be done twice. What serves makes sure of it, too,
        whoever calls it.
        """
        from tutela.casework.evidence.memory import start_anew_with_clean_memory

        if clean:
            start_anew_with_clean_memory()
        settings = self.settings()
        if settings.evidence is not None:
            start_anew_with_clean_memory()
        return settings

    def deployment(self) -> "Deployment":
        """The open deployment; close it."""
        return self.settings().open()

    @contextlib.contextmanager
    def banks(self) -> Iterator["Banks"]:
        """The banks alone, without anything that screens. Raises InputError, StoreError."""
        from tutela.foundation.home import database_url, prepare_home
        from tutela.foundation.store.database import Store
        from tutela.lists.banks.service import Banks

        settings = self.settings()
        prepare_home(settings.home)
        store = Store.create(database_url(settings.home, settings.database_text))
        try:
            yield Banks(store, settings.home)
        finally:
            store.close()

    @contextlib.contextmanager
    def casework(self, key: Path | None = None) -> Iterator["Casework"]:
        """Casework, with the review key of a file where one is given. Raises InputError, EvidenceError, StoreError."""
        from tutela.casework.evidence.review_key import read_review_key
        from tutela.deployment.casework import opened_casework

        settings = self.settings()
        options = settings.casework
        recipients = options.evidence.recipients if options.evidence is not None else ()
        opening = None if key is None else read_review_key(key, settings.home, recipients=recipients)
        with opened_casework(settings.home, settings.database_text, options, opening) as casework:
            yield casework


def actor() -> str:
    """Who acts on the command line, for histories."""
    from tutela.cli.output import visible

    try:
        return f"cli:{visible(getpass.getuser())}"[:128]
    except (KeyError, OSError):
        return "cli"
