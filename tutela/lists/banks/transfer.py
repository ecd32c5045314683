"""Importing and exporting whole lists, streaming.

Every batch of an import is one transaction that also writes how far the file was read, so that an import that was
killed goes on where the last batch ended: nothing is listed twice and nothing is left out.
"""

import gzip
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import BinaryIO, cast

import xxhash
from sqlalchemy import Connection, func, insert, or_, select, update

from tutela.content.links.link import DOMAIN
from tutela.content.signals.registry import composite_type
from tutela.errors import InputError
from tutela.foundation.store import tables
from tutela.foundation.store.bulk import select_in
from tutela.foundation.store.database import now
from tutela.lists.banks.columns import Columns
from tutela.lists.banks.entries import ListingOutcome, list_entries
from tutela.lists.banks.files import Format, Line, read_list, write_list
from tutela.lists.banks.growth import Growth
from tutela.lists.banks.lines import BadLine
from tutela.lists.banks.model import CLEAR_USES, Bank, BankKind, Entry, EntryState, EntryValue, NewEntry
from tutela.lists.banks.overlaps import refusal, values_of
from tutela.lists.banks.plain_pictures import plain_entries
from tutela.lists.banks.service import Banks

BATCH = 10_000
PAGE = 5_000
MAX_REJECTS_KEPT = 20
_GZIP = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class ImportResult:
    """What an import did so far."""

    lines: int = 0
    """Lines read, comments and blank ones too."""
    added: int = 0
    unchanged: int = 0
    rejected: int = 0
    resumed_at: int = 0
    """The line after which a killed import was taken up again, 0 for a fresh one."""
    rejects: tuple[BadLine, ...] = field(default=())
    """The first few bad lines."""
    left_out: tuple[str, ...] = ()
    """Columns of hashes that were not read: no signal type is called so, or another column was named."""
    plain: int = 0
    """Values listed now that look like those of pictures without detail, which match by chance or not at all."""


Progress = Callable[[ImportResult, int], None]
"""Called after every batch with the result so far and the bytes of the file that were read."""


