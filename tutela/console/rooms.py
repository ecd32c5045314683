"""The rooms behind the console, opened for its one process: the store, and the audit log."""

import contextlib
import logging
from collections.abc import Iterator, Mapping

from tutela.console.app import ConsoleRooms
from tutela.console.options import ConsoleSettings
from tutela.deployment import database_url, prepare_home
from tutela.settings import Settings
from tutela.store.database import Store

log = logging.getLogger(__name__)


class LogLedger:
    """TODO evidence: replaced by the audit log."""

    def append(self, actor: str, action: str, subject: str, detail: Mapping[str, str]) -> None:
        log.info("%s %s %s", actor, action, subject)


@contextlib.contextmanager
def open_rooms(settings: Settings, options: ConsoleSettings) -> Iterator[ConsoleRooms]:
    """The rooms; closed at the end of the block."""
    prepare_home(settings.home)
    store = Store.create(database_url(settings.home, settings.database_text))
    try:
        yield ConsoleRooms(store, settings.home, LogLedger())
    finally:
        store.close()
