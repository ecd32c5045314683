"""Banks and their entries in the store: made, changed, listed, withdrawn, each with its history.

Also the two things that matching asks for: the enabled banks (from memory, current within a refresh) and who listed
a value; and the feed of changes that the index reads.
"""

import os
import re
import threading
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlalchemy import BindParameter, Connection, Row, Select, bindparam, delete, func, insert, or_, select, update

from tutela.content.links.link import QueryKeys
from tutela.content.signals.base import WHOLE
from tutela.content.signals.registry import composite_type, signal_type, signal_types
from tutela.errors import ConflictError, InputError, NotFoundError
from tutela.foundation.store import tables
from tutela.foundation.store.database import Store, advance_banks, moment, now
from tutela.foundation.store.entry_tables import entry_keys, entry_text, entry_value
from tutela.lists.banks.entries import ListingOutcome, chunks, list_entries, set_entry_state
from tutela.lists.banks.labels import Label, labels_of
from tutela.lists.banks.model import (
    USUAL_USES,
    Action,
    Bank,
    BankEvent,
    BankKind,
    BankUse,
    Entry,
    EntryState,
    EntryValue,
    Extent,
    Listed,
    NewEntry,
    Policy,
    PolicyChange,
)
from tutela.lists.banks.overlaps import Lists, Overlap, check_apart, find_overlaps, set_overlaps_aside, values_of
from tutela.lists.index.feed import ListChange
from tutela.lists.index.service import Indexes

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,127}")
MAX_TEXT = 4_000
CONFIRMED = "confirmed"
"""The event by which a curator answers for an entry on a host that many share."""


