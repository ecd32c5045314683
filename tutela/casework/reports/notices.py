"""Takedown notices of authorities: registered with their clock, matched to content, answered, and loud when late.

The platform is told at once, by webhook, what is to be taken down; what it did is the notice's answer. A notice names
content by address, by the platform's own item, or by hash: what was held is found by each of them.
"""

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import Connection, Row, func, insert, select, update

from tutela.casework.audit.log import append, lock
from tutela.casework.reports.held_content import FoundContent, find_held
from tutela.content.signals.registry import signal_type, signal_types
from tutela.errors import ConflictError, InputError, NotFoundError
from tutela.foundation.outbox.webhooks import Webhooks
from tutela.foundation.store.database import Store, microseconds, moment, now
from tutela.foundation.store.ids import full_id
from tutela.foundation.store.notices_tables import notice, notice_target
from tutela.lists.banks.service import check_text

MAX_TARGETS = 500
MAX_TEXT = 10_000
_WARNINGS = (0.5, 0.75, 1.0)
"""Parts of its time after which an open notice is an alarm; when it is late, again and again."""
_LATE_AGAIN = timedelta(hours=1)


class NoticeState(StrEnum):
    """Whether a notice is still to be answered."""

    OPEN = "open"
    ANSWERED = "answered"
    WITHDRAWN = "withdrawn"


class TargetOutcome(StrEnum):
    """What came of one piece of content that a notice names."""

    REMOVED = "removed"
    NOT_FOUND = "not-found"
    REFUSED = "refused"
    """It stays, for a reason that the answer gives."""


@dataclass(frozen=True, slots=True)
class NewTarget:
    """Content that a notice names: `kind` is url, item, or a signal type whose value is a hash."""

    kind: str
    value: str


@dataclass(frozen=True, slots=True)
class Target:
    """One piece of content that a notice names, and what came of it."""

    position: int
    kind: str
    value: str
    outcome: TargetOutcome | None


@dataclass(frozen=True, slots=True)
class Notice:
    """One notice."""

    id: str
    authority: str
    reference: str
    law: str
    text: str
    state: NoticeState
    received_at: datetime
    due_at: datetime
    alarms: int
    answer: str | None
    answered_at: datetime | None
    answered_by: str | None
    targets: tuple[Target, ...]

    @property
    def late(self) -> bool:
        """Whether it was answered after its time."""
        return self.answered_at is not None and self.answered_at > self.due_at


