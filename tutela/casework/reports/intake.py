"""Reports of the public and of trusted flaggers: links and words, never files. Each opens a case.

What was written is sealed before anything is answered, links are never fetched, and nothing is kept of where a report
came from.
"""

import json
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol
from urllib.parse import urlsplit

from sqlalchemy import Connection, insert, select

from tutela.casework.audit.log import append
from tutela.casework.cases.model import CaseItem, NewItem, Queue
from tutela.casework.evidence.seal import SealedItem
from tutela.errors import InputError
from tutela.foundation.store.database import Store, moment, now
from tutela.foundation.store.notices_tables import intake
from tutela.lists.banks.service import check_text

MAX_LINKS = 20
MAX_LINK = 2_000
MAX_TEXT = 5_000
PUBLIC = "public"


class Category(StrEnum):
    """What a report is about, in words that anybody understands."""

    ABUSE_PICTURE = "abuse-picture"
    """A picture or video of the sexual abuse of a child."""
    GROOMING = "grooming"
    """An adult who approaches a child."""
    EXTORTION = "extortion"
    """Somebody threatens to show pictures of a young person."""
    OWN_PICTURE = "own-picture"
    """A picture of the reporter, who is or was a child in it."""
    OTHER = "other"


_URGENCY = {Category.GROOMING: 80, Category.EXTORTION: 90, Category.OWN_PICTURE: 85, Category.ABUSE_PICTURE: 70}
_OTHER_URGENCY = 40
_FLAGGER_BONUS = 10


@dataclass(frozen=True, slots=True)
class IntakeReport:
    """What somebody tells us."""

    category: Category
    links: Sequence[str] = ()
    text: str = ""
    contact: str = ""
    """An e-mail address to answer to, if they want an answer."""
    danger_now: bool = False
    """Whether they say that a child is in danger now."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What whoever reported is given."""

    id: str
    received_at: datetime


class IntakeSealer(Protocol):
    """Seals what was written: `tutela.casework.evidence.vault.Vault`."""

    def seal(self, content: bytes | memoryview | None, context: bytes) -> SealedItem: ...

    def record(self, connection: Connection, sealed: SealedItem, *, content_sha256: str | None, actor: str) -> str: ...


class CaseOpener(Protocol):
    """Opens cases: `tutela.casework.cases.service.Cases`."""

    def add(self, connection: Connection, new: NewItem, *, actor: str) -> CaseItem: ...


class PublicIntake:
    """Takes reports of the public and of flaggers. Thread-safe."""

    def __init__(self, store: Store, vault: IntakeSealer, cases: CaseOpener, clock: Callable[[], int] = now) -> None:
        self._store = store
        self._vault = vault
        self._cases = cases
        self._clock = clock

    def receive(self, report: IntakeReport, *, flagger: str | None = None) -> Receipt:
        """Seal a report and open a case with it; answered only when both are durable.

        `flagger` is the trusted flagger's name; None for the public. Raises InputError, EvidenceError, StoreError.
        """
        _check(report)
        at, source = self._clock(), PUBLIC if flagger is None else f"flagger:{flagger}"
        actor = source[:128]
        sealed = self._vault.seal(None, _document(report, source, at))
        receipt = Receipt(uuid.uuid4().hex, moment(at))
        with self._store.write() as connection:
            evidence_id = self._vault.record(connection, sealed, content_sha256=None, actor=actor)
            new = NewItem(
                evidence_id, Queue.INTAKE, moment(at), item=f"intake:{receipt.id}", urgency=_urgency(report, flagger)
            )
            item = self._cases.add(connection, new, actor=actor)
            connection.execute(
                insert(intake).values(
                    id=receipt.id, source=source, category=report.category.value, received_at=at,
                    evidence_id=evidence_id, case_id=item.case_id,
                )
            )  # fmt: skip
            detail = {"source": source, "category": report.category.value, "links": len(report.links)}
            append(connection, actor, "intake.received", f"case:{item.case_id}", detail)
        return receipt

    def case_of(self, receipt_id: str) -> str | None:
        """The case that a report opened or joined."""
        with self._store.read() as connection:
            return connection.execute(select(intake.c.case_id).where(intake.c.id == receipt_id)).scalar()


def _urgency(report: IntakeReport, flagger: str | None) -> int:
    if report.danger_now:
        return 100
    return _URGENCY.get(report.category, _OTHER_URGENCY) + (_FLAGGER_BONUS if flagger else 0)


def _document(report: IntakeReport, source: str, at: int) -> bytes:
    """The context as evidence has it: an item and the details that were given."""
    details = {
        "category": report.category.value,
        "source": source,
        "received_at": moment(at).isoformat(),
        "text": report.text,
        "contact": report.contact,
        "danger_now": "true" if report.danger_now else "false",
    } | {f"link {number}": link for number, link in enumerate(report.links, 1)}
    return json.dumps({"item": None, "details": {name: value for name, value in details.items() if value}}).encode()


def _check(report: IntakeReport) -> None:
    if not report.links and not report.text.strip():
        raise InputError("give at least one link, or say in words what happened; one of the two is enough")
    if len(report.links) > MAX_LINKS:
        raise InputError("at most {max_links} links in one report", max_links=MAX_LINKS)
    for link in report.links:
        check_text(link, MAX_LINK)
        try:
            parts = urlsplit(link)
        except ValueError:
            parts = urlsplit("")
        if parts.scheme not in ("http", "https") or not parts.netloc or any(c.isspace() for c in link):
            raise InputError("{link!r} is no link; it begins with https:// and has no spaces", link=link[:80])
    check_text(report.text, MAX_TEXT)
    check_text(report.contact, 255)
    if report.contact and "@" not in report.contact:
        raise InputError("the contact is an e-mail address")
