"""`Cases`: opened and joined by what is held, claimed, decided, and followed by their effects.

Everything that changes a case happens in one transaction: the case, the audit log, and in the outbox what follows.
Those transactions go one after the other, because each first takes the log's place.
"""

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, func, insert, or_, select, tuple_, update

from tutela.casework.audit.log import AuditLog, append, lock
from tutela.casework.cases.decisions import UNDO, Decisions, Ruling
from tutela.casework.cases.effects import Effects
from tutela.casework.cases.membership import insert_item, joinable, open_case
from tutela.casework.cases.model import (
    Case,
    CaseChange,
    CaseEvent,
    CaseItem,
    CaseState,
    CaseSummary,
    Change,
    NewItem,
    Part,
    Queue,
    SimilarDecided,
    outcomes_of,
)
from tutela.casework.cases.outcomes import Outcome
from tutela.casework.cases.policy import Policies
from tutela.casework.cases.rows import case_row, claim_of, is_claimed, read_case, read_items, read_summaries
from tutela.casework.cases.similarity import Similarity
from tutela.casework.cases.urgency import severest, urgency_of
from tutela.casework.evidence.retention import keep_until
from tutela.errors import ConflictError, InputError, NotFoundError
from tutela.foundation.leases import LONGEST_S, written_ahead
from tutela.foundation.outbox.service import held_back
from tutela.foundation.outbox.webhooks import Webhooks
from tutela.foundation.store.case_tables import case as cases
from tutela.foundation.store.case_tables import case_decision, case_item, case_report
from tutela.foundation.store.database import Store, microseconds, moment, now
from tutela.lists.banks.labels import Label, standard_labels

Listener = Callable[[Connection, CaseChange], None]
CLAIM = timedelta(minutes=15)
MAX_CLAIM = timedelta(seconds=LONGEST_S)
MAX_REASON = 4_000
LOOKS = frozenset(
    {
        "case.viewed",
        "evidence.reveal",
        "evidence.opened",
        "second-look.asked",
        "second-look.granted",
        "second-look.declined",
    }
)
"""Actions in histories that say what a person looked at."""
UNDECIDED = (CaseState.OPEN, CaseState.CLAIMED, CaseState.SECOND_OPINION)


