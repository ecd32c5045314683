"""Casework, put together in the one place where it is: the audit log, cases, evidence and reports of a deployment, with
everything that follows a decision attached.

Every door and every worker opens it here, so that a decision means the same wherever it is made.
"""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tutela.casework.appeals import Appeals
from tutela.casework.appeals.signs import Signs
from tutela.casework.audit.checkpoints import Checkpoints, SigningKey
from tutela.casework.audit.log import AuditLog
from tutela.casework.cases.alarms import AlarmMail
from tutela.casework.cases.contacts import ContactCases
from tutela.casework.cases.custody import Custody
from tutela.casework.cases.effects import EffectCallback, Effects
from tutela.casework.cases.feedback import GivingBack
from tutela.casework.cases.options import CaseOptions, EvidenceOptions
from tutela.casework.cases.service import Cases
from tutela.casework.cases.upkeep import Upkeep
from tutela.casework.evidence.retention import Retention
from tutela.casework.evidence.seal import Recipients, ReviewKey
from tutela.casework.evidence.vault import Vault
from tutela.casework.reports.intake import PublicIntake
from tutela.casework.reports.ledger import Ledger
from tutela.casework.reports.listeners import FilingAtMatch, FilingsFollowed
from tutela.casework.reports.notices import Notices
from tutela.casework.reports.options import Organisation, ReportOptions
from tutela.casework.reports.seal import AgeSealing
from tutela.casework.reports.worker import ACTOR, ReportWatch, ReportWorker
from tutela.errors import InputError
from tutela.foundation.home import database_url, prepare_home
from tutela.foundation.outbox.options import MailServer
from tutela.foundation.outbox.service import Outbox
from tutela.foundation.outbox.webhooks import Endpoint, Webhooks
from tutela.foundation.store.database import Store
from tutela.lists.banks.guard import ListingGuard
from tutela.lists.banks.service import Banks

if TYPE_CHECKING:  # what needs lxml is imported where reports are worked on, and not by a service that only screens
    from tutela.casework.reports.cybertipline.client import CyberTipline
    from tutela.casework.reports.cybertipline.schema import Schema
    from tutela.casework.reports.desk import Desk, OpenedEvidence
    from tutela.screening.conversations.model import TalkModel


@dataclass(frozen=True, slots=True)
class CaseworkOptions:
    """What an operator chooses for casework."""

    evidence: EvidenceOptions | None = None
    """Without it nothing is kept, and no case is opened."""
    cases: CaseOptions = field(default_factory=CaseOptions)
    reports: ReportOptions = field(default_factory=ReportOptions)
    webhooks: tuple[Endpoint, ...] = ()
    """Who is told what happens."""
    mail: MailServer | None = None
    """What sends alarms."""
    signing_key: SigningKey | None = None
    """Of checkpoints; better kept on another machine, see `tutela audit checkpoint`."""
    on_effect: EffectCallback | None = None
    """The callback of an embedding application."""


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """What training came to."""

    model: "TalkModel"
    given: int
    """Messages that people confirmed; those that stand among ordinary talk are not learnt."""
    is_new: bool
    """Whether it is another one than the one in place."""