class Importer:
    """Imports lists into the banks of one store."""

    def __init__(self, banks: Banks) -> None:
        self._store = banks.store
        self._banks = banks

    def import_file(
        self,
        path: Path,
        bank: str,
        *,
        actor: str,
        format: Format | None = None,
        signal: str | None = None,
        columns: Columns | None = None,
        source: str | None = None,
        reason: str | None = None,
        resume: bool = True,
        accept_growth: bool = False,
        batch: int = BATCH,
        on_progress: Progress | None = None,
        on_reject: Callable[[BadLine], None] | None = None,
    ) -> ImportResult:
        """List a file's values in a bank; `.gz` is read too. Takes up an import of the same file that did not end.

        Raises NotFoundError, InputError (the file as a whole cannot be read), StoreError, GrownError (the bank is for
        DNS or a proxy and grew or widened as no list does; `accept_growth` applies it).
        """
        try:
            with path.open("rb") as raw:
                stream: BinaryIO = raw
                if raw.peek(2)[:2] == _GZIP:
                    stream = cast(BinaryIO, gzip.GzipFile(fileobj=raw))
                return self.import_stream(
                    stream,
                    bank,
                    actor=actor,
                    format=format or format_of(path),
                    signal=signal,
                    columns=columns,
                    source=source or path.name,
                    reason=reason,
                    fingerprint=_fingerprint(path) if resume else "",
                    accept_growth=accept_growth,
                    batch=batch,
                    position=raw.tell,
                    on_progress=on_progress,
                    on_reject=on_reject,
                )
        except (OSError, EOFError) as error:
            raise InputError("{path} cannot be read: {error}", path=path, error=error) from error

    def import_stream(
        self,
        stream: BinaryIO,
        bank: str,
        *,
        actor: str,
        format: Format,
        source: str,
        signal: str | None = None,
        columns: Columns | None = None,
        reason: str | None = None,
        fingerprint: str = "",
        accept_growth: bool = False,
        batch: int = BATCH,
        position: Callable[[], int] = lambda: 0,
        on_progress: Progress | None = None,
        on_reject: Callable[[BadLine], None] | None = None,
    ) -> ImportResult:
        """As `import_file`, from an open stream. Only with a fingerprint can it be taken up again."""
        target = self._banks.get(bank)
        if target.kind is BankKind.ALLOW and not (reason or "").strip():
            raise InputError(
                "bank {bank!r} is an allow list: give the reason why these are known false matches", bank=bank
            )
        run_id, result = self._begin(target, source, fingerprint, actor)
        growth = self._growth(target, run_id, accepted=accept_growth)
        left_out: list[str] = []
        lines = read_list(
            stream,
            format=format,
            source=source,
            signal=signal,
            columns=columns,
            labels=self._banks.labels(),
            skip=result.lines,
            on_left_out=left_out.append,
        )
        if target.kind is BankKind.ALLOW:
            lines = self._apart(lines, batch)
        for entries, bad, last_line in _batches(lines, batch, result.lines):
            for line in bad:
                if on_reject is not None:
                    on_reject(line)
            result = self._apply(target, run_id, result, entries, bad, last_line, actor, reason, growth)
            result = replace(result, left_out=tuple(left_out), plain=result.plain + sum(plain_entries(entries)))
            if on_progress is not None:
                on_progress(result, position())
        self._finish(run_id)
        return result

    def _apart(self, lines: Iterator[Line], batch: int) -> Iterator[Line]:
        """The lines of an allow list, those that reach a listed value as lines that could not be read."""
        while some := list(islice(lines, batch)):
            found = self._banks.overlaps(line[1] for line in some if not isinstance(line, BadLine))
            for line in some:
                if not isinstance(line, BadLine):
                    reached = next((value for value in values_of(line[1]) if value in found), None)
                    if reached is not None:
                        line = BadLine(line[0], refusal(reached[0], found[reached]))
                yield line

    def _begin(self, bank: Bank, source: str, fingerprint: str, actor: str) -> tuple[int, ImportResult]:
        run, at = tables.import_run, now()
        with self._store.write() as connection:
            if fingerprint:
                row = connection.execute(
                    select(run)
                    .where(
                        run.c.bank_id == bank.id,
                        run.c.fingerprint == fingerprint,
                        run.c.source == source,
                        run.c.finished.is_(False),
                    )
                    .order_by(run.c.id.desc())
                ).first()
                if row is not None:
                    return row.id, ImportResult(row.lines, row.added, row.unchanged, row.rejected, row.lines)
            result = connection.execute(
                insert(run).values(
                    bank_id=bank.id,
                    source=source,
                    fingerprint=fingerprint,
                    actor=actor,
                    lines=0,
                    added=0,
                    unchanged=0,
                    rejected=0,
                    finished=False,
                    created_at=at,
                    updated_at=at,
                )
            )
            key = result.inserted_primary_key
            assert key is not None
            return key[0], ImportResult()

    def _apply(
        self,
        bank: Bank,
        run_id: int,
        before: ImportResult,
        entries: list[NewEntry],
        bad: list[BadLine],
        last_line: int,
        actor: str,
        reason: str | None,
        growth: Growth,
    ) -> ImportResult:
        at = now()
        with self._store.write() as connection:
            outcome = list_entries(connection, bank.id, entries, actor=actor, at=at, import_id=run_id, reason=reason)
            _check_growth(connection, growth, bank, run_id, entries, outcome)
            result = replace(
                before,
                lines=last_line,
                added=before.added + outcome.added,
                unchanged=before.unchanged + outcome.unchanged,
                rejected=before.rejected + len(bad),
                rejects=(*before.rejects, *bad)[:MAX_REJECTS_KEPT],
            )
            connection.execute(
                update(tables.import_run)
                .where(tables.import_run.c.id == run_id)
                .values(
                    lines=result.lines,
                    added=result.added,
                    unchanged=result.unchanged,
                    rejected=result.rejected,
                    updated_at=at,
                )
            )
        return result

    def _growth(self, bank: Bank, run_id: int, *, accepted: bool) -> Growth:
        """What watches this import. The list is the whole bank: every file has a name of its own, and what another file
        named already is not new."""
        remedy = f"tutela bank import {bank.name} … --accept-growth"
        if accepted or not CLEAR_USES & bank.uses:  # nothing is watched, so nothing is counted
            return Growth(bank, 0, accepted=accepted, remedy=remedy)
        entry = tables.entry
        values = select(func.count(entry.c.signal_id.distinct())).where(
            entry.c.bank_id == bank.id, entry.c.state == EntryState.ACTIVE.value
        )
        others = or_(entry.c.import_id.is_(None), entry.c.import_id != run_id)
        with self._store.read() as connection:
            before = connection.execute(values.where(others)).scalar_one()
            new = connection.execute(values).scalar_one() - before
        return Growth(bank, before, accepted=accepted, remedy=remedy, new=new)

    def _finish(self, run_id: int) -> None:
        run = tables.import_run
        with self._store.write() as connection:
            connection.execute(update(run).where(run.c.id == run_id).values(finished=True, updated_at=now()))


