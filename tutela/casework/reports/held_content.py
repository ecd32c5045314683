"""Held content that a takedown notice means: by item, address, digest, or as nearly the same picture.

Addresses are compared as keyed pseudonyms of their plain form; the platform said them in `details["url"]`.
"""

from collections.abc import Container
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, select

from tutela.casework.cases.addresses import plain_address
from tutela.casework.cases.pseudonyms import known_pseudonym
from tutela.casework.cases.similarity import items_near
from tutela.foundation.store.case_tables import case_item
from tutela.foundation.store.tables import verdict

MAX_FOUND = 100


@dataclass(frozen=True, slots=True)
class FoundContent:
    """Content of ours that one target of a notice means."""

    position: int
    verdict_id: str | None
    case_id: str | None
    item: str | None
    distance: int = 0
    """Between the picture's PDQ hash and the one that the notice names."""


def find_held(connection: Connection, position: int, kind: str, value: str) -> list[FoundContent]:
    """What a target means, at most `MAX_FOUND` of it, the nearest picture first; nothing for other kinds."""
    match kind:
        case "pdq":
            distances = dict(items_near(connection, bytes.fromhex(value), MAX_FOUND))
            found = _found(connection, position, case_item.c.id.in_(distances), distances)
            return sorted(found, key=lambda one: one.distance)
        case "url":
            address = plain_address(value)
            name = known_pseudonym(connection, address) if address else None
            return [] if name is None else _found(connection, position, case_item.c.address == name)
        case "sha256":
            found = _found(connection, position, case_item.c.sha256 == value)
            return found + _without_case(connection, position, value, {one.verdict_id for one in found})
        case "item" | "md5":
            return _found(connection, position, case_item.c[kind] == value)
        case _:
            return []


def _found(
    connection: Connection, position: int, condition: ColumnElement[bool], distances: dict[int, int] | None = None
) -> list[FoundContent]:
    columns = (case_item.c.id, case_item.c.verdict_id, case_item.c.case_id, case_item.c.item)
    rows = connection.execute(select(*columns).where(condition).order_by(case_item.c.id).limit(MAX_FOUND))
    return [FoundContent(position, row[1], row[2], row[3], (distances or {}).get(row[0], 0)) for row in rows]


def _without_case(
    connection: Connection, position: int, sha256: str, known: Container[str | None]
) -> list[FoundContent]:
    """Verdicts about the very content that no case came of."""
    verdicts = select(verdict.c.id).where(verdict.c.content_sha256 == sha256).limit(MAX_FOUND)
    return [
        FoundContent(position, one, None, None) for one in connection.execute(verdicts).scalars() if one not in known
    ]
