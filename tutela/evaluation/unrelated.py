"""False matches: pictures against a large bank of hashes of other pictures.

The bank is made of what other pictures of the folder show: what a bank would list of them, and random windows of them,
turned all ways. Half of the pictures are looked up in what the other half gives, then the other way round, so that no
picture meets itself. Windows of one picture resemble each other, so the bank stands for fewer independent pictures
than it has hashes; the report says of how many pictures it is made.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from tutela import _native
from tutela.evaluation.attacks.base import Encoding
from tutela.evaluation.attacks.catalogue import encoded
from tutela.evaluation.subjects import MIN_QUALITY, Hashes, Subject
from tutela.evaluation.trials import ASKED, limit_of
from tutela.media.content import Content, Limits, Mode, ViewSet
from tutela.signals.base import Sample
from tutela.signals.pdq import PDQ
from tutela.views.finding import reduced
from tutela.views.view import TURNS

FARTHEST = 45
"""Distances are counted up to here."""


@dataclass(slots=True)
class Unrelated:
    """What a view set found in a bank of other pictures."""

    pictures: int = 0
    matched: int = 0
    """Pictures with a match, by the thresholds in force."""
    queries: int = 0
    compared: int = 0
    """Pairs of hashes."""
    within: list[int] = field(default_factory=lambda: [0] * (FARTHEST + 1))
    """Pairs at each distance."""
    nearest: dict[str, int] = field(default_factory=dict)
    """By family of views, the smallest distance seen."""


def count_unrelated(
    subjects: Sequence[Subject], bank_size: int, seed: int, progress: Callable[[int, int], None]
) -> dict[ViewSet, Unrelated]:
    """Look every picture up in the bank that the other half of them gives."""
    counts = {views: Unrelated() for views in ASKED}
    halves = (subjects[0::2], subjects[1::2])
    done = 0
    for asked, listed in (halves, halves[::-1]):
        bank = make_bank(listed, bank_size, seed)
        for subject in asked:
            data = encoded(subject.picture, Encoding("JPEG", 85))
            for views, count in counts.items():
                _look_up(PDQ.compute(Content(data, Mode.FAST, Limits(views=views))), bank, count)
            done += 1
            progress(done, len(subjects))
    return counts


def _look_up(samples: Sequence[Sample], bank: Hashes, count: Unrelated) -> None:
    matched = False
    for sample in samples:
        limit = limit_of(sample)
        if limit < 0:
            continue
        _, distances = _native.scan(bank, sample.value, FARTHEST)
        count.queries += 1
        count.compared += len(bank)
        for distance, pairs in zip(*np.unique(distances, return_counts=True), strict=True):
            count.within[int(distance)] += int(pairs)
        if len(distances):
            family = "turned" if sample.view in TURNS[1:] else sample.view.partition("/")[0]
            nearest = int(distances.min())
            count.nearest[family] = min(nearest, count.nearest.get(family, nearest))
            matched = matched or nearest <= limit
    count.pictures += 1
    count.matched += matched


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
