"""The section [conversations]: whether events are taken, and whether the words of messages may be scored."""

import re
from dataclasses import dataclass

from tutela.foundation.options import require, require_positive

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True, slots=True)
class ConversationOptions:
    """Contacts and conversations over time, as a risk with reasons."""

    enabled: bool = False
    """Whether events are taken. Without content they are of platform functions only: requests, blocks, reports."""
    content: bool = False
    """Whether the text of messages is scored. Not without a legal basis: read docs/conversations.md first."""
    legal_basis: str = ""
    """The law by which the text of messages may be scored; recorded in the audit log."""
    legal_basis_since: str = ""
    """The day on which someone responsible checked that: 2026-11-30."""
    snapshot_every_s: float = 60.0
    """Seconds between snapshots of the state."""
    notices: bool = False
    """Whether the platform is asked at once to show a child neutral safety words at the level notice and above."""
    deterrence: bool = False
    """Whether the platform is also asked to show the sender a message with help services."""

    def __post_init__(self) -> None:
        require_positive(self, "snapshot_every_s")
        named = not self.content or (self.legal_basis.strip() != "" and _DAY.fullmatch(self.legal_basis_since))
        require(bool(named), "content", "needs legal_basis, the law, and legal_basis_since, the day it was checked")
        require(not self.content or self.enabled, "content", "needs enabled = true")
