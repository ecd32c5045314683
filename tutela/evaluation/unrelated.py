"""False matches: pictures against a large bank of hashes of other pictures.

The bank is made of what other pictures of the folder show: what a bank would list of them, and random windows of them,
turned all ways. Half of the pictures are looked up in what the other half gives, then the other way round, so that no
picture meets itself. Windows of one picture resemble each other, so the bank stands for fewer independent pictures
than it has hashes; the report says of how many pictures it is made.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from tutela import _native
from tutela.evaluation.attacks.base import Encoding
from tutela.evaluation.attacks.catalogue import encoded
from tutela.evaluation.subjects import MIN_QUALITY, Hashes, Subject, hashes_of, indexed
from tutela.evaluation.trials import ASKED, limit_of
from tutela.media.content import Content, Limits, Mode, ViewSet
from tutela.signals.base import Sample
from tutela.signals.pdq import PDQ
from tutela.views.finding import reduced
from tutela.views.view import TURNS

FARTHEST = 45
"""Distances are counted up to here."""
WIDER = 15
"""Pictures are counted that would match if every threshold were 0, 1, ... 14 bits wider."""

Counts = npt.NDArray[np.int64]


@dataclass(slots=True)
class Unrelated:
    """What a view set found in a bank of other pictures."""

    pictures: int = 0
    matched_wider: list[int] = field(default_factory=lambda: [0] * WIDER)
    """Pictures with a match, by the thresholds in force and by ones so many bits wider."""
    queries: int = 0
    compared: int = 0
    """Pairs of hashes."""
    within: list[int] = field(default_factory=lambda: [0] * (FARTHEST + 1))
    """Pairs at each distance."""
    nearest: dict[str, int] = field(default_factory=dict)
    """By family of views, the smallest distance seen."""

    @property
    def matched(self) -> int:
        """Pictures with a match, by the thresholds in force."""
        return self.matched_wider[0]

    def add(self, samples: Sequence[Sample], counts: Counts, bank_size: int) -> None:
        """Count a picture by its samples that are good enough to match."""
        self.pictures += 1
        self.queries += len(samples)
        self.compared += len(samples) * bank_size
        for distance, pairs in enumerate(counts.sum(axis=0).tolist()):
            self.within[distance] += pairs
        wider = WIDER
        for sample, near in zip(samples, counts, strict=True):
            if near.any():
                family = "turned" if sample.view in TURNS[1:] else sample.view.partition("/")[0]
                nearest = int(np.flatnonzero(near)[0])
                self.nearest[family] = min(nearest, self.nearest.get(family, nearest))
                wider = min(wider, max(0, nearest - limit_of(sample)))
        for bits in range(wider, WIDER):
            self.matched_wider[bits] += 1


def count_unrelated(
    subjects: Sequence[Subject], bank_size: int, seed: int, progress: Callable[[int, int], None]
) -> dict[ViewSet, Unrelated]:
    """Look every picture up in the bank that the other half of them gives."""
    counts = {views: Unrelated() for views in ASKED}
    halves = (subjects[0::2], subjects[1::2])
    done = 0
    for asked, listed in (halves, halves[::-1]):
        with indexed(make_bank(listed, bank_size, seed)) as bank:
            for subject in asked:
                count_one(encoded(subject.picture, Encoding("JPEG", 85)), bank, counts)
                done += 1
                progress(done, len(subjects))
    return counts


def count_one(data: bytes, bank: _native.Segment, counts: Mapping[ViewSet, Unrelated]) -> None:
    """Look a file up by every view set."""
    for views, count in counts.items():
        samples = PDQ.compute(Content(data, Mode.FAST, Limits(views=views)))
        able = [sample for sample in samples if limit_of(sample) >= 0]
        count.add(able, _at_each_distance(able, bank), len(bank))


def _at_each_distance(samples: Sequence[Sample], bank: _native.Segment) -> Counts:
    """(samples, FARTHEST + 1): how many hashes of the bank lie at each distance from each sample."""
    counts = np.zeros((len(samples), FARTHEST + 1), np.int64)
    if samples:
        numbers, _, distances = bank.search_many(hashes_of(samples), FARTHEST)
        np.add.at(counts, (numbers, distances), 1)
    return counts


def make_bank(subjects: Sequence[Subject], size: int, seed: int) -> Hashes:
    """Hashes of what these pictures show: what is listed of them first, then random windows in all their turns."""
    source = np.random.default_rng(seed)
    hashes = [subject.listed for subject in subjects]
    missing = size - sum(map(len, hashes))
    for i, subject in enumerate(subjects):
        if missing <= 0:
            break
        wanted = -(-missing // (len(subjects) - i))
        windows = _windows(subject, -(-wanted // 8), source)
        hashes.append(windows[:wanted])
        missing -= len(hashes[-1])
    return np.ascontiguousarray(np.concatenate(hashes)[:size])


def _windows(subject: Subject, count: int, source: np.random.Generator) -> Hashes:
    """Eight hashes each of windows of a quarter to the whole of a side, any shape within reason, any place."""
    luma = reduced(np.ascontiguousarray(np.asarray(subject.picture.convert("L"))))
    tries = 2 * count + 16
    side, shape = source.uniform(0.25, 1.0, tries), np.exp(source.normal(0, 0.2, tries))
    across, down = np.minimum(side * shape, 1.0), np.minimum(side / shape, 1.0)
    left, top = source.uniform(0, 1, tries) * (1 - across), source.uniform(0, 1, tries) * (1 - down)
    right, bottom = left + across, top + down
    corners = np.stack([left, top, right, top, right, bottom, left, bottom], axis=1).reshape(tries, 4, 2)
    hashes, qualities = _native.pdq_views(luma, corners, tries)
    good = hashes.reshape(tries, 8, 32)[qualities >= MIN_QUALITY][:count]
    return good.reshape(-1, 32)
