"""The rooms behind the console, opened for its one process: the store, the cases, the evidence, and the audit log."""

import contextlib
import logging
from collections.abc import Iterator, Mapping

from tutela.cases.cases import Cases
from tutela.console.app import ConsoleRooms
from tutela.console.options import ConsoleSettings
from tutela.deployment import database_url, prepare_home
from tutela.errors import TutelaError
from tutela.settings import Settings
from tutela.store.database import Store

log = logging.getLogger(__name__)


class LogLedger:
    """Lines in the process's log, until the audit log is there."""

    def record(self, actor: str, action: str, subject: str, detail: Mapping[str, str]) -> int:
        """Write a line."""
        log.info("%s %s %s", actor, action, subject)
        return 0


class NoEvidence:
    """Evidence that cannot be opened."""

    def read(self, evidence_id: str, *, actor: str) -> bytes:
        """Raises TutelaError."""
        raise TutelaError("this version has no evidence")

    def context(self, evidence_id: str, *, actor: str) -> Mapping[str, str]:
        """Raises TutelaError."""
        raise TutelaError("this version has no evidence")


@contextlib.contextmanager
def open_rooms(settings: Settings, options: ConsoleSettings) -> Iterator[ConsoleRooms]:
    """The rooms; closed at the end of the block."""
    prepare_home(settings.home)
    store = Store.create(database_url(settings.home, settings.database_text))
    try:
        yield ConsoleRooms(store, settings.home, LogLedger(), Cases(), NoEvidence())
    finally:
        store.close()
