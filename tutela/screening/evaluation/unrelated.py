"""False matches: pictures against a large bank of hashes of other pictures.

The bank is made of what other pictures of the folder show: what a bank would list of them, and random windows of them,
turned all ways. Half of the pictures are looked up in what the other half gives, then the other way round, so that no
picture meets itself. Windows of one picture resemble each other, so the bank stands for fewer independent pictures
than it has hashes; the report says of how many pictures it is made.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from tutela import _native
from tutela.content.signals.base import Sample
from tutela.content.views.finder import reduced
from tutela.content.views.view import TURNS
from tutela.content.views.view_set import ViewSet
from tutela.lists.banks.values import MIN_LISTED_QUALITY
from tutela.screening.evaluation.attacks.base import Encoding
from tutela.screening.evaluation.attacks.catalogue import encoded
from tutela.screening.evaluation.samples import samples_of
from tutela.screening.evaluation.subjects import Hashes, TrialListing, TrialSubject, hashes_of, indexed
from tutela.screening.evaluation.trials import ASKED, limit_of

FARTHEST = 45
"""Distances are counted up to here."""
NOTHING_NEAR = 15
"""The margin of a picture that nothing came near to."""
MARGINS = range(-15, NOTHING_NEAR)
"""Bits by which thresholds are thought narrower or wider."""

Near = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]
"""For each pair within `FARTHEST`: the sample's number, the distance, and how many bits it is beyond what matches."""


@dataclass(slots=True)
class Unrelated:
    """What a view set found in a bank of other pictures."""

    margins: list[int] = field(default_factory=list)
    """For each picture, how many bits beyond its threshold its nearest view was: 0 and less match."""
    queries: int = 0
    compared: int = 0
    """Pairs of hashes."""
    within: list[int] = field(default_factory=lambda: [0] * (FARTHEST + 1))
    """Pairs at each distance."""
    nearest: dict[str, int] = field(default_factory=dict)
    """By family of views, the smallest distance seen."""
    matched_by: dict[str, int] = field(default_factory=dict)
    """By family of views, the pictures of which such a view matched."""

    @property
    def pictures(self) -> int:
        """Pictures that were looked up."""
        return len(self.margins)

    @property
    def matched(self) -> int:
        """Pictures with a match, by the thresholds in force."""
        return self.matched_at(0)

    def matched_at(self, bits: int) -> int:
        """Pictures with a match, were every threshold so many bits wider; narrower where negative."""
        return sum(margin <= bits for margin in self.margins)

    def add(self, samples: Sequence[Sample], near: Near, bank_size: int) -> None:
        """Count a picture by its samples that are good enough to match."""
        numbers, distances, margins = near
        self.queries += len(samples)
        self.compared += len(samples) * bank_size
        self.margins.append(min(NOTHING_NEAR, int(margins.min(initial=NOTHING_NEAR))))
        for distance, pairs in enumerate(np.bincount(distances, minlength=FARTHEST + 1).tolist()):
            self.within[distance] += pairs
        nearest = np.full(len(samples), FARTHEST + 1)
        np.minimum.at(nearest, numbers, distances)
        matching = set(numbers[margins <= 0].tolist())
        for number in np.flatnonzero(nearest <= FARTHEST).tolist():
            family, distance = _family(samples[number]), int(nearest[number])
            self.nearest[family] = min(distance, self.nearest.get(family, distance))
        for family in {_family(samples[number]) for number in matching}:
            self.matched_by[family] = self.matched_by.get(family, 0) + 1


def _family(sample: Sample) -> str:
    return "turned" if sample.view in TURNS[1:] else sample.view.partition("/")[0]


@dataclass(frozen=True, slots=True)
class SearchedBank:
    """A bank that pictures are looked up in."""

    listing: TrialListing
    segment: _native.Segment

    def near(self, samples: Sequence[Sample]) -> Near:
        """Every pair within `FARTHEST`."""
        if not samples:
            nothing = np.empty(0, np.int64)
            return nothing, nothing, nothing
        numbers, keys, distances = (
            column.astype(np.int64) for column in self.segment.search_many(hashes_of(samples), FARTHEST)
        )
        limits = np.array([limit_of(sample) for sample in samples])
        return numbers, distances, distances - np.minimum(limits[numbers], self.listing.limits[keys])


@contextmanager
def searched(listing: TrialListing) -> Iterator[SearchedBank]:
    """A bank to look up in, while it lasts."""
    with indexed(listing.hashes) as segment:
        yield SearchedBank(listing, segment)


def count_unrelated(
    subjects: Sequence[TrialSubject], bank_size: int, seed: int, progress: Callable[[int, int], None]
) -> dict[ViewSet, Unrelated]:
    """Look every picture up in the bank that the other half of them gives."""
    counts = {views: Unrelated() for views in ASKED}
    halves = (subjects[0::2], subjects[1::2])
    done = 0
    for asked, listed in (halves, halves[::-1]):
        with searched(make_bank(listed, bank_size, seed)) as bank:
            for subject in asked:
                count_one(able_samples(encoded(subject.picture, Encoding("JPEG", 85))), bank, counts)
                done += 1
                progress(done, len(subjects))
    return counts


def able_samples(data: bytes) -> dict[ViewSet, list[Sample]]:
    """What each view set looks up of a file, without what is too poor to match."""
    return {views: [s for s in samples_of(data, views) if limit_of(s) >= 0] for views in ASKED}


def count_one(
    samples: Mapping[ViewSet, Sequence[Sample]], bank: SearchedBank, counts: Mapping[ViewSet, Unrelated]
) -> None:
    """Look one picture's samples up by every view set."""
    for views, count in counts.items():
        count.add(samples[views], bank.near(samples[views]), len(bank.listing.hashes))


def make_bank(subjects: Sequence[TrialSubject], size: int, seed: int) -> TrialListing:
    """Hashes of what these pictures show: what is listed of them first, then random windows in all their turns."""
    source = np.random.default_rng(seed)
    parts = [subject.listed for subject in subjects]
    missing = size - sum(len(part.hashes) for part in parts)
    for i, subject in enumerate(subjects):
        if missing <= 0:
            break
        wanted = -(-missing // (len(subjects) - i))
        windows = _windows(subject, -(-wanted // 8), source)[:wanted]
        parts.append(TrialListing.of_plain(windows))
        missing -= len(windows)
    return TrialListing.together(parts, size)


def _windows(subject: TrialSubject, count: int, source: np.random.Generator) -> Hashes:
    """Eight hashes each of windows of a quarter to the whole of a side, any shape within reason, any place."""
    luma = reduced(np.ascontiguousarray(np.asarray(subject.picture.convert("L"))))
    tries = 2 * count + 16
    side, shape = source.uniform(0.25, 1.0, tries), np.exp(source.normal(0, 0.2, tries))
    across, down = np.minimum(side * shape, 1.0), np.minimum(side / shape, 1.0)
    left, top = source.uniform(0, 1, tries) * (1 - across), source.uniform(0, 1, tries) * (1 - down)
    right, bottom = left + across, top + down
    corners = np.stack([left, top, right, top, right, bottom, left, bottom], axis=1).reshape(tries, 4, 2)
    hashes, qualities = _native.pdq_views(luma, corners, tries)
    good = hashes.reshape(tries, 8, 32)[qualities >= MIN_LISTED_QUALITY][:count]
    return good.reshape(-1, 32)
