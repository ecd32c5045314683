"""`Exchanges`: the outside lists that a deployment keeps its banks equal to, as rows of the store.

A row holds what is pulled from where, how often, and how far; secrets are references only.
"""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from tutela.errors import ConflictError, InputError, NotFoundError
from tutela.foundation.http import Patience
from tutela.foundation.store import tables
from tutela.foundation.store.database import microseconds, moment, now
from tutela.foundation.store.exchange_tables import entry_flag, remote_entry
from tutela.foundation.store.exchange_tables import exchange as table
from tutela.lists.banks.model import BankKind
from tutela.lists.banks.revisions import withdraw_entries
from tutela.lists.banks.service import Banks
from tutela.lists.exchanges.base import Exchange
from tutela.lists.exchanges.destinations import bind, check_moved
from tutela.lists.exchanges.registry import checked, kind, open_exchange

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
INTERVAL_S = 300
STALE_AFTER_S = 3 * 3600
_BATCH = 5_000


@dataclass(frozen=True, slots=True)
class Giving:
    """What an operator gives back to one list. Nothing unless they say so."""

    feedback: bool = False
    """Whether reviewers' decisions on matches with its entries are handed in."""
    seen: bool = False
    """Whether it is told of an entry's first match, before anybody has decided."""
    share_bank: str | None = None
    """The bank whose confirmed entries are handed in."""
    share_labels: tuple[str, ...] = ()
    """Only entries of these labels; all where there are none."""


@dataclass(frozen=True, slots=True)
class ExchangeRow:
    """One outside list and how far it has been pulled."""

    id: int
    name: str
    kind: str
    bank: str
    bank_id: int
    options: Mapping[str, str] = field(repr=False)
    giving: Giving
    enabled: bool
    interval_s: int
    stale_after_s: int
    checkpoint: str | None = field(repr=False)
    version: int
    generation: int
    sweeping: bool
    """Whether a pull of the whole list is under way, after which what it did not name is withdrawn."""
    sweep_at: int | None
    """Microseconds since the epoch; a pull that begins later may withdraw what the whole list did not name."""
    listed: int
    """Entries of the list that count there now."""
    rejected: int
    """Parts of the list that could not be read."""
    failures: int
    """Pulls that failed one after the other."""
    error: str | None
    attempted_at: datetime | None
    pulled_at: datetime | None
    """When a pull last read everything up to then."""
    next_at: datetime
    created_by: str
    created_at: datetime

    @property
    def source(self) -> str:
        """The source that its entries name."""
        return f"exchange:{self.name}"

    def age_s(self, at: datetime) -> float:
        """Seconds since everything was last read, since it was added where that never was."""
        return (at - (self.pulled_at or self.created_at)).total_seconds()

    def stale(self, at: datetime) -> bool:
        """Whether the list is older than its operator accepts."""
        return self.enabled and self.age_s(at) > self.stale_after_s


