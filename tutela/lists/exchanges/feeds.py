"""`Feeds`: banks of ours that other Tutelas follow, record by record.

A feed is a log: every change of an entry becomes a numbered, chained record. The log is brought up to date from the
entries made since, and from the history of those that changed, while the clock's row is held: no change is missed.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from tutela.content.links.link import KEYS_MARK
from tutela.content.signals.registry import signal_type
from tutela.errors import ConflictError, InputError, NotFoundError
from tutela.foundation.secrets import check_reference, resolve
from tutela.foundation.store import tables
from tutela.foundation.store.bulk import insert_rows, select_in
from tutela.foundation.store.database import advance_sequence, moment, now
from tutela.foundation.store.entry_tables import entry_keys, entry_text
from tutela.foundation.store.exchange_tables import feed as table
from tutela.foundation.store.exchange_tables import feed_member, feed_record, feed_return
from tutela.lists.banks.model import EntryState
from tutela.lists.banks.service import Banks
from tutela.lists.exchanges.feed_wire import (
    BEGINNING,
    FeedPage,
    next_chain,
    private_key,
    public_text,
    record_text,
    sign,
)

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
BATCH = 5_000
MAX_PAGE = 5_000
MAX_RETURNS = 1_000
_COLUMNS = ("feed_id", "sequence", "document", "chain")


@dataclass(frozen=True, slots=True)
class Feed:
    """A bank that is published."""

    id: int
    name: str
    bank: str
    bank_id: int
    signing_key: str
    """Where the signing key is."""
    sequence: int
    """The number of the last record."""
    chain: bytes
    through_entry: int
    through_event: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Return:
    """What a member gave back."""

    id: int
    key_id: str
    kind: str
    """feedback or share."""
    document: Mapping[str, object]
    at: datetime


class Feeds:
    """The feeds of one store. Thread-safe."""

    def __init__(self, banks: Banks) -> None:
        self._banks = banks
        self._store = banks.store

    def create(self, name: str, bank: str, signing_key: str, *, actor: str) -> Feed:
        """Publish a bank. Raises InputError, NotFoundError, ConflictError."""
        if not _NAME.fullmatch(name):
            raise InputError(
                "{name!r} is no name: use lower-case letters, digits, '.', '_' and '-', at most 64", name=name[:64]
            )
        check_reference(signing_key, "signing key")
        private_key(resolve(signing_key, "signing key"))
        target = self._banks.get(bank)
        with self._store.write() as connection:
            if _row(connection, name) is not None:
                raise ConflictError("a feed named {name!r} exists already", name=name)
            connection.execute(
                insert(table).values(
                    name=name,
                    bank_id=target.id,
                    signing_key=signing_key,
                    sequence=0,
                    chain=BEGINNING,
                    through_entry=0,
                    through_event=0,
                    created_by=actor,
                    created_at=now(),
                )
            )
        return self.get(name)

    def get(self, name: str) -> Feed:
        """The feed of that name. Raises NotFoundError."""
        with self._store.read() as connection:
            row = _row(connection, name)
        if row is None:
            raise NotFoundError("there is no feed named {name!r}", name=name)
        return _feed(row)

    def all(self) -> list[Feed]:
        """Every feed, by name."""
        with self._store.read() as connection:
            return [_feed(row) for row in connection.execute(_select().order_by(table.c.name))]

    def public_key(self, name: str) -> str:
        """What members need to know to check the feed."""
        return public_text(private_key(resolve(self.get(name).signing_key, "signing key")))

    def admit(self, name: str, key_id: str, *, actor: str) -> None:
        """Let an API key follow a feed. Raises NotFoundError."""
        feed = self.get(name)
        with self._store.write() as connection:
            known = connection.execute(select(tables.api_key.c.id).where(tables.api_key.c.id == key_id)).first()
            if known is None:
                raise NotFoundError("there is no API key {key_id!r}", key_id=key_id)
            if not self._is_member(connection, feed, key_id):
                values = {"feed_id": feed.id, "key_id": key_id, "created_by": actor, "created_at": now()}
                connection.execute(insert(feed_member).values(**values))

    def dismiss(self, name: str, key_id: str) -> None:
        """Let an API key follow a feed no longer. Raises NotFoundError."""
        feed = self.get(name)
        with self._store.write() as connection:
            connection.execute(
                feed_member.delete().where(feed_member.c.feed_id == feed.id, feed_member.c.key_id == key_id)
            )

    def may_follow(self, name: str, key_id: str) -> bool:
        """Whether an API key may follow a feed. Raises NotFoundError."""
        feed = self.get(name)
        with self._store.read() as connection:
            return self._is_member(connection, feed, key_id)

    def page(self, name: str, after: int, nonce: str, limit: int = MAX_PAGE) -> tuple[bytes, str]:
        """The signed page of records after a number, as body and signature. Raises NotFoundError, InputError."""
        self.publish(name)
        feed = self.get(name)
        if not 0 <= after <= feed.sequence:
            raise InputError("the feed has {sequence:,} records, not {after:,}", sequence=feed.sequence, after=after)
        query = (
            select(feed_record.c.sequence, feed_record.c.document, feed_record.c.chain)
            .where(feed_record.c.feed_id == feed.id, feed_record.c.sequence >= after)
            .order_by(feed_record.c.sequence)
            .limit(min(limit, MAX_PAGE) + 1)
        )
        with self._store.read() as connection:
            rows = connection.execute(query).all()
        before = bytes(rows[0].chain) if after else BEGINNING
        rows = rows[1:] if after else rows[: min(limit, MAX_PAGE)]
        page = FeedPage(
            feed=name,
            nonce=nonce,
            after=after,
            chain_before=before.hex(),
            records=tuple(row.document for row in rows),
            chain=(bytes(rows[-1].chain) if rows else before).hex(),
            head=feed.sequence,
        )
        return sign(page, private_key(resolve(feed.signing_key, "signing key")))

    def publish(self, name: str) -> int:
        """Write every change of the bank since the last time as records; how many there were. Raises NotFoundError."""
        written = 0
        while (count := self._publish_some(name)) > 0:
            written += count
        return written

    def take(self, name: str, key_id: str, idempotency: str, kind: str, document: Mapping[str, object]) -> None:
        """Keep what a member gives back; the same again is kept once. Raises NotFoundError, InputError."""
        if kind not in ("feedback", "share") or not 0 < len(idempotency) <= 128:
            raise InputError("a member gives back feedback or a share, with a key of at most 128 characters")
        feed = self.get(name)
        with self._store.write() as connection:
            advance_sequence(connection, 0)
            known = connection.execute(
                select(feed_return.c.id).where(
                    feed_return.c.feed_id == feed.id,
                    feed_return.c.key_id == key_id,
                    feed_return.c.idempotency == idempotency,
                )
            ).first()
            if known is None:
                values = {"feed_id": feed.id, "key_id": key_id, "idempotency": idempotency, "kind": kind}
                connection.execute(insert(feed_return).values(**values, document=dict(document), at=now()))

    def returns(self, name: str, after: int = 0) -> list[Return]:
        """What members gave back, oldest first. Raises NotFoundError."""
        feed = self.get(name)
        query = select(feed_return).where(feed_return.c.feed_id == feed.id, feed_return.c.id > after)
        with self._store.read() as connection:
            rows = connection.execute(query.order_by(feed_return.c.id).limit(MAX_RETURNS))
            return [Return(row.id, row.key_id, row.kind, row.document, moment(row.at)) for row in rows]

    def _is_member(self, connection: Connection, feed: Feed, key_id: str) -> bool:
        query = select(feed_member.c.key_id).where(feed_member.c.feed_id == feed.id, feed_member.c.key_id == key_id)
        return connection.execute(query).first() is not None

    def _publish_some(self, name: str) -> int:
        with self._store.read() as connection:
            row = _row(connection, name)
            if row is None:
                raise NotFoundError("there is no feed named {name!r}", name=name)
            if not _has_more(connection, _feed(row)):
                return 0
        with self._store.write() as connection:
            advance_sequence(connection, 0)  # entries and history come in the order of their numbers while it is held
            row = _row(connection, name)
            assert row is not None
            feed = _feed(row)
            entry_ids, through_entry, through_event, seen = _changed(connection, feed)
            documents = _documents(connection, feed, entry_ids)
            chain, records = feed.chain, []
            for number, document in enumerate(documents, start=feed.sequence + 1):
                chain = next_chain(chain, document)
                records.append((feed.id, number, document, chain))
            insert_rows(connection, feed_record, _COLUMNS, records)
            connection.execute(
                update(table)
                .where(table.c.id == feed.id)
                .values(
                    sequence=feed.sequence + len(records),
                    chain=chain,
                    through_entry=through_entry,
                    through_event=through_event,
                )
            )
        return seen


def _has_more(connection: Connection, feed: Feed) -> bool:
    entry, event = tables.entry, tables.event
    made = select(entry.c.id).where(entry.c.bank_id == feed.bank_id, entry.c.id > feed.through_entry).limit(1)
    happened = select(event.c.id).where(event.c.id > feed.through_event).limit(1)
    return any(connection.execute(query).first() is not None for query in (made, happened))


def _changed(connection: Connection, feed: Feed) -> tuple[list[int], int, int, int]:
    """The entries that a record is due for, how far that goes, and how much was looked at."""
    entry, event = tables.entry, tables.event
    query = select(entry.c.id).where(entry.c.bank_id == feed.bank_id, entry.c.id > feed.through_entry)
    made = [row[0] for row in connection.execute(query.order_by(entry.c.id).limit(BATCH))]
    happened = connection.execute(
        select(event.c.id, event.c.subject, event.c.subject_id)
        .where(event.c.id > feed.through_event)
        .order_by(event.c.id)
        .limit(BATCH)
    ).all()
    through_entry = made[-1] if made else feed.through_entry
    # What happened to an entry whose turn as a new one is still to come is in its record then.
    told = {row.subject_id for row in happened if row.subject == "entry" and row.subject_id <= through_entry}
    through_event = happened[-1].id if happened else feed.through_event
    return sorted({*made, *told}), through_entry, through_event, len(made) + len(happened)


def _documents(connection: Connection, feed: Feed, entry_ids: Sequence[int]) -> list[str]:
    entry, signal = tables.entry.c, tables.signal.c
    columns = (entry.id, entry.signal_id, entry.label, entry.state, entry.updated_at, entry.source)
    found = select_in(connection, columns, entry.id, entry_ids, {"bank_id": feed.bank_id})
    # What another list gave us is not ours to give on.
    rows = [tuple(row)[:5] for row in found if not row[5].startswith("exchange:")]
    signal_ids = sorted({row[1] for row in rows})
    values = {
        row[0]: (row[1], bytes(row[2]))
        for row in select_in(connection, (signal.id, signal.type, signal.value), signal.id, signal_ids)
    }
    ids = [row[0] for row in rows]
    texts = dict(select_in(connection, (entry_text.c.entry_id, entry_text.c.text), entry_text.c.entry_id, ids))
    keys = dict(select_in(connection, (entry_keys.c.entry_id, entry_keys.c["keys"]), entry_keys.c.entry_id, ids))
    documents = []
    for entry_id, signal_id, label, state, updated_at in sorted(rows, key=lambda row: int(row[0])):
        name, value = values[signal_id]
        gone = state != EntryState.ACTIVE.value
        fields: list[tuple[str, object]] = [("entry", entry_id), ("at", updated_at // 1_000_000), ("withdrawn", gone)]
        if not gone:
            # Whoever serves DNS or a proxy over there needs what is listed in clear, as we did.
            hashed = signal_type(name).format(value) + (KEYS_MARK + keys[entry_id] if entry_id in keys else "")
            text = texts.get(entry_id) or hashed
            fields += [("signal", name), ("value", text), ("label", label)]
        documents.append(record_text(fields))
    return documents


def read_record(record: str) -> Mapping[str, object]:
    """The fields of a record. Raises ValueError."""
    found = json.loads(record)
    if not isinstance(found, dict):
        raise ValueError("a record is an object")
    return found


def _select() -> Any:
    return select(table, tables.bank.c.name.label("bank")).join(tables.bank, tables.bank.c.id == table.c.bank_id)


def _row(connection: Connection, name: str) -> Row[Any] | None:
    found: Row[Any] | None = connection.execute(_select().where(table.c.name == name)).first()
    return found


def _feed(row: Row[Any]) -> Feed:
    return Feed(
        id=row.id,
        name=row.name,
        bank=row.bank,
        bank_id=row.bank_id,
        signing_key=row.signing_key,
        sequence=row.sequence,
        chain=bytes(row.chain),
        through_entry=row.through_entry,
        through_event=row.through_event,
        created_at=moment(row.created_at),
    )
