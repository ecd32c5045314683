"""What a person may do with a report that is on its way, or that waits for one. Each is one durable change."""

from typing import TYPE_CHECKING

from tutela.casework.reports.ledger import Ledger
from tutela.casework.reports.model import Filing, FilingState
from tutela.errors import ConflictError, InputError

if TYPE_CHECKING:
    from tutela.casework.reports.draft import Draft

_OPEN_STILL = (FilingState.READY, FilingState.OPENING, FilingState.OPEN, FilingState.RESTARTING, FilingState.ATTENTION)


def resume(ledger: Ledger, filing_id: str, actor: str) -> Filing:
    """Go on where it stopped, once what was wrong is mended. Raises NotFoundError, ConflictError."""
    with ledger.decision(filing_id, [FilingState.ATTENTION]) as change:
        assert change.filing.stuck_in is not None
        change.to(change.filing.stuck_in)
        change.note("resumed", actor=actor, number=change.filing.number)
    return ledger.get(filing_id)


def retract(ledger: Ledger, filing_id: str, actor: str, reason: str) -> Filing:
    """Take a report back that is not finished. Raises NotFoundError, ConflictError, InputError without a reason."""
    _needs(reason)
    with ledger.decision(filing_id, _OPEN_STILL) as change:
        change.to(FilingState.RETRACTING)
        change.note("to be retracted", actor=actor, number=change.filing.number, detail=reason)
    return ledger.get(filing_id)


def amend(ledger: Ledger, filing_id: str, draft: "Draft", actor: str, reason: str) -> Filing:
    """Say something else instead; what is open at NCMEC is retracted first.

    Raises NotFoundError, ConflictError when it may be finished already, InputError for a draft with problems.
    """
    _needs(reason)
    if found := draft.problems():
        raise InputError("the report would be refused: {found}", found="; ".join(found[:5]))
    with ledger.decision(filing_id, _OPEN_STILL) as change:
        if change.filing.stuck_in is FilingState.FINISHING:
            raise ConflictError(
                "report {filing_id} may be finished already; ask NCMEC, then confirm or refile it", filing_id=filing_id
            )
        ledger.replace_draft(change, draft)
        change.to(FilingState.RESTARTING, restarts=0)
        change.note("amended", actor=actor, number=change.filing.number, detail=reason)
    return ledger.get(filing_id)


def refile(ledger: Ledger, filing_id: str, actor: str, reason: str) -> Filing:
    """File anew what NCMEC says it does not have.

    The old number is retracted first: where NCMEC has it finished after all, that is refused and nothing is filed.
    Raises NotFoundError, ConflictError, InputError without a reason.
    """
    _needs(reason)
    with ledger.decision(filing_id, [FilingState.ATTENTION, FilingState.RETRACTED]) as change:
        change.to(FilingState.RESTARTING, restarts=0)
        change.note("to be filed anew", actor=actor, number=change.filing.number, detail=reason)
    return ledger.get(filing_id)


def confirm(ledger: Ledger, filing_id: str, actor: str, reason: str) -> Filing:
    """Write down that NCMEC has the report finished, as they said. Raises NotFoundError, ConflictError, InputError."""
    _needs(reason)
    with ledger.decision(filing_id, [FilingState.ATTENTION]) as change:
        if change.filing.number is None:
            raise ConflictError("report {filing_id} has no number; there is nothing to confirm", filing_id=filing_id)
        change.to(FilingState.FINISHED, finished_at=change.at)
        change.note("confirmed", actor=actor, number=change.filing.number, detail=reason)
    return ledger.get(filing_id)


def _needs(reason: str) -> None:
    if not reason.strip():
        raise InputError("give the reason")
