"""`Appeals`: received, suspended where two signs point to an error, alarmed about, and answered by deciding their case.

What somebody writes is sealed before anything is answered. Whoever decides the case decides of the entry: all in one
transaction with the audit log.
"""

import json
import uuid
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update

from tutela.casework.appeals.model import Appeal, AppealReceipt, AppealState, Sign
from tutela.casework.appeals.references import References
from tutela.casework.appeals.rules import ANSWERED_WITHIN, next_alarm, suspends
from tutela.casework.appeals.signs import Signs
from tutela.casework.audit.log import append, lock
from tutela.casework.cases.model import CaseChange, Change, NewItem, Queue
from tutela.casework.cases.outcomes import Outcome
from tutela.casework.cases.rows import read_items
from tutela.casework.cases.service import Cases
from tutela.casework.evidence.vault import Vault
from tutela.errors import ConflictError, InputError, NotFoundError
from tutela.foundation.outbox.webhooks import Webhooks
from tutela.foundation.store.appeal_tables import appeal as table
from tutela.foundation.store.case_tables import case_item
from tutela.foundation.store.database import Store, microseconds, moment, now
from tutela.foundation.store.ids import full_id
from tutela.lists.banks.entries import set_entry_state
from tutela.lists.banks.model import Entry, EntryState
from tutela.lists.banks.service import Banks, check_text

ACTOR = "appeals"
MAX_TEXT = 5_000
MAX_CONTACT = 255
MAX_OPEN = 20
"""Open appeals about one entry; a further one would say nothing new."""
_SUSPENDED = ": suspended until it is answered"
_LIFTED = ": listed in error"