class Cases:
    """The cases of one store. Thread-safe; many processes may share it."""

    def __init__(
        self,
        store: Store,
        *,
        policies: Policies | None = None,
        effects: Effects | None = None,
        labels: Callable[[], Mapping[str, Label]] = standard_labels,
    ) -> None:
        self.store = store
        self.policies = policies or Policies()
        self.effects = effects or Effects(Webhooks())
        self._labels = labels
        self._similarity = Similarity()
        self._listeners: list[Listener] = []
        self._decisions = Decisions(store, self.policies, self.effects, labels)

    def listen(self, listener: Listener) -> None:
        """Have a function called inside every transaction that opens, joins, decides or alarms about a case."""
        self._listeners.append(listener)

    # --- coming in

    def add(self, connection: Connection, new: NewItem, *, actor: str) -> CaseItem:
        """Open a case with an item, or join it to the undecided case that it belongs to, in the caller's transaction.

        An item belongs to the open case of its uploader in the same queue; without an uploader, to one with the same
        entry or nearly the same picture.
        """
        lock(connection)
        at = now()
        labels = self._labels()
        label = new.label or severest([match.label for match in new.matches], labels)
        urgency = urgency_of(new.queue, label, labels) if new.urgency is None else new.urgency
        similar = self._similarity.name(connection, new.sha256, new.pdq)
        alarm_at = at + _microseconds(self.policies.alarm_after(new.banks))
        row = joinable(connection, new, similar)
        if row is None:
            case_id, change = open_case(connection, new, label, urgency, alarm_at), Change.OPENED
        else:
            case_id, change = str(row.id), Change.JOINED
            joined = {
                "urgency": max(urgency, row.urgency),
                "label": severest([label, row.label], labels),
                "updated_at": at,
                "next_alarm_at": min(row.next_alarm_at, alarm_at),
            }
            connection.execute(update(cases).where(cases.c.id == case_id).values(joined))
        item = insert_item(connection, new, case_id, similar, label)
        facts = {"item": item.id, "queue": new.queue.value, "label": label, "urgency": urgency}
        append(connection, actor, change.value, f"case:{case_id}", facts | {"evidence": new.evidence_id})
        if new.queue is Queue.MATCH:
            for effect in self.policies.on_match(new.banks):
                self.effects.request(connection, effect, case_id, [item], None, f"match/{item.id}")
        self.effects.tell(connection, change, case_id, str(item.id), facts | {"platform_item": new.item})
        self._notify(connection, CaseChange(change, case_id, (item.id,), actor))
        return item

    # --- looking

    def get(self, case_id: str) -> Case:
        """One case. Raises NotFoundError."""
        with self.store.read() as connection:
            return read_case(connection, _found(case_row(connection, case_id), case_id))

    def item(self, item_id: int) -> CaseItem:
        """One item. Raises NotFoundError."""
        with self.store.read() as connection:
            found = read_items(connection, case_item.c.id == item_id)
        if not found:
            raise NotFoundError("there is no case item {item_id}", item_id=item_id)
        return found[0]

    def of_verdict(self, verdict_id: str) -> CaseItem | None:
        """The item that a verdict led to."""
        with self.store.read() as connection:
            found = read_items(connection, case_item.c.verdict_id == verdict_id)
        return found[0] if found else None

    def queue(
        self,
        *,
        states: Sequence[CaseState] = UNDECIDED,
        queue: Queue | None = None,
        label: str | None = None,
        limit: int = 100,
        after: str | None = None,
    ) -> list[CaseSummary]:
        """A page of cases, the most urgent first and then the oldest; `after` is the last id of the page before.

        Raises InputError where `after` is no case.
        """
        query = select(cases).where(or_(*(_in_state(state) for state in states)))
        if queue is not None:
            query = query.where(cases.c.queue == queue.value)
        if label is not None:
            query = query.where(cases.c.label == label)
        with self.store.read() as connection:
            if after is not None:
                last = case_row(connection, after)
                if last is None:
                    raise InputError("there is no case {case_id!r}", case_id=after, field="after")
                place = tuple_(-cases.c.urgency, cases.c.opened_at, cases.c.id)
                query = query.where(place > tuple_(-last.urgency, last.opened_at, last.id))
            ordered = query.order_by((-cases.c.urgency), cases.c.opened_at, cases.c.id).limit(limit)
            return read_summaries(connection, connection.execute(ordered).all())

    def history(self, case_id: str, *, reader: str | None = None) -> list[CaseEvent]:
        """What happened to a case, oldest first. Raises NotFoundError.

        Who looked at what is between them and the auditor: other readers are not told of it.
        """
        with self.store.read() as connection:
            row = _found(case_row(connection, case_id), case_id)
        rows = AuditLog(self.store).rows(subject=f"case:{row.id}")
        told = [row for row in rows if reader is None or row.actor == reader or row.action not in LOOKS]
        return [CaseEvent(row.at, row.actor, row.action, row.detail) for row in told]

    def similar(self, case_id: str) -> list[CaseItem]:
        """The undecided items of other cases that show nearly the same pictures. Raises NotFoundError."""
        with self.store.read() as connection:
            case_id = _found(case_row(connection, case_id), case_id).id
            groups = select(case_item.c.similar).where(case_item.c.case_id == case_id)
            others = and_(case_item.c.similar.in_(groups), case_item.c.case_id != case_id)
            return read_items(connection, others, case_item.c.decided.is_(False))

    def of_uploader(self, uploader: str) -> list[CaseSummary]:
        """Every case of one uploader (a pseudonym), newest first."""
        query = select(cases).where(cases.c.uploader == uploader).order_by(cases.c.opened_at.desc())
        with self.store.read() as connection:
            return read_summaries(connection, connection.execute(query).all())

    def counts(self) -> dict[tuple[Queue, CaseState], int]:
        """How many cases there are, by queue and state; a claimed one is open."""
        query = select(cases.c.queue, cases.c.state, func.count()).group_by(cases.c.queue, cases.c.state)
        with self.store.read() as connection:
            return {(Queue(row[0]), CaseState(row[1])): row[2] for row in connection.execute(query)}

    def oldest_s(self) -> float:
        """Seconds since the oldest undecided case was opened; 0 where there is none."""
        query = select(func.min(cases.c.opened_at)).where(cases.c.state != CaseState.DECIDED.value)
        with self.store.read() as connection:
            opened = connection.execute(query).scalar_one_or_none()
        return 0.0 if opened is None else max(0.0, (now() - opened) / 1e6)

    # --- claims

    def claim(self, case_id: str, *, by: str, length: timedelta = CLAIM) -> Case:
        """Take a case, or keep it longer. Raises ConflictError while another has it or it is decided, NotFoundError."""
        if not timedelta() < length <= MAX_CLAIM:
            raise InputError("a claim lasts at most {max_claim}", max_claim=MAX_CLAIM)
        with self.store.write() as connection:
            lock(connection)
            row = _claimable(_found(case_row(connection, case_id), case_id), by)
            case_id = row.id
            self._claim(connection, row, by, length)
        return self.get(case_id)

    def claim_next(
        self,
        *,
        by: str,
        state: CaseState | None = None,
        queue: Queue | None = None,
        label: str | None = None,
        senior: bool = False,
    ) -> Case | None:
        """Take the most urgent case that nobody has and that this person may decide; None when there is none.

        What is escalated is taken by a lead (`senior`) who asks for that state.
        """
        mine = select(case_item.c.id).where(case_item.c.case_id == cases.c.id, Decisions.made_by(by)).exists()
        free = or_(~is_claimed(), cases.c.claimed_by == by)
        waiting = or_(
            cases.c.state == CaseState.OPEN.value, and_(cases.c.state == CaseState.SECOND_OPINION.value, ~mine)
        )
        if senior and state is CaseState.ESCALATED:
            waiting = and_(cases.c.state == state.value, ~mine)
        elif state is not None:
            waiting = and_(waiting, _in_state(state))
        query = select(cases).where(waiting, free)
        if queue is not None:
            query = query.where(cases.c.queue == queue.value)
        if label is not None:
            query = query.where(cases.c.label == label)
        with self.store.write() as connection:
            lock(connection)
            ordered = query.order_by(-cases.c.urgency, cases.c.opened_at, cases.c.id)
            row = connection.execute(ordered.limit(1)).first()
            if row is None:
                return None
            self._claim(connection, row, by, CLAIM)
        return self.get(row.id)

    def release(self, case_id: str, *, by: str) -> Case:
        """Give a claim back. Raises ConflictError when another has it, NotFoundError."""
        with self.store.write() as connection:
            lock(connection)
            row = _claimable(_found(case_row(connection, case_id), case_id), by)
            case_id = row.id
            if row.claimed_by == by:
                connection.execute(
                    update(cases).where(cases.c.id == case_id).values(claimed_by=None, claimed_until=None)
                )
                append(connection, by, "case.released", f"case:{case_id}")
        return self.get(case_id)

    def _claim(self, connection: Connection, row: Row[Any], by: str, length: timedelta) -> None:
        until = now() + _microseconds(length)
        connection.execute(update(cases).where(cases.c.id == row.id).values(claimed_by=by, claimed_until=until))
        append(connection, by, "case.claimed", f"case:{row.id}", {"until": moment(until).isoformat()})

    # --- decisions

    def decide(
        self,
        case_id: str,
        outcome: Outcome,
        *,
        by: str,
        reason: str,
        label: str | None = None,
        item_ids: Sequence[int] | None = None,
        senior: bool = False,
    ) -> Case:
        """Decide of items, by default all that this person may decide. Nobody else may have the claim.

        A confirmation needs a label. `senior` is a lead, who alone decides what is escalated.
        Raises NotFoundError, ConflictError (claimed by another, decided already, one's own second opinion, no outcome
        for a case of its queue), InputError.
        """
        part = Part(outcome, label, item_ids)
        return self.decide_each(case_id, [part], by=by, reason=reason, senior=senior, undoable=False)

    def decide_each(
        self,
        case_id: str,
        parts: Sequence[Part],
        *,
        by: str,
        reason: str,
        senior: bool = False,
        undoable: bool,
    ) -> Case:
        """Decide of items in one go, each as it is said of it, all or none. Raises as `decide` does.

        Where it is `undoable`, the platform and lists are told only when it can no longer be undone.
        """
        for part in parts:
            self._check(part.outcome, reason, part.label)
        press = _Press(
            tuple(parts), by, reason, senior, undoable, self._allow_bank({part.outcome for part in parts}, by)
        )
        return self.get(self._decide(case_id, press))

    def _allow_bank(self, outcomes: set[Outcome], by: str) -> int | None:
        """The id of the allow list, where these outcomes put something there."""
        return self._decisions.allow_bank(by) if Outcome.REJECT in outcomes else None

    def _decide(self, case_id: str, press: "_Press") -> str:
        """Write down what one press decided; the whole id of its case."""
        name = uuid.uuid4().hex
        with self.store.write() as connection:
            lock(connection)
            row = _claimable(_found(case_row(connection, case_id), case_id), press.by)
            _check_outcomes(Queue(row.queue), [part.outcome for part in press.parts])
            until = moment(now()) + UNDO if press.undoable else moment(now())
            with held_back(connection, until) as deliveries:
                final: list[int] = []
                for part in press.parts:
                    ruling = Ruling(part.outcome, part.label, press.by, press.reason, press.senior, name)
                    bank = press.allow_bank if part.outcome is Outcome.REJECT else None
                    final += self._decisions.decide(connection, row.id, ruling, part.items, bank)
                self._conclude(connection, row.id, press.by, final)
            together = case_decision.c.press == name
            connection.execute(update(case_decision).where(together).values(deliveries=deliveries))
        return str(row.id)

    def undo(self, case_id: str, press: str, *, by: str) -> Case:
        """Take back what was decided in one go a moment ago; the case is the person's again, for as long as a claim.

        Raises NotFoundError, ConflictError when it is too late.
        """
        with self.store.write() as connection:
            lock(connection)
            row = _found(case_row(connection, case_id), case_id)
            case_id = row.id
            items = self._decisions.undo(connection, case_id, press, by)
            self._notify(connection, CaseChange(Change.UNDONE, case_id, tuple(items), by))
            self._open_again(connection, row)
            if claim_of(row) is None:
                self._claim(connection, row, by, CLAIM)
        return self.get(case_id)

    def decide_similar(
        self,
        case_id: str,
        outcome: Outcome,
        *,
        by: str,
        reason: str,
        label: str | None = None,
        item_ids: Sequence[int] | None = None,
        senior: bool = False,
    ) -> SimilarDecided:
        """One decision for the items of other cases that show nearly the same pictures as this one, by default all.

        A case that another person has, or that is no longer to be decided by this one, is left. Raises NotFoundError,
        InputError.
        """
        self._check(outcome, reason, label)
        by_case: dict[str, list[int]] = {}
        chosen = None if item_ids is None else frozenset(item_ids)
        for item in self.similar(case_id):
            if chosen is None or item.id in chosen:
                by_case.setdefault(item.case_id, []).append(item.id)
        if not by_case:
            raise InputError("choose at least one item")
        decided, left = [], []
        allow_bank = self._allow_bank({outcome}, by)
        for other, items in by_case.items():
            part = Part(outcome, label, items)
            try:
                decided.append(self._decide(other, _Press((part,), by, reason, senior, False, allow_bank)))
            except ConflictError:
                left.append(other)
        return SimilarDecided(tuple(decided), tuple(left))

    def reopen(self, case_id: str, *, by: str, reason: str, item_ids: Sequence[int] | None = None) -> Case:
        """Set final decisions aside, as after a complaint; what a rejection allowed is matched again.

        Raises NotFoundError, ConflictError when nothing was decided, InputError without a reason.
        """
        self._check(Outcome.REJECT, reason, None)
        with self.store.write() as connection:
            lock(connection)
            row = _found(case_row(connection, case_id), case_id)
            case_id = row.id
            items = self._decisions.set_aside(connection, case_id, by, reason, item_ids)
            self._notify(connection, CaseChange(Change.REOPENED, case_id, tuple(items), by))
            self._open_again(connection, row)
        return self.get(case_id)

    def _open_again(self, connection: Connection, row: Row[Any]) -> None:
        """Bring a case whose decisions were set aside into the state that its items are in, with its alarm."""
        at, labels = now(), self._labels()
        items = read_items(connection, case_item.c.case_id == row.id)
        changes: dict[str, Any] = {
            "state": self._decisions.state(connection, row.id).value,
            "updated_at": at,
            "label": severest([item.label for item in items], labels) or row.label,
        }
        if row.next_alarm_at is None:
            changes["next_alarm_at"] = at + _microseconds(self.policies.alarm_after(self._banks(connection, row.id)))
        connection.execute(update(cases).where(cases.c.id == row.id).values(changes))

    def _conclude(self, connection: Connection, case_id: str, by: str, final: Sequence[int]) -> None:
        """Bring a case into the state that its items are in."""
        state = self._decisions.state(connection, case_id)
        changes: dict[str, Any] = {"state": state.value, "updated_at": now()}
        if state is not CaseState.OPEN:
            changes |= {"claimed_by": None, "claimed_until": None}
        if state is CaseState.DECIDED:
            items = read_items(connection, case_item.c.case_id == case_id)
            confirmed = [item.label for item in items if item.decision and item.decision.outcome is Outcome.CONFIRM]
            changes |= {"next_alarm_at": None, "label": severest(confirmed, self._labels())}
        connection.execute(update(cases).where(cases.c.id == case_id).values(changes))
        if state is CaseState.DECIDED:
            sequence = append(connection, by, Change.DECIDED.value, f"case:{case_id}")
            facts = {"outcomes": self._decisions.outcomes(connection, case_id), "label": changes["label"]}
            self.effects.tell(connection, Change.DECIDED, case_id, f"{case_id}/{sequence}", facts)
            self._notify(connection, CaseChange(Change.DECIDED, case_id, tuple(final), by))

    def _check(self, outcome: Outcome, reason: str, label: str | None) -> None:
        if not reason.strip() or len(reason) > MAX_REASON or "\x00" in reason:
            raise InputError(
                "give the reason of the decision, in at most {max_reason:,} characters", max_reason=MAX_REASON
            )
        if outcome is Outcome.CONFIRM and label is None:
            raise InputError("a confirmation needs a label")
        if label is not None and label not in self._labels():
            raise InputError(
                "unknown label {label!r}; known here: {labels}", label=label, labels=", ".join(self._labels())
            )

    # --- what follows

    def report_filed(
        self, connection: Connection, case_id: str, *, target: str, reference: str, at: datetime, actor: str
    ) -> None:
        """A report was made of a case: link it, and keep its evidence for its time from now. Done again, it is once."""
        lock(connection)
        _found(case_row(connection, case_id), case_id)
        link = and_(
            case_report.c.case_id == case_id,
            case_report.c.target == target,
            case_report.c.reference == reference,
        )
        if connection.execute(select(case_report.c.id).where(link)).first() is not None:
            return
        connection.execute(
            insert(case_report).values(case_id=case_id, target=target, reference=reference, at=microseconds(at))
        )
        append(connection, actor, "case.reported", f"case:{case_id}", {"target": target, "reference": reference})
        until = at + self.policies.retention.reported
        query = select(case_item.c.evidence_id).where(case_item.c.case_id == case_id)
        for evidence_id in list(connection.execute(query).scalars()):
            keep_until(connection, evidence_id, until, actor=actor, why=f"reported to {target}")

    def alarm(self, *, actor: str = "upkeep", at: datetime | None = None) -> list[str]:
        """Alarm about every case that is undecided for too long; the ids. Once for each time, whoever calls it."""
        moment_ = now() if at is None else microseconds(at)
        with self.store.read() as connection:
            late = list(connection.execute(select(cases.c.id).where(self._is_late(moment_))).scalars())
        alarmed = []
        for case_id in late:
            with self.store.write() as connection:
                lock(connection)
                row = connection.execute(select(cases).where(cases.c.id == case_id, self._is_late(moment_))).first()
                if row is None:
                    continue  # decided, or alarmed about by another process
                every = _microseconds(self.policies.alarm_after(self._banks(connection, case_id)))
                count = row.alarms + 1
                changes = {"alarms": count, "next_alarm_at": moment_ + every}
                connection.execute(update(cases).where(cases.c.id == case_id).values(changes))
                facts = {"alarm": count, "queue": row.queue, "label": row.label, "urgency": row.urgency}
                facts["opened_at"] = moment(row.opened_at).isoformat()
                append(connection, actor, Change.ALARM.value, f"case:{case_id}", {"alarm": count})
                self.effects.tell(connection, Change.ALARM, case_id, f"{case_id}/{count}", facts)
                self._notify(connection, CaseChange(Change.ALARM, case_id, (), actor))
            alarmed.append(case_id)
        return alarmed

    def _is_late(self, at: int) -> ColumnElement[bool]:
        """The condition that a case is to be alarmed about; also one that came while a clock was wrong, whose time
        would not come for long."""
        far = cases.c.next_alarm_at > at + _microseconds(self.policies.longest_alarm)
        return or_(cases.c.next_alarm_at <= at, and_(far, written_ahead(cases.c.updated_at, at)))

    def _banks(self, connection: Connection, case_id: str) -> list[str]:
        rows = connection.execute(select(case_item.c.banks).where(case_item.c.case_id == case_id)).scalars()
        return sorted({bank for banks in rows for bank in banks})

    def _notify(self, connection: Connection, change: CaseChange) -> None:
        for listener in self._listeners:
            listener(connection, change)