class Banks:
    """The banks of one store. Thread-safe."""

    def __init__(self, store: Store, home: Path | None = None) -> None:
        """`home` is where an operator's labels.toml may lie."""
        self.store = store
        self.searcher: Lists | None = None
        """Where allow lists are compared with what is listed; the process's own indexes where it has some."""
        self.home = home
        self._refreshing = threading.Lock()
        self._version = self._sequence = -1
        self._enabled: tuple[Bank, ...] = ()
        self._query_keys: tuple[QueryKeys, ...] = ()
        self.refresh()

    # --- banks

    def create(
        self,
        name: str,
        *,
        kind: BankKind = BankKind.KNOWN,
        label: str | None = None,
        description: str = "",
        policy: Policy | None = None,
        uses: Collection[BankUse] = USUAL_USES,
        actor: str,
    ) -> Bank:
        """Make a bank. Raises ConflictError when the name is taken, InputError when a value is not acceptable."""
        policy = policy or Policy()
        self._check(name=name, label=label, description=description, policy=policy)
        at = now()
        with self._changing_banks() as connection:
            if _bank_row(connection, name) is not None:
                raise ConflictError("a bank named {name!r} exists already", name=name)
            result = connection.execute(
                insert(tables.bank).values(
                    name=name,
                    kind=BankKind(kind).value,
                    label=label,
                    description=description,
                    enabled=True,
                    uses=sorted(uses),
                    created_at=at,
                    updated_at=at,
                    **_policy_columns(policy),
                )
            )
            key = result.inserted_primary_key
            assert key is not None
            _record(connection, at, "bank", key[0], actor, "created", {"name": name})
        return self.get(name)

    def get(self, name: str) -> Bank:
        """The bank of that name. Raises NotFoundError."""
        with self.store.read() as connection:
            row = _bank_row(connection, name)
        if row is None:
            raise NotFoundError("there is no bank named {name!r}", name=name)
        return _bank(row)

    def all(self) -> list[Bank]:
        """Every bank, by name."""
        with self.store.read() as connection:
            return [_bank(row) for row in connection.execute(select(tables.bank).order_by(tables.bank.c.name))]

    def update(
        self,
        name: str,
        *,
        new_name: str | None = None,
        label: str | None = None,
        description: str | None = None,
        policy: Policy | PolicyChange | None = None,
        enabled: bool | None = None,
        uses: Collection[BankUse] | None = None,
        actor: str,
    ) -> Bank:
        """Change what is given and keep the rest. Raises NotFoundError, ConflictError, InputError."""
        self._check(name=new_name, label=label, description=description, policy=policy)
        changes: dict[str, Any] = {
            column: value
            for column, value in (
                ("name", new_name),
                ("label", label),
                ("description", description),
                ("enabled", enabled),
                ("uses", None if uses is None else sorted(uses)),
            )
            if value is not None
        } | (_policy_columns(policy) if policy else {})
        at = now()
        with self._changing_banks() as connection:
            row = _bank_row(connection, name)
            if row is None:
                raise NotFoundError("there is no bank named {name!r}", name=name)
            if new_name not in (None, name) and _bank_row(connection, str(new_name)) is not None:
                raise ConflictError("a bank named {new_name!r} exists already", new_name=new_name)
            before = row._mapping
            differing = {column: value for column, value in changes.items() if before[column] != value}
            if differing:
                connection.execute(
                    update(tables.bank).where(tables.bank.c.id == row.id).values(**differing, updated_at=at)
                )
                detail = {column: f"{before[column]} -> {value}" for column, value in differing.items()}
                _record(connection, at, "bank", row.id, actor, "changed", detail)
        return self.get(new_name or name)

    def counts(self, name: str) -> dict[EntryState, int]:
        """How many entries a bank has, by state. Raises NotFoundError."""
        bank = self.get(name)
        entry = tables.entry
        query = select(entry.c.state, func.count()).where(entry.c.bank_id == bank.id).group_by(entry.c.state)
        with self.store.read() as connection:
            found = {row[0]: row[1] for row in connection.execute(query)}
        return {state: found.get(state.value, 0) for state in EntryState}

    def bank_history(self, name: str) -> list[BankEvent]:
        """What happened to a bank, oldest first. Raises NotFoundError."""
        return self._history("bank", self.get(name).id)

    def labels(self) -> Mapping[str, Label]:
        """The labels that banks and entries may carry."""
        return labels_of(self.home)

    # --- entries

    def add(
        self,
        bank: str,
        entries: Sequence[NewEntry],
        *,
        actor: str,
        reason: str | None = None,
        import_id: int | None = None,
    ) -> ListingOutcome:
        """List values, all or none. Listing one again changes nothing, but one that was withdrawn counts again.

        A bank of kind *allow* needs the reason, lists no further views of a picture (what it lists is let through), and
        nothing that reaches a listed value.
        Raises NotFoundError, InputError.
        """
        target = self.get(bank)
        if target.kind is BankKind.ALLOW:
            entries = [_without_views(entry) for entry in entries]
        if target.kind is BankKind.ALLOW and not (reason or "").strip():
            raise InputError(
                "bank {bank!r} is an allow list: give the reason why these are known false matches", bank=bank
            )
        self.check_entries(entries)
        if target.kind is BankKind.ALLOW:
            check_apart(entries, self._lists(), self)
        with self.store.write() as connection:
            return list_entries(
                connection, target.id, entries, actor=actor, at=now(), import_id=import_id, reason=reason
            )

    def check_entries(self, entries: Sequence[NewEntry]) -> None:
        """Raise InputError for the first entry that cannot be listed."""
        labels = self.labels()
        for new in entries:
            for item in (EntryValue(new.signal, new.value), *new.values):
                width = signal_type(item.signal).width
                if len(item.value) != width:
                    raise InputError(
                        "a {signal} value has {width} bytes, got {value}",
                        signal=item.signal,
                        width=width,
                        value=len(item.value),
                    )
            if composite_type(new.signal) and not new.values:
                raise InputError("an entry of type {signal} needs the values that it stands for", signal=new.signal)
            if new.label is not None and new.label not in labels:
                raise InputError(
                    "unknown label {label!r}; known here: {labels}", label=new.label, labels=", ".join(labels)
                )
            for text, limit in ((new.source, 255), (new.reference, 255), (new.note or "", MAX_TEXT)):
                check_text(text, limit)

    def entry(self, entry_id: int) -> Entry:
        """One entry. Raises NotFoundError."""
        with self.store.read() as connection:
            row = connection.execute(_entries().where(tables.entry.c.id == entry_id)).first()
        if row is None:
            raise NotFoundError("there is no entry {entry_id}", entry_id=entry_id)
        return _entry(row)

    def entries(self, bank: str, *, state: EntryState | None = None, after: int = 0, limit: int = 1000) -> list[Entry]:
        """A page of a bank's entries, by id. Raises NotFoundError."""
        target = self.get(bank)
        query = _entries().where(tables.entry.c.bank_id == target.id, tables.entry.c.id > after)
        if state is not None:
            query = query.where(tables.entry.c.state == state.value)
        with self.store.read() as connection:
            return [_entry(row) for row in connection.execute(query.order_by(tables.entry.c.id).limit(limit))]

    def find(self, signal: str, value: bytes) -> list[Entry]:
        """Every entry, in any bank and state, of exactly this value."""
        query = _entries().where(tables.signal.c.type == signal, tables.signal.c.value == value)
        with self.store.read() as connection:
            return [_entry(row) for row in connection.execute(query.order_by(tables.entry.c.id))]

    def values(self, entry_id: int) -> list[EntryValue]:
        """What else an entry stands for, in the order listed; empty for an entry of one value."""
        table, signal = entry_value, tables.signal
        query = (
            select(signal.c.type, signal.c.value, table.c.view, table.c.seconds, table.c.quality)
            .join(signal, signal.c.id == table.c.signal_id)
            .where(table.c.entry_id == entry_id)
            .order_by(table.c.id)
        )
        with self.store.read() as connection:
            return [EntryValue(row[0], bytes(row[1]), row[2], row[3], row[4]) for row in connection.execute(query)]

    def set_state(self, entry_id: int, state: EntryState, *, reason: str, actor: str) -> Entry:
        """Disable, enable or withdraw an entry. Raises NotFoundError, InputError (no reason)."""
        if not reason.strip():
            raise InputError("give the reason of the change")
        check_text(reason, MAX_TEXT)
        before = self.entry(entry_id)
        if state is EntryState.ACTIVE and self.get(before.bank).kind is BankKind.ALLOW:
            check_apart([NewEntry(before.signal, before.value)], self._lists(), self)
        with self.store.write() as connection:
            set_entry_state(connection, entry_id, state, reason=reason, actor=actor, at=now())
        return self.entry(entry_id)

    def confirm(self, entry_id: int, *, reason: str, actor: str) -> None:
        """A curator answers for an entry on a host that many share; two are needed. Raises NotFoundError, InputError,
        ConflictError (the same curator did)."""
        if not reason.strip():
            raise InputError("give the reason: what you looked at, and why the whole host is not taken")
        check_text(reason, MAX_TEXT)
        self.entry(entry_id)
        with self._changing_banks() as connection:
            event = tables.event
            same = (event.c.subject == "entry", event.c.subject_id == entry_id, event.c.action == CONFIRMED)
            if connection.execute(select(event.c.id).where(*same, event.c.actor == actor)).first() is not None:
                raise ConflictError("you have confirmed this entry already: the second curator is another person")
            _record(connection, now(), "entry", entry_id, actor, CONFIRMED, {"reason": reason})

    def history(self, entry_id: int) -> list[BankEvent]:
        """What happened to an entry, oldest first. Raises NotFoundError."""
        entry = self.entry(entry_id)
        listed = BankEvent(entry.created_at, entry.created_by, "listed", {"source": entry.source})
        return [listed, *self._history("entry", entry_id)]

    def overlaps(self, entries: Iterable[NewEntry]) -> dict[tuple[str, bytes], Overlap]:
        """The values of these entries that no allow list takes, because they reach a listed one."""
        return find_overlaps((value for entry in entries for value in values_of(entry)), self._lists(), self)

    def set_overlaps_aside(self) -> int:
        """Disable the allow lists' entries that reach what has been listed since; how many."""
        return set_overlaps_aside(self.store, self._lists(), self)

    def _lists(self) -> Lists:
        if self.searcher is None:
            folder = (self.home or Path(os.devnull)) / "index"
            self.searcher = Indexes(folder, signal_types(), self, self.store.identity)
        self.searcher.refresh()
        return self.searcher

    # --- what matching and the index read

    def enabled(self) -> Sequence[Bank]:
        """The enabled banks, from memory."""
        return self._enabled

    @property
    def query_keys(self) -> Sequence[QueryKeys]:
        """The sets of query parameters that enabled banks list pages by, from memory."""
        return self._query_keys

    def refresh(self) -> None:
        """Notice changes of banks that other processes made; waits for whoever is at it. Raises StoreError."""
        with self._refreshing, self.store.read() as connection:
            version, sequence = connection.execute(select(tables.clock.c.banks, tables.clock.c.sequence)).one()
            if (version, sequence) != (self._version, self._sequence):
                self._query_keys = _query_keys(connection)
                self._sequence = sequence
            if version != self._version:
                rows = connection.execute(
                    select(tables.bank).where(tables.bank.c.enabled.is_(True)).order_by(tables.bank.c.name)
                )
                self._enabled = tuple(_bank(row) for row in rows)
                self._version = version

    def listed(self, signal_ids: Sequence[int]) -> list[Listed]:
        """The active entries, in enabled banks, of these signal rows: one for each place where an entry has the row."""
        found: list[Listed] = []
        with self.store.read() as connection:
            rows: list[Row[Any]] = []
            among: list[Row[Any]] = []
            for chunk in chunks(signal_ids):
                rows += connection.execute(_OWN_VALUES, {"ids": chunk})
                among += connection.execute(_AMONG_VALUES, {"ids": chunk})
            holders: dict[int, Row[Any]] = {}
            for chunk in chunks(sorted({row.entry_id for row in among})):
                holders |= {row.id: row for row in connection.execute(_HOLDERS, {"ids": chunk})}
            bank_ids = {row.bank_id for row in (*rows, *holders.values())}
            banks = {row.id: _bank(row) for row in connection.execute(_BANKS, {"ids": list(bank_ids)})}
        entries = {row.id: _entry(row) for row in (*rows, *holders.values())}
        found = [
            Listed(row.signal_id, entries[row.id], banks[row.bank_id], value=entries[row.id].value) for row in rows
        ]
        found += [
            Listed(
                row.signal_id,
                entries[row.entry_id],
                banks[holders[row.entry_id].bank_id],
                row.view,
                row.seconds,
                row.quality,
                bytes(row.value),
            )
            for row in among
            if row.entry_id in holders
        ]
        return sorted(found, key=lambda item: (item.entry.id, item.seconds or 0.0, item.view))

    def extent(self, entry_id: int, min_quality: int) -> Extent:
        """How much a video entry stands for, in frames of at least that quality."""
        table = entry_value.c
        query = select(func.count(), func.max(table.seconds)).where(
            table.entry_id == entry_id,
            table.view == WHOLE,
            or_(table.quality.is_(None), table.quality >= min_quality),
        )
        with self.store.read() as connection:
            frames, seconds = connection.execute(query).one()
        return Extent(int(frames), float(seconds or 0.0))

    def names_in_clear(
        self, signal: str, use: BankUse, signal_ids: Sequence[int] | None = None
    ) -> Iterator[tuple[int, int, str]]:
        """Signal row, entry and text of every active entry of a type in the enabled banks of a use; or of those signal
        rows alone. Entries that were listed as digests have no text and are left out."""
        entry, signals, banks = tables.entry, tables.signal, [bank.id for bank in self.enabled() if use in bank.uses]
        query = (
            select(entry.c.signal_id, entry.c.id, entry_text.c.text)
            .join(entry_text, entry_text.c.entry_id == entry.c.id)
            .join(signals, signals.c.id == entry.c.signal_id)
            .where(signals.c.type == signal, entry.c.state == EntryState.ACTIVE.value, entry.c.bank_id.in_(banks))
        )
        wanted = [None] if signal_ids is None else list(chunks(signal_ids))
        with self.store.read() as connection:
            for chunk in wanted:
                narrowed = query if chunk is None else query.where(entry.c.signal_id.in_(chunk))
                for row in connection.execute(narrowed.execution_options(yield_per=10_000)):
                    yield row.signal_id, row.id, row.text

    def text_in_clear(self, entry_id: int) -> str | None:
        """What an entry's value is the digest of; None where that was not kept."""
        with self.store.read() as connection:
            query = select(entry_text.c.text).where(entry_text.c.entry_id == entry_id)
            return connection.execute(query).scalar_one_or_none()

    @property
    def known_version(self) -> int:
        """The version of the banks that this process has taken in."""
        return self._version

    def version(self) -> int:
        """Rises with every change of any bank: its policy, its name, where it counts."""
        with self.store.read() as connection:
            return int(connection.execute(select(tables.clock.c.banks)).scalar_one())

    def head(self, signal: str) -> int:
        """As `ChangeFeed.head`."""
        query = select(func.coalesce(func.max(tables.signal.c.sequence), 0)).where(tables.signal.c.type == signal)
        with self.store.read() as connection:
            return int(connection.execute(query).scalar_one())

    def changes(self, signal: str, after: int, limit: int) -> list[ListChange]:
        """As `ChangeFeed.changes`."""
        table = tables.signal
        query = (
            select(table.c.sequence, table.c.id, table.c.value, table.c.active)
            .where(table.c.type == signal, table.c.sequence > after)
            .order_by(table.c.sequence)
            .limit(limit)
        )
        with self.store.read() as connection:
            return [ListChange(row[0], row[1], bytes(row[2]), bool(row[3])) for row in connection.execute(query)]

    def mark(self, name: str) -> None:
        """As `ChangeFeed.mark`."""
        with self.store.write() as connection:
            connection.execute(insert(tables.meta).values(name=name, value=""))

    def marked(self, name: str) -> bool:
        """As `ChangeFeed.marked`."""
        with self.store.read() as connection:
            return connection.execute(select(tables.meta.c.name).where(tables.meta.c.name == name)).first() is not None

    def unmark(self, name: str) -> None:
        """As `ChangeFeed.unmark`."""
        with self.store.write() as connection:
            connection.execute(delete(tables.meta).where(tables.meta.c.name == name))

    def _history(self, subject: str, subject_id: int) -> list[BankEvent]:
        table = tables.event
        query = select(table).where(table.c.subject == subject, table.c.subject_id == subject_id).order_by(table.c.id)
        with self.store.read() as connection:
            return [BankEvent(moment(row.at), row.actor, row.action, row.detail) for row in connection.execute(query)]

    @contextmanager
    def _changing_banks(self) -> Iterator[Connection]:
        with self.store.write() as connection:
            advance_banks(connection)
            yield connection
        self.refresh()

    def _check(
        self, *, name: str | None, label: str | None, description: str | None, policy: Policy | PolicyChange | None
    ) -> None:
        if name is not None and not _NAME.fullmatch(name):
            raise InputError(
                "{name!r} is no name for a bank: use lower-case letters, digits, '.', '_' and '-', at most 128",
                name=name[:128],
            )
        if label is not None and label not in self.labels():
            raise InputError(
                "unknown label {label!r}; known here: {labels}", label=label, labels=", ".join(self.labels())
            )
        check_text(description or "", MAX_TEXT)
        if policy is not None:
            if policy.min_quality is not None and not 0 <= policy.min_quality <= 100:
                raise InputError("the minimum quality is a number from 0 to 100")
            for signal, threshold in (policy.thresholds or {}).items():
                highest = signal_type(signal).max_threshold
                if not 0 <= threshold <= highest:
                    raise InputError(
                        "a threshold for {signal} is a whole number from 0 to {highest}", signal=signal, highest=highest
                    )