class Exchanges:
    """The exchanges of one store. Thread-safe."""

    def __init__(self, banks: Banks) -> None:
        self.banks = banks
        self.store = banks.store

    def add(
        self,
        name: str,
        kind_name: str,
        bank: str,
        options: Mapping[str, str],
        *,
        interval_s: int = INTERVAL_S,
        stale_after_s: int = STALE_AFTER_S,
        giving: Giving | None = None,
        actor: str,
        from_afar: bool = False,
    ) -> ExchangeRow:
        """Write an exchange down; nothing is pulled yet. Raises InputError, NotFoundError, ConflictError.

        `from_afar`: over HTTP, where secrets go only where they went before.
        """
        if not _NAME.fullmatch(name):
            raise InputError(
                "{name!r} is no name: use lower-case letters, digits, '.', '_' and '-', at most 64", name=name[:64]
            )
        kept = checked(kind(kind_name), options)
        _check_times(interval_s, stale_after_s)
        target = self.banks.get(bank)
        if target.kind is not BankKind.KNOWN:
            raise InputError("bank {bank!r} is an allow list: an outside list cannot fill it", bank=bank)
        giving = self._checked_giving(giving or Giving(), bank)
        at = now()
        with self.store.write() as connection:
            if _row(connection, name) is not None:
                raise ConflictError("an exchange named {name!r} exists already", name=name)
            bind(connection, kind(kind_name), kept, from_afar=from_afar)
            connection.execute(
                insert(table).values(
                    name=name,
                    kind=kind_name,
                    bank_id=target.id,
                    options=kept,
                    giving=asdict(giving),
                    enabled=True,
                    interval_s=interval_s,
                    stale_after_s=stale_after_s,
                    version=0,
                    generation=0,
                    sweeping=False,
                    listed=0,
                    rejected=0,
                    failures=0,
                    next_at=at,
                    shared_through=0,
                    created_by=actor,
                    created_at=at,
                )
            )
        return self.get(name)

    def get(self, name: str) -> ExchangeRow:
        """The exchange of that name. Raises NotFoundError."""
        with self.store.read() as connection:
            row = _row(connection, name)
        if row is None:
            raise NotFoundError("there is no exchange named {name!r}", name=name)
        return _exchange(row)

    def all(self) -> list[ExchangeRow]:
        """Every exchange, by name."""
        with self.store.read() as connection:
            return self.all_in(connection)

    def all_in(self, connection: Connection) -> list[ExchangeRow]:
        """As `all`, inside a transaction of the caller's."""
        return [_exchange(row) for row in connection.execute(_select().order_by(table.c.name))]

    def due(self, at: datetime) -> list[ExchangeRow]:
        """The enabled exchanges whose time has come, longest due first."""
        query = _select().where(table.c.enabled.is_(True), table.c.next_at <= microseconds(at))
        with self.store.read() as connection:
            return [_exchange(row) for row in connection.execute(query.order_by(table.c.next_at))]

    def update(
        self,
        name: str,
        *,
        options: Mapping[str, str] | None = None,
        enabled: bool | None = None,
        interval_s: int | None = None,
        stale_after_s: int | None = None,
        giving: Giving | None = None,
        from_afar: bool = False,
    ) -> ExchangeRow:
        """Change what is given and keep the rest; another address needs its credentials again.

        Raises NotFoundError, InputError, ConflictError (`from_afar`, as `add`).
        """
        before = self.get(name)
        values: dict[str, Any] = {}
        if options is not None:
            check_moved(kind(before.kind), before.options, options)
            values["options"] = checked(kind(before.kind), {**before.options, **options})
        if giving is not None:
            values["giving"] = asdict(self._checked_giving(giving, before.bank))
        if enabled is not None:
            values["enabled"] = enabled
        _check_times(interval_s or before.interval_s, stale_after_s or before.stale_after_s)
        values |= {
            column: value
            for column, value in (("interval_s", interval_s), ("stale_after_s", stale_after_s))
            if value is not None
        }
        if values:
            with self.store.write() as connection:
                if "options" in values:
                    bind(connection, kind(before.kind), values["options"], from_afar=from_afar)
                connection.execute(update(table).where(table.c.id == before.id).values(next_at=now(), **values))
        return self.get(name)

    def hasten(self, name: str) -> ExchangeRow:
        """Make an exchange due now. Raises NotFoundError."""
        with self.store.write() as connection:
            connection.execute(update(table).where(table.c.name == name).values(next_at=now()))
        return self.get(name)

    def open(self, row: ExchangeRow, patience: Patience | None = None) -> Exchange:
        """A connection to an exchange; close it. Raises InputError when a secret is not where it should be."""
        return open_exchange(kind(row.kind), row.options, patience)

    def remove(self, name: str, *, actor: str) -> int:
        """Forget an exchange and withdraw its entries; how many counted. A killed removal is done again."""
        row = self.get(name)
        withdrawn = 0
        with self.store.write() as connection:  # no scheduled pull and no running one writes from here on
            connection.execute(
                update(table).where(table.c.id == row.id).values(enabled=False, version=table.c.version + 1)
            )
        while True:
            with self.store.write() as connection:
                rows = connection.execute(
                    select(remote_entry.c.id, remote_entry.c.entries)
                    .where(remote_entry.c.exchange_id == row.id)
                    .limit(_BATCH)
                ).all()
                if not rows:
                    connection.execute(delete(table).where(table.c.id == row.id))
                    return withdrawn
                ids = [int(text) for found in rows for text in found.entries.split(",") if text]
                reason = f"exchange {name} was removed"
                withdrawn += withdraw_entries(connection, ids, reason=reason, actor=actor, at=now())
                connection.execute(delete(remote_entry).where(remote_entry.c.id.in_([found.id for found in rows])))

    def unknown_fingerprints(self, name: str) -> dict[str, int]:
        """How many entries carry a fingerprint that is kept raw, by type. Reads every such entry."""
        import json

        row, counts = self.get(name), dict[str, int]()
        query = select(remote_entry.c.unknown).where(
            remote_entry.c.exchange_id == row.id, remote_entry.c.listed.is_(True), remote_entry.c.unknown.is_not(None)
        )
        with self.store.read() as connection:
            for found in connection.execution_options(yield_per=_BATCH).execute(query):
                for type_name in {pair[0] for pair in json.loads(found.unknown)}:
                    counts[type_name] = counts.get(type_name, 0) + 1
        return dict(sorted(counts.items()))

    def flags(self, name: str, limit: int = 1000) -> list[tuple[int, str, str]]:
        """Entries of this exchange that hygiene marked and nobody cleared: (entry id, flag, detail)."""
        row, entry = self.get(name), tables.entry
        query = (
            select(entry_flag.c.entry_id, entry_flag.c.flag, entry_flag.c.detail)
            .join(entry, entry.c.id == entry_flag.c.entry_id)
            .where(entry.c.bank_id == row.bank_id, entry.c.source == row.source, entry_flag.c.cleared_at.is_(None))
            .order_by(entry_flag.c.id)
            .limit(limit)
        )
        with self.store.read() as connection:
            return [(found[0], found[1], found[2]) for found in connection.execute(query)]

    def _checked_giving(self, giving: Giving, bank: str) -> Giving:
        if giving.share_bank is not None:
            self.banks.get(giving.share_bank)
            if giving.share_bank == bank:
                raise InputError("the bank that the exchange fills cannot be the one that is shared with it")
        for label in giving.share_labels:
            if label not in self.banks.labels():
                raise InputError(
                    "unknown label {label!r}; known here: {banks}", label=label, banks=", ".join(self.banks.labels())
                )
        return giving


