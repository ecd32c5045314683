"""From samples to matches: search every index, look up who listed what was found, apply each bank's policy."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from tutela.banks.model import Bank, BankKind, Entry, Extent, Listed
from tutela.index.feed import Hit
from tutela.screening.footage import Footage
from tutela.screening.policy import VideoRule
from tutela.screening.verdict import Match, TimeSpan
from tutela.signals.base import Composite, Kind, Sample
from tutela.signals.registry import signal_type, signal_types


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

    def extent(self, entry_id: int, min_quality: int) -> Extent:
        """How much a video entry stands for."""


@dataclass(frozen=True, slots=True)
class Found:
    """An entry within its bank's threshold of a sample."""

    sample: Sample
    distance: int
    threshold: int
    listed: Listed

    @property
    def bank(self) -> Bank:
        """The bank of the entry."""
        return self.listed.bank

    @property
    def entry(self) -> Entry:
        """The entry."""
        return self.listed.entry


def find_matches(
    samples: Sequence[Sample], searcher: Searcher, catalogue: Catalogue, rule: VideoRule | None = None
) -> list[Match]:
    """Every match of one piece of content, nearest first; those the allow list covers name what suppressed them."""
    matching = Matching(searcher, catalogue, rule)
    matching.add(samples)
    return matching.matches()


def match_each(samples: Sequence[Sample], searcher: Searcher, catalogue: Catalogue) -> list[list[Match]]:
    """The matches of each sample on its own, as if it were all that is known of its content; one search for all."""
    found = _within_thresholds(samples, searcher, catalogue, {})
    return [_resolve([item for item in found if item.sample is sample], None) for sample in samples]


class Matching:
    """What is found of one piece of content, which may come in parts: a long video is searched as it is decoded."""

    def __init__(self, searcher: Searcher, catalogue: Catalogue, rule: VideoRule | None = None) -> None:
        self._searcher = searcher
        self._catalogue = catalogue
        self._listings: dict[int, list[Listed]] = {}
        self._found: list[Found] = []
        self._footage = Footage(catalogue, rule or VideoRule())

    def add(self, samples: Sequence[Sample]) -> int:
        """Search these too. How many times one of them is near an entry."""
        found = _within_thresholds(samples, self._searcher, self._catalogue, self._listings)
        self._footage.count(samples)
        self._found += found
        return len(found)

    def matches(self) -> list[Match]:
        """Every match so far, nearest first."""
        return _resolve(self._found, self._footage)

    def undecided(self) -> list[float]:
        """Seconds of the content whose frames are near an entry that does not match yet: worth a closer look."""
        matched = {match.entry_id for match in self.matches()}
        return sorted(
            {
                item.sample.seconds
                for item in self._found
                if item.sample.seconds is not None and item.entry.id not in matched and item.bank.kind is BankKind.KNOWN
            }
        )


def _resolve(found: Sequence[Found], footage: Footage | None) -> list[Match]:
    allowed = [item for item in found if item.bank.kind is BankKind.ALLOW]
    suppress = _Suppression(allowed)
    shown: dict[tuple[object, ...], list[Found]] = defaultdict(list)
    filmed: dict[tuple[str, int], list[Found]] = defaultdict(list)
    matches = []
    for item in found:
        if item.bank.kind is not BankKind.KNOWN:
            continue
        if item.sample.seconds is None:
            matches.append(replace(_match(item), suppressed_by=suppress.of(item)))
        elif item.listed.seconds is not None and footage is not None:
            filmed[(item.sample.part, item.entry.id)].append(item)
        else:
            key = (item.sample.part, item.entry.id, item.sample.signal, item.sample.view)
            shown[key].append(item)
    for items in shown.values():
        best = min(items, key=lambda item: item.distance)
        suppressed_by = None if any(suppress.of(item) is None for item in items) else suppress.of(best)
        span = footage.span_of_picture([item.sample for item in items]) if footage else None
        matches.append(replace(_match(best), span=span, suppressed_by=suppressed_by))
    for items in filmed.values():
        # A frame that an allow list covers, such as a title card, says nothing of the video.
        counted = [item for item in items if suppress.by_value(item) is None]
        assert footage is not None
        if aligned := footage.align(counted):
            item, distance, span = aligned
            match = replace(_match(item), distance=distance, span=span, part=_path(item.sample.part, span))
            matches.append(replace(match, suppressed_by=suppress.by_digest))
    return sorted(matches, key=lambda match: (match.distance, match.bank, match.entry_id, match.part, match.view))


