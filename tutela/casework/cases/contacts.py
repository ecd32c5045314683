"""Contact cases: an alarm about an account becomes a case with reasons, and what people decide goes back to the state.

A notice opens no case: the platform is asked to show the child help. Whatever is decided, the account's name is only in
what is sealed and in what the platform is told; no alarm asks for anything against an account.
"""

import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, insert, or_, select, update

from tutela.casework.audit.log import append, lock
from tutela.casework.cases.effects import Effects
from tutela.casework.cases.model import CaseChange, Change, NewItem, Queue
from tutela.casework.cases.outcomes import Effect, Outcome
from tutela.casework.cases.pseudonyms import pseudonym
from tutela.casework.cases.rows import read_items
from tutela.casework.cases.safety_notices import SafetyNotices
from tutela.casework.cases.service import Cases
from tutela.casework.evidence.vault import Vault
from tutela.errors import ConflictError, InputError
from tutela.foundation.outbox.webhooks import Webhooks, forget_events
from tutela.foundation.store.case_tables import case as case_table
from tutela.foundation.store.case_tables import case_item
from tutela.foundation.store.database import Store, moment, now
from tutela.foundation.store.risk_tables import risk_alarm, risk_words
from tutela.screening.conversations.alarms import RiskAlarm
from tutela.screening.conversations.levels import Level

ACTOR = "conversations"
URGENCY = {Level.REVIEW: 60, Level.URGENT: 95}
MAX_LINES = 1_000


@dataclass(frozen=True, slots=True)
class AlarmView:
    """An alarm as it was written down: reasons, counts and times, and no text."""

    id: str
    case_id: str | None
    level: Level
    at: datetime
    document: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Line:
    """One message of a conversation, as the platform gives it for a case."""

    id: str
    at: datetime
    by_suspect: bool
    text: str


@dataclass(frozen=True, slots=True)
class Words:
    """What the platform gave for a case: sealed; opened with the review key only."""

    evidence_id: str
    at: datetime
    lines: int


@dataclass(frozen=True, slots=True)
class Protection:
    """What the platform is asked at an alarm, before anybody has decided: notices, and nothing against anybody."""

    notices: bool = False
    deterrence: bool = False
    words: SafetyNotices = field(default_factory=lambda: SafetyNotices({}))
    counted: Callable[[], None] = lambda: None
    """Called for each general notice."""