def _check_times(interval_s: int, stale_after_s: int) -> None:
    if not 1 <= interval_s <= 30 * 86_400 or not 1 <= stale_after_s <= 365 * 86_400:
        raise InputError("an interval is 1 second to 30 days, an age 1 second to a year")


def _select() -> Any:
    return select(table, tables.bank.c.name.label("bank")).join(tables.bank, tables.bank.c.id == table.c.bank_id)


def _row(connection: Connection, name: str) -> Row[Any] | None:
    found: Row[Any] | None = connection.execute(_select().where(table.c.name == name)).first()
    return found


def _exchange(row: Row[Any]) -> ExchangeRow:
    giving = row.giving
    return ExchangeRow(
        id=row.id,
        name=row.name,
        kind=row.kind,
        bank=row.bank,
        bank_id=row.bank_id,
        options=dict(row.options),
        giving=Giving(
            giving["feedback"], giving.get("seen", False), giving["share_bank"], tuple(giving["share_labels"])
        ),
        enabled=bool(row.enabled),
        interval_s=row.interval_s,
        stale_after_s=row.stale_after_s,
        checkpoint=row.checkpoint,
        version=row.version,
        generation=row.generation,
        sweeping=bool(row.sweeping),
        sweep_at=row.sweep_at,
        listed=row.listed,
        rejected=row.rejected,
        failures=row.failures,
        error=row.error,
        attempted_at=moment(row.attempted_at) if row.attempted_at is not None else None,
        pulled_at=moment(row.pulled_at) if row.pulled_at is not None else None,
        next_at=moment(row.next_at),
        created_by=row.created_by,
        created_at=moment(row.created_at),
    )


def earliest(at: datetime, seconds: float) -> int:
    """Microseconds since the epoch, so many seconds after a moment."""
    return microseconds(at + timedelta(seconds=seconds))
