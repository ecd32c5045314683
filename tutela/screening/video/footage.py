"""The frames of a content's videos beside the entries they are near: shares, the run, and whether that is a match."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Protocol, TypeVar

import numpy as np

from tutela.content.signals.base import WHOLE, Sample
from tutela.content.views.view import turn_of
from tutela.lists.banks.model import Entry, Extent, Listed
from tutela.screening.nearness import good_enough_alone
from tutela.screening.options import VideoRule
from tutela.screening.verdict import TimeSpan
from tutela.screening.video.alignment import Pairs, Run, align, covered_share, goodness

MIN_TOLERANCE_S = 0.5
"""How far from the line a frame may lie at least: frames that close are alike, and times in lists are rounded."""

MAX_LAST_S = 0.25
WINDOWS = frozenset({"anchored", "edge"})
"""The families of views that show a part of a picture whatever it is of."""


class Near(Protocol):
    """A frame of the content within the threshold of a listed frame: `tutela.screening.matching.Found`."""

    @property
    def sample(self) -> Sample: ...

    @property
    def distance(self) -> int: ...

    @property
    def listed(self) -> Listed: ...


NearT = TypeVar("NearT", bound=Near)


class Extents(Protocol):
    """Where the extent of entries comes from: `tutela.lists.banks.service.Banks`."""

    def extent(self, entry_id: int, min_quality: int) -> Extent:
        """How much a video entry stands for."""


class Footage:
    """Counts the frames of one content's videos, and aligns those that are near an entry."""

    def __init__(self, extents: Extents, rule: VideoRule) -> None:
        self._extents = extents
        self._rule = rule
        self._qualities: dict[str, dict[float, int]] = defaultdict(dict)
        self._known: dict[tuple[int, int], Extent] = {}

    def count(self, samples: Sequence[Sample]) -> None:
        """These were searched, whether anything is near them or not."""
        for sample in samples:
            if sample.seconds is not None and sample.view == WHOLE:
                quality = 100 if sample.quality is None else sample.quality
                self._qualities[sample.part][sample.seconds] = quality

    def align(self, near: Sequence[NearT]) -> tuple[NearT, int, TimeSpan] | None:
        """The frame to show, the median distance and the span, if one entry's frames make a match; else None."""
        if not near:
            return None
        extent = self._extent(near[0].listed.entry, near[0].listed.bank.policy.min_quality)
        entry_step_s = extent.seconds / max(1, extent.frames - 1)
        run, seen, runs_along = self._best_run(near, max(MIN_TOLERANCE_S, entry_step_s))
        reach_s = max(MIN_TOLERANCE_S, entry_step_s, self._step_s(near[0].sample.part) * abs(run.speed)) * 1.5
        if not runs_along:
            seen = [item for item in near if good_enough_alone(item.sample, item.listed)]
            if not self._is_copy(*self._shares(seen, extent, reach_s)):
                return None
            run = _from_first_to_last(seen, run.distance)
        upload_share, entry_share = self._shares(near, extent, reach_s)
        span = TimeSpan(
            round(run.begin, 3),
            round(run.end, 3),
            round(float(run.entry_begin), 3),
            round(float(run.entry_end), 3),
            round(run.speed, 3) or None,
            run.frames,
            round(upload_share, 4),
            round(entry_share, 4),
        )
        return min(_inside(seen, run), key=lambda item: item.distance), run.distance, span

    def span_of_picture(self, samples: Sequence[Sample]) -> TimeSpan:
        """From when to when frames show a listed picture."""
        seconds = {sample.seconds for sample in samples if sample.seconds is not None}
        share = min(1.0, len(seconds) / max(1, self._usable(samples[0].part, 0)))
        return TimeSpan(min(seconds), max(seconds), None, None, None, len(seconds), round(share, 4), None)

    def _best_run(self, near: Sequence[NearT], tolerance_s: float) -> tuple[Run, Sequence[NearT], bool]:
        """The best run of frames that are turned the same way, as a copy's are; what they are near, and whether it is
        long enough for a match."""
        turned: dict[str, list[NearT]] = defaultdict(list)
        for item in near:
            turned[turn_of(item.sample.view)].append(item)
        runs = [(run, items) for items in turned.values() if (run := align(_pairs(items), tolerance_s)) is not None]
        runs.sort(key=lambda found: goodness(found[0]), reverse=True)
        for run, items in runs:
            if self._runs_along(run, _inside(items, run)):
                return run, items, True
        return *runs[0], False

    def _shares(self, near: Sequence[Near], extent: Extent, reach_s: float) -> tuple[float, float]:
        """Of the upload's frames and of the entry's length, so much is near the other."""
        if not near:
            return 0.0, 0.0
        usable = self._usable(near[0].sample.part, near[0].listed.bank.policy.min_quality)
        upload_share = min(1.0, len({item.sample.seconds for item in near}) / max(1, usable))
        times = np.array([item.listed.seconds for item in near], np.float64)
        step_s = extent.seconds / max(1, extent.frames - 1)
        return upload_share, covered_share(times, extent.seconds + step_s, reach_s)

    def _is_copy(self, upload_share: float, entry_share: float) -> bool:
        return upload_share >= self._rule.min_upload_share and entry_share >= self._rule.min_entry_share

    def _runs_along(self, run: Run, near: Sequence[Near]) -> bool:
        rule, frames, pictures = self._rule, self._rule.min_run_frames, self._rule.min_run_pictures
        if run.distance > rule.max_window_distance and all(map(_is_through_window, near)):
            frames = max(frames, rule.min_window_frames)
        if not any(good_enough_alone(item.sample, item.listed) for item in near):
            pictures = max(pictures, rule.min_poor_pictures)
        # The last frame stands for some time as well: until the next one.
        length_s = run.seconds + min(MAX_LAST_S, run.seconds / max(1, run.frames - 1))
        return length_s >= rule.min_run_s and run.frames >= frames and run.pictures >= pictures

    def _usable(self, part: str, least: int) -> int:
        return sum(quality >= least for quality in self._qualities[part].values())

    def _step_s(self, part: str) -> float:
        times = np.array(sorted(self._qualities[part]), np.float64)
        return float(np.median(np.diff(times))) if len(times) > 1 else 0.0

    def _extent(self, entry: Entry, least: int) -> Extent:
        key = (entry.id, least)
        if key not in self._known:
            self._known[key] = self._extents.extent(entry.id, least)
        return self._known[key]


def _from_first_to_last(near: Sequence[Near], distance: int) -> Run:
    """What stands for the run where only shares match."""
    seconds = {item.sample.seconds or 0.0 for item in near}
    times = [item.listed.seconds or 0.0 for item in near]
    return Run(min(seconds), max(seconds), min(times), max(times), 0.0, len(seconds), 1, distance)


def _inside(near: Sequence[NearT], run: Run) -> list[NearT]:
    return [item for item in near if run.begin <= (item.sample.seconds or 0.0) <= run.end]


def _is_through_window(item: Near) -> bool:
    """Whether a frame is near by a window around a landmark or a strip along a side, not by a picture as it is seen."""
    return any(view.partition("/")[0] in WINDOWS for view in (item.sample.view, item.listed.view))


def _pairs(near: Sequence[Near]) -> Pairs:
    return Pairs(
        np.array([item.sample.seconds for item in near], np.float64),
        np.array([item.listed.seconds for item in near], np.float64),
        np.array([item.distance for item in near], np.int64),
        np.frombuffer(b"".join(item.sample.value for item in near), np.uint8).reshape(len(near), -1),
        np.frombuffer(b"".join(item.listed.value for item in near), np.uint8).reshape(len(near), -1),
    )