class Appeals:
    """The appeals of one store. Thread-safe; many processes may share it."""

    def __init__(
        self,
        store: Store,
        banks: Banks,
        cases: Cases,
        vault: Vault | None,
        signs: Signs,
        webhooks: Webhooks | None = None,
        clock: Callable[[], int] = now,
    ) -> None:
        """Without a `vault` nothing can be sealed, and no appeal is taken."""
        self._store = store
        self._banks = banks
        self._cases = cases
        self._vault = vault
        self._signs = signs
        self._webhooks = webhooks or Webhooks()
        self._clock = clock
        self.references = References(store.secret("references"))

    @property
    def taken(self) -> bool:
        """Whether appeals can be taken: where they can be sealed."""
        return self._vault is not None

    def receive(self, reference: str, text: str, contact: str = "") -> AppealReceipt:
        """Seal an appeal, open its case, and suspend the entry where two signs point to an error; answered only when
        all that is durable. Raises InputError, NotFoundError, EvidenceError, StoreError.
        """
        if self._vault is None:
            raise InputError("appeals cannot be taken here: nothing can be sealed")
        _check(text, contact)
        try:
            entry = self._banks.entry(self.references.entry(reference))
        except NotFoundError:
            raise InputError("nothing is listed under this reference number any more") from None
        signs = sorted(self._signs.of(entry))
        at, appeal_id = self._clock(), uuid.uuid4().hex
        due = at + int(ANSWERED_WITHIN.total_seconds() * 1e6)
        number = self.references.of(entry.id)
        sealed = self._vault.seal(None, _document(number, text, contact, at))
        with self._store.write() as connection:
            lock(connection)
            if self._open_about(connection, entry.id) >= MAX_OPEN:
                raise InputError("there are appeals about this already, and they will be answered")
            evidence_id = self._vault.record(connection, sealed, content_sha256=None, actor=ACTOR)
            new = NewItem(evidence_id, Queue.APPEAL, moment(at), item=f"entry:{entry.id}")
            item = self._cases.add(connection, new, actor=ACTOR)
            suspended = self._suspend(connection, entry, number, at) if suspends(signs) else []
            connection.execute(
                insert(table).values(
                    id=appeal_id, reference=number, entry_id=entry.id, case_id=item.case_id, received_at=at,
                    due_at=due, next_alarm_at=next_alarm(at, due, at), alarms=0, state=AppealState.OPEN.value,
                    signs=list(signs), suspended=suspended, wants_answer=bool(contact),
                )
            )  # fmt: skip
            detail = {"case": item.case_id, "entry": entry.id, "signs": list(signs), "suspended": suspended}
            append(connection, ACTOR, "appeal.received", f"appeal:{appeal_id}", detail)
            self._tell(connection, "appeal.received", appeal_id, _appeal(_row(connection, appeal_id)))
        return AppealReceipt(appeal_id, moment(due))

    def suspend(self, appeal_id: str, *, actor: str) -> Appeal:
        """A person has the entry count for nothing until it is answered. Raises NotFoundError, ConflictError."""
        with self._store.write() as connection:
            lock(connection)
            found = _appeal(_row(connection, appeal_id))
            if found.state is not AppealState.OPEN:
                raise ConflictError("the appeal is answered already")
            entry = self._banks.entry(found.entry_id)
            more = self._suspend(connection, entry, found.reference, self._clock(), actor)
            both = [*found.suspended, *(each for each in more if each not in found.suspended)]
            connection.execute(update(table).where(table.c.id == found.id).values(suspended=both))
            append(connection, actor, "appeal.suspended", f"appeal:{found.id}", {"suspended": more})
            return _appeal(_row(connection, found.id))

    def get(self, appeal_id: str) -> Appeal:
        """One appeal. Raises NotFoundError."""
        with self._store.read() as connection:
            return _appeal(_row(connection, appeal_id))

    def of_case(self, case_id: str) -> list[Appeal]:
        """The appeals of a case."""
        with self._store.read() as connection:
            return [_appeal(row) for row in connection.execute(select(table).where(table.c.case_id == case_id))]

    def all(self, *, state: AppealState | None = None, limit: int = 1_000) -> list[Appeal]:
        """Appeals, the one that is due first at the top."""
        query = select(table).order_by(table.c.due_at).limit(limit)
        if state is not None:
            query = query.where(table.c.state == state.value)
        with self._store.read() as connection:
            return [_appeal(row) for row in connection.execute(query)]

    def escalate(self) -> list[Appeal]:
        """Tell of every open appeal whose time is half over, nearly over, or past; those that were told of."""
        at, told = self._clock(), []
        due = select(table.c.id).where(table.c.state == AppealState.OPEN.value, table.c.next_alarm_at <= at)
        with self._store.read() as connection:
            ids = connection.execute(due.order_by(table.c.due_at)).scalars().all()
        for appeal_id in ids:
            with self._store.write() as connection:
                lock(connection)
                if connection.execute(due.where(table.c.id == appeal_id)).scalar() is not None:
                    told.append(self._alarm(connection, _appeal(_row(connection, appeal_id)), at))
        return told

    def __call__(self, connection: Connection, change: CaseChange) -> None:
        """Follow a case's change, as a listener of cases: what is decided of it is decided of the entry."""
        if change.change is Change.DECIDED:
            self._answer(connection, change)
        elif change.change is Change.UNDONE:
            again = {"state": AppealState.OPEN.value, "answered_at": None, "answered_by": None}
            for found in self._of_case(connection, change.case_id):
                self._list_again(connection, found, change.actor)
                due = microseconds(found.due_at)
                alarm = next_alarm(microseconds(found.received_at), due, self._clock())
                self._change(connection, found, again | {"next_alarm_at": alarm})

    def _answer(self, connection: Connection, change: CaseChange) -> None:
        for found in self._of_case(connection, change.case_id):
            if found.state is not AppealState.OPEN:
                continue
            items = read_items(connection, case_item.c.case_id == change.case_id)
            outcomes = {item.decision.outcome for item in items if item.decision}
            if not outcomes <= {Outcome.UPHOLD, Outcome.LIFT}:
                raise InputError("an appeal is upheld (uphold) or lifted (lift)")
            lifted = Outcome.LIFT in outcomes
            disabled = self._settle(connection, found, change.actor, lifted=lifted)
            state = AppealState.LIFTED if lifted else AppealState.UPHELD
            at = self._clock()
            answered = {"state": state.value, "answered_at": at, "answered_by": change.actor, "next_alarm_at": None}
            self._change(connection, found, answered | {"suspended": [*found.suspended, *disabled]})
            detail = {"late": at > microseconds(found.due_at), "after_s": (at - microseconds(found.received_at)) / 1e6}
            append(connection, change.actor, f"appeal.{state.value}", f"appeal:{found.id}", detail)
            self._tell(connection, f"appeal.{state.value}", found.id, _appeal(_row(connection, found.id)))

    def _list_again(self, connection: Connection, found: Appeal, actor: str) -> None:
        """What a decision disabled that was undone counts as it did before it."""
        reason = f"appeal {found.reference}: it is open again"
        for entry_id in found.suspended if found.state is AppealState.LIFTED else ():
            still = self._banks.entry(entry_id)
            if still.state is EntryState.DISABLED and still.reason == f"appeal {found.reference}{_LIFTED}":
                set_entry_state(connection, entry_id, EntryState.ACTIVE, reason=reason, actor=actor, at=self._clock())

    def _settle(self, connection: Connection, found: Appeal, actor: str, *, lifted: bool) -> list[int]:
        """Have the entry, and others of the same value, count no more, and say which did; or those that were suspended
        count again."""
        at, reason = self._clock(), f"appeal {found.reference}{_LIFTED if lifted else ': it stays listed'}"
        if lifted:
            active = self._active(self._banks.entry(found.entry_id))
            for other in active:
                set_entry_state(connection, other.id, EntryState.DISABLED, reason=reason, actor=actor, at=at)
            return [other.id for other in active]
        others = select(table.c.suspended).where(table.c.state == AppealState.OPEN.value, table.c.id != found.id)
        held = {entry_id for row in connection.execute(others).scalars() for entry_id in row}
        for entry_id in found.suspended:
            still = self._banks.entry(entry_id)
            if (
                entry_id not in held
                and still.state is EntryState.DISABLED
                and (still.reason or "").endswith(_SUSPENDED)
            ):
                set_entry_state(connection, entry_id, EntryState.ACTIVE, reason=reason, actor=actor, at=at)
        return []

    def _suspend(self, connection: Connection, entry: Entry, number: str, at: int, actor: str = ACTOR) -> list[int]:
        active = self._active(entry)
        for other in active:
            reason = f"appeal {number}{_SUSPENDED}"
            set_entry_state(connection, other.id, EntryState.DISABLED, reason=reason, actor=actor, at=at)
        return [other.id for other in active]

    def _active(self, entry: Entry) -> list[Entry]:
        """The entries that count and have the same value, in banks of known material."""
        allowing = {bank.name for bank in self._banks.all() if bank.kind.value == "allow"}
        same = self._banks.find(entry.signal, entry.value)
        return [other for other in same if other.state is EntryState.ACTIVE and other.bank not in allowing]

    def _alarm(self, connection: Connection, found: Appeal, at: int) -> Appeal:
        number, due = found.alarms + 1, microseconds(found.due_at)
        later = next_alarm(microseconds(found.received_at), due, at)
        self._change(connection, found, {"alarms": number, "next_alarm_at": later})
        append(connection, "clock", "appeal.alarm", f"appeal:{found.id}", {"number": number, "late": at >= due})
        self._tell(connection, "appeal.late" if at >= due else "appeal.due", f"{found.id}/{number}", found)
        return _appeal(_row(connection, found.id))

    def _tell(self, connection: Connection, event: str, event_id: str, found: Appeal) -> None:
        data = {
            "appeal": found.id,
            "case": found.case_id,
            "entry": found.entry_id,
            "due_at": found.due_at.isoformat(),
            "suspended": bool(found.suspended),
        }
        self._webhooks.announce(connection, event, f"{event}/{event_id}", data, lane=f"appeal/{found.id}")

    @staticmethod
    def _change(connection: Connection, found: Appeal, values: dict[str, Any]) -> None:
        connection.execute(update(table).where(table.c.id == found.id).values(values))

    @staticmethod
    def _of_case(connection: Connection, case_id: str) -> Sequence[Appeal]:
        return [_appeal(row) for row in connection.execute(select(table).where(table.c.case_id == case_id)).all()]

    @staticmethod
    def _open_about(connection: Connection, entry_id: int) -> int:
        open_ = (table.c.entry_id == entry_id, table.c.state == AppealState.OPEN.value)
        return int(connection.execute(select(func.count()).where(*open_)).scalar_one())


