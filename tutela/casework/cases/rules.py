"""The rules of decisions, as pure functions: when one counts, when another person must look, when a lead must."""

from collections.abc import Iterable, Sequence
from enum import StrEnum

from tutela.casework.cases.model import Case, CaseDecision, CaseState
from tutela.casework.cases.outcomes import Outcome
from tutela.errors import ConflictError


class Stage(StrEnum):
    """Where one item is on its way to a final decision."""

    UNTOUCHED = "untouched"
    SECOND_OPINION = "second-opinion"
    ESCALATED = "escalated"
    DECIDED = "decided"


def stage_of(decisions: Sequence[CaseDecision]) -> Stage:
    """Where an item with these decisions is, oldest first; those that were set aside are not among them."""
    if any(decision.final for decision in decisions):
        return Stage.DECIDED
    if not decisions:
        return Stage.UNTOUCHED
    if len({(decision.outcome, decision.label) for decision in decisions}) > 1:
        return Stage.ESCALATED
    return Stage.ESCALATED if decisions[0].outcome is Outcome.ESCALATE else Stage.SECOND_OPINION


def is_final(
    former: Sequence[CaseDecision],
    outcome: Outcome,
    label: str | None,
    by: str,
    *,
    senior: bool,
    needs_second: bool,
) -> bool:
    """Whether a person's decision counts at once, given what was decided of the item before.

    Raises ConflictError: decided already, a lead's turn, or a review by somebody who has decided of the item before.
    """
    match stage_of(former):
        case Stage.DECIDED:
            raise ConflictError("the item is decided already; reopen the case to decide again")
        case Stage.ESCALATED:
            if not senior:
                raise ConflictError("the item is escalated: a lead decides it")
            if outcome is Outcome.ESCALATE:
                raise ConflictError("the item is escalated already: decide it")
            _check_is_another(former, by)
            return True
        case Stage.SECOND_OPINION:
            _check_is_another(former, by)
            return (former[-1].outcome, former[-1].label) == (outcome, label)
        case Stage.UNTOUCHED:
            return outcome is not Outcome.ESCALATE and not needs_second


def reads_items(case: Case, person: str, *, oversees: bool) -> bool:
    """Whether a person is told what is known of a case's items: whoever has the case; once it is decided, whoever
    decided of it, and those who answer for decisions or report them (`oversees`)."""
    if case.state is CaseState.DECIDED:
        return oversees or any(decision.by == person for decision in case.decisions)
    return case.claim is not None and case.claim.by == person


def took_two(set_aside: Sequence[CaseDecision]) -> bool:
    """Whether decisions that were set aside were more than one person's: then one person does not decide anew alone."""
    return len({decision.by for decision in set_aside}) > 1


def _check_is_another(former: Sequence[CaseDecision], by: str) -> None:
    if by in {decision.by for decision in former}:
        raise ConflictError("you have decided of this item before: its second review is another person's")


def state_for(stages: Iterable[Stage]) -> CaseState:
    """The state of a case whose items are at these stages."""
    found = set(stages)
    if Stage.UNTOUCHED in found:
        return CaseState.OPEN
    if Stage.ESCALATED in found:
        return CaseState.ESCALATED
    return CaseState.SECOND_OPINION if Stage.SECOND_OPINION in found else CaseState.DECIDED
