"""Hash lists as files: reading CSV, text and JSON a line at a time, and writing them.

A reader never stops at a bad line: it yields what is wrong with it, with its number, and goes on. Lines are of bounded
length, so memory stays flat whatever a file claims to be.
"""

import csv
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from itertools import chain
from typing import BinaryIO, TypeVar

from tutela.content.signals.registry import composite_type, signal_types
from tutela.errors import InputError, InvalidSignalError
from tutela.lists.banks.columns import NESTED, NOT_KNOWN, Columns, Layout, hash_named, looks_like_a_hash, squashed
from tutela.lists.banks.foreign import is_foreign, read_foreign
from tutela.lists.banks.json_items import json_items
from tutela.lists.banks.lines import MAX_LINE, BadLine, joined_frames, text_lines
from tutela.lists.banks.model import Entry, EntryValue, NewEntry
from tutela.lists.banks.values import new_entry, text_of

_CHECKSUM = re.compile(r"\\?([0-9A-Fa-f]{32,288})(?:  | \*)(\S.*)$")
"""A line of md5sum and its kin: the digest, a mark of the mode, the file's name."""
_CHECKSUM_BSD = re.compile(r"(\w[\w-]*) \((.+)\) = ([0-9A-Fa-f]{32,128})\s*$")
"""The same by BSD's tools and `--tag`."""
_EMPTY: tuple[object, ...] = (None, "", [], {})
_LAYOUTS_KEPT = 64
_DIGEST_OF_LENGTH = {32: "md5", 40: "sha1"}

csv.field_size_limit(MAX_LINE)


class Format(StrEnum):
    """The form of a list."""

    CSV = "csv"
    TEXT = "text"
    """One value a line; what follows a # is a comment."""
    JSON = "json"
    """An array of objects or texts."""
    JSONL = "jsonl"
    """An object or a text a line."""


Line = tuple[int, NewEntry] | BadLine


def read_list(
    stream: BinaryIO,
    *,
    format: Format,
    source: str,
    signal: str | None = None,
    columns: Columns | None = None,
    labels: Iterable[str] | None = (),
    skip: int = 0,
    on_left_out: Callable[[str], None] = lambda _: None,
) -> Iterator[Line]:
    """The entries of a list, with the number of each line (or array item), and what is wrong with the others.

    A line has an entry for each of its hashes. `signal` is the type of values whose line does not say it. A label that
    is not among `labels` is kept in the note, so that the value still counts; where `labels` is None every label is
    kept. The first `skip` lines are passed over unread. `on_left_out` hears the name of each column of hashes that is
    not read.
    Raises InputError when the whole file is not of the format.
    """
    known = None if labels is None else frozenset(labels)
    reader = _Reader(source, signal, columns or Columns(), known, on_left_out)
    match format:
        case Format.TEXT if signal is not None and composite_type(signal) is not None:
            yield from reader.each(joined_frames(text_lines(stream, skip)), reader.text)
        case Format.TEXT:
            yield from reader.each(text_lines(stream, skip), reader.text)
        case Format.JSONL:
            yield from reader.each(text_lines(stream, skip), reader.json_line)
        case Format.JSON:
            numbered = ((number, item) for number, item in enumerate(json_items(stream), start=1) if number > skip)
            yield from reader.each(numbered, reader.item)
        case Format.CSV:
            yield from reader.csv(stream, skip)


Said = Mapping[str, str]
"""What a line says beside its hashes, by field."""
Found = NewEntry | InputError
T = TypeVar("T")


