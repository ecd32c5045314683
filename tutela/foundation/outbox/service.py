"""The outbox: calls to the outside are written in the transaction that decides them, and delivered afterwards.

A row is delivered at least once, and its key lets the receiver see a repetition. A holder has a row until a moment that
it moves on while it works; when it dies, the moment passes and another takes the row.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, func, or_, select, update

from tutela.errors import ConflictError, InputError, NotFoundError, TutelaError
from tutela.foundation.leases import new_holder, until, written_ahead
from tutela.foundation.store.announcements import announce
from tutela.foundation.store.database import Store, insert_once, microseconds, moment, now
from tutela.foundation.store.outbox_tables import outbox

MAX_KEY = 255
MAX_ERROR = 2_000
_HELD_BACK = "tutela.outbox.held_back"


class DeliveryState(StrEnum):
    """How far a delivery is."""

    PENDING = "pending"
    DONE = "done"
    DEAD = "dead"
    """Given up: it needs an operator."""


class LeaseLostError(TutelaError):
    """Another process has taken this delivery, because this one was silent for too long."""

    code = "lease-lost"


@dataclass(frozen=True, slots=True)
class Delivery:
    """One row of the outbox."""

    id: int
    topic: str
    key: str
    """The delivery's own name, the same in every repetition; unique in its topic."""
    payload: Mapping[str, Any]
    """Empty once it was delivered."""
    progress: Mapping[str, Any]
    """What a delivery of several steps has reached; written by its handler. Empty once it was delivered."""
    state: DeliveryState
    attempts: int
    """Tries begun, this one counted."""
    next_at: datetime
    last_error: str | None
    created_at: datetime
    lane: str | None = None
    holder: str | None = None


def enqueue(
    connection: Connection,
    topic: str,
    key: str,
    payload: Mapping[str, Any],
    *,
    lane: str | None = None,
    not_before: datetime | None = None,
) -> bool:
    """Write down an outward call, inside the caller's transaction. False when topic and key are there already.

    `payload` is in clear in the database: it names things by id and holds no personal data. Deliveries of one `lane`
    are made one after the other, in the order in which they were written. Raises InputError for a key or lane that
    is too long.
    """
    if not 0 < len(key) <= MAX_KEY or len(topic) > 64 or len(lane or "") > MAX_KEY:
        raise InputError("an outbox key or lane has 1 to {max_key} characters, a topic at most 64", max_key=MAX_KEY)
    at = now()
    earliest, ids = connection.info.get(_HELD_BACK, (at, None))
    row = {
        "topic": topic,
        "key": key,
        "lane": lane,
        "payload": dict(payload),
        "progress": {},
        "state": DeliveryState.PENDING.value,
        "attempts": 0,
        "next_at": earliest if not_before is None else max(earliest, microseconds(not_before)),
        "created_at": at,
        "updated_at": at,
    }
    written = connection.execute(insert_once(connection, outbox, row).returning(outbox.c.id)).first()
    announce(connection)
    if written is not None and ids is not None:
        ids.append(written.id)
    return written is not None


@contextmanager
def held_back(connection: Connection, until: datetime) -> Iterator[list[int]]:
    """Have everything that this transaction writes into the outbox wait until then; the ids, to take it back by."""
    ids: list[int] = []
    connection.info[_HELD_BACK] = microseconds(until), ids
    try:
        yield ids
    finally:
        del connection.info[_HELD_BACK]


def take_back(connection: Connection, ids: Sequence[int]) -> None:
    """Remove deliveries that nobody has begun. Raises ConflictError when one was begun, or is done already."""
    untouched = and_(outbox.c.id.in_(ids), outbox.c.state == DeliveryState.PENDING.value, outbox.c.attempts == 0)
    if connection.execute(outbox.delete().where(untouched)).rowcount != len(set(ids)):
        raise ConflictError("it is too late: the platform has been told")