def _check(text: str, contact: str) -> None:
    if not text.strip():
        raise InputError("say why it should not be blocked")
    check_text(text, MAX_TEXT)
    check_text(contact, MAX_CONTACT)
    if contact and "@" not in contact:
        raise InputError("the address for the answer is an e-mail address; you may leave it empty")


def _document(reference: str, text: str, contact: str, at: int) -> bytes:
    """The context as evidence has it: an item and the details that were given."""
    details = {"reference": reference, "received_at": moment(at).isoformat(), "text": text, "contact": contact}
    return json.dumps({"item": None, "details": {name: value for name, value in details.items() if value}}).encode()


def _row(connection: Connection, appeal_id: str) -> Row[Any]:
    row = connection.execute(select(table).where(table.c.id == full_id(connection, table.c.id, appeal_id))).first()
    if row is None:
        raise NotFoundError("there is no appeal {appeal_id!r}", appeal_id=appeal_id)
    return row


def _appeal(row: Row[Any]) -> Appeal:
    return Appeal(
        id=row.id,
        reference=row.reference,
        entry_id=row.entry_id,
        case_id=row.case_id,
        state=AppealState(row.state),
        signs=tuple(map(Sign, row.signs)),
        suspended=tuple(row.suspended),
        received_at=moment(row.received_at),
        due_at=moment(row.due_at),
        alarms=row.alarms,
        wants_answer=bool(row.wants_answer),
        answered_at=None if row.answered_at is None else moment(row.answered_at),
        answered_by=row.answered_by,
    )
