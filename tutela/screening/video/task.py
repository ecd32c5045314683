"""The task that watches a stretch of a video in an isolated worker: frames in, batches of samples out, as they come.

Each frame is hashed as it is shown, in its seven other turns, and without flat borders where it has some; now and
then all views of pictures are looked for in it.
"""

import math
import time
from collections.abc import Generator, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from tutela import _native
from tutela.content.media.confined.stretch import Frame, Stretch
from tutela.content.media.content import Content, Mode, Picture, Shortcoming
from tutela.content.media.limits import Limits
from tutela.content.media.profile import EXPECTED, FileKind, Profile
from tutela.content.signals.base import WHOLE, Region, Sample
from tutela.content.signals.pdq import PDQ
from tutela.content.views.finder import reduced
from tutela.content.views.listed import views_to_list
from tutela.content.views.view import TURNS, Corners, View, rectangle
from tutela.content.views.view_set import ViewSet
from tutela.errors import TutelaError, UnscreenableError

if TYPE_CHECKING:
    from tutela.content.media.confined.video import Video

BATCH = 32
"""Frames that are sent together."""
VIEWS_EVERY_S = 0.5
"""Views that must be looked for are looked for in frames at least so far apart."""
LISTED_EVERY_S = 0.5
ALIKE = 10
"""A list has a frame at least so often, and before that where it differs from the last one by more bits than these."""
FRAMES_WITH_VIEWS = 200
"""Of a listed video, so many frames have them at most; each has about ninety."""
LISTED_VIEWS_EVERY_S = 0.2
MIN_GAP_S = 0.25
SAMPLES_OF_SHORT = 60
"""A video is sampled so often at least, down to the smallest gap."""
_SHARE_INSIDE = 0.5
"""Of a worker's time for content, so much may go to one video inside it."""


@dataclass(frozen=True, slots=True)
class StretchTask:
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
    closely: bool = False
    """What is shown at a random moment in each `step_s`."""
    listing: bool = False
    """For a list: only the whole of each frame, and now and then the views by which a crop is found."""
    seed: str = ""
    """Decides which frames are sampled; whoever made the video must not know it."""

    def options(self, mode: Mode, limits: Limits) -> dict[str, Any]:
        """The task's options as JSON carries them."""
        return {"mode": mode.value, "limits": asdict(limits), "watch": asdict(self)}


@dataclass(frozen=True, slots=True)
class FrameBatch:
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


def _open(data: bytes | memoryview, mode: Mode, limits: Limits, seed: str) -> "Video":
    try:
        from tutela.content.media.confined.video import Video
    except ImportError:
        raise UnscreenableError(Shortcoming.UNSUPPORTED_TYPE, "videos need the extra tutela[video]") from None
    return Video(data, mode, limits, seed)


def _frames(video: "Video", asked: StretchTask) -> "Iterator[Frame]":
    stretch = Stretch(asked.begin, math.inf if asked.end is None else asked.end)
    if asked.numbered:
        return video.numbered(asked.step_s)
    if asked.max_gap_s is not None:
        return video.sampled(stretch, asked.max_gap_s)
    if asked.closely:
        return video.closely(stretch, asked.step_s)
    return video.every(stretch, asked.step_s)


def watch(data: memoryview, options: Mapping[str, Any]) -> Generator[dict[str, Any], None, dict[str, Any]]:
    """First the facts, then batches of samples; the result is how often the decoder failed."""
    mode, asked = Mode(options["mode"]), StretchTask(**options["watch"])
    limits = Limits(**options["limits"])
    video = _open(data, mode, limits, asked.seed)
    facts = video.facts
    yield {"facts": [facts.width, facts.height, facts.duration_s, facts.streams]}
    if asked.listing:
        every_s = max(LISTED_VIEWS_EVERY_S, (facts.duration_s or 0.0) / FRAMES_WITH_VIEWS)
    else:
        every_s = max(VIEWS_EVERY_S, asked.max_gap_s or 0.0)
    eye = _Eye(limits.views, asked.listing, every_s)
    batch: list[list[Any]] = []
    for frame in _frames(video, asked):
        samples = eye.see(frame)
        if samples:
            batch.append([round(frame.seconds, 4), frame.stream, list(map(sample_fields, samples))])
        if len(batch) >= BATCH:
            yield {"frames": batch}
            batch = []
    yield {"frames": batch}
    return {"errors": video.errors}