def _check_growth(
    connection: Connection,
    growth: Growth,
    bank: Bank,
    run_id: int,
    entries: Sequence[NewEntry],
    outcome: ListingOutcome,
) -> None:
    """Have a batch watched: the values that the bank did not list before. Raises GrownError."""
    if not growth.watches:
        return
    entry = tables.entry.c
    made = select_in(
        connection, (entry.id, entry.signal_id), entry.id, sorted({*outcome.entry_ids}), {"import_id": run_id}
    )
    fresh = {row[0]: row[1] for row in made}
    columns = (entry.signal_id, entry.import_id, entry.state)
    rows = select_in(connection, columns, entry.signal_id, sorted({*fresh.values()}), {"bank_id": bank.id})
    known = {row[0] for row in rows if row[1] != run_id and row[2] == EntryState.ACTIVE.value}
    new = {entry_id for entry_id, signal_id in fresh.items() if signal_id not in known}
    domains = {at for at, item in zip(outcome.entry_ids, entries, strict=True) if item.signal == DOMAIN}
    again = max(0, outcome.added - len(fresh))
    grown = min(outcome.added, len({fresh[entry_id] for entry_id in new}) + again)
    growth.check(connection, grown, sorted(new & domains))


def export_list(banks: Banks, bank: str, format: Format, *, state: EntryState | None = None) -> Iterator[str]:
    """A bank's entries as a list, piece by piece. Raises NotFoundError before the first piece."""
    banks.get(bank)

    def values(entry: Entry) -> Sequence[EntryValue]:
        return banks.values(entry.id) if composite_type(entry.signal) else ()

    return write_list(_entries(banks, bank, state), format, values)


def _entries(banks: Banks, bank: str, state: EntryState | None) -> Iterator[Entry]:
    after = 0
    while page := banks.entries(bank, state=state, after=after, limit=PAGE):
        yield from page
        after = page[-1].id


def format_of(path: Path) -> Format:
    """The format by the file's name; text where it says nothing."""
    suffixes = [suffix.lower() for suffix in path.suffixes if suffix.lower() != ".gz"]
    known = {
        ".csv": Format.CSV,
        ".tsv": Format.CSV,
        ".json": Format.JSON,
        ".jsonl": Format.JSONL,
        ".ndjson": Format.JSONL,
    }
    return known.get(suffixes[-1], Format.TEXT) if suffixes else Format.TEXT


def _batches(lines: Iterator[Line], size: int, start: int) -> Iterator[tuple[list[NewEntry], list[BadLine], int]]:
    entries: list[NewEntry] = []
    bad: list[BadLine] = []
    last, weight = start, 0
    for line in lines:
        number = line.line if isinstance(line, BadLine) else line[0]
        if weight >= size and number != last:  # a line with several hashes is taken whole, or not yet
            yield entries, bad, last
            entries, bad, weight = [], [], 0
        if isinstance(line, BadLine):
            bad.append(line)
            last = line.line
            weight += 1
        else:
            last, entry = line
            entries.append(entry)
            weight += 1 + len(entry.values)
    yield entries, bad, last


def _fingerprint(path: Path) -> str:
    """Tells files apart without reading all of them: size, and a hash of both ends."""
    size = path.stat().st_size
    digest = xxhash.xxh3_128(str(size).encode())
    with path.open("rb") as file:
        digest.update(file.read(1 << 20))
        file.seek(max(0, size - (1 << 20)), os.SEEK_SET)
        digest.update(file.read())
    return f"xxh3:{digest.hexdigest()}"
