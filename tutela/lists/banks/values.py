"""Texts of signals to entries and back: a single value, or the many that a composite type such as vPDQ lists."""

from collections.abc import Sequence

from tutela.content.links.link import URL, QueryKeys, with_keys
from tutela.content.links.query_keys import split_keys
from tutela.content.signals.base import WHOLE, InClear, Sample
from tutela.content.signals.pdq import shows_enough
from tutela.content.signals.registry import composite_type, signal_type
from tutela.content.views.thresholds import need
from tutela.errors import InvalidSignalError
from tutela.lists.banks.model import Entry, EntryValue, NewEntry

MIN_LISTED_QUALITY = 50
"""A bank's usual least quality. Poorer views are not listed, and some families need more."""


def new_entry(
    signal: str,
    text: str,
    source: str = "operator",
    reference: str = "",
    label: str | None = None,
    note: str | None = None,
) -> NewEntry:
    """The entry whose value a text stands for. Raises InvalidSignalError, and InputError for an unknown type."""
    value, values = read_value(signal, text)
    clear, keys = clear_text(signal, value, text), keys_of(signal, text)
    return NewEntry(signal, value, source, reference, label, note, values, clear, keys)


def keys_of(signal: str, text: str) -> QueryKeys:
    """The names of the parameters that count in a page's query, as its text names them. Raises InvalidSignalError."""
    return split_keys(text)[1] if signal == URL else ()


def clear_text(signal: str, value: bytes, text: str) -> str | None:
    """What a value is the digest of, in its one form; None where the text is a digest already, or none is needed."""
    kind = signal_type(signal)
    if not isinstance(kind, InClear) or kind.format(value) == text.lower().strip().partition(" ")[0]:
        return None
    return kind.canonical(text)


def read_value(signal: str, text: str) -> tuple[bytes, tuple[EntryValue, ...]]:
    """The value that a text stands for, and those that a composite one lists. Raises as `new_entry`."""
    composite = composite_type(signal)
    if composite is None:
        return signal_type(signal).parse(text), ()
    if "," not in text:
        raise InvalidSignalError("{signal} is listed by its values, not by {text!r}", signal=signal, text=text[:80])
    samples = composite.read(text)
    return composite.identity(samples), tuple(map(EntryValue.of, samples))


def composite_entry(
    signal: str,
    samples: Sequence[Sample],
    source: str = "operator",
    reference: str = "",
    label: str | None = None,
    note: str | None = None,
    views: Sequence[Sample] = (),
) -> NewEntry:
    """The entry of a composite type that stands for these samples. Further views of them are found too; they are not
    part of what a list of that type carries."""
    kind = composite_type(signal)
    if kind is None:
        raise InvalidSignalError("{signal} stands for one value, not for several", signal=signal)
    values = tuple(map(EntryValue.of, (*samples, *views)))
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
    own = [sample for sample in samples if need(sample.view).ceiling is None]
    views = [sample for sample in samples if need(sample.view).ceiling is not None]
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
                if sample.view == WHOLE and view.signal == sample.signal and can_match(view)
            ),
        )
        for sample in own
    ]


def can_match(view: Sample) -> bool:
    """Whether a view of a picture can match in a bank of the usual policy, looked up or listed."""
    is_able = (view.quality or 0) >= max(MIN_LISTED_QUALITY, need(view.view).quality)
    return is_able and shows_enough(view)


def text_of(entry: Entry, values: Sequence[EntryValue]) -> str:
    """The text that `new_entry` reads back as the same entry."""
    composite = composite_type(entry.signal)
    if composite is not None:
        return composite.write([value.sample() for value in values if value.view == WHOLE])
    return with_keys(signal_type(entry.signal).format(entry.value), entry.keys)
