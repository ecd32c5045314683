"""The task that watches a stretch of a video in an isolated worker: frames in, batches of samples out, as they come.

Each frame is hashed as it is shown, in its seven other turns, and without flat borders where it has some.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tutela import _native
from tutela.errors import TutelaError
from tutela.media.content import Limits, Mode, Shortcoming
from tutela.signals.base import WHOLE, Region, Sample
from tutela.signals.pdq import PDQ

BATCH = 32
"""Frames that are sent together."""
TURNS = (WHOLE, "turned-90", "turned-180", "turned-270", "flipped", "mirrored", "transposed", "anti-transposed")
"""The views that the native core's dihedral hashes stand for, in its order."""


@dataclass(frozen=True, slots=True)
class Watch:
    """What a worker is asked to look at."""

    begin: float = 0.0
    end: float | None = None
    """None for the end of the video."""
    max_gap_s: float | None = None
    """Key frames first, then between; None where `step_s` says which frames."""
    step_s: float = 0.0
    """Frames at least so far apart; every frame for 0."""
    numbered: bool = False
    """Frames as the vPDQ tool numbers and times them, one in `step_s`."""

    def options(self, mode: Mode, limits: Limits) -> dict[str, Any]:
        """The task's options as JSON carries them."""
        return {"mode": mode.value, "limits": asdict(limits), "watch": asdict(self)}


@dataclass(frozen=True, slots=True)
class Batch:
    """What a worker saw in a piece of its stretch."""

    samples: tuple[Sample, ...]
    seconds: tuple[float, ...]
    """When each of its frames is shown."""


@dataclass(frozen=True, slots=True)
class VideoFacts:
    """What a worker read in the header."""

    width: int
    height: int
    duration_s: float | None
    streams: int


def watch(data: memoryview, options: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """First the facts, then batches of samples, at last how often the decoder failed."""
    try:
        from tutela.media.video import Stretch, Video
    except ImportError:
        from tutela.errors import UnscreenableError

        raise UnscreenableError(Shortcoming.UNSUPPORTED_TYPE, "videos need the extra tutela[video]") from None
    mode, asked = Mode(options["mode"]), Watch(**options["watch"])
    video = Video(data, mode, Limits(**options["limits"]))
    facts = video.facts
    yield {"facts": [facts.width, facts.height, facts.duration_s, facts.streams]}
    stretch = Stretch(asked.begin, float("inf") if asked.end is None else asked.end)
    if asked.numbered:
        frames = video.numbered(asked.step_s)
    elif asked.max_gap_s is not None:
        frames = video.sampled(stretch, asked.max_gap_s)
    else:
        frames = video.every(stretch, asked.step_s)
    views = _whole if mode is Mode.EXACT else _views
    batch: list[list[Any]] = []
    for frame in frames:
        batch.append([round(frame.seconds, 4), frame.stream, views(np.rot90(frame.pixels, frame.quarters))])
        if len(batch) >= BATCH:
            yield {"frames": batch}
            batch = []
    yield {"frames": batch}
    yield {"errors": video.errors}


def read_batch(part: Any) -> Batch:
    """The samples in a worker's part of an answer. Raises TutelaError when it is not of its form."""
    try:
        frames = part["frames"]
        samples = tuple(
            _sample(float(seconds), int(stream), view) for seconds, stream, views in frames for view in views
        )
        return Batch(samples, tuple(float(frame[0]) for frame in frames))
    except (KeyError, TypeError, ValueError) as error:
        raise TutelaError(f"a worker's answer is not a batch of frames: {error!r}") from error


def read_facts(part: Any) -> VideoFacts:
    """The facts in the first part of an answer. Raises TutelaError when it is not of its form."""
    try:
        width, height, duration_s, streams = part["facts"]
        return VideoFacts(int(width), int(height), None if duration_s is None else float(duration_s), int(streams))
    except (KeyError, TypeError, ValueError) as error:
        raise TutelaError(f"a worker's answer is not the facts of a video: {error!r}") from error


def _whole(pixels: npt.NDArray[np.uint8]) -> list[list[Any]]:
    value, quality = _native.pdq(np.ascontiguousarray(pixels))
    return [[WHOLE, value.hex(), quality, None]]


def _views(pixels: npt.NDArray[np.uint8]) -> list[list[Any]]:
    values, quality = _native.pdq_dihedral(np.ascontiguousarray(pixels))
    views: list[list[Any]] = [[name, value.hex(), quality, None] for name, value in zip(TURNS, values, strict=True)]
    inside = _without_borders(pixels)
    if inside is not None:
        left, top, right, bottom = inside
        height, width = pixels.shape
        region = [left / width, top / height, right / width, bottom / height]
        values, quality = _native.pdq_dihedral(np.ascontiguousarray(pixels[top:bottom, left:right]))
        views += [
            ["trimmed" if name == WHOLE else f"trimmed/{name}", value.hex(), quality, region]
            for name, value in zip(TURNS, values, strict=True)
        ]
    return views


_FLAT = 10.0
"""A line of a border varies by less than this standard deviation, of 255 steps."""
_LEAST_SHARE = 0.2


def _without_borders(pixels: npt.NDArray[np.uint8]) -> tuple[int, int, int, int] | None:
    """What lies within flat borders, as (left, top, right, bottom) in pixels; None where there are none."""
    height, width = pixels.shape
    top, bottom = _busy(pixels[:, :: max(1, width // 256)].std(axis=1))
    left, right = _busy(pixels[top : bottom : max(1, height // 256)].std(axis=0))
    if right - left < _LEAST_SHARE * width or bottom - top < _LEAST_SHARE * height:
        return None
    return None if (left, top, right, bottom) == (0, 0, width, height) else (left, top, right, bottom)


def _busy(spread: npt.NDArray[np.float64]) -> tuple[int, int]:
    lines = np.flatnonzero(spread >= _FLAT)
    return (int(lines[0]), int(lines[-1]) + 1) if len(lines) else (0, 0)


def _sample(seconds: float, stream: int, view: Any) -> Sample:
    name, value, quality, region = view
    return Sample(
        PDQ.name,
        bytes.fromhex(value),
        str(name),
        int(quality),
        None if region is None else Region(*map(float, region)),
        f"stream {stream + 1}" if stream else "",
        seconds,
    )
