"""Hash lists as files: reading CSV, text and JSON a line at a time, and writing them.

A reader never stops at a bad line: it yields what is wrong with it, with its number, and goes on. Lines are of bounded
length, so memory stays flat whatever a file claims to be.
"""

import codecs
import csv
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import BinaryIO

from tutela.content.signals.registry import composite_type, signal_types
from tutela.errors import InputError, InvalidSignalError
from tutela.lists.banks.model import Entry, EntryValue, NewEntry
from tutela.lists.banks.values import new_entry, text_of

MAX_LINE = 4 * 1024 * 1024
"""Characters of a line: as long as a video's list of frames."""
_CHUNK = 1 << 20
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


@dataclass(frozen=True, slots=True)
class Columns:
    """What a list calls its fields. The first name that a list has counts."""

    value: tuple[str, ...] = (
        "value",
        "hash",
        "hash_value",
        "hashvalue",
        "indicator",
        "pdq",
        "md5",
        "sha1",
        "sha256",
    )
    signal: tuple[str, ...] = (
        "signal",
        "type",
        "hash_type",
        "hashtype",
        "signal_type",
        "signaltype",
        "algorithm",
    )
    label: tuple[str, ...] = ("label", "category", "classification", "class")
    reference: tuple[str, ...] = ("reference", "id", "ref", "identifier")
    note: tuple[str, ...] = ("note", "comment", "description")
    state: tuple[str, ...] = ("state",)

    def of(self, names: Iterable[str]) -> dict[str, str]:
        """Field by field, the column of these that carries it. Raises InputError when none carries the value."""
        by_name = {name.strip().lower().replace(" ", "_"): name for name in names}
        found = {
            field: by_name[candidate]
            for field in ("value", "signal", "label", "reference", "note", "state")
            for candidate in reversed(getattr(self, field))
            if candidate in by_name
        }
        if "value" not in found:
            raise InputError(f"no column is called {', '.join(self.value)}; name the one that holds the hashes")
        return found


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that could not be read, and why."""

    line: int
    reason: str


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
) -> Iterator[Line]:
    """The entries of a list, with the number of each line (or array item), and what is wrong with the others.

    `signal` is the type of values whose line does not say it. A label that is not among `labels` is kept in the
    note, so that the value still counts; where `labels` is None every label is kept. The first `skip` lines are passed
    over unread.
    Raises InputError when the whole file is not of the format.
    """
    reader = _Reader(source, signal, columns or Columns(), None if labels is None else frozenset(labels))
    match format:
        case Format.TEXT if signal is not None and composite_type(signal) is not None:
            yield from reader.each(_joined(_lines(stream, skip)), reader.text)
        case Format.TEXT:
            yield from reader.each(_lines(stream, skip), reader.text)
        case Format.JSONL:
            yield from reader.each(_lines(stream, skip), reader.json_line)
        case Format.JSON:
            yield from reader.array(stream, skip)
        case Format.CSV:
            yield from reader.csv(stream, skip)


class _Reader:
    def __init__(self, source: str, signal: str | None, columns: Columns, labels: frozenset[str] | None) -> None:
        self._source = source
        self._signal = signal
        self._columns = columns
        self._labels = labels

    def each(
        self, lines: Iterable[tuple[int, str] | BadLine], parse: Callable[[str], NewEntry | None]
    ) -> Iterator[Line]:
        for item in lines:
            if isinstance(item, BadLine):
                yield item
                continue
            number, line = item
            try:
                entry = parse(line)
            except (InputError, ValueError, TypeError) as error:
                yield BadLine(number, str(error))
            else:
                if entry is not None:
                    yield number, entry

    def text(self, line: str) -> NewEntry | None:
        value = line.partition("#")[0].strip()
        return self._entry({"value": value}) if value else None

    def json_line(self, line: str) -> NewEntry | None:
        return self._item(json.loads(line)) if line.strip() else None

    def array(self, stream: BinaryIO, skip: int) -> Iterator[Line]:
        for number, item in enumerate(_array_items(stream), start=1):
            if number <= skip:
                continue
            try:
                yield number, self._item(item)
            except (InputError, ValueError, TypeError) as error:
                yield BadLine(number, str(error))

    def csv(self, stream: BinaryIO, skip: int) -> Iterator[Line]:
        lines = _lines(stream, 0)
        first = next((item for item in lines if isinstance(item, BadLine) or item[1].strip()), None)
        if first is None:
            return
        if isinstance(first, BadLine):
            raise InputError(f"line 1: {first.reason}")
        delimiter = max(",;\t|", key=first[1].count)
        header = _cells(first[1], delimiter)
        positions = self._positions(header)
        if positions is None:
            positions = {"value": 0}
            if skip < 1:
                yield from self.each([first], lambda line: self._row(_cells(line, delimiter), {"value": 0}))
        fields = positions
        later = (item for item in lines if (item.line if isinstance(item, BadLine) else item[0]) > skip)
        yield from self.each(later, lambda line: self._row(_cells(line, delimiter), fields) if line.strip() else None)

    def _positions(self, header: list[str]) -> dict[str, int] | None:
        """Where each field stands; None where the first line is no header but already a value."""
        if len(header) == 1 or not any(name.strip().lower() in self._columns.value for name in header):
            try:
                self._entry({"value": header[0]})
            except InputError:
                pass
            else:
                return None
        found = self._columns.of(header)
        self._signal = self._signal or _type_named(found["value"])
        return {field: header.index(column) for field, column in found.items()}

    def _row(self, cells: list[str], positions: Mapping[str, int]) -> NewEntry:
        if len(cells) <= positions["value"]:
            raise InputError("the line has no value")
        return self._entry({field: cells[at].strip() for field, at in positions.items() if at < len(cells)})

    def _item(self, item: object) -> NewEntry:
        if isinstance(item, str):
            return self._entry({"value": item})
        if not isinstance(item, dict):
            raise InputError("an item is an object or a text")
        found = self._columns.of(item)
        fields = {field: "" if item[column] is None else str(item[column]) for field, column in found.items()}
        if not fields.get("signal"):
            fields["signal"] = self._signal or _type_named(found["value"]) or ""
        return self._entry(fields)

    def _entry(self, fields: Mapping[str, str]) -> NewEntry:
        text = fields["value"].strip()
        name = fields.get("signal", "").lower() or self._signal or _DIGEST_OF_LENGTH.get(len(text))
        if name is None:
            raise InvalidSignalError(f"the type of {text[:80]!r} is not clear from its length; name it")
        if (state := fields.get("state", "").lower()) not in ("", "active"):
            raise InputError(f"the line's state is {state[:80]!r}: only active entries are listed")
        label, note = fields.get("label") or None, fields.get("note") or None
        if label is not None and self._labels is not None and label not in self._labels:
            label, note = None, f"listed as {label}" + (f"; {note}" if note else "")
        reference = fields.get("reference", "")
        if len(reference) > 255 or "\x00" in reference + (note or ""):
            raise InputError("the reference is too long, or a text holds a NUL")
        return new_entry(name, text, self._source, reference, label, note)


def _type_named(column: str) -> str | None:
    """The signal type that a column of hashes is named after."""
    name = column.strip().lower()
    return name if name in signal_types() else None


def _cells(line: str, delimiter: str) -> list[str]:
    if '"' not in line:
        return line.split(delimiter)
    try:
        return next(csv.reader((line,), delimiter=delimiter, strict=True))
    except (csv.Error, StopIteration) as error:
        raise InputError(f"the line is not CSV: {error}") from None


def _lines(stream: BinaryIO, skip: int) -> Iterator[tuple[int, str] | BadLine]:
    number = 0
    while raw := stream.readline(MAX_LINE):
        number += 1
        if len(raw) == MAX_LINE and not raw.endswith(b"\n"):
            while (rest := stream.readline(MAX_LINE)) and not rest.endswith(b"\n"):
                pass
            if number > skip:
                yield BadLine(number, f"the line is longer than {MAX_LINE:,} bytes")
            continue
        if number <= skip:
            continue
        if number == 1:
            raw = raw.removeprefix(codecs.BOM_UTF8)
        try:
            yield number, raw.decode("utf-8").rstrip("\r\n")
        except UnicodeDecodeError:
            yield BadLine(number, "the line is not UTF-8")


def _joined(lines: Iterable[tuple[int, str] | BadLine]) -> Iterator[tuple[int, str] | BadLine]:
    """The published lines of a video's frames, one frame a line, as one line; another video begins after a blank line
    or where the frames are numbered anew. What is on one line already stays."""
    gathered: list[str] = []
    last_line, last_frame = 0, -1
    for item in lines:
        if isinstance(item, BadLine):
            yield item
            continue
        number, line = item
        line = line.partition("#")[0].strip()
        frame = int(head) if (head := line.partition(",")[0]).isdecimal() and len(head) < 16 else last_frame + 1
        whole = ";" in line or line.startswith("[")
        if gathered and (not line or whole or frame <= last_frame):
            yield last_line, ";".join(gathered)
            gathered, last_frame = [], -1
        if whole:
            yield number, line
        elif line:
            gathered.append(line)
            last_line, last_frame = number, frame
    if gathered:
        yield last_line, ";".join(gathered)


def _array_items(stream: BinaryIO) -> Iterator[object]:
    """The items of a JSON array, each read as soon as it is complete."""
    decoder, text = json.JSONDecoder(), codecs.getincrementaldecoder("utf-8-sig")()
    buffer, opened, ended = "", False, False
    while True:
        raw = stream.read(_CHUNK)
        try:
            buffer += text.decode(raw, final=not raw)
        except UnicodeDecodeError:
            raise InputError("the file is not UTF-8") from None
        at = 0
        while True:
            while at < len(buffer) and buffer[at] in " \t\r\n":
                at += 1
            if at == len(buffer):
                break
            if not opened:
                if buffer[at] != "[":
                    raise InputError("the file is not a JSON array")
                opened, at = True, at + 1
            elif ended:
                raise InputError("something follows the JSON array")
            elif buffer[at] == ",":
                at += 1
            elif buffer[at] == "]":
                ended, at = True, at + 1
            else:
                try:
                    item, end = decoder.raw_decode(buffer, at)
                except (json.JSONDecodeError, RecursionError) as error:
                    if raw and len(buffer) - at <= _CHUNK:
                        break
                    raise InputError(f"the JSON array is broken: {error}") from None
                if end == len(buffer) and raw:
                    break  # a number may go on in the next chunk
                yield item
                at = end
        buffer = buffer[at:]
        if not raw:
            if opened and not ended:
                raise InputError("the JSON array is cut short")
            return


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
