"""From samples to matches: search every index, look up who listed what was found, apply each bank's policy."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Protocol

from tutela.content.links.link import QueryKeys
from tutela.content.media.content import SEPARATOR
from tutela.content.signals.base import STORED, WHOLE, OnlyHolding, Region, Sample, SignalKind
from tutela.content.signals.pdq import shows_enough
from tutela.content.signals.registry import composite_type, signal_type
from tutela.lists.banks.model import Action, Bank, BankKind, Entry, Extent, Listed
from tutela.lists.banks.overlaps import margin
from tutela.lists.index.feed import Hit
from tutela.screening.nearness import (
    POOR_DISTANCE,
    good_enough,
    is_poor,
    limit,
    near_though_poor,
    needed_quality,
    radius,
)
from tutela.screening.options import VideoRule
from tutela.screening.verdict import Match, TimeSpan
from tutela.screening.video.alignment import NEAREST
from tutela.screening.video.footage import Footage


class Searcher(Protocol):
    """Where values are searched: `tutela.lists.index.service.Indexes`."""

    def search_many(self, signal: str, values: Sequence[bytes], radius: int) -> Sequence[Sequence[Hit]]:
        """For each value, every listed value within the radius."""

    @property
    def sequences(self) -> Mapping[str, int]:
        """Per signal type, the last list change that is searched now; what was returned does not change later."""


class Catalogue(Protocol):
    """Who listed what: `tutela.lists.banks.service.Banks`."""

    def enabled(self) -> Sequence[Bank]:
        """The banks that count, from memory."""

    def listed(self, signal_ids: Sequence[int]) -> Sequence[Listed]:
        """The active entries, in enabled banks, of these signal rows."""

    def extent(self, entry_id: int, min_quality: int) -> Extent:
        """How much a video entry stands for."""

    @property
    def query_keys(self) -> Sequence[QueryKeys]:
        """The sets of query parameters that pages are listed by, from memory."""


_SEVEREST_FIRST = (Action.BLOCK, Action.HOLD, Action.LOG)


@dataclass(frozen=True, slots=True)
class Found:
    """An entry within its bank's threshold of a sample."""

    sample: Sample
    distance: int
    threshold: int
    listed: Listed
    poor: bool = False
    """Whether the sample shows too little to match: it holds at most."""

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


def match_each(
    groups: Sequence[Sequence[Sample]], searcher: Searcher, catalogue: Catalogue, rule: VideoRule | None = None
) -> list[list[Match]]:
    """The matches of each group – one hash, or a video's frames – on its own, as if it were all that is known of its
    content; one search for all."""
    found: dict[int, list[Found]] = {id(sample): [] for samples in groups for sample in samples}
    for item in _within_thresholds([*chain.from_iterable(groups)], searcher, catalogue, {}):
        found[id(item.sample)].append(item)
    results = []
    for samples in groups:
        footage = Footage(catalogue, rule or VideoRule())
        footage.count(samples)
        near = [item for sample in samples for item in found[id(sample)]]
        results.append(_resolve(_few_of_each_frame(near), footage))
    return results


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
        self._found += _few_of_each_frame(found)
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


def _few_of_each_frame(found: Sequence[Found]) -> list[Found]:
    """For each frame of the content, the few frames of an entry that are nearest: the others are never aligned, and in
    hours of hardly any motion they would fill the memory."""
    counts: dict[tuple[str, float | None, int], int] = defaultdict(int)
    kept = []
    for item in sorted(found, key=lambda item: item.distance):
        place = (item.sample.part, item.sample.seconds, item.entry.id)
        counts[place] += 1
        if item.sample.seconds is None or item.listed.seconds is None or counts[place] <= NEAREST:
            kept.append(item)
    return kept


def _resolve(found: Sequence[Found], footage: Footage | None) -> list[Match]:
    if not found:
        return []
    suppression = _Suppression(found)
    well = {item.entry.id for item in found if not item.poor}
    known = [item for item in found if item.bank.kind is BankKind.KNOWN and not (item.poor and item.entry.id in well)]
    matches = [_judged(_match(item), suppression.of(item)) for item in known if not _is_frame(item)]
    shown: dict[tuple[str, int, str], list[Found]] = defaultdict(list)
    filmed: dict[tuple[str, int], list[Found]] = defaultdict(list)
    for item in known:
        if _is_frame(item) and footage is not None and item.listed.seconds is not None:
            filmed[(item.sample.part, item.entry.id)].append(item)
        elif _is_frame(item):
            shown[(item.sample.part, item.entry.id, item.sample.signal)].append(item)
    matches += [_match_of_frames(items, suppression, footage) for items in shown.values()]
    if footage is not None:
        matches += _matches_of_videos(filmed.values(), suppression, footage)
    told = [_told(views) for views in _by_place(matches)]
    return sorted(told, key=_nearest_and_plainest_first)