class ContactCases:
    """Brings alarms before people. Thread-safe; several processes may share a store."""

    def __init__(self, store: Store, vault: Vault, cases: Cases, webhooks: Webhooks, effects: Effects) -> None:
        self._store = store
        self._vault = vault
        self._cases = cases
        self._webhooks = webhooks
        self._effects = effects
        self.protection = Protection()

    def sound(self, alarm: RiskAlarm) -> bool:
        """Write an alarm down with what follows; False where it was written down before. Raises StoreError."""
        with self._store.read() as connection:
            if connection.execute(select(risk_alarm.c.id).where(risk_alarm.c.key == alarm.key)).first() is not None:
                return False
        opens = alarm.level >= Level.REVIEW
        sealed = self._vault.seal(None, _sealed(alarm)) if opens else None
        alarm_id = uuid.uuid4().hex
        with self._store.write() as connection:
            lock(connection)
            if connection.execute(select(risk_alarm.c.id).where(risk_alarm.c.key == alarm.key)).first() is not None:
                return False
            name = pseudonym(connection, alarm.account)
            item = None
            if sealed is not None:
                evidence_id = self._vault.record(connection, sealed, content_sha256=None, actor=ACTOR)
                new = NewItem(
                    evidence_id, Queue.CONTACT, moment(now()), item=f"alarm:{alarm_id}", uploader=name,
                    urgency=URGENCY[alarm.level],
                )  # fmt: skip
                item = self._cases.add(connection, new, actor=ACTOR)
            case_id = item.case_id if item is not None else None
            connection.execute(
                insert(risk_alarm).values(
                    id=alarm_id, key=alarm.key, account=name, level=alarm.level.word, at=int(alarm.at * 1_000_000),
                    raised_at=now(), case_id=case_id, item_id=item.id if item is not None else None, state="open",
                    document=alarm.document(),
                )
            )  # fmt: skip
            subject = f"case:{case_id}" if case_id else f"alarm:{alarm_id}"
            codes = [reason.code for reason in alarm.reasons]
            append(connection, ACTOR, "risk.raised", subject, {"level": alarm.level.word, "reasons": codes})
            self._tell(connection, alarm, alarm_id, case_id)
        return True

    def _tell(self, connection: Connection, alarm: RiskAlarm, alarm_id: str, case_id: str | None) -> None:
        """What the platform hears at once: opaque names only."""
        facts = {"alarm": alarm_id, "level": alarm.level.word, "case": case_id}
        if case_id is not None:
            self._webhooks.announce(
                connection, "risk.raised", f"risk.raised/{alarm_id}", facts | {"account": alarm.account}
            )
            wanted = {"messages": list(alarm.lines), "account": alarm.account, "others": list(alarm.others)}
            self._webhooks.announce(connection, "context.wanted", f"context.wanted/{alarm_id}", facts | wanted)
        asked: list[tuple[Effect, Sequence[str]]] = []
        if self.protection.notices and alarm.others:
            asked.append((Effect.NOTICE_RECIPIENT, alarm.others))
        if self.protection.deterrence:
            asked.append((Effect.NOTICE_SENDER, [alarm.account]))
        for effect, to in asked:
            self._ask(connection, effect, to, alarm_id)
            append(connection, ACTOR, "protection.asked", f"alarm:{alarm_id}", {"effect": effect.value})

    def _ask(self, connection: Connection, effect: Effect, to: Sequence[str], notice_id: str) -> bool:
        """Ask for one notice, in a message of its own, which names nobody but who is to read it; False if it is known
        or nobody wants it."""
        document = {"effect": effect.value, "to": list(to), "texts": self.protection.words.of(effect)}
        return self._webhooks.announce(connection, "protection.asked", _event_id(effect, notice_id), document) > 0

    def offer(self, child: str, notice_id: str) -> None:
        """Ask for the same notice where there is no alarm: nothing in it, nor when it goes out, tells the two apart.

        Nothing is asked twice for one `notice_id`. Raises StoreError.
        """
        with self._store.write() as connection:
            lock(connection)
            if not self._ask(connection, Effect.NOTICE_RECIPIENT, [child], notice_id):
                return
            append(connection, ACTOR, "protection.offered", "conversations", {})
        self.protection.counted()

    def withdraw(self, notice_ids: str) -> None:
        """Forget the general notices whose ids begin so, delivered or not. Raises StoreError."""
        with self._store.write() as connection:
            forget_events(connection, _event_id(Effect.NOTICE_RECIPIENT, notice_ids))

    def warn(self, event: str, key: str, facts: Mapping[str, float | str]) -> None:
        """Tell webhooks and the audit log of something that is no account's doing, once for each key."""
        with self._store.write() as connection:
            lock(connection)
            append(connection, ACTOR, event, "conversations", dict(facts))
            self._webhooks.announce(connection, event, f"{event}/{key}", facts)

    def of_case(self, case_id: str) -> Sequence[AlarmView]:
        """The alarms of a case, oldest first."""
        with self._store.read() as connection:
            query = select(risk_alarm).where(risk_alarm.c.case_id == case_id).order_by(risk_alarm.c.raised_at)
            return [_view(row) for row in connection.execute(query)]

    def level_of(self, account: int) -> Level:
        """The highest level that was raised for an account and not cleared."""
        with self._store.read() as connection:
            mine = risk_alarm.c.key.startswith(f"{account:016x}/")
            query = select(risk_alarm.c.level).where(mine, risk_alarm.c.state.in_(["open", "decided"]))
            levels = [Level[level.upper()] for level in connection.execute(query).scalars()]
        return max(levels, default=Level.NONE)

    # --- what people decided, back to the state

    def to_clear(self) -> Sequence[tuple[str, int]]:
        """Alarms that people decided there was nothing to, with the account's number in the state."""
        return self._numbered("clear")

    def cleared(self, alarm_ids: Sequence[str]) -> None:
        """The state has heard of those."""
        self._move(alarm_ids, "clear", "cleared")

    def to_restore(self) -> Sequence[tuple[str, int]]:
        """Alarms that were cleared, and whose case was opened again, with the account's number in the state."""
        return self._numbered("restore")

    def restored(self, alarm_ids: Sequence[str]) -> None:
        """The state has heard of those."""
        self._move(alarm_ids, "restore", "open")

    def _numbered(self, state: str) -> Sequence[tuple[str, int]]:
        with self._store.read() as connection:
            query = select(risk_alarm.c.id, risk_alarm.c.key).where(risk_alarm.c.state == state)
            return [(row.id, int(row.key.partition("/")[0], 16)) for row in connection.execute(query)]

    def _move(self, alarm_ids: Sequence[str], state: str, to: str) -> None:
        with self._store.write() as connection:
            chosen = risk_alarm.c.id.in_(list(alarm_ids))
            connection.execute(update(risk_alarm).where(chosen, risk_alarm.c.state == state).values(state=to))

    def follow(self, connection: Connection, change: CaseChange) -> None:
        """A listener of cases: decided, an alarm is over; rejected, what was counted of the account is cleared."""
        queue = connection.execute(select(case_table.c.queue).where(case_table.c.id == change.case_id)).scalar()
        if queue != Queue.CONTACT.value:
            return
        if change.change is Change.DECIDED:
            for item in read_items(connection, case_item.c.case_id == change.case_id):
                rejected = item.decision is not None and item.decision.outcome is Outcome.REJECT
                state = "clear" if rejected else "decided"
                chosen = risk_alarm.c.item_id == item.id
                if rejected:  # notices of the account rest on the same acts
                    account = select(risk_alarm.c.account).where(risk_alarm.c.item_id == item.id).scalar_subquery()
                    chosen = or_(chosen, and_(risk_alarm.c.account == account, risk_alarm.c.case_id.is_(None)))
                connection.execute(update(risk_alarm).where(chosen).values(state=state))
        elif change.change in (Change.UNDONE, Change.REOPENED):
            # What was cleared counts again, and the account's notices with it.
            accounts = select(risk_alarm.c.account).where(risk_alarm.c.case_id == change.case_id)
            mine = or_(
                risk_alarm.c.case_id == change.case_id,
                and_(risk_alarm.c.account.in_(accounts.scalar_subquery()), risk_alarm.c.case_id.is_(None)),
            )
            for before, after in ((["cleared"], "restore"), (["clear", "decided"], "open")):
                connection.execute(update(risk_alarm).where(mine, risk_alarm.c.state.in_(before)).values(state=after))

    # --- the words of a conversation

    def add_words(self, case_id: str, lines: Sequence[Line], *, actor: str) -> Words:
        """Seal what the platform gives of a conversation for an open contact case. Raises NotFoundError, InputError."""
        case = self._cases.get(case_id)
        if case.queue is not Queue.CONTACT:
            raise ConflictError("only contact cases take words of a conversation")
        if not case.undecided():
            raise ConflictError("the case is decided; nothing more is needed for it")
        if not 0 < len(lines) <= MAX_LINES:
            raise InputError("give from 1 to {max_lines:,} messages", max_lines=MAX_LINES)
        sealed = self._vault.seal(None, _document(lines))
        at = now()
        with self._store.write() as connection:
            lock(connection)
            evidence_id = self._vault.record(connection, sealed, content_sha256=None, actor=actor)
            connection.execute(
                insert(risk_words).values(case_id=case.id, evidence_id=evidence_id, at=at, lines=len(lines))
            )
            append(connection, actor, "context.given", f"case:{case.id}", {"lines": len(lines)})
        return Words(evidence_id, moment(at), len(lines))

    def words_of(self, case_id: str) -> Sequence[Words]:
        """What was given for a case, oldest first."""
        with self._store.read() as connection:
            query = select(risk_words).where(risk_words.c.case_id == case_id).order_by(risk_words.c.id)
            return [Words(row.evidence_id, moment(row.at), row.lines) for row in connection.execute(query)]


def read_lines(context: bytes) -> list[Line]:
    """The messages in what was sealed."""
    return [
        Line(str(one["id"]), datetime.fromisoformat(one["at"]), bool(one["by_suspect"]), str(one["text"]))
        for one in json.loads(context)["lines"]
    ]


def _document(lines: Sequence[Line]) -> bytes:
    return json.dumps(
        {
            "lines": [
                {"id": one.id, "at": one.at.isoformat(), "by_suspect": one.by_suspect, "text": one.text}
                for one in lines
            ]
        }
    ).encode()


def _event_id(effect: Effect, notice_id: str) -> str:
    return f"protection.asked/{effect.value}/{notice_id}"


def _sealed(alarm: RiskAlarm) -> bytes:
    details = {
        "account": alarm.account,
        "level": alarm.level.word,
        "contacted": "\n".join(alarm.others),
        "messages": "\n".join(alarm.lines),
        "at": datetime.fromtimestamp(alarm.at, UTC).isoformat(),
    }
    return json.dumps({"item": None, "details": details}).encode()


def _view(row: Row[Any]) -> AlarmView:
    return AlarmView(row.id, row.case_id, Level[row.level.upper()], moment(row.at), row.document)
