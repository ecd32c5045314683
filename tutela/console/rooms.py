"""The rooms behind the console, opened for its one process: the store, the cases, the evidence, and the audit log.

The review key is read from a file that the operator names. It is held in this process's memory and nowhere else.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from tutela.cases.cases import Cases
from tutela.console.app import ConsoleRooms
from tutela.console.opened_evidence import OpenedEvidence
from tutela.console.options import ConsoleSettings
from tutela.deployment import database_url, prepare_home
from tutela.errors import InputError
from tutela.evidence.audit import AuditLog
from tutela.evidence.objects import Objects
from tutela.evidence.sealing import ReviewKey
from tutela.evidence.vault import Vault
from tutela.evidence.verification import verify_log
from tutela.settings import Settings
from tutela.store.database import Store

_MAX_KEY_BYTES = 64 * 1024


@contextlib.contextmanager
def open_rooms(settings: Settings, options: ConsoleSettings) -> Iterator[ConsoleRooms]:
    """The rooms; closed at the end of the block. Raises InputError when the review key cannot be read."""
    key = read_review_key(options.identity, settings.home)
    prepare_home(settings.home)
    store = Store.create(database_url(settings.home, settings.database_text))
    try:
        audit = AuditLog(store)
        vault = Vault(store, Objects(f"file://{settings.home / 'evidence'}"), None)
        yield ConsoleRooms(store, settings.home, audit, Cases(), OpenedEvidence(vault, key), lambda: verify_log(audit))
    finally:
        store.close()


def read_review_key(path: Path | None, home: Path) -> ReviewKey:
    """The review key in a file outside the home. Raises InputError saying what to do."""
    if path is None:
        raise InputError("the console needs the review key: set TUTELA_CONSOLE_IDENTITY to its file")
    if path.resolve().is_relative_to(home.resolve()):
        raise InputError(f"the review key {path} lies in the home, which the serving process reads; keep it elsewhere")
    try:
        with path.open(encoding="ascii") as file:
            return ReviewKey(file.read(_MAX_KEY_BYTES))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"the review key {path} cannot be read: {error}") from None
