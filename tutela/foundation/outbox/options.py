"""The sections [mail] and [webhooks.NAME]: what sends the operator's mail, and where the platform is notified."""

from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

from tutela.foundation.options import OptionError, Secret, nearest, require
from tutela.foundation.outbox.event_types import EVENT_TYPES

_LOOPBACK = ("127.0.0.1", "::1", "localhost")


class Security(StrEnum):
    """How the connection to the mail server is protected."""

    STARTTLS = "starttls"
    TLS = "tls"
    NONE = "none"
    """Only for a server on the same machine."""


@dataclass(frozen=True, slots=True)
class MailServer:
    """The operator's mail server.

    Raises OptionError for one that would show passwords or mail to the network.
    """

    host: str
    """Its name or address."""
    sender: str
    """The sender's address."""
    port: int = 587
    """Its port."""
    security: Security = Security.STARTTLS
    """How the connection is protected: starttls, tls, or none on this machine."""
    user: str | None = None
    """The user name there."""
    password: Secret | None = None
    """The password, as env:NAME or file:path."""

    def __post_init__(self) -> None:
        require(1 <= self.port <= 65535, "port", "must be from 1 to 65535")
        if self.security is Security.NONE and self.host not in _LOOPBACK:
            raise OptionError("security", "none is only for a mail server on this machine; use starttls or tls")
        if any(character in self.sender for character in "\r\n"):
            raise OptionError("sender", "must be one line")


def fault_of(url: str) -> str | None:
    """Why a webhook's address is not safe to send to; None where it is."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "must be https://host/path"
    if parts.scheme not in ("https", "http") or not parts.hostname:
        return "must be https://host/path"
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        return "must be https; http is only for this machine's own address"
    if parts.username is not None or parts.fragment:
        return "must not have a user or a fragment"
    return None


@dataclass(frozen=True, slots=True)
class WebhookOptions:
    """Where the platform is notified of what happens."""

    url: str
    """https://…, or http:// on this machine."""
    secrets: tuple[Secret, ...]
    """Signing secrets, each as env:NAME or file:path: the current one and, while it is changed, the former one too."""
    events: frozenset[str] = frozenset()
    """Event types to send; all if empty."""

    def __post_init__(self) -> None:
        require(bool(self.secrets), "secrets", "must have one at least; make it: tutela outbox secret")
        if fault := fault_of(self.url):
            raise OptionError("url", fault)
        for unknown in sorted(self.events - EVENT_TYPES):
            raise OptionError("events", "has no {type!r}{hint}", type=unknown, hint=nearest(unknown, EVENT_TYPES))
