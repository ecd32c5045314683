"""What an operator chooses for evidence and cases."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tutela.casework.cases.policy import Policies
from tutela.foundation.options import Secret, require

if TYPE_CHECKING:
    from tutela.casework.evidence.vault import Vault
    from tutela.foundation.store.database import Store

EVIDENCE_FOLDER = "evidence"
_SECRET = ("secret", "password", "token", "access_key")


@dataclass(frozen=True, slots=True)
class EvidenceOptions:
    """Where evidence lies, and to whom it is sealed."""

    recipients: tuple[str, ...] = ()
    """age public keys; the private ones are not on this machine. Without any, evidence can be managed but not kept."""
    store: str | None = None
    """file:///folder or s3://bucket/prefix; a folder in the home by default."""
    options: Mapping[str, str] = field(default_factory=dict)
    """For an S3 store, what is not secret: endpoint, region."""
    secrets: Mapping[str, Secret] = field(default_factory=dict)
    """For an S3 store: access_key_id and secret_access_key, each as env:NAME or file:path."""

    def __post_init__(self) -> None:
        secret = [name for name in self.options if any(word in name.lower() for word in _SECRET)]
        require(not secret, "options", f"must not have secrets in it: give {', '.join(secret)} in secrets")

    def store_options(self) -> dict[str, str]:
        """What the store is opened with. Raises InputError where a secret is not there."""
        return {**self.options, **{name: secret.reveal() for name, secret in self.secrets.items()}}

    def vault(self, store: "Store", home: Path) -> "Vault":
        """The vault that this describes. Raises InputError."""
        from tutela.casework.evidence.objects import Objects
        from tutela.casework.evidence.seal import Recipients
        from tutela.casework.evidence.vault import Vault

        objects = Objects(self.store or f"file://{(home / EVIDENCE_FOLDER).absolute()}", self.store_options())
        return Vault(store, objects, Recipients(self.recipients) if self.recipients else None)


@dataclass(frozen=True, slots=True)
class CaseOptions(Policies):
    """What happens to cases, and who is told."""

    callback: bool = False
    """Whether effects wait for a Python callback, in whichever process of an embedding application has it."""
    alarm_mail: tuple[str, ...] = ()
    """Who gets mail about undecided cases."""
    console: str = ""
    """The console's address, for links in mail."""
