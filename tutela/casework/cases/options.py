"""What an operator chooses for evidence and cases, and the rooms that this makes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tutela.casework.audit.checkpoints import Checkpoints, SigningKey
from tutela.casework.audit.log import AuditLog
from tutela.casework.cases.alarms import AlarmMail
from tutela.casework.cases.custody import Custody
from tutela.casework.cases.effects import EffectCallback, Effects
from tutela.casework.cases.policy import Policies
from tutela.casework.cases.service import Cases
from tutela.casework.cases.upkeep import Upkeep
from tutela.casework.evidence.objects import Objects
from tutela.casework.evidence.retention import Retention
from tutela.casework.evidence.seal import Recipients
from tutela.casework.evidence.vault import Vault
from tutela.foundation.outbox.mail import MailServer
from tutela.foundation.outbox.webhooks import Endpoint
from tutela.foundation.store.database import Store
from tutela.lists.banks.labels import Label

EVIDENCE_FOLDER = "evidence"


@dataclass(frozen=True, slots=True)
class EvidenceOptions:
    """Where evidence lies, and to whom it is sealed."""

    recipients: tuple[str, ...] = ()
    """age public keys; the private ones are not on this machine. Without any, evidence can be managed but not kept."""
    url: str | None = None
    """file:///folder or s3://bucket/prefix; a folder in the home by default."""
    store_options: Mapping[str, str] = field(default_factory=dict)

    def vault(self, store: Store, home: Path) -> Vault:
        """The vault that this describes. Raises InputError."""
        objects = Objects(self.url or f"file://{(home / EVIDENCE_FOLDER).absolute()}", self.store_options)
        return Vault(store, objects, Recipients(self.recipients) if self.recipients else None)


@dataclass(frozen=True, slots=True)
class CaseOptions:
    """What happens to cases, and who is told."""

    policies: Policies = field(default_factory=Policies)
    callback: bool = False
    """Whether effects wait for a callback, in whichever process has it."""
    on_effect: EffectCallback | None = None
    """The callback of an embedding application."""
    mail_server: MailServer | None = None
    alarm_mail: tuple[str, ...] = ()
    """Who gets mail about undecided cases."""
    console: str = ""
    signing_key: SigningKey | None = None
    """Of checkpoints; better kept on another machine, see `tutela audit checkpoint`."""


@dataclass(frozen=True, slots=True)
class CaseRooms:
    """Evidence and cases of one deployment."""

    audit: AuditLog
    cases: Cases
    vault: Vault | None
    """None where evidence is not configured."""
    custody: Custody | None
    """None where nothing is to be kept."""
    upkeep: Upkeep


def open_case_rooms(
    store: Store,
    home: Path,
    *,
    evidence: EvidenceOptions | None,
    options: CaseOptions,
    endpoints: Mapping[str, Endpoint],
    labels: Callable[[], Mapping[str, Label]],
) -> CaseRooms:
    """The rooms that these options make. Raises InputError."""
    audit = AuditLog(store)
    effects = Effects(endpoints, options.callback or options.on_effect is not None)
    cases = Cases(store, policies=options.policies, effects=effects, labels=labels)
    if options.alarm_mail:
        cases.listen(AlarmMail(options.alarm_mail, options.console))
    vault = evidence.vault(store, home) if evidence is not None else None
    custody = Custody(store, vault, cases) if evidence is not None and vault and evidence.recipients else None
    upkeep = Upkeep(
        cases,
        retention=Retention(vault) if vault else None,
        checkpoints=Checkpoints(audit),
        signing_key=options.signing_key,
    )
    return CaseRooms(audit, cases, vault, custody, upkeep)
