"""Giving back: what reviewers decided, and entries of ours that were confirmed, for the lists that the operator allows.

Everything goes through the outbox: written in the transaction that decides it, delivered at least once, and named so
that the same thing said again is said once.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select, update

from tutela.content.signals.registry import signal_type
from tutela.errors import InputError, NotFoundError
from tutela.foundation.http import HttpError, Patience, RefusedError
from tutela.foundation.outbox.service import Delivery, enqueue
from tutela.foundation.outbox.worker import DeliveryError, Progress, UndeliverableError
from tutela.foundation.store import tables
from tutela.foundation.store.bulk import select_in
from tutela.foundation.store.exchange_tables import entry_opinion
from tutela.foundation.store.exchange_tables import exchange as table
from tutela.lists.banks.model import EntryState
from tutela.lists.banks.service import Banks
from tutela.lists.exchanges.base import Exchange, ExchangeError, Feedback, Opinion, Share
from tutela.lists.exchanges.service import ExchangeRow, Exchanges, Giving

FEEDBACK = "exchange.feedback"
SHARE = "exchange.share"
_BATCH = 1_000
_RETRIED = frozenset({401, 403})
"""Refusals that an operator mends: a secret that ran out."""


@dataclass(frozen=True, slots=True)
class Decided:
    """What reviewers found of content that matched some entries."""

    decision: str
    """A lasting name of the decision."""
    opinion: Opinion
    entry_ids: tuple[int, ...]
    reason: str = ""


def feedback_for(connection: Connection, exchanges: Exchanges, decided: Decided) -> int:
    """Write feedback for every list that one of the entries is from and whose policy takes it; how much.

    Inside the transaction that decides. The last word on an entry is said once for each decision.
    """
    rows = {row.source: row for row in exchanges.all_in(connection) if _takes(row.giving, decided.opinion)}
    entry, signal, written = tables.entry.c, tables.signal, 0
    columns = (entry.id, entry.source, entry.reference, entry.signal_id)
    for entry_id, source, reference, signal_id in select_in(connection, columns, entry.id, decided.entry_ids):
        row = rows.get(source)
        if row is None:
            continue
        found = connection.execute(select(signal.c.type, signal.c.value).where(signal.c.id == signal_id)).one()
        payload = {
            "exchange": row.name,
            "key": reference,
            "signal": found.type,
            "value": signal_type(found.type).format(bytes(found.value)),
            "opinion": decided.opinion.value,
            "reason": decided.reason,
        }
        key = f"{row.id}:{entry_id}:{decided.decision}:{decided.opinion.value}"
        written += enqueue(connection, FEEDBACK, key, payload, lane=f"{row.id}:{entry_id}")
    return written


def seen_for(connection: Connection, exchanges: Exchanges, entry_ids: Sequence[int]) -> int:
    """Tell every list whose policy says so that its entries matched; how many words were written.

    Inside the transaction that keeps the match. Of an entry it is said once, and not after reviewers' opinions of it,
    which it would replace over there.
    """
    column = entry_opinion.c.entry_id
    judged = {row[0] for row in select_in(connection, (column,), column, entry_ids)}
    fresh = tuple(entry_id for entry_id in entry_ids if entry_id not in judged)
    return feedback_for(connection, exchanges, Decided("first match", Opinion.SEEN, fresh))


def share_new(exchanges: Exchanges, name: str) -> int:
    """Write confirmed entries that were not shared yet into the outbox, as the policy says; how many. Resumable."""
    row, written = exchanges.get(name), 0
    if row.giving.share_bank is None:
        raise InputError("nothing is shared with {name}: its policy names no bank (--share-bank)", name=name)
    bank = exchanges.banks.get(row.giving.share_bank)
    while True:
        with exchanges.store.write() as connection:
            through = connection.execute(select(table.c.shared_through).where(table.c.id == row.id)).scalar_one()
            entries = _after(connection, bank.id, through)
            for found in entries:
                if _is_shared(found, row, bank.label):
                    written += _enqueue_share(connection, row, found, bank.label)
            if not entries:
                return written
            connection.execute(update(table).where(table.c.id == row.id).values(shared_through=entries[-1].id))


class Deliveries:
    """Hands feedback and shares from the outbox to their exchanges."""

    def __init__(self, banks: Banks, patience: Patience | None = None) -> None:
        self._exchanges = Exchanges(banks)
        self._patience = patience

    @property
    def handlers(self) -> Mapping[str, Any]:
        """The outbox's topics that are delivered here."""
        return {FEEDBACK: self.feedback, SHARE: self.share}

    def feedback(self, delivery: Delivery, progress: Progress) -> None:
        """Deliver one opinion. Raises DeliveryError, UndeliverableError."""
        content = delivery.payload
        feedback = Feedback(
            key=content["key"],
            signal=content["signal"],
            value=content["value"],
            opinion=Opinion(content["opinion"]),
            reason=content["reason"],
        )
        self._deliver(content["exchange"], feedback)

    def share(self, delivery: Delivery, progress: Progress) -> None:
        """Deliver one entry of ours. Raises DeliveryError, UndeliverableError."""
        content = delivery.payload
        prints = tuple((str(name), str(text)) for name, text in content["fingerprints"])
        share = Share(content["id"], content["media"], content["label"], prints, content["note"])
        self._deliver(content["exchange"], share)

    def _deliver(self, name: str, gift: Feedback | Share) -> None:
        try:
            row = self._exchanges.get(name)
        except NotFoundError:
            raise UndeliverableError("exchange {name} was removed", name=name) from None
        giving = row.giving
        if not (_takes(giving, gift.opinion) if isinstance(gift, Feedback) else giving.share_bank is not None):
            raise UndeliverableError("the policy of {name} no longer gives this", name=name)
        with outward(self._exchanges, row, self._patience) as connection:
            if isinstance(gift, Feedback):
                connection.give_feedback(gift)
            else:
                connection.share(gift)