class _Reader:
    def __init__(
        self,
        source: str,
        signal: str | None,
        columns: Columns,
        labels: frozenset[str] | None,
        on_left_out: Callable[[str], None],
    ) -> None:
        self._source = source
        self._signal = signal
        self._columns = columns
        self._labels = labels
        self._on_left_out = on_left_out
        self._left_out: set[str] = set()
        self._layouts: dict[tuple[str, ...], Layout] = {}

    def each(
        self, lines: Iterable[tuple[int, T] | BadLine], parse: Callable[[T], Iterable[Found] | None]
    ) -> Iterator[Line]:
        for line in lines:
            if isinstance(line, BadLine):
                yield line
                continue
            number, item = line
            try:
                for found in parse(item) or ():
                    yield BadLine(number, str(found)) if isinstance(found, InputError) else (number, found)
            except (InputError, ValueError, TypeError) as error:
                yield BadLine(number, str(error))

    def text(self, line: str) -> list[Found] | None:
        if found := _CHECKSUM.match(line):
            value, name = found[1], found[2].strip()
            return self._entries([(value, None)], {"reference": "" if name.startswith("#") else name[:255]})
        if found := _CHECKSUM_BSD.match(line):
            return self._entries([(found[3], hash_named(found[1]) or found[1])], {"reference": found[2][:255]})
        value = line.partition("#")[0].strip()
        return self._entries([(value, None)], {}) if value else None

    def json_line(self, line: str) -> list[Found] | None:
        return self.item(json.loads(line)) if line.strip() else None

    def item(self, item: object) -> list[Found]:
        if isinstance(item, str):
            return self._entries([(item, None)], {})
        if not isinstance(item, dict):
            raise InputError("an item is an object or a text")
        others = [one for name, nested in item.items() if squashed(name) in NESTED for one in self._nested(nested)]
        # An empty field stands for none: what is called otherwise may have the value.
        names = tuple(name for name in item if item[name] not in _EMPTY)
        layout = self._layout(names, besides=bool(others) or len(names) < len(item))
        said = {field: str(item[column]) for field, column in layout.fields.items()}
        hashes = [(str(item[name]), kind) for name, kind in layout.hashes]
        return self._entries([*hashes, *others], said)

    def csv(self, stream: BinaryIO, skip: int) -> Iterator[Line]:
        lines = text_lines(stream, 0)
        first = next((item for item in lines if isinstance(item, BadLine) or item[1].strip()), None)
        if first is None:
            return
        if isinstance(first, BadLine):
            raise InputError("line 1: {reason}", reason=first.reason)
        delimiter = max(",;\t|", key=first[1].count)
        header = _cells(first[1], delimiter)
        layout = self._header(header)
        if layout is None:
            header, layout = [""], Layout((("", None),), {}, ())
            lines = chain([first], lines)
        table = _Table(header, layout, delimiter)
        later = (item for item in lines if (item.line if isinstance(item, BadLine) else item[0]) > skip)
        yield from self.each(later, lambda line: self._row(line, table) if line.strip() else None)

    def _header(self, header: list[str]) -> Layout | None:
        """Where everything stands; None where the first line is no header but already a value."""
        named = any(name.strip().lower() in self._columns.value or hash_named(name) for name in header)
        if len(header) == 1 or not named or looks_like_a_hash(header[0]):
            try:
                self._entry(header[0].strip(), None, {})
            except InputError:
                pass
            else:
                return None
        if any(map(looks_like_a_hash, header)):
            raise InputError("line 1 has a hash where columns are named: put a header before it, such as value,type")
        return self._layout(tuple(header))

    def _row(self, line: str, table: "_Table") -> list[Found]:
        cells = [cell.strip() for cell in _cells(line, table.delimiter)]
        if not table.looked_at:
            table.looked_at = True
            for name in table.unread:
                if (at := table.header.index(name)) < len(cells) and looks_like_a_hash(cells[at]):
                    self._leave_out(name)
        return self._entries(
            [(cells[at], kind) for at, kind in table.hashes if at < len(cells) and cells[at]],
            {field: cells[at] for field, at in table.fields.items() if at < len(cells)},
        )

    def _layout(self, names: tuple[str, ...], *, besides: bool = False) -> Layout:
        if (layout := self._layouts.get(names)) is None:
            layout = self._columns.of(names, besides=besides)
            if len(self._layouts) < _LAYOUTS_KEPT:
                self._layouts[names] = layout
            for name in layout.left_out:
                self._leave_out(name)
        return layout

    def _nested(self, nested: object) -> Iterator[tuple[str, str | None]]:
        """The further hashes of an item: objects of a name and a value, as Project VIC's sets have them, hashes by
        their names, or texts."""
        for one in nested if isinstance(nested, list) else [nested]:
            if isinstance(one, dict):
                yield from self._named(one)
            elif one not in _EMPTY:
                yield str(one), None

    def _named(self, one: dict[str, object]) -> Iterator[tuple[str, str | None]]:
        fields = {squashed(name): str(text) for name, text in one.items() if text not in _EMPTY}
        name = fields.get("hashname") or fields.get("type") or ""
        values = [fields[field] for field in ("hashvalue", "value", "hash") if field in fields]
        pairs = [(name, values[0])] if values else list(fields.items())
        for called, value in pairs:
            if not called or hash_named(called) is not None:
                yield value, hash_named(called)
            elif values or NOT_KNOWN.fullmatch(called):
                self._leave_out(called)

    def _leave_out(self, name: str) -> None:
        if name not in self._left_out and len(self._left_out) < _LAYOUTS_KEPT:
            self._left_out.add(name)
            self._on_left_out(name)

    def _entries(self, hashes: Sequence[tuple[str, str | None]], said: Said) -> list[Found]:
        if not hashes:
            raise InputError("the line has no value")
        found: list[Found] = []
        for text, kind in hashes:
            try:
                found += self._meant(text.strip(), kind, said)
            except InputError as error:
                found.append(error)
        return list(dict.fromkeys(found))

    def _meant(self, text: str, kind: str | None, said: Said) -> list[NewEntry]:
        """The entries of one value: several where another system's type means several here."""
        name = kind or said.get("signal", "").lower() or self._signal or ""
        if name in signal_types() or not is_foreign(name):
            return [self._entry(text, kind, said)]
        return [self._entry(value, signal, said) for signal, value in read_foreign(name, text)]

    def _entry(self, text: str, kind: str | None, said: Said) -> NewEntry:
        name = kind or said.get("signal", "").lower() or self._signal or _DIGEST_OF_LENGTH.get(len(text))
        if name is None:
            raise InvalidSignalError("the type of {text!r} is not clear from its length; name it", text=text[:80])
        name = name if name in signal_types() else hash_named(name) or name
        if (state := said.get("state", "").lower()) not in ("", "active"):
            raise InputError("the line's state is {state!r}: only active entries are listed", state=state[:80])
        label, note = said.get("label") or None, said.get("note") or None
        if label is not None and self._labels is not None and label not in self._labels:
            label, note = None, f"listed as {label}" + (f"; {note}" if note else "")
        reference = said.get("reference", "")
        if len(reference) > 255 or "\x00" in reference + (note or ""):
            raise InputError("the reference is too long, or a text holds a NUL")
        return new_entry(name, text, self._source, reference, label, note)


