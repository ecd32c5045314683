"""The reporting desk: what a person, or a policy, does with a case – look at the draft, file it, never twice.

It needs the review key to make a draft, because a draft says who uploaded what. What is filed is moved on by
`tutela.casework.reports.worker`.
"""

import hashlib
import io
import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import BinaryIO

from tutela.casework.cases.model import Case, CaseItem
from tutela.casework.cases.service import Cases
from tutela.casework.evidence.seal import ReviewKey
from tutela.casework.evidence.vault import Vault
from tutela.casework.reports import decisions
from tutela.casework.reports.cybertipline.environment import Environment
from tutela.casework.reports.cybertipline.schema import Schema
from tutela.casework.reports.draft import Draft
from tutela.casework.reports.incident import EvidenceSource, Incident, incident_of
from tutela.casework.reports.ledger import Ledger
from tutela.casework.reports.model import Filing, FilingState
from tutela.casework.reports.ncmec import preview
from tutela.casework.reports.options import Organisation
from tutela.errors import ConflictError, InputError, TutelaError
from tutela.screening.verdict import Context


class OpenedEvidence:
    """The evidence of a vault, opened with the review key; each opening is in the audit log."""

    def __init__(self, vault: Vault, key: ReviewKey, *, actor: str, purpose: str) -> None:
        self._vault = vault
        self._key = key
        self._actor = actor
        self._purpose = purpose

    def context(self, evidence_id: str) -> Context:
        """As `EvidenceSource.context`."""
        text = self._vault.context(evidence_id, self._key, actor=self._actor, purpose=self._purpose)
        return read_context(text)

    def open(self, evidence_id: str) -> BinaryIO:
        """As `EvidenceSource.open`."""
        return io.BytesIO(self.read(evidence_id))

    def read(self, evidence_id: str) -> bytes:
        """The content. Raises NotFoundError, ConflictError when it was destroyed, EvidenceError."""
        return self._vault.content(evidence_id, self._key, actor=self._actor, purpose=self._purpose)


def read_context(text: bytes) -> Context:
    """The context of sealed evidence. Raises TutelaError."""
    try:
        document = json.loads(text)
        return Context(document.get("item"), {str(name): str(value) for name, value in document["details"].items()})
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise TutelaError("the sealed context cannot be read: {kind}", kind=type(error).__name__) from error


@dataclass(frozen=True, slots=True)
class Desk:
    """The desk of one deployment."""

    ledger: Ledger
    cases: Cases
    organisation: Organisation
    environment: Environment = Environment.TEST

    def incident(self, case_id: str, evidence: EvidenceSource, *, viewed: Collection[str] = ()) -> Incident:
        """What is to be reported of a decided case: its confirmed items that no report has yet.

        `viewed` are the evidence ids that a person has seen whole. Raises NotFoundError, InputError when there is
        nothing left to report.
        """
        case = self.cases.get(case_id)
        items = self.unreported(case)
        if case.confirmed() and not items:
            raise InputError("all confirmed items of case {case_id} are reported already", case_id=case_id)
        return incident_of(
            case, evidence, items=items, viewed=viewed, prior_numbers=self.prior_numbers(case), by_person=True
        )

    def preview(self, case_id: str, evidence: EvidenceSource, *, viewed: Collection[str] = ()) -> Draft:
        """The draft that would be filed for a case; `Draft.xml` and `Draft.problems` show it. Errors as `incident`."""
        self.check_organisation()
        return preview(self.incident(case_id, evidence, viewed=viewed), self.organisation)

    def file(self, case_id: str, draft: Draft, *, actor: str, schema: Schema | None = None) -> Filing:
        """File a draft for a case; again with the same evidence, it is the first filing.

        Raises NotFoundError, InputError for a draft with problems, by the schema too where there is one, ConflictError
        when evidence of it is reported.
        """
        self.cases.get(case_id)
        if found := draft.problems(schema):
            raise InputError("the report would be refused: {found}", found="; ".join(found[:5]))
        key = case_key(case_id, (file.evidence for file in draft.files))
        return self.ledger.add(key, draft, environment=self.environment, actor=actor, case_id=case_id)

    def unreported_cases(self, limit: int = 100) -> list[str]:
        """Cases with a confirmed item that is in no report, the longest waiting first."""
        return self.ledger.unreported_cases(limit)

    def unreported(self, case: Case) -> tuple[CaseItem, ...]:
        """The confirmed items of a case that no report has yet."""
        reported = self.ledger.reported([item.evidence_id for item in case.confirmed()])
        return tuple(item for item in case.confirmed() if item.evidence_id not in reported)

    def prior_numbers(self, case: Case) -> tuple[int, ...]:
        """The numbers of finished reports on the same account, this case's own among them."""
        known = [case.id]
        if case.uploader is not None:
            known += [summary.id for summary in self.cases.of_uploader(case.uploader) if summary.id != case.id]
        filings = [filing for one in known for filing in self.ledger.all(case_id=one, states=(FilingState.FINISHED,))]
        return tuple(sorted(filing.number for filing in filings if filing.number is not None))

    # --- at match time, before anybody looked

    def file_at_match(self, item_id: int, evidence: EvidenceSource, *, actor: str) -> Filing | None:
        """File one item on its match alone. None when a person was faster and decided, or it is reported.

        Raises NotFoundError, TutelaError when its evidence cannot be opened.
        """
        self.check_organisation()
        item = self.cases.item(item_id)
        if item.decision is not None or self.ledger.reported([item.evidence_id]):
            return None
        case = self.cases.get(item.case_id)
        found = incident_of(case, evidence, items=[item], prior_numbers=self.prior_numbers(case))
        draft = preview(found, self.organisation)
        return self.ledger.add(
            item_key(item_id), draft, environment=self.environment, actor=actor, case_id=item.case_id
        )

    def take_back(self, item_id: int, *, actor: str) -> Filing | None:
        """Take back what was filed at match time and a person then found to be a false match.

        None when nothing was filed. One that is finished cannot be taken back: it is returned as it is, and
        somebody has to tell NCMEC.
        """
        filing = self.ledger.of_key(item_key(item_id))
        if filing is None or filing.state in (FilingState.FINISHED, FilingState.RETRACTED, FilingState.RETRACTING):
            return filing
        try:
            return decisions.retract(self.ledger, filing.id, actor, "a person found it to be a false match")
        except ConflictError:
            return self.ledger.get(filing.id)

    def check_organisation(self) -> None:
        """Raise InputError where nobody is named who reports."""
        if not self.organisation.name:
            raise InputError("say who reports: set name in [reports.organisation] of tutela.toml")


def case_key(case_id: str, evidence: Iterable[str]) -> str:
    """The key of a report about exactly this evidence of a case."""
    return f"case:{case_id}:{hashlib.sha256(','.join(sorted(evidence)).encode()).hexdigest()[:32]}"


def item_key(item_id: int) -> str:
    """The key of what is filed for one item at match time."""
    return f"item:{item_id}"
