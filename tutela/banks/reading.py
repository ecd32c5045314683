"""Texts of signals to entries and back: a single value, or the many that a composite type such as vPDQ lists."""

from collections.abc import Sequence

from tutela.banks.model import Entry, EntryValue, NewEntry
from tutela.errors import InvalidSignalError
from tutela.signals.base import WHOLE, Composite, Sample
from tutela.signals.registry import signal_type
from tutela.views.thresholds import ceiling

MIN_LISTED_QUALITY = 60
"""Views of less quality are not listed: a piece of sky looks like every other."""


def new_entry(
    signal: str,
    text: str,
    source: str = "operator",
    reference: str = "",
    label: str | None = None,
    note: str | None = None,
) -> NewEntry:
    """The entry whose value a text stands for. Raises InvalidSignalError, and InputError for an unknown type."""
    kind = signal_type(signal)
    if not isinstance(kind, Composite):
        return NewEntry(signal, kind.parse(text), source, reference, label, note)
    if "," not in text:
        raise InvalidSignalError(f"{signal} is listed by its values, not by {text[:80]!r}")
    return composite_entry(signal, kind.read(text), source, reference, label, note)


def composite_entry(
    signal: str,
    samples: Sequence[Sample],
    source: str = "operator",
    reference: str = "",
    label: str | None = None,
    note: str | None = None,
) -> NewEntry:
    """The entry of a composite type that stands for these samples."""
    kind = signal_type(signal)
    if not isinstance(kind, Composite):
        raise InvalidSignalError(f"{signal} stands for one value, not for several")
    values = tuple(map(EntryValue.of, samples))
    return NewEntry(signal, kind.identity(samples), source, reference, label, note, values)


def picture_entries(
    samples: Sequence[Sample],
    source: str = "operator",
    reference: str = "",
    label: str | None = None,
    note: str | None = None,
) -> list[NewEntry]:
    """The entries of one file's samples: its own values each, with a picture's further views as values of the whole's.

    A view too poor to match is left out.
    """
    own = [sample for sample in samples if ceiling(sample.view) is None]
    views = [sample for sample in samples if ceiling(sample.view) is not None]
    return [
        NewEntry(
            sample.signal,
            sample.value,
            source,
            reference,
            label,
            note,
            tuple(
                EntryValue.of(view)
                for view in views
                if sample.view == WHOLE and view.signal == sample.signal and (view.quality or 0) >= MIN_LISTED_QUALITY
            ),
        )
        for sample in own
    ]


def text_of(entry: Entry, values: Sequence[EntryValue]) -> str:
    """The text that `new_entry` reads back as the same entry."""
    kind = signal_type(entry.signal)
    if isinstance(kind, Composite):
        return kind.write([value.sample() for value in values])
    return kind.format(entry.value)
