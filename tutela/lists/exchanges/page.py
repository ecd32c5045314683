"""A page of an outside list into its bank: what is new is listed, what changed follows, what was withdrawn goes.

Everything happens in a transaction of the caller's. Only entries of this exchange are ever touched.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import xxhash
from sqlalchemy import Connection, func, select

from tutela.content.links.link import QueryKeys
from tutela.content.signals.registry import signal_types
from tutela.errors import InvalidSignalError
from tutela.foundation.store.bulk import execute_many, insert_rows, select_in
from tutela.foundation.store.database import advance_sequence
from tutela.foundation.store.exchange_tables import remote_entry
from tutela.lists.banks.entries import list_entries
from tutela.lists.banks.foreign import is_foreign, read_foreign
from tutela.lists.banks.model import EntryValue, NewEntry
from tutela.lists.banks.revisions import relabel_entries, withdraw_entries
from tutela.lists.banks.values import clear_text, keys_of, read_value
from tutela.lists.exchanges.base import Listing
from tutela.lists.exchanges.hygiene import NewValue
from tutela.lists.exchanges.service import ExchangeRow

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
MAX_KEY = 255
MAX_NOTE = 4_000
_COLUMNS = (
    *("id", "exchange_id", "key", "media", "labels", "listed", "remote_at", "generation", "digest", "entries"),
    *("unknown", "upvotes", "downvotes"),
)


_Meant = tuple[str, bytes, tuple[EntryValue, ...], str | None, QueryKeys]
"""Signal, value, what else the entry stands for, its text in clear, and the parameters that count in its query."""


@dataclass(frozen=True, slots=True)
class Applied:
    """What a page did."""

    listed: int = 0
    """Entries of the list that are new, or count again."""
    changed: int = 0
    withdrawn: int = 0
    unchanged: int = 0
    values: tuple[NewValue, ...] = ()
    """The values of entries that are new or changed."""

    @property
    def growth(self) -> int:
        """How many more entries of the list count than before."""
        return self.listed - self.withdrawn


class _Known(NamedTuple):
    id: int
    listed: bool
    remote_at: int
    generation: int
    digest: bytes
    entries: tuple[int, ...]


class _Read(NamedTuple):
    """A listing with its fingerprints read."""

    key: str
    listing: Listing
    digest: bytes
    values: tuple[_Meant, ...]
    """Signal type, value, what a composite one such as vPDQ stands for, and what the value is the digest of."""
    unknown: tuple[tuple[str, str], ...]


class Applier:
    """Applies pages of one exchange."""

    def __init__(self, exchange: ExchangeRow, labels: Iterable[str], actor: str) -> None:
        self._exchange = exchange
        self._labels = frozenset(labels)
        self._actor = actor
        self._types = signal_types()

    def apply(
        self, connection: Connection, listings: Sequence[Listing], *, at: int, generation: int, whole: bool
    ) -> Applied:
        """List, change and withdraw. A word older than the known one is passed over.

        While the `whole` list is read anew, only what this reading knows counts as known.
        """
        advance_sequence(connection, 0)
        latest = _latest(listings)
        known = self._known(connection, latest)
        fresh: list[_Read] = []
        changed: list[tuple[_Known, _Read]] = []
        gone: list[tuple[_Known, Listing]] = []
        tombstones: list[tuple[str, Listing]] = []
        touched: list[int] = []
        for key, listing in latest.items():
            before = known.get(key)
            if before is not None and listing.at < before.remote_at and (not whole or before.generation == generation):
                continue
            if listing.withdrawn:
                if before is None:
                    tombstones.append((key, listing))
                else:
                    gone.append((before, listing))
                continue
            read = self._read(key, listing)
            if before is None:
                fresh.append(read)
            elif not before.listed or before.digest != read.digest:
                changed.append((before, read))
            elif before.generation != generation:
                touched.append(before.id)
        revived = sum(not before.listed for before, _ in changed)
        values = self._list(connection, fresh, changed, at, generation)
        self._withdraw(connection, gone, at, generation)
        self._remember_tombstones(connection, tombstones, generation)
        execute_many(
            connection,
            "UPDATE remote_entry SET generation = ? WHERE id = ?",
            [(generation, row_id) for row_id in touched],
        )
        listed = len(fresh) + revived
        withdrawn = sum(before.listed for before, _ in gone)
        used = listed + len(changed) - revived + withdrawn
        return Applied(listed, len(changed) - revived, withdrawn, len(listings) - used, values)

    def sweep(self, connection: Connection, *, at: int, generation: int, limit: int) -> int:
        """Withdraw up to so many entries that the whole list no longer names; how many there were."""
        table = remote_entry
        rows = connection.execute(
            select(table.c.id, table.c.remote_at, table.c.entries)
            .where(*self._unnamed(generation))
            .order_by(table.c.id)
            .limit(limit)
        ).all()
        known = [_Known(row.id, True, row.remote_at, 0, b"", _ids(row.entries)) for row in rows]
        self._withdraw(connection, [(item, Listing("", "", at=item.remote_at)) for item in known], at, generation)
        return len(rows)

    def unnamed(self, connection: Connection, generation: int) -> int:
        """How many entries the whole list no longer names."""
        return int(
            connection.execute(
                select(func.count()).select_from(remote_entry).where(*self._unnamed(generation))
            ).scalar_one()
        )

    def _unnamed(self, generation: int) -> tuple[Any, ...]:
        table = remote_entry.c
        return (table.exchange_id == self._exchange.id, table.listed.is_(True), table.generation < generation)

    def _known(self, connection: Connection, keys: Iterable[str]) -> dict[str, _Known]:
        table = remote_entry.c
        columns = (table.key, table.id, table.listed, table.remote_at, table.generation, table.digest, table.entries)
        rows = select_in(connection, columns, table.key, list(keys), {"exchange_id": self._exchange.id})
        return {row[0]: _Known(row[1], bool(row[2]), row[3], row[4], bytes(row[5]), _ids(row[6])) for row in rows}

    def _read(self, key: str, listing: Listing) -> _Read:
        values: list[_Meant] = []
        unknown: list[tuple[str, str]] = []
        for name, text in listing.fingerprints:
            try:
                values += self._values(name, text)
            except InvalidSignalError:
                unknown.append((name, text))
        said = (listing.media, listing.labels, listing.note, listing.upvotes, listing.downvotes)
        text = ascii((*said, sorted(value[:2] for value in values), sorted(unknown)))
        digest = xxhash.xxh3_128_digest(text.encode())
        return _Read(key, listing, digest, tuple(dict.fromkeys(values)), tuple(unknown))

    def _values(self, name: str, text: str) -> list[_Meant]:
        """What a fingerprint means here: one value, or several for a trend query. Raises InvalidSignalError."""
        if name not in self._types and not is_foreign(name):
            raise InvalidSignalError(name)
        found = []
        for signal, said in [(name, text)] if name in self._types else read_foreign(name, text):
            value, among = read_value(signal, said)
            found.append((signal, value, among, clear_text(signal, value, said), keys_of(signal, said)))
        return found

    def _list(
        self,
        connection: Connection,
        fresh: Sequence[_Read],
        changed: Sequence[tuple[_Known, _Read]],
        at: int,
        generation: int,
    ) -> tuple[NewValue, ...]:
        reads = [*fresh, *(read for _, read in changed)]
        entries: list[NewEntry] = []
        places: list[slice] = []
        for read in reads:
            label, note = self._label_and_note(read.listing)
            begin = len(entries)
            entries += [
                NewEntry(name, value, self._exchange.source, read.key, label, note, among, clear, keys)
                for name, value, among, clear, keys in read.values
            ]
            places.append(slice(begin, len(entries)))
        outcome = list_entries(connection, self._exchange.bank_id, entries, actor=self._actor, at=at)
        ids = [outcome.entry_ids[place] for place in places]
        first = self._next_id(connection)
        insert_rows(
            connection,
            remote_entry,
            _COLUMNS,
            [
                (first + number, self._exchange.id, read.key, *_columns(read, generation, ids[number]))
                for number, read in enumerate(fresh)
            ],
        )
        self._follow(connection, changed, ids[len(fresh) :], at, generation)
        return tuple(
            NewValue(entry_id, entry.signal, entry.value)
            for entry_id, entry in zip(outcome.entry_ids, entries, strict=True)
        )

    def _follow(
        self,
        connection: Connection,
        changed: Sequence[tuple[_Known, _Read]],
        ids: Sequence[tuple[int, ...]],
        at: int,
        generation: int,
    ) -> None:
        dropped: list[int] = []
        kept: dict[int, tuple[str | None, str | None]] = {}
        rows: list[tuple[Any, ...]] = []
        for (before, read), now_ids in zip(changed, ids, strict=True):
            dropped += [entry_id for entry_id in before.entries if entry_id not in now_ids]
            kept.update(dict.fromkeys(now_ids, self._label_and_note(read.listing)))
            rows.append((*_columns(read, generation, now_ids), before.id))
        withdraw_entries(connection, dropped, reason=self._because("no longer carries it"), actor=self._actor, at=at)
        relabel_entries(connection, kept, actor=self._actor, at=at)
        execute_many(
            connection,
            "UPDATE remote_entry SET media = ?, labels = ?, listed = ?, remote_at = ?, generation = ?, digest = ?,"
            " entries = ?, unknown = ?, upvotes = ?, downvotes = ? WHERE id = ?",
            rows,
        )

    def _withdraw(
        self, connection: Connection, gone: Sequence[tuple[_Known, Listing]], at: int, generation: int
    ) -> None:
        ids = [entry_id for before, _ in gone for entry_id in before.entries]
        withdraw_entries(connection, ids, reason=self._because("withdrew it"), actor=self._actor, at=at)
        execute_many(
            connection,
            "UPDATE remote_entry SET listed = ?, remote_at = ?, generation = ? WHERE id = ?",
            [(False, listing.at, generation, before.id) for before, listing in gone],
        )

    def _remember_tombstones(
        self, connection: Connection, tombstones: Sequence[tuple[str, Listing]], generation: int
    ) -> None:
        """An older listing of it that comes later must not list it."""
        if tombstones:
            first = self._next_id(connection)
            rows = [
                (first + number, self._exchange.id, key, *_columns(_Read(key, item, b"", (), ()), generation, ()))
                for number, (key, item) in enumerate(tombstones)
            ]
            insert_rows(connection, remote_entry, _COLUMNS, rows)

    def _label_and_note(self, listing: Listing) -> tuple[str | None, str | None]:
        label = next((label for label in listing.labels if label in self._labels), None)
        others = [other for other in listing.labels if other != label]
        if not others and not listing.note:
            return label, None
        parts = ([f"listed as {', '.join(others)}"] if others else []) + ([listing.note] if listing.note else [])
        return label, _storable("; ".join(parts))[:MAX_NOTE] or None

    def _because(self, what: str) -> str:
        return f"{self._exchange.name} {what}"

    def _next_id(self, connection: Connection) -> int:
        """The next row number; only appliers make such rows, and they hold the clock."""
        return int(connection.execute(select(func.coalesce(func.max(remote_entry.c.id), 0))).scalar_one()) + 1


def _latest(listings: Sequence[Listing]) -> Mapping[str, Listing]:
    """The newest word on each entry; of two with the same time the later one."""
    latest: dict[str, Listing] = {}
    for listing in listings:
        key = key_of(listing)
        if (other := latest.get(key)) is None or other.at <= listing.at:
            latest[key] = listing
    return latest


def key_of(listing: Listing) -> str:
    """The identity as it is stored: a long one by its hash."""
    key = _storable(listing.key)
    if len(key) <= MAX_KEY and key == listing.key:
        return key
    digest = xxhash.xxh3_128_hexdigest(listing.key.encode("utf-8", "surrogatepass"))
    return f"{key[: MAX_KEY - 33]}~{digest}"


def _storable(text: str) -> str:
    """The text, with a mark in the place of what no database stores."""
    return _UNSTORABLE.sub("\ufffd", text)


def _columns(read: _Read, generation: int, entry_ids: Sequence[int]) -> tuple[Any, ...]:
    listing = read.listing
    return (
        _storable(listing.media)[:16],
        _storable(",".join(listing.labels))[:MAX_NOTE],
        not listing.withdrawn,
        listing.at,
        generation,
        read.digest,
        ",".join(map(str, entry_ids)),
        json.dumps(read.unknown) if read.unknown else None,
        listing.upvotes,
        listing.downvotes,
    )


def _ids(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(",")) if text else ()
