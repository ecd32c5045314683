"""What a gateway says of content: a decision, and a name that tells the operator which verdict it is and the sender
nothing.
"""

import uuid
from dataclasses import dataclass

from tutela.screening.decision import Decision
from tutela.screening.reason_codes import GatewayFault
from tutela.screening.verdict import Reason, Verdict

_NAMED_DIGITS = 12
_SENTENCES = {
    GatewayFault.CUT_SHORT: "the content is one piece of a file, or ends exactly where its sender cuts files",
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
