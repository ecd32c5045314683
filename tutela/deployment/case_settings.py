"""The operator's settings of evidence, cases and mail: `TUTELA_EVIDENCE`, `TUTELA_CASES` and `TUTELA_MAIL`."""

from datetime import timedelta
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from tutela.casework.audit.checkpoints import SigningKey
from tutela.casework.cases.model import Effect, Outcome
from tutela.casework.cases.options import EvidenceOptions
from tutela.casework.cases.policy import CasePolicy, Policies, RetentionPolicy
from tutela.errors import InputError
from tutela.foundation.outbox.mail import MailServer, Security


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class EvidenceSettings(_Strict):
    """Where evidence lies, and to whom it is sealed."""

    recipients: list[str] = Field(default_factory=list, description="age public keys that evidence is sealed to.")
    store: str | None = Field(default=None, description="file:///folder or s3://bucket/prefix.")
    options: dict[str, SecretStr] = Field(default_factory=dict, description="Of an S3 store: endpoint, region, keys.")

    def options_of(self) -> EvidenceOptions:
        """As a deployment takes them."""
        plain = {name: value.get_secret_value() for name, value in self.options.items()}
        return EvidenceOptions(tuple(self.recipients), self.store, plain)


class PolicySettings(_Strict):
    """What a match, and each outcome, ask of the platform and of people."""

    on_match: list[Effect] = [Effect.HIDE]
    on_outcome: dict[Outcome, list[Effect]] = {Outcome.REJECT: [Effect.RESTORE]}
    second_opinion: set[Outcome] = set()
    alarm_after_hours: float = Field(default=24, ge=1 / 60, le=24 * 365)

    def policy(self) -> CasePolicy:
        """The policy that this describes. Raises InputError."""
        return CasePolicy(
            tuple(self.on_match),
            {outcome: tuple(effects) for outcome, effects in self.on_outcome.items()},
            frozenset(self.second_opinion),
            timedelta(hours=self.alarm_after_hours),
        )


class RetentionSettings(_Strict):
    """How many days evidence is kept."""

    reported: float = Field(default=365, ge=1)
    against_rules: float = Field(default=90, ge=0)
    rejected: float = Field(default=30, ge=0)

    def policy(self) -> RetentionPolicy:
        """The policy that this describes."""
        return RetentionPolicy(*(timedelta(days=days) for days in (self.reported, self.against_rules, self.rejected)))


class CaseSettings(_Strict):
    """What happens to cases, and who is told."""

    default: PolicySettings = PolicySettings()
    banks: dict[str, PolicySettings] = Field(default_factory=dict, description="By bank; what is not named: default.")
    retention_days: RetentionSettings = RetentionSettings()
    allow_bank: str = "rejected-matches"
    unsealed_reasons: set[str] = Field(default_factory=set, description="Holds that open no case and keep no evidence.")
    callback: bool = Field(default=False, description="Whether an application takes effects by a Python callback.")
    alarm_mail: list[str] = Field(default_factory=list, description="Who gets mail about undecided cases.")
    console: str = Field(default="", description="The console's address, for links in mail.")

    def policies(self) -> Policies:
        """The policies that this describes. Raises InputError."""
        return Policies(
            self.default.policy(),
            {bank: settings.policy() for bank, settings in self.banks.items()},
            self.retention_days.policy(),
            self.allow_bank,
            frozenset(self.unsealed_reasons),
        )


class MailSettings(_Strict):
    """The operator's mail server."""

    host: str
    port: int = Field(default=587, ge=1, le=65535)
    sender: str
    security: Security = Security.STARTTLS
    user: str | None = None
    password: SecretStr | None = None

    def server(self) -> MailServer:
        """The server that this describes. Raises InputError."""
        password = self.password.get_secret_value() if self.password else None
        return MailServer(self.host, self.port, self.sender, self.security, self.user, password)


def read_signing_key(path: Path | None) -> SigningKey | None:
    """The key of checkpoints in a file. Raises InputError."""
    if path is None:
        return None
    try:
        return SigningKey.read(path.read_text(encoding="ascii"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"the key of checkpoints, {path}, cannot be read: {error}") from None
