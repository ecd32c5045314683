"""The two-person rule: an item of the severest labels becomes clear only after a second person agreed.

The first asks, another who may decide grants or declines within a few minutes; a grant lasts as long. Nobody answers
their own question.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, insert, select, update

from tutela.casework.audit.log import append, lock
from tutela.console.people import Person
from tutela.errors import ConflictError, NotFoundError
from tutela.foundation.store.console_tables import second_look
from tutela.foundation.store.database import Store, moment, now

LASTS_S = 15 * 60


@dataclass(frozen=True, slots=True)
class SecondLook:
    """One question to a second person."""

    id: int
    case_id: str
    item_id: str
    asked_by: str
    """The asking person's id."""
    asked_at: datetime
    granted: bool | None


class SecondLooks:
    """The questions of one store. Thread-safe."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def ask(self, person: Person, case_id: str, item_id: str) -> None:
        """Ask for a second person; asking twice is asking once."""
        if self.latest(person, case_id, item_id) is not None:
            return
        with self._store.write() as connection:
            lock(connection)
            append(connection, person.actor, "second-look.asked", f"case:{case_id}", {"item": item_id})
            connection.execute(
                insert(second_look).values(case_id=case_id, item_id=item_id, asked_by=person.id, asked_at=now())
            )

    def latest(self, person: Person, case_id: str, item_id: str) -> SecondLook | None:
        """The person's question about the item, while it counts."""
        with self._store.read() as connection:
            row = connection.execute(
                select(second_look)
                .where(
                    second_look.c.case_id == case_id,
                    second_look.c.item_id == item_id,
                    second_look.c.asked_by == person.id,
                    second_look.c.asked_at > now() - LASTS_S * 1_000_000,
                )
                .order_by(second_look.c.id.desc())
            ).first()
        return _second_look(row) if row else None

    def granted(self, person: Person, case_id: str, item_id: str) -> bool:
        """Whether a second person lets this one see the item clearly now."""
        found = self.latest(person, case_id, item_id)
        return found is not None and found.granted is True

    def open(self, person: Person) -> Sequence[SecondLook]:
        """The questions that this person could answer, oldest first."""
        with self._store.read() as connection:
            rows = connection.execute(
                select(second_look)
                .where(
                    second_look.c.answered_at.is_(None),
                    second_look.c.asked_by != person.id,
                    second_look.c.asked_at > now() - LASTS_S * 1_000_000,
                )
                .order_by(second_look.c.id)
            )
            return [_second_look(row) for row in rows]

    def answer(self, person: Person, number: int, granted: bool) -> SecondLook:
        """Grant or decline. Raises NotFoundError, and ConflictError when it is the person's own or was answered."""
        with self._store.write() as connection:
            lock(connection)
            row = connection.execute(select(second_look).where(second_look.c.id == number)).first()
            if row is None:
                raise NotFoundError("there is no such question")
            if row.asked_by == person.id:
                raise ConflictError("the second person must be another person")
            changed = connection.execute(
                update(second_look)
                .where(
                    second_look.c.id == number,
                    second_look.c.answered_at.is_(None),
                    second_look.c.asked_at > now() - LASTS_S * 1_000_000,
                )
                .values(answered_by=person.id, answered_at=now(), granted=granted)
            )
            if changed.rowcount != 1:
                raise ConflictError("this question was answered already or has expired")
            detail = {"item": row.item_id, "asked_by": f"person:{row.asked_by}"}
            action = "second-look.granted" if granted else "second-look.declined"
            append(connection, person.actor, action, f"case:{row.case_id}", detail)
        return _second_look(row)


def _second_look(row: Row[Any]) -> SecondLook:
    return SecondLook(row.id, row.case_id, row.item_id, row.asked_by, moment(row.asked_at), row.granted)
