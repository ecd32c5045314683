"""Alignment in time: which seconds of an upload show which seconds of a listed video.

Frames that hash alike vote for lines `entry = speed x upload + offset`. The line on which the most frames of the upload
lie is fitted, and its longest stretch without a break is the run. Pure functions on arrays.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

_FORWARD = (0.5, 0.56, 0.62, 0.69, 0.76, 0.84, 0.92, 1.0, 1.09, 1.19, 1.31, 1.45, 1.6, 1.78, 2.0)
SPEEDS = np.array(sorted(_FORWARD, key=lambda speed: abs(np.log(speed))) + [-speed for speed in _FORWARD])
"""Seconds of the entry for a second of the upload, likeliest first; negative where it is played backwards."""
MAX_SPEED, MIN_SPEED = 2.2, 0.45
SAME_PICTURE = 8
"""Frames within this distance of each other show the same picture: a still that is re-encoded moves by less."""
MAX_BREAK_S = 5.0
"""A run goes on over so many seconds of the upload without a matching frame."""
NEAREST = 24
"""Of the entry's frames that a frame of the upload matches, so many vote: a still in the entry would outvote all."""
_CANDIDATES = 6
_MAX_PICTURES = 32


@dataclass(frozen=True, slots=True)
class Pairs:
    """Frames of the upload, each with a frame of one entry that it matches. All arrays have one row a pair."""

    upload_s: Floats
    entry_s: Floats
    distances: Integers
    upload_values: npt.NDArray[np.uint8]
    """(n, 32) the hashes of the upload's frames."""
    entry_values: npt.NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.upload_s)

    def at(self, rows: npt.NDArray[np.intp]) -> "Pairs":
        """Some of the pairs."""
        return Pairs(
            self.upload_s[rows],
            self.entry_s[rows],
            self.distances[rows],
            self.upload_values[rows],
            self.entry_values[rows],
        )


@dataclass(frozen=True, slots=True)
class Run:
    """A stretch of the upload that shows a stretch of the entry."""

    begin: float
    end: float
    entry_begin: float
    entry_end: float
    speed: float
    """Seconds of the entry for a second of the upload; negative where it is played backwards."""
    frames: int
    """Frames of the upload that lie on the line."""
    pictures: int
    """How many pictures that differ they show, in the upload or in the entry, whichever is less."""
    distance: int
    """The median distance."""

    @property
    def seconds(self) -> float:
        """How long it is in the upload."""
        return self.end - self.begin


def align(pairs: Pairs, tolerance_s: float) -> Run | None:
    """The best run: of the most different pictures, then of the most frames. None where nothing lies on a line.

    `tolerance_s` is how far apart the frames of the sparser side are.
    """
    if len(pairs) == 0:
        return None
    pairs = _nearest(pairs)
    runs = [_follow(pairs, speed, offset, tolerance_s) for speed, offset in _lines(pairs, tolerance_s)]
    return max(runs, key=goodness)


def goodness(run: Run) -> tuple[int, int, int, float]:
    """The better of two runs has the larger: more pictures, more frames, nearer, nearer to its own speed."""
    return run.pictures, run.frames, -run.distance, -abs(abs(run.speed) - 1)


def _nearest(pairs: Pairs) -> Pairs:
    """For each frame of the upload, the few frames of the entry that are most like it."""
    order = np.lexsort((pairs.distances, pairs.upload_s))
    times = pairs.upload_s[order]
    begins = np.flatnonzero(np.r_[True, times[1:] != times[:-1]])
    rank = np.arange(len(order)) - np.repeat(begins, np.diff(np.r_[begins, len(order)]))
    return pairs.at(order[rank < NEAREST])


