"""A case as a JSON object: what the API answers and the command line prints. Nothing in it was ever sealed."""

from collections.abc import Sequence
from typing import Any

from tutela.casework.cases.model import Case, CaseDecision, CaseEvent, CaseItem, CaseSummary, Claim


def case_document(case: Case, history: Sequence[CaseEvent] = (), *, whole: bool = True) -> dict[str, Any]:
    """A case with its items, decisions, reports and history; of its items only outlines where it is not `whole`."""
    items = item_document if whole else item_outline
    return {
        **_head(case),
        "items": [items(item) for item in case.items],
        "decisions": [_decision(decision) for decision in case.decisions],
        "reports": [
            {"target": report.target, "reference": report.reference, "at": report.at.isoformat()}
            for report in case.reports
        ],
        "history": [
            {"at": event.at.isoformat(), "actor": event.actor, "action": event.action, "detail": dict(event.detail)}
            for event in history
        ],
    }


def summary_document(case: CaseSummary) -> dict[str, Any]:
    """A case as a queue lists it."""
    return {
        **_head(case),
        "items": case.items,
        "undecided": case.undecided,
    }


def _head(case: Case | CaseSummary) -> dict[str, Any]:
    return {
        "id": case.id,
        "state": case.state.value,
        "queue": case.queue.value,
        "urgency": case.urgency,
        "label": case.label,
        "uploader": case.uploader,
        "opened_at": case.opened_at.isoformat(),
        "updated_at": case.updated_at.isoformat(),
        "claim": _claim(case.claim),
    }


def item_document(item: CaseItem) -> dict[str, Any]:
    """One item, with all that is known of it."""
    return item_outline(item) | {
        "item": item.item,
        "sha256": item.sha256,
        "matches": [match.document() for match in item.matches],
        "group": item.group,
        "part": item.part,
        "precedent": _decision(item.precedent) if item.precedent else None,
    }


def item_outline(item: CaseItem) -> dict[str, Any]:
    """What is said of an item to those who have not claimed its case: what it is; not what the platform calls it, what
    it matched, or its hashes."""
    return {
        "id": item.id,
        "verdict": item.verdict_id,
        "evidence": item.evidence_id,
        "at": item.at.isoformat(),
        "media_type": item.media_type,
        "byte_length": item.byte_length,
        "label": item.label,
        "decision": _decision(item.decision) if item.decision else None,
    }


def _decision(decision: CaseDecision) -> dict[str, Any]:
    return {
        "item": decision.item_id,
        "outcome": decision.outcome.value,
        "label": decision.label,
        "by": decision.by,
        "at": decision.at.isoformat(),
        "reason": decision.reason,
        "final": decision.final,
    }


def _claim(claim: Claim | None) -> dict[str, Any] | None:
    return None if claim is None else {"by": claim.by, "until": claim.until.isoformat()}