def check_text(text: str, limit: int) -> None:
    """Raise InputError for a text that is too long, or that no database stores."""
    if len(text) > limit:
        raise InputError("a text of {text:,} characters is over the limit of {limit:,}", text=len(text), limit=limit)
    if "\x00" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise InputError("a text holds characters that cannot be stored")


def _without_views(entry: NewEntry) -> NewEntry:
    return entry if composite_type(entry.signal) else replace(entry, values=())


def _entries() -> Select[Any]:
    entry, signal = tables.entry, tables.signal
    return (
        select(
            *[column for column in entry.c if column.name != "import_id"],
            signal.c.type.label("type"),
            signal.c.value.label("value"),
            tables.bank.c.name.label("bank"),
            entry_keys.c["keys"].label("query_keys"),
        )
        .join(signal, signal.c.id == entry.c.signal_id)
        .join(tables.bank, tables.bank.c.id == entry.c.bank_id)
        .outerjoin(entry_keys, entry_keys.c.entry_id == entry.c.id)
    )


# What every match asks for is put together once: that takes longer than the database does.
_IDS: BindParameter[Any] = bindparam("ids", expanding=True)
_COUNTS = (tables.entry.c.state == EntryState.ACTIVE.value, tables.bank.c.enabled.is_(True))
_OWN_VALUES = _entries().where(tables.entry.c.signal_id.in_(_IDS), *_COUNTS)
_AMONG_VALUES = (
    select(*[column for column in entry_value.c if column.name != "id"], tables.signal.c.value)
    .join(tables.signal, tables.signal.c.id == entry_value.c.signal_id)
    .join(tables.entry, tables.entry.c.id == entry_value.c.entry_id)
    .join(tables.bank, tables.bank.c.id == tables.entry.c.bank_id)
    .where(entry_value.c.signal_id.in_(_IDS), *_COUNTS)
)
_HOLDERS = _entries().where(tables.entry.c.id.in_(_IDS))
_BANKS = select(tables.bank).where(tables.bank.c.id.in_(_IDS))


