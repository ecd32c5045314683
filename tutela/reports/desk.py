"""The reporting desk: what a person, or a policy, does with a decided case – look at the draft, file it, never twice.

It needs the review key to make a draft, because a draft says who uploaded what. What is filed is moved on by
`tutela.reports.worker`.
"""

import io
import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import BinaryIO, Protocol

from sqlalchemy import Connection

from tutela.cases.model import Case, CaseItem
from tutela.errors import ConflictError, InputError, TutelaError
from tutela.evidence.audit import append
from tutela.evidence.sealing import ReviewKey
from tutela.evidence.vault import Vault
from tutela.reports import decisions
from tutela.reports.cybertipline.client import Environment
from tutela.reports.draft import Draft
from tutela.reports.incident import Evidence, Incident, Organisation, incident_of
from tutela.reports.ledger import Filing, Happened, Ledger, State
from tutela.reports.ncmec import preview
from tutela.screening.verdict import Context

NCMEC = "ncmec"


class OpenedEvidence:
    """The evidence of a vault, opened with the review key; each opening is in the audit log."""

    def __init__(self, vault: Vault, key: ReviewKey, *, actor: str, purpose: str) -> None:
        self._vault = vault
        self._key = key
        self._actor = actor
        self._purpose = purpose

    def context(self, evidence_id: str) -> Context:
        """As `Evidence.context`."""
        text = self._vault.context(evidence_id, self._key, actor=self._actor, purpose=self._purpose)
        return read_context(text)

    def open(self, evidence_id: str) -> BinaryIO:
        """As `Evidence.open`."""
        return io.BytesIO(self._vault.content(evidence_id, self._key, actor=self._actor, purpose=self._purpose))


def read_context(text: bytes) -> Context:
    """The context of sealed evidence. Raises TutelaError."""
    try:
        document = json.loads(text)
        found = document.get("context", document)
        return Context(found.get("item"), {str(name): str(value) for name, value in found["details"].items()})
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise TutelaError(f"the sealed context cannot be read: {type(error).__name__}") from error


class CaseReader(Protocol):
    """Reads cases, and is told of reports: `tutela.cases.cases.Cases`."""

    def get(self, case_id: str) -> Case:
        """One case. Raises NotFoundError."""


@dataclass(frozen=True, slots=True)
class Desk:
    """The desk of one deployment."""

    ledger: Ledger
    cases: CaseReader
    organisation: Organisation
    environment: Environment = Environment.TEST

    def incident(self, case_id: str, evidence: Evidence, *, viewed: Collection[str] = ()) -> Incident:
        """The incident of a decided case: its confirmed items, but for those that were filed at match time.

        Raises NotFoundError, InputError when there is nothing left to report.
        """
        case = self.cases.get(case_id)
        filed = self.filed_at_match(case)
        confirmed = case.confirmed()
        items = [item for item in confirmed if item.id not in filed]
        if confirmed and not items:
            raise InputError(f"all confirmed items of case {case_id} were reported at match time")
        numbers = tuple(filing.number for filing in filed.values() if filing.number and filing.state is State.FINISHED)
        return incident_of(case, evidence, items=items, viewed=viewed, by_person=True).with_prior(numbers)

    def preview(self, case_id: str, evidence: Evidence, *, viewed: Collection[str] = ()) -> Draft:
        """The draft that would be filed for a case; `Draft.xml` and `Draft.problems` show it. Errors as `incident`."""
        return preview(self.incident(case_id, evidence, viewed=viewed), self.organisation)

    def file(self, case_id: str, draft: Draft, *, actor: str) -> Filing:
        """File a draft for a case; again for the same case, it is the first filing. Raises InputError."""
        self.cases.get(case_id)
        return self.ledger.add(f"case:{case_id}", draft, environment=self.environment, actor=actor, case_id=case_id)

    def file_at_match(self, case_id: str, item_id: int, evidence: Evidence, *, actor: str) -> Filing | None:
        """File one item before anybody looked at it. None when a person was faster and decided.

        Raises NotFoundError, TutelaError when its evidence cannot be opened.
        """
        case = self.cases.get(case_id)
        item = _item(case, item_id)
        if item.decision is not None:
            return None
        found = incident_of(case, evidence, items=[item])
        return self.ledger.add(
            item_key(item_id),
            preview(found, self.organisation),
            environment=self.environment,
            actor=actor,
            case_id=case_id,
        )

    def filed_at_match(self, case: Case) -> Mapping[int, Filing]:
        """The filings of items that were reported at match time and not taken back, by item."""
        found = {item.id: self.ledger.of_key(item_key(item.id)) for item in case.items}
        gone = (State.RETRACTED, State.RETRACTING)
        return {item_id: filing for item_id, filing in found.items() if filing and filing.state not in gone}

    def take_back(self, item_id: int, *, actor: str) -> Filing | None:
        """Take back what was filed at match time and a person then found to be a false match.

        None when nothing was filed. A filing that is finished cannot be taken back: it is returned as it is, and
        somebody has to tell NCMEC.
        """
        filing = self.ledger.of_key(item_key(item_id))
        if filing is None or filing.state in (State.FINISHED, State.RETRACTED, State.RETRACTING):
            return filing
        try:
            return decisions.retract(self.ledger, filing.id, actor, "a person found it to be a false match")
        except ConflictError:
            return self.ledger.get(filing.id)


def item_key(item_id: int) -> str:
    """The key of what is filed for one item at match time."""
    return f"item:{item_id}"


def _item(case: Case, item_id: int) -> CaseItem:
    for item in case.items:
        if item.id == item_id:
            return item
    raise InputError(f"case {case.id} has no item {item_id}")


def write_down(filed: Callable[[Connection, Happened], None] | None = None) -> Callable[[Connection, Happened], None]:
    """A listener of the ledger: every step into the audit log, and `filed` for each filing that is finished."""

    def listen(connection: Connection, step: Happened) -> None:
        detail = {"number": step.number, "code": step.code, "case": step.case_id, "environment": step.environment}
        known = {name: value for name, value in detail.items() if value is not None}
        append(connection, step.actor, f"report.{step.action.replace(' ', '-')}", f"report:{step.filing_id}", known)
        if filed is not None and step.action in ("finished", "confirmed"):
            filed(connection, step)

    return listen
