"""`Cases`: opened and joined by what is held, claimed, decided, and followed by their effects."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection

from tutela.cases.model import (
    Case,
    CaseChange,
    CaseEvent,
    CaseItem,
    CaseState,
    CaseSummary,
    NewItem,
    Outcome,
    Queue,
)

Listener = Callable[[Connection, CaseChange], None]
CLAIM = timedelta(minutes=15)


class Cases:
    """The cases of one store. Thread-safe; many processes may share it."""

    def listen(self, listener: Listener) -> None:
        """Have a function called inside every transaction that changes a case."""
        raise NotImplementedError

    def add(self, connection: Connection, new: NewItem, *, actor: str) -> CaseItem:
        """Open a case with an item, or join it to the undecided case that it belongs to."""
        raise NotImplementedError

    def get(self, case_id: str) -> Case:
        """One case. Raises NotFoundError."""
        raise NotImplementedError

    def queue(
        self,
        *,
        states: Sequence[CaseState] = (CaseState.OPEN, CaseState.CLAIMED, CaseState.SECOND_OPINION),
        queue: Queue | None = None,
        label: str | None = None,
        bank: str | None = None,
        limit: int = 100,
        after: str | None = None,
    ) -> list[CaseSummary]:
        """A page of cases, the most urgent first and then the oldest; `after` is the last id of the page before."""
        raise NotImplementedError

    def history(self, case_id: str) -> list[CaseEvent]:
        """What happened to a case, oldest first. Raises NotFoundError."""
        raise NotImplementedError

    def similar(self, case_id: str) -> list[CaseItem]:
        """The undecided items of other cases that show nearly the same pictures. Raises NotFoundError."""
        raise NotImplementedError

    def of_uploader(self, uploader: str) -> list[CaseSummary]:
        """Every case of one uploader (a pseudonym), newest first."""
        raise NotImplementedError

    def claim(self, case_id: str, *, by: str, length: timedelta = CLAIM) -> Case:
        """Take a case, or keep it longer. Raises ConflictError while another has it, NotFoundError."""
        raise NotImplementedError

    def claim_next(self, *, by: str, queue: Queue | None = None, label: str | None = None) -> Case | None:
        """Take the most urgent case that nobody has and that this person may decide; None when there is none."""
        raise NotImplementedError

    def release(self, case_id: str, *, by: str) -> Case:
        """Give a claim back. Raises ConflictError when another has it, NotFoundError."""
        raise NotImplementedError

    def decide(
        self,
        case_id: str,
        outcome: Outcome,
        *,
        by: str,
        reason: str,
        label: str | None = None,
        item_ids: Sequence[int] | None = None,
        senior: bool = False,
    ) -> Case:
        """Decide of items, by default all that are undecided. The decider must have the claim.

        A confirmation needs a label. `senior` is a lead, whose decision is final even where people differed.
        Raises NotFoundError, ConflictError (claimed by another, decided already, one's own second opinion), InputError.
        """
        raise NotImplementedError

    def report_filed(
        self, connection: Connection, case_id: str, *, target: str, reference: str, at: datetime, actor: str
    ) -> None:
        """A report was made of a case: link it, and keep the evidence for its time from now."""
        raise NotImplementedError