def watch_inside(content: Content, seed: str) -> tuple[list[Sample], list[tuple[str, str]]]:
    """The samples of a video that lies in other content, and how it falls short; in its share of that content's time.

    Raises UnscreenableError where it cannot be opened.
    """
    video = _open(content.data, content.mode, content.limits, seed)
    if video.facts.streams == 0:
        return [], audio_flaws(content.limits.profile, alone=False)
    until = time.monotonic() + content.limits.timeout_s * _SHARE_INSIDE
    eye = _Eye(content.limits.views, content.mode is Mode.EXACT, VIEWS_EVERY_S)
    samples: list[Sample] = []
    for frame in video.sampled(Stretch(), gap_s(video.facts.duration_s, content.limits)):
        samples += [_placed(sample, frame.seconds, frame.stream) for sample in eye.see(frame)]
        if time.monotonic() > until:
            return samples, [
                (Shortcoming.TIMEOUT, f"only a part of the video was watched, up to {frame.seconds:.0f} s")
            ]
    if not samples:
        raise UnscreenableError(Shortcoming.UNREADABLE, "no frame of the video could be decoded")
    if video.errors:
        return samples, [(Shortcoming.DAMAGED, "the video is damaged: only a part of it could be decoded")]
    return samples, []


def audio_flaws(profile: Profile, *, alone: bool) -> list[tuple[str, str]]:
    """What falls short of a file that has the form of a video, and shows nothing."""
    expected = EXPECTED[profile].alone if alone else EXPECTED[profile].inside
    if FileKind.AUDIO in expected:
        return []
    sentence = f"the file shows no picture, which is not expected here: the profile is {Profile(profile).value!r}"
    return [(Shortcoming.UNSUPPORTED_TYPE, sentence)]


def gap_s(duration_s: float | None, limits: Limits) -> float:
    """How far apart samples of a video of that length may be."""
    if duration_s is None:
        return limits.max_gap_s
    return min(limits.max_gap_s, max(MIN_GAP_S, duration_s / SAMPLES_OF_SHORT))


def read_batch(part: Any) -> FrameBatch:
    """The samples in a worker's part of an answer. Raises TutelaError when it is not of its form."""
    try:
        frames = part["frames"]
        samples = tuple(
            read_sample(float(seconds), int(stream), view) for seconds, stream, views in frames for view in views
        )
        return FrameBatch(samples, tuple(float(frame[0]) for frame in frames))
    except (KeyError, TypeError, ValueError) as error:
        raise TutelaError("a worker's answer is not a batch of frames: {error!r}", error=error) from error


def read_facts(part: Any) -> VideoFacts:
    """The facts in the first part of an answer. Raises TutelaError when it is not of its form."""
    try:
        width, height, duration_s, streams = part["facts"]
        return VideoFacts(int(width), int(height), None if duration_s is None else float(duration_s), int(streams))
    except (KeyError, TypeError, ValueError) as error:
        raise TutelaError("a worker's answer is not the facts of a video: {error!r}", error=error) from error


class _Eye:
    """Hashes frames as they come. What costs most, the views that must be looked for, is done every few seconds."""

    def __init__(self, views: ViewSet, listing: bool, every_s: float) -> None:
        self._views = ViewSet(views)
        self._every_s = every_s
        self._listing = listing
        self._due: dict[int, float] = {}
        self._last: tuple[bytes, float] | None = None

    def see(self, frame: Frame) -> list[Sample]:
        """The samples of one frame, the whole as shown first."""
        pixels = np.ascontiguousarray(np.rot90(frame.pixels, frame.quarters))
        height, width = pixels.shape[:2]
        plain = self._listing or self._views is ViewSet.PLAIN
        since = abs(frame.seconds - self._due.get(frame.stream, -math.inf))
        full = since == 0 or since >= self._every_s * _ABOUT  # of one frame every reading
        if full and not plain:
            self._due[frame.stream] = frame.seconds
            return PDQ.of_picture(Picture(pixels, width, height), self._views)
        if not plain:
            return _turns(pixels) + _inside(reduced(pixels))
        samples = PDQ.of_picture(Picture(pixels, width, height), ViewSet.PLAIN)
        if not self._listing:
            return samples
        if not self._is_news(samples[0], frame.seconds):
            return []
        if full and self._views is not ViewSet.PLAIN:
            self._due[frame.stream] = frame.seconds
            samples += _listed(pixels)
        return samples

    def _is_news(self, sample: Sample, seconds: float) -> bool:
        """Whether a list needs the frame: where a video moves, frames a tenth of a second apart are no longer alike."""
        if self._last is not None:
            value, at = self._last
            if PDQ.distance(value, sample.value) <= ALIKE and seconds - at < LISTED_EVERY_S * _ABOUT:
                return False
        self._last = (sample.value, seconds)
        return True


