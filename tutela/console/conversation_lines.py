"""The words of a conversation that a person sees for a case: the fewest first, names masked, and each word counted.

Step 1 is the few lines that carry most evidence, step 2 those around them, step 3 all that the platform gave.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

from sqlalchemy import func, insert, select

from tutela.casework.cases.contacts import ContactCases, Line, read_lines
from tutela.casework.cases.model import CaseState
from tutela.console.people import Person
from tutela.deployment.casework import Casework
from tutela.errors import InputError, NotFoundError
from tutela.foundation.store.case_tables import case as case_table
from tutela.foundation.store.database import moment, now
from tutela.foundation.store.risk_tables import words_shown

STEPS = (1, 2, 3)
AROUND = 5
MOST_FIRST = 3
_DAY = 24 * 3600 * 1_000_000
_NAMES = re.compile(r"https?://\S+|[\w.+-]+@[\w-]+\.\w+|@\w{2,}|\b\d[\d\s().-]{4,}\d\b")
"""Links, addresses, handles and long numbers."""
MASK = "▇▇▇"


@dataclass(frozen=True, slots=True)
class ShownLine:
    """A line as it is shown."""

    at: datetime
    by_suspect: bool
    text: str
    weighs: bool
    """Whether it is one of those that carry most evidence."""


class ConversationLines:
    """Shows what the platform gave for contact cases, in somebody's name. Thread-safe."""

    def __init__(self, casework: Casework) -> None:
        self._casework = casework

    def given(self, case_id: str) -> int:
        """How many lines the platform gave for a case."""
        contacts = self._casework.contacts
        return sum(words.lines for words in contacts.words_of(case_id)) if contacts is not None else 0

    def show(self, person: Person, case_id: str, step: int) -> Sequence[ShownLine]:
        """The lines of a step; opened, counted and written down. Raises InputError, NotFoundError, EvidenceError."""
        if step not in STEPS:
            raise InputError("lines are shown in three steps")
        contacts = self._casework.contacts
        if contacts is None or not self.given(case_id):
            raise NotFoundError("the platform has given no words of this conversation yet")
        weigh = [name for alarm in contacts.of_case(case_id) for name in alarm.document["lines"]]
        lines = self._lines(contacts, person, case_id)
        chosen = _chosen(lines, weigh, step)
        shown = [ShownLine(line.at, line.by_suspect, masked(line.text), line.id in weigh) for line in chosen]
        words = sum(len(line.text.split()) for line in shown)
        with self._casework.store.write() as connection:
            connection.execute(
                insert(words_shown).values(person=person.actor, case_id=case_id, at=now(), words=words, step=step)
            )
        return shown

    def words_today(self, person: Person) -> int:
        """How many words of conversations the person was shown in the last 24 hours."""
        query = select(func.sum(words_shown.c.words)).where(
            words_shown.c.person == person.actor, words_shown.c.at > now() - _DAY
        )
        with self._casework.store.read() as connection:
            return connection.execute(query).scalar() or 0

    def words_a_decision(self, days: int = 30) -> float | None:
        """The median of words that were shown for a decided contact case, those without any too; None without cases."""
        since = now() - int(timedelta(days=days).total_seconds() * 1_000_000)
        decided = (case_table.c.queue == "contact") & (case_table.c.state == CaseState.DECIDED.value)
        query = (
            select(func.coalesce(func.sum(words_shown.c.words), 0))
            .select_from(case_table.outerjoin(words_shown, words_shown.c.case_id == case_table.c.id))
            .where(decided, case_table.c.updated_at >= since)
            .group_by(case_table.c.id)
        )
        with self._casework.store.read() as connection:
            found = [int(words) for words in connection.execute(query).scalars()]
        return float(median(found)) if found else None

    def _lines(self, contacts: ContactCases, person: Person, case_id: str) -> list[Line]:
        vault, key = self._casework.vault, self._casework.key
        if vault is None or key is None:
            raise InputError("this needs the review key")
        found: dict[str, Line] = {}
        for words in contacts.words_of(case_id):
            sealed = vault.context(words.evidence_id, key, actor=person.actor, purpose="review")
            found |= {line.id: line for line in read_lines(sealed)}
        return sorted(found.values(), key=lambda line: line.at)


def masked(text: str) -> str:
    """A text without what names or reaches somebody, as far as that can be told."""
    return _NAMES.sub(MASK, text)


def _chosen(lines: Sequence[Line], weigh: Sequence[str], step: int) -> Sequence[Line]:
    places = [place for place, line in enumerate(lines) if line.id in weigh]
    if step == 1:
        return [lines[place] for place in places[-MOST_FIRST:]]
    if step == 2:
        return [line for place, line in enumerate(lines) if any(abs(place - one) <= AROUND for one in places)]
    return lines


def since_of(at: float) -> datetime:
    """A reason's time."""
    return moment(int(at * 1_000_000))