class Outbox:
    """The outbox of one store. Thread-safe; many processes may share it."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def enqueue(self, topic: str, key: str, payload: Mapping[str, Any], *, lane: str | None = None) -> bool:
        """As `enqueue`, in a transaction of its own."""
        with self.store.write() as connection:
            return enqueue(connection, topic, key, payload, lane=lane)

    def take(self, topics: Sequence[str], *, lease_s: float, limit: int) -> list[Delivery]:
        """Take what is due in these topics, at most so many, for that long."""
        holder, at = new_holder(), now()
        taken: list[Delivery] = []
        if not self._any_due(topics, at):
            return taken
        with self.store.write() as connection:
            query = _due(topics, at).limit(limit)
            if not self.store.is_sqlite:
                query = query.with_for_update(skip_locked=True, of=outbox)
            for row in connection.execute(query).all():
                changes = {
                    "holder": holder,
                    "attempts": row.attempts + 1,
                    "next_at": until(lease_s, at),
                    "updated_at": at,
                }
                connection.execute(update(outbox).where(outbox.c.id == row.id).values(changes))
                taken.append(_delivery(row, changes))
        return taken

    def renew(self, delivery: Delivery, lease_s: float) -> None:
        """Keep a delivery for that long from now. Raises LeaseLostError."""
        self._change(delivery, {"next_at": until(lease_s)})

    def save_progress(self, delivery: Delivery, progress: Mapping[str, Any], lease_s: float = 60.0) -> None:
        """Write down what was reached, durably, before the next step. Raises LeaseLostError."""
        self._change(delivery, {"progress": dict(progress), "next_at": until(lease_s)})

    def complete(self, delivery: Delivery) -> None:
        """The delivery was made: its key stays, so that it is not written down again, and nothing of what it said.
        Raises LeaseLostError."""
        emptied: dict[str, Any] = {"payload": {}, "progress": {}}
        self._change(delivery, emptied | {"state": DeliveryState.DONE.value, "holder": None, "last_error": None})

    def fail(self, delivery: Delivery, error: str, retry_at: int | None) -> None:
        """The delivery was not made: try again at that moment (microseconds), or never. Raises LeaseLostError."""
        changes: dict[str, Any] = {"holder": None, "last_error": error[:MAX_ERROR]}
        changes |= {"state": DeliveryState.DEAD.value} if retry_at is None else {"next_at": retry_at}
        self._change(delivery, changes)

    def postpone(self, delivery: Delivery, until: int) -> None:
        """Nothing failed, but it is too early: come back at that moment. Raises LeaseLostError."""
        self._change(delivery, {"holder": None, "next_at": until, "attempts": delivery.attempts - 1})

    def get(self, delivery_id: int) -> Delivery:
        """One delivery. Raises NotFoundError."""
        with self.store.read() as connection:
            row = connection.execute(select(outbox).where(outbox.c.id == delivery_id)).first()
        if row is None:
            raise NotFoundError("there is no delivery {delivery_id} in the outbox", delivery_id=delivery_id)
        return _delivery(row)

    def find(self, topic: str, key: str) -> Delivery | None:
        """The delivery of that topic and key."""
        query = select(outbox).where(outbox.c.topic == topic, outbox.c.key == key)
        with self.store.read() as connection:
            row = connection.execute(query).first()
        return None if row is None else _delivery(row)

    def all(
        self, *, state: DeliveryState | None = None, topic: str | None = None, after: int = 0, limit: int = 100
    ) -> list[Delivery]:
        """A page of deliveries, by id."""
        query = select(outbox).where(outbox.c.id > after).order_by(outbox.c.id).limit(limit)
        if state is not None:
            query = query.where(outbox.c.state == state.value)
        if topic is not None:
            query = query.where(outbox.c.topic == topic)
        with self.store.read() as connection:
            return [_delivery(row) for row in connection.execute(query)]

    def counts(self) -> dict[tuple[str, DeliveryState], int]:
        """How many deliveries there are, by topic and state."""
        query = select(outbox.c.topic, outbox.c.state, func.count()).group_by(outbox.c.topic, outbox.c.state)
        with self.store.read() as connection:
            return {(row[0], DeliveryState(row[1])): row[2] for row in connection.execute(query)}

    def oldest_s(self) -> float:
        """Seconds since the oldest delivery that still waits was written; 0 where none waits."""
        query = select(func.min(outbox.c.created_at)).where(outbox.c.state == DeliveryState.PENDING.value)
        with self.store.read() as connection:
            written = connection.execute(query).scalar_one_or_none()
        return 0.0 if written is None else max(0.0, (now() - written) / 1e6)

    def retry(self, delivery_id: int) -> Delivery:
        """Try a dead delivery anew, now. Raises NotFoundError, ConflictError."""
        at = now()
        with self.store.write() as connection:
            result = connection.execute(
                update(outbox)
                .where(outbox.c.id == delivery_id, outbox.c.state == DeliveryState.DEAD.value)
                .values(state=DeliveryState.PENDING.value, attempts=0, next_at=at, updated_at=at)
            )
        found = self.get(delivery_id)
        if result.rowcount == 0:
            raise ConflictError(
                "delivery {delivery_id} is {state}; only a dead one can be tried anew",
                delivery_id=delivery_id,
                state=found.state,
            )
        return found

    def _any_due(self, topics: Sequence[str], at: int) -> bool:
        """A look without a write lock, which a queue that is mostly empty would otherwise take all the time."""
        with self.store.read() as connection:
            return connection.execute(_due(topics, at).limit(1)).first() is not None

    def _change(self, delivery: Delivery, changes: Mapping[str, Any]) -> None:
        held = and_(
            outbox.c.id == delivery.id,
            outbox.c.holder == delivery.holder,
            outbox.c.state == DeliveryState.PENDING.value,
        )
        with self.store.write() as connection:
            result = connection.execute(update(outbox).where(held).values(**changes, updated_at=now()))
        if result.rowcount == 0:
            raise LeaseLostError(
                "delivery {id} of {topic} is no longer held by this process", id=delivery.id, topic=delivery.topic
            )


def _due(topics: Sequence[str], at: int) -> Select[Any]:
    earlier = outbox.alias("earlier")
    waits = (
        select(earlier.c.id)
        .where(
            earlier.c.lane == outbox.c.lane,
            earlier.c.state == DeliveryState.PENDING.value,
            earlier.c.id < outbox.c.id,
        )
        .exists()
    )
    return (
        select(outbox)
        .where(
            outbox.c.state == DeliveryState.PENDING.value,
            or_(outbox.c.next_at <= at, written_ahead(outbox.c.updated_at, at)),
            outbox.c.topic.in_(topics),
            outbox.c.lane.is_(None) | ~waits,
        )
        .order_by(outbox.c.next_at, outbox.c.id)
    )


def _delivery(row: Row[Any], changes: Mapping[str, Any] | None = None) -> Delivery:
    fields = dict(row._mapping) | dict(changes or {})
    return Delivery(
        id=fields["id"],
        topic=fields["topic"],
        key=fields["key"],
        payload=fields["payload"],
        progress=fields["progress"],
        state=DeliveryState(fields["state"]),
        attempts=fields["attempts"],
        next_at=moment(fields["next_at"]),
        last_error=fields["last_error"],
        created_at=moment(fields["created_at"]),
        lane=fields["lane"],
        holder=fields["holder"],
    )
