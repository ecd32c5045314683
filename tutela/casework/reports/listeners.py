"""What follows from cases and filings, written down in the transaction that changes them.

A match with a bank whose policy says so is filed before anybody looked; a rejection takes that back; every step of a
filing is in the audit log; and a finished filing is linked to its case, whose evidence is then kept for its time.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import Connection, select

from tutela.casework.audit.log import append
from tutela.casework.cases.model import CaseChange, Change
from tutela.casework.cases.outcomes import Outcome
from tutela.casework.cases.service import Cases
from tutela.foundation.outbox.service import enqueue
from tutela.foundation.store.case_tables import case_decision, case_item

if TYPE_CHECKING:
    from tutela.casework.reports.model import Happened

AT_MATCH = "report.at-match"
REJECTED = "report.rejected"
NCMEC = "ncmec"


@dataclass(frozen=True, slots=True)
class FilingAtMatch:
    """Listens to cases: what is to be filed on a match alone, and what is to be taken back."""

    banks: frozenset[str]
    """Banks whose matches are filed at once; none by default."""

    def __call__(self, connection: Connection, change: CaseChange) -> None:
        """Write into the outbox what follows."""
        if not self.banks or not change.item_ids:
            return
        if change.change in (Change.OPENED, Change.JOINED):
            query = select(case_item.c.id, case_item.c.banks).where(case_item.c.id.in_(change.item_ids))
            for row in connection.execute(query):
                if self.banks & set(row.banks):
                    enqueue(connection, AT_MATCH, str(row.id), {"item": row.id, "case": change.case_id})
        elif change.change is Change.DECIDED:
            rejected = select(case_decision.c.item_id).where(
                case_decision.c.case_id == change.case_id,
                case_decision.c.final.is_(True),
                case_decision.c.outcome == Outcome.REJECT.value,
            )
            for item_id in connection.execute(rejected).scalars():
                enqueue(connection, REJECTED, str(item_id), {"item": item_id, "case": change.case_id})


@dataclass(frozen=True, slots=True)
class FilingsFollowed:
    """Listens to the ledger: every step into the audit log, and a finished one to its case."""

    cases: Cases

    def __call__(self, connection: Connection, step: "Happened") -> None:
        """Write it down."""
        detail = {"number": step.number, "code": step.code, "case": step.case_id, "environment": step.environment}
        known = {name: value for name, value in detail.items() if value is not None}
        append(connection, step.actor, f"report.{step.action.replace(' ', '-')}", f"report:{step.filing_id}", known)
        if step.action in ("finished", "confirmed") and step.case_id is not None and step.number is not None:
            self.cases.report_filed(
                connection,
                step.case_id,
                target=NCMEC if step.environment == "production" else f"{NCMEC}-{step.environment}",
                reference=str(step.number),
                at=step.at,
                actor=step.actor,
            )
