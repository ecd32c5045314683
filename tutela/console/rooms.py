"""The rooms behind the console, opened for its one process: the store, the cases, the evidence, and the audit log.

The review key is read from a file that the operator names. It is held in this process's memory and nowhere else.
"""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tutela.casework.audit.checkpoints import PublicKey
from tutela.casework.audit.log import AuditLog
from tutela.casework.audit.verification import Verification, verify_log
from tutela.casework.cases.feedback import GivingBack
from tutela.casework.cases.options import open_case_rooms
from tutela.casework.cases.service import Cases
from tutela.casework.evidence.review_key import read_review_key
from tutela.casework.evidence.seal import ReviewKey
from tutela.casework.evidence.vault import Vault
from tutela.casework.reports.cybertipline.schema import Schema
from tutela.casework.reports.desk import OpenedEvidence
from tutela.casework.reports.filer import Filer
from tutela.casework.reports.options import ReportRooms, open_report_rooms
from tutela.casework.reports.worker import ACTOR, ReportWorker
from tutela.console.options import ConsoleSettings
from tutela.deployment.settings import Settings
from tutela.errors import InputError
from tutela.foundation.home import database_url, prepare_home
from tutela.foundation.outbox.service import Outbox
from tutela.foundation.outbox.webhooks import Endpoint
from tutela.foundation.store.database import Store
from tutela.lists.banks.labels import labels_of
from tutela.lists.banks.service import Banks


@dataclass(frozen=True, slots=True)
class ConsoleRooms:
    """The rooms that the console shows."""

    store: Store
    home: Path
    audit: AuditLog
    cases: Cases
    vault: Vault
    key: ReviewKey
    reports: ReportRooms
    schema: Schema | None = None
    """What drafts of reports are checked against before they are filed."""
    audit_key: PublicKey | None = None
    """Whose signatures on checkpoints are believed."""

    def verify_audit(self) -> Verification:
        """Go through the whole audit log."""
        return verify_log(self.audit, key=self.audit_key)


@contextlib.contextmanager
def open_rooms(settings: Settings, options: ConsoleSettings) -> Iterator[ConsoleRooms]:
    """The rooms; closed at the end of the block. Raises InputError when the review key cannot be read."""
    if options.identity is None:
        raise InputError("the console needs the review key: set TUTELA_CONSOLE_IDENTITY to its file")
    if settings.evidence is None:
        raise InputError("the console needs to know where evidence lies: set TUTELA_EVIDENCE as the service has it")
    key = read_review_key(options.identity, settings.home, recipients=settings.evidence.recipients)
    evidence, case_options = settings.evidence.options_of(), settings.case_options
    prepare_home(settings.home)
    store = Store.create(database_url(settings.home, settings.database_text))
    try:
        endpoints = {name: webhook.endpoint(name) for name, webhook in settings.webhooks.items()}
        rooms = open_case_rooms(
            store,
            settings.home,
            evidence=evidence,
            options=case_options,
            endpoints=endpoints,
            labels=lambda: labels_of(settings.home),
        )
        assert rooms.vault is not None
        rooms.cases.listen(GivingBack(Banks(store, settings.home)))
        reports = open_report_rooms(
            store,
            rooms.cases,
            rooms.vault,
            recipients=evidence.recipients,
            options=settings.reports.options(),
            endpoints=endpoints,
            key=key,
        )
        schema = Schema.read(settings.reports.xsd) if settings.reports.xsd else None
        signing = case_options.signing_key
        audit_key = signing.public if signing is not None else None
        home, vault = settings.home, rooms.vault
        found = ConsoleRooms(store, home, rooms.audit, rooms.cases, vault, key, reports, schema, audit_key)
        with _report_worker(found, settings, endpoints):
            yield found
    finally:
        store.close()


@contextlib.contextmanager
def _report_worker(rooms: ConsoleRooms, settings: Settings, endpoints: Mapping[str, Endpoint]) -> Iterator[None]:
    """File what is to be filed, in the background: this process has the review key. Without credentials it waits."""
    with contextlib.ExitStack() as stack:
        evidence = OpenedEvidence(rooms.vault, rooms.key, actor=ACTOR, purpose="filing a report")
        filer = None
        if settings.reports.user is not None:
            tipline = settings.reports.credentials().connect()
            stack.callback(tipline.close)
            filer = Filer(rooms.reports.ledger, tipline, evidence)
        worker = ReportWorker(rooms.reports.desk(rooms.cases), evidence, filer, Outbox(rooms.store), endpoints)
        worker.start()
        stack.callback(worker.stop)
        yield