class _Table:
    """A CSV file's columns by their places."""

    def __init__(self, header: list[str], layout: Layout, delimiter: str) -> None:
        self.header = header
        self.delimiter = delimiter
        self.hashes = [(header.index(name), kind) for name, kind in layout.hashes]
        self.fields = {field: header.index(name) for field, name in layout.fields.items()}
        read = {name for name, _ in layout.hashes} | set(layout.fields.values()) | set(layout.left_out)
        self.unread = [name for name in header if name not in read]
        self.looked_at = False
        """Whether a row was looked at for hashes in columns that are not read."""


def _cells(line: str, delimiter: str) -> list[str]:
    if '"' not in line:
        return line.split(delimiter)
    try:
        return next(csv.reader((line,), delimiter=delimiter, strict=True))
    except (csv.Error, StopIteration) as error:
        raise InputError("the line is not CSV: {error}", error=error) from None


FIELDS = ("signal", "value", "label", "source", "reference", "state", "reason", "note")


Values = Callable[[Entry], Sequence[EntryValue]]
"""What else an entry stands for, looked up when it is written."""


def write_list(entries: Iterable[Entry], format: Format, values: Values = lambda entry: ()) -> Iterator[str]:
    """A list as text, piece by piece; `read_list` reads it back."""
    match format:
        case Format.TEXT:
            for entry in entries:
                yield f"{text_of(entry, values(entry))}\n"
        case Format.CSV:
            yield ",".join(FIELDS) + "\n"
            for entry in entries:
                yield ",".join(map(_csv_cell, _fields(entry, values).values())) + "\n"
        case Format.JSONL:
            for entry in entries:
                yield json.dumps(_fields(entry, values)) + "\n"
        case Format.JSON:
            separator = "[\n"
            for entry in entries:
                yield separator + json.dumps(_fields(entry, values))
                separator = ",\n"
            yield "[]\n" if separator == "[\n" else "\n]\n"


def _fields(entry: Entry, values: Values) -> dict[str, str | None]:
    return {
        "signal": entry.signal,
        "value": text_of(entry, values(entry)),
        "label": entry.label,
        "source": entry.source,
        "reference": entry.reference,
        "state": entry.state.value,
        "reason": entry.reason,
        "note": entry.note,
    }


def _csv_cell(value: str | None) -> str:
    # A list has one entry a line: line ends inside a text would break that.
    if not value:
        return ""
    text = " ".join(value.splitlines())
    return '"' + text.replace('"', '""') + '"' if "," in text or '"' in text else text
