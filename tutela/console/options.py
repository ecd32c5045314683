"""The operator's settings of the console, from the environment (`TUTELA_CONSOLE_…`)."""

from pathlib import Path
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from tutela.console.exposure import ExposurePolicy
from tutela.console.oidc import OidcOptions
from tutela.console.roles import Role
from tutela.console.sessions import Lifetimes


class ConsoleSettings(BaseSettings):
    """Settings of the review console. A variable is the field's name in capitals after `TUTELA_CONSOLE_`."""

    model_config = SettingsConfigDict(env_prefix="TUTELA_CONSOLE_", env_nested_delimiter="__", extra="ignore")

    origin: str = Field(
        default="http://localhost:8081", description="Where browsers reach it; https, or http on localhost."
    )
    identity: Path | None = Field(
        default=None, description="File of the review key (an age identity). It is read at the start and not copied."
    )
    idle_minutes: int = Field(default=15, gt=0, le=60, description="A session ends after so long without a request.")
    session_hours: int = Field(default=8, gt=0, le=24, description="A session ends after so long in any case.")
    items_before_break: int = Field(default=50, gt=0, description="Items a person may uncover between two breaks.")
    seconds_before_break: int = Field(default=300, gt=0, description="Seconds of uncovered pictures between breaks.")
    break_minutes: int = Field(default=15, gt=0, description="How long a break is.")
    items_a_day: int = Field(default=400, gt=0, description="Items a person may uncover in 24 hours.")
    seconds_a_day: int = Field(default=1800, gt=0, description="Seconds of uncovered pictures in 24 hours.")
    severe_a_day: int = Field(default=100, gt=0, description="Items of the severest labels in 24 hours.")
    severe_labels: frozenset[str] = Field(
        default=frozenset({"A1", "A2", "A"}), description="Labels that count as the severest."
    )
    two_person: bool = Field(
        default=False, description="Whether the severest labels become clear only with a second person's consent."
    )
    oidc_issuer: str | None = Field(default=None, description="Issuer of an OpenID Connect provider.")
    oidc_client_id: str = Field(default="", description="Client id there.")
    oidc_client_secret: SecretStr = Field(default=SecretStr(""), description="Client secret there.")
    oidc_claim: str = Field(default="groups", description="Claim that roles are read from.")
    oidc_roles: dict[str, list[Role]] = Field(
        default_factory=dict, description='Roles by a value of the claim: {"csam-review": ["reviewer"]}.'
    )

    @field_validator("origin")
    @classmethod
    def _is_safe(cls, text: str) -> str:
        parts = urlsplit(text)
        local = parts.hostname == "localhost"
        if parts.scheme not in ("https", "http") or not parts.hostname or parts.path not in ("", "/"):
            raise ValueError("an origin is a scheme and a host: https://console.example")
        if parts.scheme == "http" and not local:
            raise ValueError("the console is only safe over https, or over http on localhost")
        return f"{parts.scheme}://{parts.netloc}"

    @model_validator(mode="after")
    def _oidc_is_whole(self) -> "ConsoleSettings":
        if self.oidc_issuer and not (self.oidc_client_id and self.oidc_roles):
            raise ValueError("OIDC needs TUTELA_CONSOLE_OIDC_CLIENT_ID and TUTELA_CONSOLE_OIDC_ROLES too")
        return self

    @property
    def lifetimes(self) -> Lifetimes:
        """How long sessions last."""
        return Lifetimes(self.idle_minutes * 60, self.session_hours * 3600)

    @property
    def exposure(self) -> ExposurePolicy:
        """How much one person may be shown."""
        return ExposurePolicy(
            self.items_before_break,
            self.seconds_before_break,
            self.break_minutes,
            self.items_a_day,
            self.seconds_a_day,
            self.severe_a_day,
        )

    @property
    def oidc(self) -> OidcOptions | None:
        """The identity provider, where one is configured."""
        if not self.oidc_issuer:
            return None
        return OidcOptions(
            self.oidc_issuer,
            self.oidc_client_id,
            self.oidc_client_secret.get_secret_value(),
            {value: [role.value for role in roles] for value, roles in self.oidc_roles.items()},
            self.oidc_claim,
        )
