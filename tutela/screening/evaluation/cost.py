"""What a view set costs: from a file's bytes to the hits in an index of a million, on one core."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np
from PIL import Image

from tutela import _native
from tutela.content.views.view_set import ViewSet
from tutela.screening.evaluation.attacks.base import Encoding
from tutela.screening.evaluation.attacks.catalogue import encoded
from tutela.screening.evaluation.samples import samples_of
from tutela.screening.evaluation.subjects import Hashes, TrialSubject, indexed
from tutela.screening.evaluation.trials import ASKED, limit_of

PIXELS = 1_000_000
ROUNDS = 5
MOST_PICTURES = 40


@dataclass(frozen=True, slots=True)
class Cost:
    """Milliseconds of processor time a picture, medians over pictures."""

    compute_ms: float
    search_ms: float
    total_ms: float
    queries: float


def measure_cost(subjects: Sequence[TrialSubject], bank: Hashes) -> dict[ViewSet, Cost]:
    """Each view set on JPEG files of a million pixels, searched in an index of the bank."""
    files = [_megapixel(subject.picture) for subject in subjects[:MOST_PICTURES]]
    with indexed(bank) as segment:
        rows: dict[ViewSet, list[_Row]] = {views: [] for views in ASKED}
        for data in files:
            # In turns, so that what else the machine does falls on all of them.
            rounds = [{views: _one(data, segment, views) for views in ASKED} for _ in range(ROUNDS)]
            for views in ASKED:
                compute, search, queries = (
                    median(column) for column in zip(*(one[views] for one in rounds), strict=True)
                )
                rows[views].append((compute, search, queries))
    return {views: _median(found) for views, found in rows.items()}


_Row = tuple[float, float, float]
"""Seconds to hashes, seconds of search, queries."""


def _one(data: bytes, segment: _native.Segment, views: ViewSet) -> _Row:
    started = time.process_time()
    samples = samples_of(data, views)
    computed = time.process_time()
    by_radius: dict[int, list[bytes]] = {}
    for sample in samples:
        by_radius.setdefault(limit_of(sample), []).append(sample.value)
    for radius, values in by_radius.items():
        if radius >= 0:
            segment.search_many(np.frombuffer(b"".join(values), np.uint8).reshape(-1, 32), radius)
    return computed - started, time.process_time() - computed, len(samples)


def _median(rows: Sequence[_Row]) -> Cost:
    compute, search, queries = (median(column) for column in zip(*rows, strict=True))
    total = median(row[0] + row[1] for row in rows)
    return Cost(1000 * compute, 1000 * search, 1000 * total, queries)


def _megapixel(picture: Image.Image) -> bytes:
    factor = (PIXELS / (picture.width * picture.height)) ** 0.5
    size = (round(picture.width * factor), round(picture.height * factor))
    return encoded(picture.resize(size, Image.Resampling.BICUBIC), Encoding("JPEG", 85))
