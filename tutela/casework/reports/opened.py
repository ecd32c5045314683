"""The rooms of reports opened beside a running service, without decoders: for the command line and the worker.

With the review key, drafts and evidence can be opened; the key is read from a file outside the home, and lives in this
process's memory alone.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tutela.casework.audit.log import AuditLog
from tutela.casework.cases.options import open_case_rooms
from tutela.casework.cases.service import Cases
from tutela.casework.evidence.review_key import read_review_key
from tutela.casework.evidence.seal import ReviewKey
from tutela.casework.evidence.vault import Vault
from tutela.casework.reports.cybertipline.schema import Schema
from tutela.casework.reports.desk import Desk, OpenedEvidence
from tutela.casework.reports.options import ReportRooms, open_report_rooms
from tutela.errors import InputError
from tutela.foundation.home import database_url, prepare_home
from tutela.foundation.outbox.service import Outbox
from tutela.foundation.store.database import Store
from tutela.lists.banks.labels import labels_of

if TYPE_CHECKING:
    from tutela.deployment.settings import Settings


@dataclass(frozen=True, slots=True)
class OpenedRooms:
    """What a process that works on reports has."""

    settings: "Settings"
    store: Store
    audit: AuditLog
    cases: Cases
    reports: ReportRooms
    outbox: Outbox
    vault: Vault | None
    key: ReviewKey | None

    def desk(self) -> Desk:
        """The desk."""
        return self.reports.desk(self.cases)

    def evidence(self, actor: str, purpose: str) -> OpenedEvidence:
        """Evidence, opened with the review key. Raises InputError without one."""
        if self.vault is None:
            raise InputError("nothing says where evidence lies: set TUTELA_EVIDENCE as the service has it")
        if self.key is None:
            raise InputError("this needs the review key: give --key FILE")
        return OpenedEvidence(self.vault, self.key, actor=actor, purpose=purpose)

    def schema(self) -> Schema | None:
        """The CyberTipline schema of the settings' file; None where none is named. Raises InputError."""
        path = self.settings.reports.xsd
        return None if path is None else Schema.read(path)


@contextlib.contextmanager
def opened_rooms(settings: "Settings", key_file: Path | None = None) -> Iterator[OpenedRooms]:
    """The rooms; closed at the end of the block. Raises InputError, StoreError."""
    recipients = settings.evidence.recipients if settings.evidence else ()
    key = None if key_file is None else read_review_key(key_file, settings.home, recipients=recipients)
    prepare_home(settings.home)
    store = Store.create(database_url(settings.home, settings.database_text))
    try:
        evidence = settings.evidence.options_of() if settings.evidence else None
        endpoints = {name: webhook.endpoint(name) for name, webhook in settings.webhooks.items()}
        rooms = open_case_rooms(
            store,
            settings.home,
            evidence=evidence,
            options=settings.case_options,
            endpoints=endpoints,
            labels=lambda: labels_of(settings.home),
        )
        reports = open_report_rooms(
            store,
            rooms.cases,
            rooms.vault,
            recipients=evidence.recipients if evidence else (),
            options=settings.reports.options(),
            endpoints=endpoints,
            key=key,
        )
        yield OpenedRooms(settings, store, rooms.audit, rooms.cases, reports, Outbox(store), rooms.vault, key)
    finally:
        store.close()
