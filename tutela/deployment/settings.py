"""The operator's settings, read once from the environment (`TUTELA_…`).

One flat set with a default for everything, so that a small site needs none.
"""

import os
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, JsonValue, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from tutela.casework.cases.options import CaseOptions
from tutela.content.media.content import Limits, ViewSet
from tutela.deployment.case_settings import CaseSettings, EvidenceSettings, MailSettings, read_signing_key
from tutela.deployment.casework import CaseworkOptions
from tutela.deployment.composition import Deployment, open_deployment
from tutela.deployment.report_settings import ReportSettings
from tutela.foundation.outbox.webhooks import Endpoint, read_secret
from tutela.screening.jobs.limits import JobLimits
from tutela.screening.policy import ScreeningPolicy, VideoRule
from tutela.screening.verdict import Decision


def default_home() -> Path:
    """`$XDG_DATA_HOME/tutela`, by the XDG base directory specification."""
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "tutela"


class WebhookSettings(BaseModel):
    """Where the platform wants to be told."""

    url: str
    secrets: list[SecretStr] = Field(min_length=1, description="The current one; while it changes, the former too.")
    events: set[str] = Field(default_factory=set, description="Event types it wants; all when empty.")

    def endpoint(self, name: str) -> Endpoint:
        """The endpoint that this describes. Raises InputError."""
        secrets = [read_secret(secret.get_secret_value()) for secret in self.secrets]
        return Endpoint(name, self.url, secrets, frozenset(self.events))


class VideoSettings(BaseModel):
    """How densely a video is sampled, and when it matches a listed one."""

    model_config = ConfigDict(extra="forbid")

    gap_s: float = Field(default=2.0, ge=0.25, le=10.0)
    min_upload_share: float = Field(default=0.8, gt=0.0, le=1.0)
    min_entry_share: float = Field(default=0.0, ge=0.0, le=1.0)
    min_run_s: float = Field(default=2.0, gt=0.0)
    min_run_frames: int = Field(default=3, ge=2)
    min_run_pictures: int = Field(default=2, ge=1)

    @property
    def rule(self) -> VideoRule:
        """When a video matches, as the policy takes it."""
        return VideoRule(**self.model_dump(exclude={"gap_s"}))