def _lines(pairs: Pairs, tolerance_s: float) -> list[tuple[float, float]]:
    """The (speed, offset) that most frames of the upload vote for; each frame has one vote a line."""
    found: list[tuple[int, float, float]] = []
    frames = np.unique(pairs.upload_s, return_inverse=True)[1]
    for speed in SPEEDS:
        offsets = pairs.entry_s - speed * pairs.upload_s
        for shift in (0.0, 0.5):
            bins = np.floor(offsets / (2 * tolerance_s) + shift).astype(np.int64)
            votes = np.unique(np.stack([bins, frames]), axis=1)[0]
            places, counts = np.unique(votes, return_counts=True)
            best = int(counts.argmax())
            inside = bins == places[best]
            found.append((int(counts[best]), float(speed), float(np.median(offsets[inside]))))
    found.sort(key=lambda line: -line[0])
    return [(speed, offset) for _, speed, offset in found[:_CANDIDATES]]


def _follow(pairs: Pairs, speed: float, offset: float, tolerance_s: float) -> Run:
    """The run along a line, which is first fitted to what lies near it."""
    chosen = _near(pairs, speed, offset, tolerance_s)
    for _ in range(4):
        fitted = _fit(pairs.at(chosen), speed, offset)
        if fitted == (speed, offset):
            break
        wider = _near(pairs, *fitted, tolerance_s)
        if len(wider) < len(chosen):
            break
        chosen, (speed, offset) = wider, fitted
    return _longest(pairs.at(chosen), speed)


def _near(pairs: Pairs, speed: float, offset: float, tolerance_s: float) -> npt.NDArray[np.intp]:
    """For each frame of the upload that has a pair near the line, the nearest; in the order of the upload."""
    errors = np.abs(pairs.entry_s - speed * pairs.upload_s - offset)
    near = np.flatnonzero(errors <= tolerance_s * 1.0001 + 1e-9)
    order = near[np.lexsort((errors[near], pairs.upload_s[near]))]
    times = pairs.upload_s[order]
    return order[np.r_[True, times[1:] != times[:-1]]] if len(order) else order


def _fit(pairs: Pairs, speed: float, offset: float) -> tuple[float, float]:
    """The line through the pairs by least squares, where they reach far enough to say anything of the speed."""
    if len(pairs) < 4 or np.ptp(pairs.upload_s) < 1.0:
        return speed, offset
    slope, intercept = np.polyfit(pairs.upload_s, pairs.entry_s, 1)
    if not MIN_SPEED <= abs(slope) <= MAX_SPEED or (slope > 0) != (speed > 0):
        return speed, offset
    return float(slope), float(intercept)


def _longest(pairs: Pairs, speed: float) -> Run:
    """Of the stretches between breaks, the one of the most pictures, then of the most frames."""
    breaks = np.flatnonzero(np.diff(pairs.upload_s) > MAX_BREAK_S) + 1
    stretches = np.split(np.arange(len(pairs)), breaks)
    stretches.sort(key=len, reverse=True)
    return max((_run(pairs.at(rows), speed) for rows in stretches[:4]), key=lambda run: (run.pictures, run.frames))


def _run(pairs: Pairs, speed: float) -> Run:
    return Run(
        begin=float(pairs.upload_s[0]),
        end=float(pairs.upload_s[-1]),
        entry_begin=float(pairs.entry_s.min()),
        entry_end=float(pairs.entry_s.max()),
        speed=speed,
        frames=len(pairs),
        pictures=min(_pictures(pairs.upload_values), _pictures(pairs.entry_values)),
        distance=int(np.median(pairs.distances)),
    )


def _pictures(values: npt.NDArray[np.uint8]) -> int:
    """How many of these hashes are further than `SAME_PICTURE` from every one counted before; up to a limit."""
    counted = values[:1]
    for value in values[1:]:
        if np.unpackbits(counted ^ value, axis=1).sum(axis=1).min() > SAME_PICTURE:
            counted = np.concatenate([counted, value[np.newaxis]])
            if len(counted) >= _MAX_PICTURES:
                break
    return len(counted)


def covered_share(times: Floats, duration_s: float, step_s: float) -> float:
    """The share of a video that these times cover, each standing for `step_s` around it."""
    if duration_s <= 0:
        return 1.0 if len(times) else 0.0
    ordered = np.unique(times)
    lengths = np.minimum(np.diff(ordered), step_s).sum() + step_s if len(ordered) else 0.0
    return float(min(1.0, lengths / max(duration_s, step_s)))