def _is_frame(item: Found) -> bool:
    return item.sample.seconds is not None


def _explains_of(item: Found) -> tuple[bool, float, bool, int, str]:
    return _explains(item.sample.view, item.sample.region, item.distance)


def _are_frames(item: Found) -> bool:
    return item.sample.seconds is not None and item.listed.seconds is not None


def _match_of_frames(items: Sequence[Found], suppression: "_Suppression", footage: Footage | None) -> Match:
    """One match for all frames that show a listed picture: the nearest, and from when to when."""
    free = [item for item in items if suppression.of(item).suppressed_by is None]
    best = min(free or items, key=lambda item: (suppression.of(item).between, _explains_of(item)))
    span = footage.span_of_picture([item.sample for item in free or items]) if footage else None
    return _judged(replace(_match(best), span=span), suppression.of(best))


def _matches_of_videos(
    groups: Iterable[Sequence[Found]], suppression: "_Suppression", footage: Footage
) -> Iterator[Match]:
    for items in groups:
        aligned = footage.align([item for item in items if suppression.of_value(item).suppressed_by is None])
        if aligned is not None:
            item, distance, span = aligned
            match = replace(_match(item), distance=distance, span=span, part=_path(item.sample.part, span))
            yield replace(match, suppressed_by=suppression.of_file(item.sample.part))


def _judged(match: Match, cover: "_Cover") -> Match:
    """The match as the allow lists leave it: what lies between an allowed and a listed value is held."""
    action = Action.HOLD if cover.between and match.action is Action.BLOCK else match.action
    return replace(match, action=action, suppressed_by=cover.suppressed_by)


def _nearest_and_plainest_first(match: Match) -> tuple[int, str, int, str, bool, str]:
    return match.distance, match.bank, match.entry_id, match.part, match.view != WHOLE, match.view


def _by_place(matches: Sequence[Match]) -> Iterable[list[Match]]:
    """The views of one picture that match one entry, together."""
    found: dict[tuple[int, str, str, float | None, bool], list[Match]] = defaultdict(list)
    for match in matches:
        place = match.entry_id, match.signal, match.part, match.seconds, match.suppressed_by is None
        found[place].append(match)
    return found.values()


def _told(views: Sequence[Match]) -> Match:
    """Of the views of one picture that match one entry, the one that explains most: the whole where that matches, else
    the largest region. What is asked for is the severest of what any of them asks."""
    best = min(views, key=lambda match: _explains(match.view, match.region, match.distance))
    action = min((match.action for match in views), key=_SEVEREST_FIRST.index)
    return best if action is best.action else replace(best, action=action)


def _explains(view: str, region: Region | None, distance: int) -> tuple[bool, float, bool, int, str]:
    """Orders views by how much they explain, the most first."""
    area = 1.0 if region is None else (region.right - region.left) * (region.bottom - region.top)
    return view != WHOLE, -round(area, 3), view != STORED, distance, view


def _within_thresholds(
    samples: Sequence[Sample], searcher: Searcher, catalogue: Catalogue, listings: dict[int, list[Listed]]
) -> list[Found]:
    """`listings` remembers who listed what, over several calls for the same content."""
    hits: list[tuple[Sample, Hit]] = []
    for (signal, farthest), wanted in _by_radius(samples, catalogue.enabled()).items():
        results = searcher.search_many(signal, [sample.value for sample in wanted], farthest)
        hits += [(sample, hit) for sample, result in zip(wanted, results, strict=True) for hit in result]
    unknown = sorted({hit.key for _, hit in hits} - listings.keys())
    if unknown:
        listings.update({key: [] for key in unknown})
        for listed in catalogue.listed(unknown):
            listings[listed.signal_id].append(listed)
    return [
        found
        for sample, hit in hits
        for listed in listings[hit.key]
        if (found := _found(sample, hit, listed)) is not None
    ]


def _found(sample: Sample, hit: Hit, listed: Listed) -> Found | None:
    most = limit(sample, listed)
    if hit.distance <= most and good_enough(sample, listed):
        return Found(sample, hit.distance, most, listed)
    if near_though_poor(sample, listed, hit.distance):
        return Found(sample, hit.distance, min(most, POOR_DISTANCE), listed, poor=True)
    return None