class Settings(BaseSettings):
    """Settings of one deployment. An environment variable is the field's name in capitals after `TUTELA_`."""

    model_config = SettingsConfigDict(env_prefix="TUTELA_", env_nested_delimiter="__", extra="ignore")

    home: Path = Field(default_factory=default_home, description="Folder of the database, the index and run files.")
    database: SecretStr | None = Field(
        default=None,
        description="Database URL (postgresql://… or sqlite:///…); a SQLite file in the home by default.",
    )
    max_bytes: int = Field(default=64 * 1024 * 1024, gt=0, description="Largest content that is screened, in bytes.")
    max_pixels: int = Field(default=100_000_000, gt=0, description="Largest picture that is decoded, in pixels.")
    max_memory_bytes: int = Field(default=1024**3, gt=0, description="Memory one decoding worker may use.")
    timeout_s: float = Field(default=10.0, gt=0, description="Seconds one picture may take to decode.")
    max_depth: int = Field(default=8, gt=0, description="How deep containers may lie in each other.")
    max_parts: int = Field(default=5_000, gt=0, description="Files, pages and frames looked at inside one content.")
    max_expanded_bytes: int = Field(
        default=512 * 1024 * 1024, gt=0, description="Bytes that may come out of the containers in one content."
    )
    max_job_bytes: int = Field(
        default=1024**3, gt=0, description="Largest content that is screened later, as a job, in bytes."
    )
    job_timeout_s: float = Field(default=600.0, gt=0, description="Seconds a job may take.")
    video_timeout_s: float = Field(default=300.0, gt=0, description="Seconds one video may take to decode.")
    video: VideoSettings = Field(
        default_factory=VideoSettings, description="How densely a video is sampled, and when it matches a listed one."
    )
    decoders: int | None = Field(
        default=None, gt=0, description="Decoding workers a service process has; by default one a core."
    )
    auth_required: bool = Field(default=True, description="Whether requests need a key; False only on loopback.")
    rate: str = Field(default="1000/second", description="Requests one key may make, over all service processes.")
    max_in_flight: int = Field(default=64, gt=0, description="Screenings under way at once in a service process.")
    workers: int = Field(default=1, gt=0, description="Service processes.")
    views: ViewSet = Field(
        default=ViewSet.STANDARD, description="How many views of each picture are looked up: plain, standard, thorough."
    )
    overrides: dict[str, Decision] = Field(
        default_factory=dict,
        description="Decision by reason code for content that could not be screened; what is not named is held.",
    )
    pull_exchanges: bool = Field(default=True, description="Whether the service pulls exchanges by their schedule.")
    webhooks: dict[str, WebhookSettings] = Field(
        default_factory=dict, description="Addresses that are told what happens, by name, each with url and secrets."
    )

    evidence: EvidenceSettings | None = Field(
        default=None, description="Where what is held is kept, sealed, and to whom; without it nothing is kept."
    )
    cases: CaseSettings = Field(default_factory=CaseSettings, description="What happens to cases, and who is told.")
    reports: ReportSettings = Field(
        default_factory=ReportSettings, description="Who reports what to whom; takedown notices and intake."
    )
    gateways: dict[str, dict[str, JsonValue]] = Field(
        default_factory=dict, description="Where platforms already call a scanner, by name; each of a kind."
    )
    mail: MailSettings | None = Field(default=None, description="The mail server that alarms go through.")
    audit_key: Path | None = Field(default=None, description="File of the key that signs the audit log every hour.")

    @field_validator("views")
    @classmethod
    def _is_for_uploads(cls, views: ViewSet) -> ViewSet:
        if views is ViewSet.LISTED:
            raise ValueError("the views of uploads are plain, standard or thorough")
        return views

    @field_validator("rate")
    @classmethod
    def _is_a_rate(cls, text: str) -> str:
        amount, _, period = text.partition("/")
        if not amount.isdecimal() or int(amount) < 1 or period not in ("second", "minute", "hour", "day"):
            raise ValueError("a rate is a number and a period, such as 1000/second or 600/minute")
        return text

    def rate_of_a_worker(self) -> str:
        """The share of the rate that one of the service's processes counts."""
        amount, _, period = self.rate.partition("/")
        return f"{max(1, int(amount) // self.workers)}/{period}"

    def environment(self, workers: int) -> dict[str, str]:
        """These settings as environment variables for service processes, which share the cores' decoding workers."""
        decoders = self.decoders or max(1, (os.cpu_count() or 1) // workers)
        chosen = {"home": str(self.home.absolute()), "workers": str(workers), "decoders": str(decoders)}
        if self.database is not None:
            chosen["database"] = self.database.get_secret_value()
        chosen["auth_required"] = str(self.auth_required)
        return {f"TUTELA_{name.upper()}": value for name, value in chosen.items()}

    @property
    def database_text(self) -> str | None:
        """The database's URL with its password."""
        return self.database.get_secret_value() if self.database else None

    @property
    def limits(self) -> Limits:
        """What one piece of content may cost."""
        return Limits(
            self.max_bytes,
            self.max_pixels,
            self.max_memory_bytes,
            self.timeout_s,
            self.views,
            self.max_depth,
            self.max_parts,
            self.max_expanded_bytes,
            video_timeout_s=self.video_timeout_s,
            max_gap_s=self.video.gap_s,
        )

    @property
    def casework(self) -> CaseworkOptions:
        """What happens to what is held, and who is told. Raises InputError."""
        return CaseworkOptions(
            evidence=self.evidence.options_of() if self.evidence else None,
            cases=self._case_options(),
            reports=self.reports.options(),
            webhooks=tuple(webhook.endpoint(name) for name, webhook in self.webhooks.items()),
        )

    def _case_options(self) -> CaseOptions:
        return CaseOptions(
            policies=self.cases.policies(),
            callback=self.cases.callback,
            mail_server=self.mail.server() if self.mail else None,
            alarm_mail=tuple(self.cases.alarm_mail),
            console=self.cases.console,
            signing_key=read_signing_key(self.audit_key),
        )

    def open(self) -> Deployment:
        """Open the deployment these settings describe. Raises StoreError and IndexCorruptError as it does."""
        return open_deployment(
            self.home,
            database=self.database_text,
            limits=self.limits,
            decoders=self.decoders,
            policy=ScreeningPolicy(self.overrides, self.video.rule),
            job_limits=JobLimits(self.max_job_bytes, self.job_timeout_s),
            casework=self.casework,
        )
