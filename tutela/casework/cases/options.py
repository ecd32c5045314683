"""What an operator chooses for evidence and cases."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tutela.casework.audit.checkpoints import SigningKey
from tutela.casework.cases.effects import EffectCallback
from tutela.casework.cases.policy import Policies
from tutela.casework.evidence.objects import Objects
from tutela.casework.evidence.seal import Recipients
from tutela.casework.evidence.vault import Vault
from tutela.foundation.outbox.mail import MailServer
from tutela.foundation.store.database import Store

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