@dataclass(frozen=True, slots=True)
class _Press:
    """What one press of the button decides of a case."""

    parts: tuple[Part, ...]
    by: str
    reason: str
    senior: bool
    undoable: bool
    allow_bank: int | None


def _check_outcomes(queue: Queue, outcomes: Sequence[Outcome]) -> None:
    """Raise ConflictError for what is not decided of such a case."""
    allowed = outcomes_of(queue)
    for outcome in outcomes:
        if outcome not in allowed:
            raise ConflictError(
                "{outcome} is not for cases of queue {queue}; choose {allowed}",
                outcome=outcome,
                queue=queue,
                allowed=", ".join(allowed),
            )


def _found(row: Row[Any] | None, case_id: str) -> Row[Any]:
    if row is None:
        raise NotFoundError("there is no case {case_id!r}", case_id=case_id)
    return row


def _claimable(row: Row[Any], by: str) -> Row[Any]:
    claim = claim_of(row)
    if claim is not None and claim.by != by:
        raise ConflictError(
            "the case is claimed by another until {until}", until=claim.until.isoformat(timespec="seconds")
        )
    if row.state == CaseState.DECIDED.value:
        raise ConflictError("the case is decided already; reopen it to decide again")
    return row


def _in_state(state: CaseState) -> ColumnElement[bool]:
    claimed = is_claimed()
    match state:
        case CaseState.OPEN:
            return and_(cases.c.state == CaseState.OPEN.value, ~claimed)
        case CaseState.CLAIMED:
            return and_(cases.c.state == CaseState.OPEN.value, claimed)
        case _:
            return cases.c.state == state.value


def _microseconds(length: timedelta) -> int:
    return int(length.total_seconds() * 1_000_000)
