"""What a clamd gateway is told in the settings."""

from collections.abc import Mapping
from enum import StrEnum
from typing import ClassVar

from pydantic import Field

from tutela.gateways.base import ListenerOptions
from tutela.gateways.clamd.clients import ADVICE


class HeldAs(StrEnum):
    """How a hold is said."""

    FOUND = "found"
    """As something that was found: every client refuses it."""
    LIMITS = "limits"
    """Found, by a name that rspamd takes for "could not be scanned"."""
    ERROR = "error"
    """As an error: clamav-milter has the mail come again; several other clients let it pass."""


class ClamdOptions(ListenerOptions):
    """What a clamd gateway is told."""

    held_as: HeldAs = Field(default=HeldAs.FOUND, description="How a hold is said: `found`, `limits` or `error`.")
    roots: tuple[str, ...] = Field(
        default=(),
        description="Folders below which files are read by path, for peers at a UNIX socket; none by default.",
    )

    advice: ClassVar[Mapping[str, str]] = ADVICE

    def warnings(self) -> list[str]:
        """As of every gateway, and of how a hold is said."""
        found = super().warnings()
        if self.held_as is HeldAs.ERROR:
            found.append("says a hold as ERROR: rspamd, Discourse, Moodle and django-clamd let such content pass")
        return found
