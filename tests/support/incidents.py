"""Decided cases of benign content, for the tests of reports."""

import hashlib
import io
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import BinaryIO

from tutela.casework.cases.model import Case, CaseDecision, CaseItem, CaseState, Queue
from tutela.casework.cases.outcomes import Outcome
from tutela.casework.reports.options import Organisation
from tutela.errors import TutelaError
from tutela.lists.banks.model import Action
from tutela.screening.verdict import Context, Match

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
US = Organisation(
    "Example Ltd",
    service="Example Photos",
    contact_first_name="Ada",
    contact_last_name="Byron",
    contact_email="safety@example.test",
    contact_phone="+44 20 7946 0000",
    legal_url="https://example.test/legal",
    country="GB",
)
DETAILS = {
    "uploader": "user-77",
    "screen_name": "näme",
    "display_name": "名前",
    "email": "user@example.test",
    "email_verified": "true",
    "ip_address": "192.0.2.7",
    "ip_port": "50123",
    "uploaded_at": "2026-03-01T11:59:00Z",
    "file_name": "holiday <b>.jpg",
    "url": "https://example.test/p/1",
    "public": "no",
    "album": "summer",
}


class InMemory:
    """Evidence that is not sealed at all."""

    def __init__(self) -> None:
        self.contents: dict[str, bytes] = {}
        self.contexts: dict[str, Context] = {}

    def add(self, evidence_id: str, content: bytes, details: Mapping[str, str]) -> None:
        self.contents[evidence_id], self.contexts[evidence_id] = content, Context(None, dict(details))

    def context(self, evidence_id: str) -> Context:
        return self.contexts[evidence_id]

    def open(self, evidence_id: str) -> BinaryIO:
        if evidence_id not in self.contents:
            raise TutelaError(f"there is no evidence {evidence_id!r}")
        return io.BytesIO(self.contents[evidence_id])


def match(distance: int = 4, *, signal: str = "pdq", part: str = "") -> Match:
    value = "ab" * 32
    return Match(
        "known", 7, signal, value, distance, 31, "whole", 90, "A1", "example-list", "ref-7", Action.BLOCK, part=part
    )


def decided_case(
    evidence: InMemory,
    contents: Sequence[bytes] = (b"benign one", b"benign two"),
    details: Mapping[str, str] = DETAILS,
    outcome: Outcome = Outcome.CONFIRM,
) -> Case:
    items = []
    for number, content in enumerate(contents, 1):
        evidence_id = hashlib.sha256(content).hexdigest()
        evidence.add(evidence_id, content, details)
        decision = CaseDecision(number, outcome, "A1", "reviewer:1", NOON, "seen", True)
        items.append(
            CaseItem(
                number, "case-1", f"v{number}", evidence_id, f"item-{number}", NOON, evidence_id, "image/jpeg",
                len(content), "A1", (match(), match(0, signal="md5")), f"g{number}", decision,
            )
        )  # fmt: skip
    return Case(
        "case-1", CaseState.DECIDED, Queue.MATCH, 90, "A1", "pseudonym", NOON, NOON, None, tuple(items),
        tuple(item.decision for item in items if item.decision), (),
    )  # fmt: skip
