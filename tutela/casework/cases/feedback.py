"""What a case means for the lists: what reviewers found is counted for the entries that matched, and handed to the
lists that the operator gives feedback to; so is a first match. All inside the transaction that opens or decides it.
"""

from sqlalchemy import Connection

from tutela.casework.cases.model import CaseChange, CaseItem, Change
from tutela.casework.cases.outcomes import Outcome
from tutela.casework.cases.rows import read_items
from tutela.foundation.store.case_tables import case_item
from tutela.foundation.store.database import microseconds
from tutela.lists.banks.service import Banks
from tutela.lists.exchanges.base import Opinion
from tutela.lists.exchanges.feedback import Decided, feedback_for, seen_for
from tutela.lists.exchanges.hygiene import forget_opinions, note_opinion
from tutela.lists.exchanges.service import Exchanges

_OPINION_OF = {Outcome.CONFIRM: Opinion.CONFIRMED, Outcome.REJECT: Opinion.REJECTED}


class GivingBack:
    """A listener of cases."""

    def __init__(self, banks: Banks) -> None:
        self._exchanges = Exchanges(banks)

    def __call__(self, connection: Connection, change: CaseChange) -> None:
        """Follow one change of a case."""
        if change.change is Change.DECIDED:
            for item in read_items(connection, case_item.c.case_id == change.case_id):
                self._follow(connection, item, change.actor)
        elif change.change is Change.UNDONE:
            forget_opinions(connection, [f"item:{item_id}" for item_id in change.item_ids])
        elif change.change in (Change.OPENED, Change.JOINED):
            for item in read_items(connection, case_item.c.id.in_(change.item_ids)):
                seen_for(connection, self._exchanges, _matched(item))

    def _follow(self, connection: Connection, item: CaseItem, actor: str) -> None:
        opinion = _OPINION_OF.get(item.decision.outcome) if item.decision else None
        entry_ids = _matched(item)
        if item.decision is None or opinion is None or not entry_ids:
            return
        note_opinion(connection, entry_ids, f"item:{item.id}", opinion, actor=actor)
        # A person's words stay here: they may hold what is nobody else's business.
        name = f"item:{item.id}@{microseconds(item.decision.at)}"
        feedback_for(connection, self._exchanges, Decided(name, opinion, entry_ids))


def _matched(item: CaseItem) -> tuple[int, ...]:
    return tuple(sorted({match.entry_id for match in item.matches if match.suppressed_by is None}))
