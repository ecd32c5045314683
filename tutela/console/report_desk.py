"""Reports as the console prepares and files them: the reporting desk, with evidence opened in the reporter's name."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select

from tutela.casework.cases.model import Outcome
from tutela.casework.cases.service import Cases
from tutela.casework.evidence.seal import ReviewKey
from tutela.casework.evidence.vault import Vault
from tutela.casework.reports import decisions
from tutela.casework.reports.cybertipline.schema import Schema
from tutela.casework.reports.desk import Desk, OpenedEvidence
from tutela.casework.reports.draft import Draft
from tutela.casework.reports.ledger import Ledger
from tutela.casework.reports.model import Filing, State
from tutela.console.exposure import Exposures
from tutela.errors import InputError
from tutela.foundation.store.case_tables import case_decision, case_item
from tutela.foundation.store.reports_tables import report, report_file


@dataclass(frozen=True, slots=True)
class ReportDesk:
    """What a reporter does."""

    desk: Desk
    cases: Cases
    vault: Vault
    key: ReviewKey
    exposures: Exposures
    schema: Schema | None = None

    @property
    def ledger(self) -> Ledger:
        """The filings."""
        return self.desk.ledger

    def draft(self, case_id: str, *, actor: str) -> Draft:
        """What would be filed about the confirmed items. Opens their evidence. Raises NotFoundError, InputError."""
        case = self.cases.get(case_id)
        seen = self.exposures.viewed(case.id)
        viewed = {item.evidence_id for item in case.confirmed() if str(item.id) in seen}
        evidence = OpenedEvidence(self.vault, self.key, actor=actor, purpose=f"report of case {case_id}")
        return self.desk.preview(case_id, evidence, viewed=viewed)

    def problems(self, draft: Draft) -> Sequence[str]:
        """Why a draft would be refused; empty when it would not."""
        return draft.problems(self.schema)

    def file(self, case_id: str, *, actor: str) -> Filing:
        """Let the draft be filed; the same items are never filed twice. Raises as `draft` does, and ConflictError."""
        draft = self.draft(case_id, actor=actor)
        if found := self.problems(draft):
            raise InputError(f"the report would be refused: {'; '.join(found[:5])}")
        return self.desk.file(case_id, draft, actor=actor)

    def filings(self, case_id: str) -> Sequence[Filing]:
        """What was filed about a case."""
        return self.ledger.all(case_id=case_id)

    def retract(self, filing_id: str, *, actor: str, reason: str) -> Filing:
        """Take back what is not finished. Raises NotFoundError, ConflictError, InputError without a reason."""
        return decisions.retract(self.ledger, filing_id, actor, reason)

    def resume(self, filing_id: str, *, actor: str) -> Filing:
        """Go on where it stopped. Raises NotFoundError, ConflictError."""
        return decisions.resume(self.ledger, filing_id, actor)

    def unreported(self, limit: int = 100) -> Sequence[str]:
        """Cases with a confirmed item that is in no report, the longest waiting first."""
        reported = (
            select(report_file.c.evidence)
            .join(report, report.c.id == report_file.c.report_id)
            .where(report.c.state != State.RETRACTED.value)
        )
        confirmed = (
            select(case_decision.c.case_id)
            .join(case_item, case_item.c.id == case_decision.c.item_id)
            .where(case_decision.c.final, case_decision.c.outcome == Outcome.CONFIRM.value)
            .where(case_item.c.evidence_id.not_in(reported))
            .order_by(case_decision.c.at)
        )
        with self.ledger.store.read() as connection:
            return list(dict.fromkeys(connection.execute(confirmed).scalars()))[:limit]