def _within_thresholds(
    samples: Sequence[Sample], searcher: Searcher, catalogue: Catalogue, listings: dict[int, list[Listed]]
) -> list[Found]:
    """`listings` remembers who listed what, over several calls for the same content."""
    banks = catalogue.enabled()
    hits: list[tuple[Sample, Hit]] = []
    for signal, wanted in _by_signal(samples).items():
        radius = max((_radius(bank, signal) for bank in banks), default=None)
        if radius is None:
            continue
        results = searcher.search_many(signal, [sample.value for sample in wanted], radius)
        hits += [(sample, hit) for sample, result in zip(wanted, results, strict=True) for hit in result]
    unknown = sorted({hit.key for _, hit in hits} - listings.keys())
    if unknown:
        listings.update({key: [] for key in unknown})
        for listed in catalogue.listed(unknown):
            listings[listed.signal_id].append(listed)
    return [
        Found(sample, hit.distance, limit, listed)
        for sample, hit in hits
        for listed in listings[hit.key]
        if hit.distance <= (limit := threshold(listed.bank, _compared_as(listed, sample)))
        and _good_enough(sample, listed)
    ]


def _radius(bank: Bank, signal: str) -> int:
    """How far to search for a bank: frames of videos are listed as pictures, with a threshold of their own."""
    composites = (
        [name for name, kind in signal_types().items() if isinstance(kind, Composite)] if signal == "pdq" else []
    )
    return max(threshold(bank, name) for name in (signal, *composites))


def _compared_as(listed: Listed, sample: Sample) -> str:
    """The signal type whose threshold counts: a frame's is that of its video."""
    return listed.entry.signal if isinstance(signal_type(listed.entry.signal), Composite) else sample.signal


def threshold(bank: Bank, signal: str) -> int:
    """The distance within which a bank's entries of a type match. An allow list is exact unless it says otherwise."""
    default = 0 if bank.kind is BankKind.ALLOW else signal_type(signal).default_threshold
    return bank.policy.thresholds.get(signal, default)


def _good_enough(sample: Sample, listed: Listed) -> bool:
    least = listed.bank.policy.min_quality
    return all(quality is None or quality >= least for quality in (sample.quality, listed.quality))


def _by_signal(samples: Iterable[Sample]) -> dict[str, list[Sample]]:
    grouped: dict[str, list[Sample]] = {}
    for sample in samples:
        grouped.setdefault(sample.signal, []).append(sample)
    return grouped


class _Suppression:
    """An allowed digest covers the whole content; an allowed perceptual hash covers its own signal and view."""

    def __init__(self, allowed: Sequence[Found]) -> None:
        self.by_digest: str | None = None
        self._by_value: dict[int, str] = {}
        for item in reversed(allowed):
            name = f"{item.bank.name}#{item.entry.id}"
            if signal_type(item.sample.signal).kind is Kind.EXACT:
                self.by_digest = name
            else:
                self._by_value[id(item.sample)] = name

    def by_value(self, item: Found) -> str | None:
        """What covers the sample itself."""
        return self._by_value.get(id(item.sample))

    def of(self, item: Found) -> str | None:
        """What covers the match, None where nothing does."""
        return self.by_digest or self.by_value(item)


def _match(item: Found) -> Match:
    sample, entry, bank = item.sample, item.entry, item.bank
    composite = isinstance(signal_type(entry.signal), Composite)
    return Match(
        bank=bank.name,
        entry_id=entry.id,
        signal=entry.signal if composite else sample.signal,
        value=signal_type(entry.signal).format(entry.value),
        distance=item.distance,
        threshold=item.threshold,
        view=sample.view,
        quality=sample.quality,
        label=entry.label or bank.label,
        source=entry.source,
        reference=entry.reference,
        action=bank.policy.action,
        region=sample.region,
        part=sample.part,
        seconds=sample.seconds,
    )


def _path(part: str, span: TimeSpan) -> str:
    """Where in the content: `clip.mp4 › 00:01:03–00:01:09`."""
    times = f"{_clock(span.begin)}–{_clock(span.end)}"
    return f"{part} › {times}" if part else times


def _clock(seconds: float) -> str:
    whole = int(seconds)
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}"