def _by_radius(samples: Sequence[Sample], banks: Sequence[Bank]) -> dict[tuple[str, int], list[Sample]]:
    """The samples that are searched together. None of a quality that no bank takes."""
    grouped: dict[tuple[str, int], list[Sample]] = defaultdict(list)
    if not banks:
        return grouped
    least = min(bank.policy.min_quality for bank in banks)
    most_needed = max(bank.policy.min_quality for bank in banks)
    asked: dict[tuple[str, str, bool], tuple[int, int]] = {}  # what all samples of a kind need, and how far is searched
    for sample in samples:
        filmed = sample.seconds is not None
        kind = (sample.signal, sample.view, filmed)
        if kind not in asked:
            asked[kind] = needed_quality(least, sample.view, filmed), max(radius(bank, sample) for bank in banks)
        needed, farthest = asked[kind]
        is_able = sample.quality is None or sample.quality >= needed
        if is_able and (filmed or shows_enough(sample)):
            grouped[sample.signal, farthest].append(sample)
        elif not is_able and is_poor(sample, most_needed):
            grouped[sample.signal, min(farthest, POOR_DISTANCE)].append(sample)
    return grouped


@dataclass(frozen=True, slots=True)
class _Cover:
    """What allow lists say of a match."""

    suppressed_by: str | None = None
    """The entry that takes it out of the decision."""
    between: bool = False
    """Whether it is like an allowed value and nearly as much like a listed one: then a person decides."""


class _Suppression:
    """An allowed digest covers its file and all that is in it; a perceptual hash what is like it, and more so, by the
    margin of its type, than like any listed value. Nothing covers a listed value or a copy of it."""

    def __init__(self, found: Sequence[Found]) -> None:
        known = [item for item in found if item.bank.kind is BankKind.KNOWN]
        listed = {(item.sample.signal, item.sample.value) for item in known if item.distance == 0}
        self._nearest: dict[tuple[str, bytes], int] = {}
        for item in known:
            place = item.sample.signal, item.sample.value
            self._nearest[place] = min(item.distance, self._nearest.get(place, item.distance))
        self._files: list[tuple[str, str]] = []
        self._values: dict[tuple[str, str, float | None], list[Found]] = defaultdict(list)
        for item in found:
            if item.bank.kind is not BankKind.ALLOW:
                continue
            if signal_type(item.sample.signal).kind is not SignalKind.EXACT:
                self._values[_picture(item.sample)].append(item)
            elif (item.sample.signal, item.sample.value) not in listed:
                self._files.append((item.sample.part, _name(item)))

    def of_file(self, part: str) -> str | None:
        """What covers a file."""
        return next((name for whole, name in self._files if _lies_in(part, whole)), None)

    def of_value(self, item: Found) -> _Cover:
        """What covers the sample itself, or is as good as the same view, such as the whole without a border."""
        distance = signal_type(item.sample.signal).distance
        listed = self._nearest[item.sample.signal, item.sample.value]
        is_between = False
        for allowed in self._values.get(_picture(item.sample), ()):
            away = distance(item.sample.value, allowed.listed.value)
            # A frame that is exactly allowed, such as a title card, says nothing of the video that has it too.
            if away + margin(item.sample.signal) < listed or (away == 0 and _are_frames(item)):
                return _Cover(_name(allowed))
            is_between = is_between or (allowed.sample.value == item.sample.value and away < listed)
        return _Cover(between=is_between)

    def of(self, item: Found) -> _Cover:
        """What covers the match."""
        by_file = self.of_file(item.sample.part)
        return self.of_value(item) if by_file is None else _Cover(by_file)


def _picture(sample: Sample) -> tuple[str, str, float | None]:
    return sample.signal, sample.part, sample.seconds


def _name(item: Found) -> str:
    return f"{item.bank.name}#{item.entry.id}"


def _lies_in(part: str, whole: str) -> bool:
    """Whether a part is another one, or lies in it. A step's name never has the separator in it."""
    return not whole or part == whole or part.startswith(whole + SEPARATOR)


def _action(item: Found) -> Action:
    """What the bank asks for, or less where the signal is too loose for that, or what was seen too poor."""
    kind, action = signal_type(item.sample.signal), item.bank.policy.action
    loose = item.poor or (isinstance(kind, OnlyHolding) and kind.only_holds)
    return Action.HOLD if loose and action is Action.BLOCK else action


def _match(item: Found) -> Match:
    sample, entry, bank = item.sample, item.entry, item.bank
    composite = composite_type(entry.signal) is not None
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
        action=_action(item),
        region=sample.region,
        part=sample.part,
        seconds=sample.seconds,
    )


def _path(part: str, span: TimeSpan) -> str:
    """Where in the content: `clip.mp4 › 00:01:03–00:01:09`."""
    times = f"{_clock(span.begin)}–{_clock(span.end)}"
    return f"{part}{SEPARATOR}{times}" if part else times


def _clock(seconds: float) -> str:
    whole = int(seconds)
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}"
