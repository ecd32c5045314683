"""Which case an item belongs to, and how it gets there; inside the caller's transaction."""

import uuid
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, func, insert, or_, select

from tutela.casework.cases.model import CaseItem, CaseState, NewItem, Queue
from tutela.casework.cases.rows import is_claimed, read_items
from tutela.foundation.store.case_tables import case as cases
from tutela.foundation.store.case_tables import case_item
from tutela.foundation.store.database import microseconds, now

MAX_ITEMS = 500
"""An item more opens another case."""


def joinable(connection: Connection, new: NewItem, similar: str) -> Row[Any] | None:
    """The open case that an item belongs to, if there is one with room.

    Not one that somebody has claimed: what came after a person looked must not be decided with what was seen.
    """
    query = select(cases).where(cases.c.state == CaseState.OPEN.value, cases.c.queue == new.queue.value)
    if new.queue is not Queue.CONTACT:  # an account has one alarm at a time, whoever looks at it
        query = query.where(~is_claimed())
    if new.uploader is not None:
        query = query.where(cases.c.uploader == new.uploader)
    else:
        alike: ColumnElement[bool] = case_item.c.similar == similar
        if new.matches:
            alike = or_(alike, case_item.c.entry_id == new.matches[0].entry_id)
        same = select(case_item.c.id).where(case_item.c.case_id == cases.c.id, alike).exists()
        query = query.where(cases.c.uploader.is_(None), same)
    for row in connection.execute(query.order_by(cases.c.opened_at.desc())):
        count = select(func.count()).where(case_item.c.case_id == row.id)
        if connection.execute(count).scalar_one() < MAX_ITEMS:
            return row
    return None


def open_case(connection: Connection, new: NewItem, label: str | None, urgency: int, alarm_at: int) -> str:
    """Open a case for an item; its id."""
    case_id = uuid.uuid4().hex
    connection.execute(
        insert(cases).values(
            id=case_id,
            state=CaseState.OPEN.value,
            queue=new.queue.value,
            urgency=urgency,
            label=label,
            uploader=new.uploader,
            alarms=0,
            next_alarm_at=alarm_at,
            opened_at=now(),
            updated_at=now(),
        )
    )
    return case_id


def insert_item(connection: Connection, new: NewItem, case_id: str, similar: str, label: str | None) -> CaseItem:
    """Put an item into a case."""
    result = connection.execute(
        insert(case_item).values(
            case_id=case_id,
            verdict_id=new.verdict_id,
            evidence_id=new.evidence_id,
            item=new.item,
            at=microseconds(new.at),
            sha256=new.sha256,
            md5=new.md5,
            pdq=new.pdq,
            address=new.address,
            media_type=new.media_type,
            byte_length=new.byte_length,
            label=label,
            banks=list(new.banks),
            entry_id=new.matches[0].entry_id if new.matches else None,
            similar=similar,
            decided=False,
        )
    )
    assert result.inserted_primary_key is not None
    return read_items(connection, case_item.c.id == result.inserted_primary_key[0])[0]