class Notices:
    """The notices of one store. Thread-safe; many processes may share it."""

    def __init__(self, store: Store, webhooks: Webhooks | None = None, clock: Callable[[], int] = now) -> None:
        self._store = store
        self._webhooks = webhooks or Webhooks()
        self._clock = clock

    def register(
        self,
        authority: str,
        reference: str,
        targets: Sequence[NewTarget],
        *,
        within: timedelta,
        law: str = "",
        text: str = "",
        received_at: datetime | None = None,
        actor: str,
    ) -> Notice:
        """Register a notice and tell the platform. One of the same authority and reference is the first one.

        `received_at` is now by default: the clock runs from there. Raises InputError.
        """
        checked = [_checked(target) for target in targets]
        _check(authority, reference, law, text, within, checked)
        if received_at is not None and received_at.utcoffset() is None:
            raise InputError("the time at which a notice came needs a time zone")
        at = self._clock()
        received = at if received_at is None else microseconds(received_at)
        if received > at:
            raise InputError("a notice cannot have been received in the future")
        due = received + int(within.total_seconds() * 1e6)
        notice_id = uuid.uuid4().hex
        with self._store.write() as connection:
            lock(connection)
            there = connection.execute(
                select(notice.c.id).where(notice.c.authority == authority, notice.c.reference == reference)
            ).scalar()
            if there is not None:
                return _notice(connection, there)
            connection.execute(
                insert(notice).values(
                    id=notice_id, authority=authority, reference=reference, law=law, text=text,
                    state=NoticeState.OPEN.value, received_at=received, due_at=due, alarms=0, created_by=actor,
                    next_alarm_at=received + int((due - received) * _WARNINGS[0]),
                )
            )  # fmt: skip
            rows = [
                {"notice_id": notice_id, "position": position, "kind": target.kind, "value": target.value}
                for position, target in enumerate(checked)
            ]
            connection.execute(insert(notice_target), rows)
            found = _notice(connection, notice_id)
            detail = {
                "authority": authority,
                "reference": reference,
                "targets": len(rows),
                "within_s": within.total_seconds(),
            }
            append(connection, actor, "notice.received", f"notice:{notice_id}", detail)
            self._tell(connection, "notice.received", notice_id, found)
            return found

    def get(self, notice_id: str) -> Notice:
        """One notice. Raises NotFoundError."""
        with self._store.read() as connection:
            return _notice(connection, notice_id)

    def all(self, *, state: NoticeState | None = None, limit: int = 1000) -> list[Notice]:
        """Notices, the one that is due first at the top."""
        query = select(notice.c.id).order_by(notice.c.due_at, notice.c.id).limit(limit)
        if state is not None:
            query = query.where(notice.c.state == state.value)
        with self._store.read() as connection:
            return [_notice(connection, found) for found in connection.execute(query).scalars().all()]

    def counts(self) -> dict[NoticeState, int]:
        """How many notices there are, by state."""
        query = select(notice.c.state, func.count()).group_by(notice.c.state)
        with self._store.read() as connection:
            return {NoticeState(row[0]): row[1] for row in connection.execute(query)}

    def late(self) -> int:
        """How many open notices are past their time."""
        query = select(func.count()).where(notice.c.state == NoticeState.OPEN.value, notice.c.due_at < self._clock())
        with self._store.read() as connection:
            return connection.execute(query).scalar_one()

    def matches(self, notice_id: str) -> list[FoundContent]:
        """Content of ours that the notice means: by item, address, SHA-256 or MD5, or as nearly the same picture."""
        found: list[FoundContent] = []
        with self._store.read() as connection:
            for target in _notice(connection, notice_id).targets:
                found += find_held(connection, target.position, target.kind, target.value)
        return found

    def answer(self, notice_id: str, outcomes: Mapping[int, TargetOutcome], *, text: str = "", actor: str) -> Notice:
        """Write down what came of each target, by position; answered when every target has an outcome.

        A refusal needs a text. Raises NotFoundError, ConflictError when it is answered already, InputError.
        """
        check_text(text, MAX_TEXT)
        if not outcomes:
            raise InputError("an answer says what came of at least one thing that the notice names", field="target")
        if TargetOutcome.REFUSED in outcomes.values() and not text.strip():
            raise InputError("what stays up needs a reason: give a text", field="text")
        at = self._clock()
        with self._store.write() as connection:
            lock(connection)
            found = _open_notice(connection, notice_id)
            notice_id = found.id
            known = {target.position for target in found.targets}
            if unknown := set(outcomes) - known:
                raise InputError(
                    "notice {notice_id} has no target {unknown}", notice_id=notice_id, unknown=min(unknown)
                )
            for position, outcome in outcomes.items():
                connection.execute(
                    update(notice_target)
                    .where(notice_target.c.notice_id == notice_id, notice_target.c.position == position)
                    .values(outcome=outcome.value, decided_at=at)
                )
            found = _notice(connection, notice_id)
            if all(target.outcome is not None for target in found.targets):
                self._close(connection, found, NoticeState.ANSWERED, text, at, actor)
            else:
                detail = {"decided": len(outcomes)}
                append(connection, actor, "notice.partly-answered", f"notice:{notice_id}", detail)
            return _notice(connection, notice_id)

    def withdraw(self, notice_id: str, *, reason: str, actor: str) -> Notice:
        """The authority took it back. Raises NotFoundError, ConflictError, InputError without a reason."""
        if not reason.strip():
            raise InputError("give the reason, such as the authority's message")
        check_text(reason, MAX_TEXT)
        with self._store.write() as connection:
            lock(connection)
            found = _open_notice(connection, notice_id)
            notice_id = found.id
            self._close(connection, found, NoticeState.WITHDRAWN, reason, self._clock(), actor)
            return _notice(connection, notice_id)

    def escalate(self) -> list[Notice]:
        """Tell of every open notice whose time is half over, nearly over, or past; those that were told of.

        Called again and again: each alarm is told once, and a late notice again every hour.
        """
        at = self._clock()
        told = []
        query = select(notice.c.id).where(notice.c.state == NoticeState.OPEN.value, notice.c.next_alarm_at <= at)
        with self._store.read() as connection:
            due = connection.execute(query.order_by(notice.c.due_at)).scalars().all()
        for notice_id in due:
            with self._store.write() as connection:
                lock(connection)
                found = connection.execute(query.where(notice.c.id == notice_id)).scalar()
                if found is not None:
                    told.append(self._alarm(connection, _notice(connection, notice_id), at))
        return told

    def _alarm(self, connection: Connection, found: Notice, at: int) -> Notice:
        number = found.alarms + 1
        received, due = microseconds(found.received_at), microseconds(found.due_at)
        coming = [when for part in _WARNINGS if (when := received + int((due - received) * part)) > at]
        later = coming[0] if coming else at + int(_LATE_AGAIN.total_seconds() * 1e6)
        connection.execute(update(notice).where(notice.c.id == found.id).values(alarms=number, next_alarm_at=later))
        late = at >= due
        append(connection, "clock", "notice.alarm", f"notice:{found.id}", {"number": number, "late": late})
        self._tell(connection, "notice.late" if late else "notice.due", f"{found.id}/{number}", found)
        return _notice(connection, found.id)

    def _close(self, connection: Connection, found: Notice, state: NoticeState, text: str, at: int, actor: str) -> None:
        connection.execute(
            update(notice)
            .where(notice.c.id == found.id)
            .values(state=state.value, answer=text, answered_at=at, answered_by=actor, next_alarm_at=None)
        )
        outcomes = [target.outcome.value for target in found.targets if target.outcome]
        detail = {
            "late": at > microseconds(found.due_at),
            "outcomes": {outcome: outcomes.count(outcome) for outcome in sorted(set(outcomes))},
            "after_s": (at - microseconds(found.received_at)) / 1e6,
        }
        append(connection, actor, f"notice.{state.value}", f"notice:{found.id}", detail)

    def _tell(self, connection: Connection, event: str, event_id: str, found: Notice) -> None:
        data = {
            "notice": found.id,
            "authority": found.authority,
            "reference": found.reference,
            "due_at": found.due_at.isoformat(),
            "targets": [{"kind": target.kind, "value": target.value} for target in found.targets],
        }
        self._webhooks.announce(connection, event, f"{event}/{event_id}", data, lane=f"notice/{found.id}")


