"""The decision as a pure function of what was seen and what matched. The policy is data."""

from collections.abc import Sequence

from tutela.lists.banks.model import Action
from tutela.screening.decision import Decision
from tutela.screening.options import ScreeningPolicy
from tutela.screening.sentences import sentence
from tutela.screening.verdict import Match, Reason

_SEVERITY = {Decision.ALLOW: 0, Decision.HOLD: 1, Decision.BLOCK: 2}
_DECISION_OF = {Action.LOG: Decision.ALLOW, Action.HOLD: Decision.HOLD, Action.BLOCK: Decision.BLOCK}


def decide(
    matches: Sequence[Match], shortcomings: Sequence[Reason], policy: ScreeningPolicy
) -> tuple[Decision, tuple[Reason, ...]]:
    """The severest of what the matches and the shortcomings ask for, with the reasons, severest first."""
    found = [(policy.on(shortcoming.code), shortcoming) for shortcoming in shortcomings]
    found += [(_DECISION_OF[match.action], _reason(match)) for match in matches if match.suppressed_by is None]
    found.sort(key=lambda item: -_SEVERITY[item[0]])
    decision = found[0][0] if found else Decision.ALLOW
    return decision, tuple(dict.fromkeys(reason for _, reason in found))


def _reason(match: Match) -> Reason:
    label = f" (label {match.label})" if match.label else ""
    return Reason(f"match-{match.action}", sentence(match) + label)
