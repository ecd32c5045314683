"""From samples to matches: search every index, look up who listed what was found, apply each bank's policy."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from tutela.banks.model import Action, Bank, BankKind, Entry, Listed
from tutela.index.feed import Hit
from tutela.media.content import SEPARATOR
from tutela.screening.verdict import Match
from tutela.signals.base import WHOLE, Kind, OnlyHolding, Sample
from tutela.signals.registry import signal_type
from tutela.views.thresholds import ceiling


class Searcher(Protocol):
    """Where values are searched: `tutela.index.indexes.Indexes`."""

    def search_many(self, signal: str, values: Sequence[bytes], radius: int) -> Sequence[Sequence[Hit]]:
        """For each value, every listed value within the radius."""

    @property
    def sequences(self) -> Mapping[str, int]:
        """Per signal type, the last list change that is searched."""


class Catalogue(Protocol):
    """Who listed what: `tutela.banks.banks.Banks`."""

    def enabled(self) -> Sequence[Bank]:
        """The banks that count, from memory."""

    def listed(self, signal_ids: Sequence[int]) -> Sequence[Listed]:
        """The active entries, in enabled banks, of these signal rows."""


@dataclass(frozen=True, slots=True)
class Found:
    """An entry within its bank's threshold of a sample."""

    sample: int
    """Index of the sample."""
    distance: int
    threshold: int
    bank: Bank
    entry: Entry


def find_matches(samples: Sequence[Sample], searcher: Searcher, catalogue: Catalogue) -> list[Match]:
    """Every match of one piece of content, nearest first; those the allow list covers name what suppressed them."""
    return _resolve(samples, _within_thresholds(samples, searcher, catalogue))


def match_each(samples: Sequence[Sample], searcher: Searcher, catalogue: Catalogue) -> list[list[Match]]:
    """The matches of each sample on its own, as if it were all that is known of its content; one search for all."""
    groups: list[list[Found]] = [[] for _ in samples]
    for item in _within_thresholds(samples, searcher, catalogue):
        groups[item.sample].append(item)
    return [_resolve(samples, group) for group in groups]


def _resolve(samples: Sequence[Sample], found: Sequence[Found]) -> list[Match]:
    allowed = [item for item in found if item.bank.kind is BankKind.ALLOW]
    matches = [
        replace(_match(samples[item.sample], item), suppressed_by=_suppressor(samples, item, allowed))
        for item in found
        if item.bank.kind is BankKind.KNOWN
    ]
    matches.sort(key=_nearest_and_plainest_first)
    return list({_place(match): match for match in reversed(matches)}.values())[::-1]


def _nearest_and_plainest_first(match: Match) -> tuple[int, str, int, str, bool, str]:
    return match.distance, match.bank, match.entry_id, match.part, match.view != WHOLE, match.view


def _place(match: Match) -> tuple[int, str, str, float | None, bool]:
    """Of the views of one picture that match one entry, only the nearest is told."""
    return match.entry_id, match.signal, match.part, match.seconds, match.suppressed_by is None


def _within_thresholds(samples: Sequence[Sample], searcher: Searcher, catalogue: Catalogue) -> list[Found]:
    banks = catalogue.enabled()
    hits: list[tuple[int, Hit]] = []
    for (signal, radius), positions in _by_radius(samples, banks).items():
        results = searcher.search_many(signal, [samples[i].value for i in positions], radius)
        hits += [(i, hit) for i, result in zip(positions, results, strict=True) for hit in result]
    if not hits:
        return []
    listings: dict[int, list[Listed]] = {}
    for listed in catalogue.listed(sorted({hit.key for _, hit in hits})):
        listings.setdefault(listed.signal_id, []).append(listed)
    return [
        Found(i, hit.distance, limit, listed.bank, listed.entry)
        for i, hit in hits
        for listed in listings.get(hit.key, ())
        if hit.distance <= (limit := _limit(listed.bank, samples[i])) and _good_enough(samples[i], listed.bank)
    ]


def threshold(bank: Bank, signal: str) -> int:
    """The distance within which a bank's entries of a type match. An allow list is exact unless it says otherwise."""
    default = 0 if bank.kind is BankKind.ALLOW else signal_type(signal).default_threshold
    return bank.policy.thresholds.get(signal, default)


def _limit(bank: Bank, sample: Sample) -> int:
    """A bank's threshold for a sample; a view that is one of many must come nearer."""
    limit, most = threshold(bank, sample.signal), ceiling(sample.view)
    return limit if most is None else min(limit, most)


def _good_enough(sample: Sample, bank: Bank) -> bool:
    return sample.quality is None or sample.quality >= bank.policy.min_quality


def _by_radius(samples: Sequence[Sample], banks: Sequence[Bank]) -> dict[tuple[str, int], list[int]]:
    """The samples, by number, that are searched together."""
    positions: dict[tuple[str, int], list[int]] = {}
    for i, sample in enumerate(samples):
        if banks:
            radius = max(_limit(bank, sample) for bank in banks)
            positions.setdefault((sample.signal, radius), []).append(i)
    return positions


def _suppressor(samples: Sequence[Sample], item: Found, allowed: Sequence[Found]) -> str | None:
    """An allowed digest covers its file and all that is in it, a perceptual hash the views that look like its own."""
    for allow in allowed:
        exact = signal_type(samples[allow.sample].signal).kind is Kind.EXACT
        inside = _lies_in(samples[item.sample].part, samples[allow.sample].part)
        if (exact and inside) or _looks_like(samples[item.sample], samples[allow.sample], item.threshold):
            return f"{allow.bank.name}#{allow.entry.id}"
    return None


def _lies_in(part: str, whole: str) -> bool:
    """Whether a part is another one, or lies in it. A step's name never has the separator in it."""
    return not whole or part == whole or part.startswith(whole + SEPARATOR)


def _looks_like(sample: Sample, allowed: Sample, limit: int) -> bool:
    """Whether two views of one picture are as good as the same, such as the whole and the whole without a border."""
    if (sample.signal, sample.part, sample.seconds) != (allowed.signal, allowed.part, allowed.seconds):
        return False
    return signal_type(sample.signal).distance(sample.value, allowed.value) <= limit


def _action(signal: str, bank: Bank) -> Action:
    """What the bank asks for, or less where the signal is too loose for that."""
    kind, action = signal_type(signal), bank.policy.action
    loose = isinstance(kind, OnlyHolding) and kind.only_holds
    return Action.HOLD if loose and action is Action.BLOCK else action


def _match(sample: Sample, item: Found) -> Match:
    entry, bank = item.entry, item.bank
    return Match(
        bank=bank.name,
        entry_id=entry.id,
        signal=sample.signal,
        value=signal_type(sample.signal).format(entry.value),
        distance=item.distance,
        threshold=item.threshold,
        view=sample.view,
        quality=sample.quality,
        label=entry.label or bank.label,
        source=entry.source,
        reference=entry.reference,
        action=_action(sample.signal, bank),
        region=sample.region,
        part=sample.part,
        seconds=sample.seconds,
    )
