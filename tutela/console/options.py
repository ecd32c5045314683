"""The section [console]: where the console is reached, and how it guards the people who use it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from tutela.console.roles import Role
from tutela.foundation.options import OptionError, Secret, require, require_positive
from tutela.foundation.outward import check_address


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """How long a session lasts."""

    idle_s: int = 15 * 60
    """Seconds without a request after which it ends; at most an hour."""
    absolute_s: int = 8 * 3600
    """Seconds after which it ends in any case; at most a day."""
    rotate_s: int = 5 * 60
    """Seconds after which its token changes."""

    def __post_init__(self) -> None:
        require_positive(self, "idle_s", "absolute_s", "rotate_s")
        require(self.idle_s <= 3600, "idle_s", "must be at most 3600")
        require(self.absolute_s <= 24 * 3600, "absolute_s", "must be at most 86400")


@dataclass(frozen=True, slots=True)
class ExposurePolicy:
    """How much one person may be shown."""

    items_before_break: int = 50
    """Items that a person may uncover between two breaks."""
    seconds_before_break: int = 300
    """Seconds of uncovered pictures between two breaks."""
    break_minutes: int = 15
    """How long a break is."""
    items_a_day: int = 400
    """Items that a person may uncover in 24 hours."""
    seconds_a_day: int = 1800
    """Seconds of uncovered pictures in 24 hours."""
    severe_a_day: int = 100
    """Items of the severest labels in 24 hours."""

    def __post_init__(self) -> None:
        require_positive(self, "items_before_break", "seconds_before_break", "break_minutes")
        require_positive(self, "items_a_day", "seconds_a_day", "severe_a_day")


@dataclass(frozen=True, slots=True)
class OidcOptions:
    """An OpenID Connect provider, in addition to passkeys."""

    issuer: str
    """Its address."""
    client_id: str
    """The console's name there."""
    client_secret: Secret
    """The console's secret there, as env:NAME or file:path."""
    roles: Mapping[str, tuple[Role, ...]]
    """Roles by a value of the claim: csam-review = ["reviewer"]."""
    claim: str = "groups"
    """Claim that roles are read from."""

    def __post_init__(self) -> None:
        for key in ("issuer", "client_id", "roles"):
            require(bool(getattr(self, key)), key, "must not be empty")
        check_address(self.issuer, "issuer")


@dataclass(frozen=True, slots=True)
class ConsoleOptions:
    """The review console."""

    origin: str = "http://localhost:8081"
    """Where browsers reach it; https, or http on localhost."""
    host: str = "127.0.0.1"
    """Address that the console listens on."""
    port: int = 8081
    """Port that the console listens on."""
    identity: Path | None = None
    """File of the review key (an age identity). It is read at the start and not copied."""
    severe_labels: frozenset[str] = frozenset({"A1", "A2", "A"})
    """Labels that count as the most severe."""
    two_person: bool = False
    """Whether the severest labels become clear only with a second person's consent."""
    sessions: Lifetimes = field(default_factory=Lifetimes)
    """How long a session lasts."""
    exposure: ExposurePolicy = field(default_factory=ExposurePolicy)
    """How much one person may be shown."""
    oidc: OidcOptions | None = None
    """An OpenID Connect provider, in addition to passkeys."""

    def __post_init__(self) -> None:
        require(1 <= self.port <= 65535, "port", "must be from 1 to 65535")
        object.__setattr__(self, "origin", _origin(self.origin))


def _origin(text: str) -> str:
    try:
        parts = urlsplit(text)
        local = parts.hostname == "localhost"
    except ValueError:
        raise OptionError("origin", "must be a scheme and a host, such as https://console.example") from None
    whole = parts.scheme in ("https", "http") and parts.hostname and parts.path in ("", "/")
    require(bool(whole), "origin", "must be a scheme and a host, such as https://console.example")
    require(
        parts.scheme == "https" or local,
        "origin",
        "must be https, or http on localhost",
    )
    return f"{parts.scheme}://{parts.netloc}"