@dataclass(frozen=True, slots=True)
class Casework:
    """The rooms of casework of one store, in one process."""

    store: Store
    options: CaseworkOptions
    audit: AuditLog
    cases: Cases
    vault: Vault | None
    """None where nothing says where evidence lies."""
    custody: Custody | None
    """None where nothing is to be kept."""
    contacts: ContactCases | None
    """None where nothing can be sealed."""
    ledger: Ledger
    notices: Notices
    intake: PublicIntake | None
    """None where nothing can be sealed."""
    appeals: Appeals
    watch: ReportWatch
    upkeep: Upkeep
    outbox: Outbox
    webhooks: Webhooks
    key: ReviewKey | None = None
    """Where this process may open evidence and reports; never in the one that takes uploads."""

    def desk(self) -> "Desk":
        """The reporting desk. Whatever it opens, it opens with `evidence`."""
        from tutela.casework.reports.desk import Desk

        organisation = self.options.reports.organisation or Organisation("")
        return Desk(self.ledger, self.cases, organisation, self.options.reports.environment)

    def evidence(self, actor: str, purpose: str) -> "OpenedEvidence":
        """Evidence, opened with the review key in somebody's name. Raises InputError without the key."""
        from tutela.casework.reports.desk import OpenedEvidence

        if self.vault is None:
            raise InputError("nothing says where evidence lies: set [evidence] as the service has it")
        if self.key is None:
            raise InputError("this needs the review key: give --key FILE")
        return OpenedEvidence(self.vault, self.key, actor=actor, purpose=purpose)

    def schema(self) -> "Schema | None":
        """The CyberTipline schema that drafts are checked against; None where no file is named. Raises InputError."""
        from tutela.casework.reports.cybertipline.schema import Schema

        path = self.options.reports.xsd
        return None if path is None else Schema.read(path)

    def tipline(self) -> "CyberTipline":
        """A connection to the CyberTipline; close it. Raises InputError without NCMEC's credentials."""
        return self.options.reports.connect()

    def train(self, home: Path, ordinary: Sequence[str], *, actor: str) -> TrainedModel:
        """Make a model of messages from what people finally confirmed, compare it with the one before, and put it in
        its place; with an encoder in the home, a memory of their vectors too. One that is in place already stays, and
        so does the one before it.

        Raises InputError where there is too little, a campaign, or a worse model; the one before stays.
        """
        from tutela.casework.cases.lessons import lessons
        from tutela.content.words import fold
        from tutela.screening.conversations.guard import OperatorEncoder, canaries, compare, weigh
        from tutela.screening.conversations.model import FILE, read_model, signed
        from tutela.screening.conversations.training import LEAST_ORDINARY, train
        from tutela.screening.conversations.vectors import FOLDER, MEMORY, MOST_ENCODED, Encoder, learn
        from tutela.screening.conversations.versions import put_in_place

        if self.vault is None or self.key is None or self.contacts is None:
            raise InputError("this needs the review key: give --key FILE")
        secret, path = self.store.secret("conversations-memory"), home / FILE
        found = list(lessons(self.store, self.cases, self.contacts, self.vault, self.key, actor=actor))
        encoder = Encoder(home / FOLDER) if (home / FOLDER).exists() else None
        said = None if encoder is None else encoder.encode(ordinary[:MOST_ENCODED])
        known = None if encoder is None or said is None else OperatorEncoder(encoder.encode, said[:LEAST_ORDINARY])
        counted = weigh(found, ordinary, known)
        before = read_model(path, secret) if path.exists() else None
        files, nearness = {}, None
        if encoder is not None and said is not None:
            vectors = learn(encoder.encode([one.text for one in counted]), said)
            files[MEMORY], nearness = vectors.sealed(secret), vectors.nearness(said)
        model, given = train(counted, ordinary, nearness), len({fold(one.text) for one in found})
        remembered = MEMORY not in files or (home / MEMORY).exists()
        if before is not None and before.version == model.version and remembered:
            return TrainedModel(model, given, is_new=False)
        compare(before, model, [one.text for one in counted], canaries())
        files[FILE] = signed(model, secret)
        put_in_place(home, files)
        detail = {"version": model.version, "given": str(given), **model.made_from}
        self.audit.record(actor, "risk.model.trained", f"model:{model.version}", detail)
        return TrainedModel(model, given, is_new=True)

    def return_to_model_before(self, home: Path, *, actor: str) -> str:
        """Put the model of messages before the present one in its place; its version. Raises InputError without one."""
        from tutela.screening.conversations.model import FILE, read_model
        from tutela.screening.conversations.versions import take_back

        take_back(home)
        version = read_model(home / FILE, self.store.secret("conversations-memory")).version
        self.audit.record(actor, "risk.model.returned", f"model:{version}", {"version": version})
        return version

    @contextlib.contextmanager
    def report_worker(self) -> Iterator[ReportWorker]:
        """What files reports, for a process with the review key. Without NCMEC's credentials nothing is sent; what is
        filed at match time, and taken back, is written down all the same."""
        from tutela.casework.reports.filer import Filer

        evidence = self.evidence(ACTOR, "filing a report")
        with contextlib.ExitStack() as stack:
            filer = None
            if self.options.reports.files_with_ncmec:
                tipline = self.tipline()
                stack.callback(tipline.close)
                filer = Filer(self.ledger, tipline, evidence)
            yield ReportWorker(self.desk(), evidence, filer, self.outbox, self.webhooks)


def open_casework(
    store: Store, banks: Banks, home: Path, options: CaseworkOptions, key: ReviewKey | None = None
) -> Casework:
    """Casework over a store, with all that listens. Raises InputError for options that are wrong."""
    webhooks, evidence = Webhooks(options.webhooks), options.evidence
    audit = AuditLog(store)
    callback = options.cases.callback or options.on_effect is not None
    cases = Cases(store, policies=options.cases, effects=Effects(webhooks, callback), labels=banks.labels)
    recipients = evidence.recipients if evidence is not None else ()
    vault = evidence.vault(store, home) if evidence is not None else None
    ledger = Ledger(store, AgeSealing(Recipients(recipients) if recipients else None, key))
    # What follows a decision. The order is that of the rows which one decision writes.
    if options.cases.alarm_mail:
        cases.listen(AlarmMail(options.cases.alarm_mail, options.cases.console))
    cases.listen(GivingBack(banks))
    cases.listen(FilingAtMatch(options.reports.at_match))
    ledger.listen(FilingsFollowed(cases))
    appeals = Appeals(store, banks, cases, vault if recipients else None, Signs(banks, ListingGuard(banks)), webhooks)
    cases.listen(appeals)
    notices = Notices(store, webhooks)
    watch = ReportWatch(ledger, notices, webhooks, options.reports.mail)
    upkeep = Upkeep(
        cases,
        retention=Retention(vault) if vault is not None else None,
        checkpoints=Checkpoints(audit),
        signing_key=options.signing_key,
    )
    upkeep.also(watch.run_due)
    contacts = None
    if vault is not None and recipients:
        contacts = ContactCases(store, vault, cases, webhooks, Effects(webhooks, callback))
        cases.listen(contacts.follow)
    upkeep.also(appeals.escalate)
    return Casework(
        store=store,
        options=options,
        audit=audit,
        cases=cases,
        vault=vault,
        custody=Custody(store, vault, cases) if vault is not None and recipients else None,
        contacts=contacts,
        ledger=ledger,
        notices=notices,
        intake=PublicIntake(store, vault, cases) if vault is not None and recipients else None,
        appeals=appeals,
        watch=watch,
        upkeep=upkeep,
        outbox=Outbox(store),
        webhooks=webhooks,
        key=key,
    )


@contextlib.contextmanager
def opened_casework(
    home: Path, database: str | None, options: CaseworkOptions, key: ReviewKey | None = None
) -> Iterator[Casework]:
    """Casework without screening, beside a running service or without one; closed at the end of the block.

    `database` is a SQLAlchemy URL, by default a SQLite file in the home. Raises InputError, StoreError.
    """
    prepare_home(home)
    store = Store.create(database_url(home, database))
    try:
        yield open_casework(store, Banks(store, home), home, options, key)
    finally:
        store.close()
