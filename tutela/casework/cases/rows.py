"""From rows to cases."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, func, select

from tutela.casework.cases.model import Case, CaseDecision, CaseItem, CaseState, CaseSummary, Claim, Queue, ReportLink
from tutela.casework.cases.outcomes import Outcome
from tutela.foundation.leases import counts, held
from tutela.foundation.store import tables
from tutela.foundation.store.case_tables import case, case_decision, case_item, case_report
from tutela.foundation.store.database import moment, now
from tutela.foundation.store.ids import full_id
from tutela.screening.verdict import Match


def read_case(connection: Connection, row: Row[Any]) -> Case:
    """The case of a row, with all that belongs to it."""
    items = read_items(connection, case_item.c.case_id == row.id)
    decisions = connection.execute(
        select(case_decision).where(case_decision.c.case_id == row.id).order_by(case_decision.c.id)
    ).all()
    reports = connection.execute(
        select(case_report).where(case_report.c.case_id == row.id).order_by(case_report.c.id)
    ).all()
    return Case(
        id=row.id,
        state=state_of(row),
        queue=Queue(row.queue),
        urgency=row.urgency,
        label=row.label,
        uploader=row.uploader,
        opened_at=moment(row.opened_at),
        updated_at=moment(row.updated_at),
        claim=claim_of(row),
        items=tuple(items),
        decisions=tuple(map(decision_of, decisions)),
        reports=tuple(ReportLink(report.target, report.reference, moment(report.at)) for report in reports),
    )


def read_items(connection: Connection, *conditions: Any) -> list[CaseItem]:
    """The items that meet the conditions, by id."""
    rows = connection.execute(select(case_item).where(*conditions).order_by(case_item.c.id)).all()
    documents = _documents(connection, [row.verdict_id for row in rows if row.verdict_id])
    finals = _finals(connection, [row.id for row in rows if row.decided])
    precedents = _precedents(connection, {row.similar for row in rows})
    found = []
    for row in rows:
        matches = tuple(Match.read(match) for match in documents.get(row.verdict_id, {}).get("matches", ()))
        others = (decision for decision in precedents[row.similar] if decision.item_id != row.id)
        found.append(
            CaseItem(
                id=row.id,
                case_id=row.case_id,
                verdict_id=row.verdict_id,
                evidence_id=row.evidence_id,
                item=row.item,
                at=moment(row.at),
                sha256=row.sha256,
                media_type=row.media_type,
                byte_length=row.byte_length,
                label=row.label,
                banks=tuple(row.banks),
                matches=matches,
                group=row.similar,
                decision=finals.get(row.id),
                precedent=next(others, None),
                part=matches[0].part if matches else "",
            )
        )
    return found


def read_summaries(connection: Connection, rows: Sequence[Row[Any]]) -> list[CaseSummary]:
    """What a queue lists of these cases, in their order."""
    query = (
        select(case_item.c.case_id, case_item.c.decided, func.count())
        .where(case_item.c.case_id.in_([row.id for row in rows]))
        .group_by(case_item.c.case_id, case_item.c.decided)
    )
    counts: dict[str, dict[bool, int]] = defaultdict(dict)
    for case_id, decided, count in connection.execute(query):
        counts[case_id][bool(decided)] = count
    return [
        CaseSummary(
            id=row.id,
            state=state_of(row),
            queue=Queue(row.queue),
            urgency=row.urgency,
            label=row.label,
            uploader=row.uploader,
            opened_at=moment(row.opened_at),
            updated_at=moment(row.updated_at),
            claim=claim_of(row),
            items=sum(counts[row.id].values()),
            undecided=counts[row.id].get(False, 0),
        )
        for row in rows
    ]


def case_row(connection: Connection, case_id: str) -> Row[Any] | None:
    """The row of a case, by its id or the beginning of it. Raises InputError where several begin so."""
    return connection.execute(select(case).where(case.c.id == full_id(connection, case.c.id, case_id))).first()


def claim_of(row: Row[Any]) -> Claim | None:
    """The claim on a case, while it counts."""
    if row.claimed_by is None or not counts(row.claimed_until):
        return None
    return Claim(row.claimed_by, moment(row.claimed_until))


def is_claimed() -> ColumnElement[bool]:
    """The condition that a claim on a case counts: not one that was made while a clock was wrong."""
    return and_(case.c.claimed_by.is_not(None), held(case.c.claimed_until, now()))


def state_of(row: Row[Any]) -> CaseState:
    """The state of a case as it is seen: an open one that somebody has is claimed."""
    state = CaseState(row.state)
    return CaseState.CLAIMED if state is CaseState.OPEN and claim_of(row) else state


def decision_of(row: Row[Any]) -> CaseDecision:
    """The decision of a row."""
    return CaseDecision(
        row.item_id,
        Outcome(row.outcome),
        row.label,
        row.made_by,
        moment(row.at),
        row.reason,
        bool(row.final),
        row.press,
        bool(row.set_aside),
    )


def _documents(connection: Connection, verdict_ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    verdict = tables.verdict
    rows = connection.execute(select(verdict.c.id, verdict.c.document).where(verdict.c.id.in_(verdict_ids)))
    return {row.id: row.document for row in rows}


def _finals(connection: Connection, item_ids: Sequence[int]) -> dict[int, CaseDecision]:
    query = select(case_decision).where(case_decision.c.item_id.in_(item_ids), case_decision.c.final)
    return {row.item_id: decision_of(row) for row in connection.execute(query.order_by(case_decision.c.id))}


def _precedents(connection: Connection, groups: Iterable[str]) -> dict[str, list[CaseDecision]]:
    """By group, the last final decisions of its two items that were decided last, the newest first: the precedent of
    either is the other's, and of all other items of the group it is the first."""
    newest = func.max(case_decision.c.id)
    place = func.row_number().over(partition_by=case_item.c.similar, order_by=newest.desc())
    last = (
        select(case_item.c.similar, newest.label("decision"), place.label("place"))
        .join(case_item, case_item.c.id == case_decision.c.item_id)
        .where(case_item.c.similar.in_(list(groups)), case_decision.c.final)
        .group_by(case_item.c.similar, case_item.c.id)
        .subquery()
    )
    query = (
        select(last.c.similar, case_decision)
        .join(last, last.c.decision == case_decision.c.id)
        .where(last.c.place <= 2)
        .order_by(last.c.place)
    )
    found: dict[str, list[CaseDecision]] = defaultdict(list)
    for row in connection.execute(query):
        found[row.similar].append(decision_of(row))
    return found