@contextmanager
def outward(exchanges: Exchanges, row: ExchangeRow, patience: Patience | None) -> Iterator[Exchange]:
    """A connection for a delivery of the outbox: what fails is tried again or given up. Raises DeliveryError,
    UndeliverableError."""
    try:
        connection = exchanges.open(row, patience)
    except InputError as error:
        raise DeliveryError(str(error)) from error  # a secret is missing: the operator puts it back
    try:
        yield connection
    except RefusedError as error:
        kind = DeliveryError if error.status in _RETRIED else UndeliverableError
        raise kind(str(error)) from error
    except HttpError as error:
        raise DeliveryError(str(error), after_s=error.retry_after_s) from error
    except (InputError, ExchangeError) as error:
        raise UndeliverableError(str(error)) from error
    finally:
        connection.close()


def _takes(giving: Giving, opinion: Opinion) -> bool:
    return giving.seen if opinion is Opinion.SEEN else giving.feedback


def _after(connection: Connection, bank_id: int, through: int) -> Sequence[Any]:
    entry, signal = tables.entry, tables.signal
    return connection.execute(
        select(entry.c.id, entry.c.source, entry.c.label, entry.c.note, entry.c.state, signal.c.type, signal.c.value)
        .join(signal, signal.c.id == entry.c.signal_id)
        .where(entry.c.bank_id == bank_id, entry.c.id > through)
        .order_by(entry.c.id)
        .limit(_BATCH)
    ).all()


def _is_shared(found: Any, row: ExchangeRow, bank_label: str | None) -> bool:
    """Ours, active, and of a label that the policy names. What another list gave us is not ours to give on."""
    labels = row.giving.share_labels
    ours = not found.source.startswith("exchange:") and found.state == EntryState.ACTIVE.value
    return ours and (not labels or (found.label or bank_label) in labels)


def _enqueue_share(connection: Connection, row: ExchangeRow, found: Any, bank_label: str | None) -> int:
    text = signal_type(found.type).format(bytes(found.value))
    payload = {
        "exchange": row.name,
        "id": f"tutela-{found.id}",
        "media": "image" if found.type in ("pdq", "photodna") else "",
        "label": found.label or bank_label,
        "fingerprints": [[found.type, text]],
        "note": "",
    }
    return int(enqueue(connection, SHARE, f"{row.id}:{found.id}", payload))