def _turns(pixels: npt.NDArray[np.uint8]) -> list[Sample]:
    (value, *turned), quality, turned_quality = _native.pdq_turned(pixels)
    ways = zip(turned, TURNS[1:], strict=True)
    return [Sample(PDQ.name, value, WHOLE, quality), *(Sample(PDQ.name, v, way, turned_quality) for v, way in ways)]


def _inside(pixels: npt.NDArray[np.uint8]) -> list[Sample]:
    """What lies within flat borders, with its turns; nothing where there are none."""
    height, width = pixels.shape
    samples = []
    for left, top, right, bottom in _without_borders(pixels):
        region = Region(left / width, top / height, right / width, bottom / height)
        for item in _turns(np.ascontiguousarray(pixels[top:bottom, left:right])):
            view = "piece" if item.view == WHOLE else f"piece/{item.view}"
            samples.append(item._replace(view=view, region=region))
    return samples


def _listed(pixels: npt.NDArray[np.uint8]) -> list[Sample]:
    """The views that a list carries beside the whole, so that a crop is found."""
    luma = reduced(pixels if pixels.ndim == 2 else np.asarray(Image.fromarray(pixels).convert("L")))
    views = [View("piece", _fractions(box, luma)) for box in _without_borders(luma)]
    views += [view for view in views_to_list(luma) if view.family == "anchored"]
    if not views:
        return []
    hashes, qualities = _native.pdq_views(luma, np.stack([view.corners for view in views]), 0)
    return [
        Sample(PDQ.name, value.tobytes(), view.family, quality)
        for view, value, quality in zip(views, hashes, qualities.tolist(), strict=True)
    ]


def _fractions(box: tuple[int, int, int, int], luma: npt.NDArray[np.uint8]) -> Corners:
    height, width = luma.shape
    return rectangle(box[0] / width, box[1] / height, box[2] / width, box[3] / height)


_ABOUT = 0.9
"""Frames that are meant to be so far apart are sometimes a little nearer."""
_FLAT = 4.0
"""A line of a border varies by less than this standard deviation, of 255 steps."""
_LEAST_SHARE = 0.2


def _without_borders(pixels: npt.NDArray[np.uint8]) -> list[tuple[int, int, int, int]]:
    """What lies within flat borders, as (left, top, right, bottom) in pixels: without those above and below, without
    those at the sides, and without either, since a picture may be as flat at its edge as a border is."""
    height, width = pixels.shape
    top, bottom = _busy(pixels[:, :: max(1, width // 256)].std(axis=1))
    boxes = [(0, top, width, bottom)]
    for begin, end in ((0, height), (top, bottom)):
        if end - begin >= _LEAST_SHARE * height:
            left, right = _busy(pixels[begin : end : max(1, height // 256)].std(axis=0))
            boxes.append((left, begin, right, end))
    whole = (0, 0, width, height)
    return [
        (left, top, right, bottom)
        for left, top, right, bottom in dict.fromkeys(boxes)
        if (left, top, right, bottom) != whole
        and right - left >= _LEAST_SHARE * width
        and bottom - top >= _LEAST_SHARE * height
    ]


def _busy(spread: npt.NDArray[np.float64]) -> tuple[int, int]:
    lines = np.flatnonzero(spread >= _FLAT)
    return (int(lines[0]), int(lines[-1]) + 1) if len(lines) else (0, 0)


def sample_fields(sample: Sample) -> list[Any]:
    """A sample of a frame as an answer carries it."""
    region = sample.region and [sample.region.left, sample.region.top, sample.region.right, sample.region.bottom]
    return [sample.view, sample.value.hex(), sample.quality, region]


def read_sample(seconds: float, stream: int, view: Any) -> Sample:
    """The sample that `sample_fields` wrote, of a frame shown then. Raises ValueError, TypeError."""
    name, value, quality, region = view
    shown = None if region is None else Region(*map(float, region))
    return _placed(Sample(PDQ.name, bytes.fromhex(value), str(name), int(quality), shown), seconds, stream)


def _placed(sample: Sample, seconds: float, stream: int) -> Sample:
    return sample._replace(seconds=round(seconds, 4), part=f"stream {stream + 1}" if stream else "")