def _checked(target: NewTarget) -> NewTarget:
    value = target.value.strip()
    check_text(value, 2_000)
    if target.kind in signal_types() and target.kind != "url":  # a notice names an address as it was told
        kind = signal_type(target.kind)
        return NewTarget(target.kind, kind.format(kind.parse(value)))
    if target.kind not in ("url", "item"):
        raise InputError("a notice names content by url, item, or a signal type; {kind!r} is none", kind=target.kind)
    if not value:
        raise InputError("a target of a notice is empty")
    if target.kind == "url" and not value.lower().startswith(("http://", "https://")):
        raise InputError("{value!r} is no address; it begins with https://", value=value[:100])
    return NewTarget(target.kind, value)


def _check(
    authority: str, reference: str, law: str, text: str, within: timedelta, targets: Sequence[NewTarget]
) -> None:
    if not authority.strip() or not reference.strip():
        raise InputError("a notice has an authority and the authority's reference")
    for value, limit in ((authority, 255), (reference, 255), (law, 255), (text, MAX_TEXT)):
        check_text(value, limit)
    if not 1 <= len(targets) <= MAX_TARGETS:
        raise InputError("a notice names 1 to {max_targets} pieces of content", max_targets=MAX_TARGETS)
    if not timedelta(minutes=1) <= within <= timedelta(days=366):
        raise InputError("the clock of a notice runs between a minute and a year")


def _open_notice(connection: Connection, notice_id: str) -> Notice:
    found = _notice(connection, notice_id)
    if found.state is not NoticeState.OPEN:
        raise ConflictError("notice {notice_id} is {state} already", notice_id=notice_id, state=found.state)
    return found


def _notice(connection: Connection, notice_id: str) -> Notice:
    row = connection.execute(select(notice).where(notice.c.id == full_id(connection, notice.c.id, notice_id))).first()
    if row is None:
        raise NotFoundError("there is no notice {notice_id!r}", notice_id=notice_id)
    targets = connection.execute(
        select(notice_target).where(notice_target.c.notice_id == row.id).order_by(notice_target.c.position)
    )
    return Notice(
        id=row.id,
        authority=row.authority,
        reference=row.reference,
        law=row.law,
        text=row.text,
        state=NoticeState(row.state),
        received_at=moment(row.received_at),
        due_at=moment(row.due_at),
        alarms=row.alarms,
        answer=row.answer,
        answered_at=None if row.answered_at is None else moment(row.answered_at),
        answered_by=row.answered_by,
        targets=tuple(_target(found) for found in targets),
    )


def _target(row: "Row[tuple[object, ...]]") -> Target:
    return Target(row.position, row.kind, row.value, TargetOutcome(row.outcome) if row.outcome else None)


def read_clock(text: str) -> timedelta:
    """A clock's time: 1h, 24h, 48h, or minutes, hours or days such as 90m, 36h, 14d. Raises InputError."""
    amount, unit = text[:-1], text[-1:]
    units = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
    if unit not in units or not amount.isascii() or not amount.isdecimal() or len(amount) > 4:
        raise InputError("{text!r} is no time; use minutes, hours or days, such as 90m, 24h or 14d", text=text)
    return int(amount) * units[unit]
