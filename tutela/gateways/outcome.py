"""What a gateway says of content: a decision, and a name that tells the operator which verdict it is and the sender
nothing.
"""

import uuid
from dataclasses import dataclass
from enum import StrEnum

from tutela.screening.decision import Decision
from tutela.screening.verdict import Reason, Verdict

_NAMED_DIGITS = 12


class GatewayFault(StrEnum):
    """Why content is held though nothing is known of it: the reason codes of this room."""

    CUT_SHORT = "cut-short"
    """It is exactly as long as a client's own limit, and that client drops the rest without saying so."""
    TOO_SLOW = "too-slow"
    """It did not come in time."""
    INTERRUPTED = "interrupted"
    """The service was stopped before the content was whole."""
    OVER_LIMIT = "over-limit"
    """Longer than what is screened even later, or there was no room to keep it."""
    NOT_GIVEN = "not-given"
    """What the client handed over cannot be read: a descriptor to write to, a link, a body that is no form."""


_SENTENCES = {
    GatewayFault.CUT_SHORT: "the content ends exactly at a limit at which its sender cuts files",
    GatewayFault.TOO_SLOW: "the content did not come in time",
    GatewayFault.INTERRUPTED: "the service was stopped before the content was whole",
    GatewayFault.OVER_LIMIT: "the content is longer than what is screened, or there was no room to keep it",
    GatewayFault.NOT_GIVEN: "the content that was handed over cannot be read",
}


def reason(fault: GatewayFault) -> Reason:
    """The reason of a verdict that holds because of a fault."""
    return Reason(fault.value, _SENTENCES[fault])


@dataclass(frozen=True, slots=True)
class GatewayOutcome:
    """The decision on one piece of content, and the id of its verdict or of the job that comes to one."""

    decision: Decision
    verdict_id: str
    recorded: bool = True
    """False where nothing could be written down: the database does not answer."""

    @property
    def allowed(self) -> bool:
        """Whether the content may pass."""
        return self.decision is Decision.ALLOW

    @property
    def number(self) -> str:
        """The first digits of the verdict's id: enough to find it."""
        return self.verdict_id[:_NAMED_DIGITS]

    @property
    def name(self) -> str:
        """A name in the grammar that every client of a virus scanner reads: letters, digits, dots and dashes."""
        return f"Tutela.{'Blocked' if self.decision is Decision.BLOCK else 'Held'}.{self.number}"


def outcome_of(verdict: Verdict) -> GatewayOutcome:
    """What a verdict comes to."""
    return GatewayOutcome(verdict.decision, verdict.id)


def unrecorded() -> GatewayOutcome:
    """A hold of which nothing could be written down: the database does not answer."""
    return GatewayOutcome(Decision.HOLD, uuid.uuid4().hex, recorded=False)