def _query_keys(connection: Connection) -> tuple[QueryKeys, ...]:
    entry, bank = tables.entry, tables.bank
    # Not a join: SQLite would begin it with the bank, and read all of its entries after each change.
    counts = (
        select(entry.c.id)
        .join(bank, bank.c.id == entry.c.bank_id)
        .where(entry.c.id == entry_keys.c.entry_id, entry.c.state == EntryState.ACTIVE.value, bank.c.enabled.is_(True))
        .exists()
    )
    query = select(entry_keys.c["keys"]).where(counts).distinct()
    return tuple(sorted(tuple(keys.split(",")) for keys in connection.execute(query).scalars()))


def _bank_row(connection: Connection, name: str) -> Row[Any] | None:
    return connection.execute(select(tables.bank).where(tables.bank.c.name == name)).first()


def _record(
    connection: Connection,
    at: int,
    subject: str,
    subject_id: int,
    actor: str,
    action: str,
    detail: Mapping[str, Any],
) -> None:
    connection.execute(
        insert(tables.event).values(
            at=at, subject=subject, subject_id=subject_id, actor=actor, action=action, detail=dict(detail)
        )
    )


def _policy_columns(policy: Policy | PolicyChange) -> dict[str, Any]:
    columns = {
        "action": None if policy.action is None else Action(policy.action).value,
        "thresholds": None if policy.thresholds is None else dict(policy.thresholds),
        "min_quality": policy.min_quality,
    }
    return {name: value for name, value in columns.items() if value is not None}


def _bank(row: Row[Any]) -> Bank:
    return Bank(
        id=row.id,
        name=row.name,
        kind=BankKind(row.kind),
        label=row.label,
        description=row.description,
        policy=Policy(Action(row.action), dict(row.thresholds), row.min_quality),
        enabled=bool(row.enabled),
        created_at=moment(row.created_at),
        updated_at=moment(row.updated_at),
        uses=frozenset(map(BankUse, row.uses)),
    )


def _entry(row: Row[Any]) -> Entry:
    return Entry(
        id=row.id,
        bank=row.bank,
        signal=row.type,
        value=bytes(row.value),
        source=row.source,
        reference=row.reference,
        label=row.label,
        note=row.note,
        state=EntryState(row.state),
        reason=row.reason,
        created_by=row.created_by,
        created_at=moment(row.created_at),
        updated_at=moment(row.updated_at),
        keys=tuple(row.query_keys.split(",")) if row.query_keys else (),
    )
