"""Reports as the console prepares and files them: from a decided case and its evidence, opened with the review key."""

import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from sqlalchemy import select

from tutela.cases.cases import Cases
from tutela.cases.model import Case, Outcome
from tutela.console.exposure import Exposures
from tutela.console.opened_evidence import OpenedEvidence
from tutela.reports import decisions
from tutela.reports.cybertipline.client import Environment
from tutela.reports.draft import Draft
from tutela.reports.incident import Organisation, incident_of
from tutela.reports.ledger import Filing, Ledger, State
from tutela.reports.ncmec import preview
from tutela.screening.verdict import Context
from tutela.store.case_tables import case_decision
from tutela.store.reports_tables import report

_PURPOSE = "report"


@dataclass(frozen=True, slots=True)
class _EvidenceForReports:
    """Evidence as `incident_of` asks for it, opened in somebody's name."""

    opened: OpenedEvidence
    actor: str

    def context(self, evidence_id: str) -> Context:
        details: Mapping[str, str] = self.opened.details(evidence_id, actor=self.actor, purpose=_PURPOSE)
        return Context(details=details)

    def open(self, evidence_id: str) -> BinaryIO:
        return io.BytesIO(self.opened.read(evidence_id, actor=self.actor, purpose=_PURPOSE))


class ReportDesk:
    """What a reporter does. Thread-safe."""

    def __init__(
        self,
        ledger: Ledger,
        cases: Cases,
        evidence: OpenedEvidence,
        exposures: Exposures,
        organisation: Organisation,
        environment: Environment,
    ) -> None:
        self.ledger = ledger
        self.environment = environment
        self._cases = cases
        self._evidence = evidence
        self._exposures = exposures
        self._organisation = organisation

    def draft(self, case_id: str, *, actor: str) -> Draft:
        """What would be filed about the confirmed items. Opens their evidence. Raises NotFoundError, InputError."""
        case = self._cases.get(case_id)
        seen = self._exposures.viewed(case.id)
        incident = incident_of(
            case,
            _EvidenceForReports(self._evidence, actor),
            viewed={item.evidence_id for item in case.confirmed() if str(item.id) in seen},
            prior_numbers=self._prior_numbers(case),
        )
        return preview(incident, self._organisation)

    def file(self, case_id: str, *, actor: str) -> Filing:
        """Let the draft be filed; the same items are never filed twice. Raises as `draft` does."""
        case = self._cases.get(case_id)
        draft = self.draft(case_id, actor=actor)
        return self.ledger.add(_key(case), draft, environment=self.environment.value, actor=actor, case_id=case.id)

    def filed(self, case: Case) -> Filing | None:
        """The filing of exactly these confirmed items."""
        return self.ledger.of_key(_key(case))

    def retract(self, filing_id: str, *, actor: str, reason: str) -> Filing:
        """Take back what is not finished. Raises NotFoundError, ConflictError, InputError without a reason."""
        return decisions.retract(self.ledger, filing_id, actor, reason)

    def resume(self, filing_id: str, *, actor: str) -> Filing:
        """Go on where it stopped. Raises NotFoundError, ConflictError."""
        return decisions.resume(self.ledger, filing_id, actor)

    def unreported(self, limit: int = 100) -> Sequence[str]:
        """Cases with a confirmed item of which no report was begun, the longest waiting first."""
        confirmed = (
            select(case_decision.c.case_id)
            .where(case_decision.c.final, case_decision.c.outcome == Outcome.CONFIRM.value)
            .where(case_decision.c.case_id.not_in(select(report.c.case_id).where(report.c.case_id.is_not(None))))
            .order_by(case_decision.c.at)
        )
        with self.ledger.store.read() as connection:
            return list(dict.fromkeys(connection.execute(confirmed).scalars()))[:limit]

    def _prior_numbers(self, case: Case) -> tuple[int, ...]:
        if case.uploader is None:
            return ()
        others = [summary.id for summary in self._cases.of_uploader(case.uploader) if summary.id != case.id]
        filings = [filing for other in others for filing in self.ledger.all(case_id=other, states=(State.FINISHED,))]
        return tuple(filing.number for filing in filings if filing.number is not None)


def _key(case: Case) -> str:
    """The name of a report about exactly the confirmed items of a case."""
    items = ",".join(sorted(item.evidence_id for item in case.confirmed()))
    return f"case:{case.id}:{hashlib.sha256(items.encode()).hexdigest()[:32]}"
