"""A video to frames: key frames first, then what lies between where they do not say enough. Runs in isolated workers.

Frames are given as luma, straight from the decoder's own plane, or in exact mode as RGB. One thread, memory that does
not grow with the length: nothing is kept of a frame that was handed on. Which frames are looked at is random, by a
seed that the sender does not know: a file that shows one thing at the moments that are sampled and another between
them cannot be made.
"""

import contextlib
import math
from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from random import Random
from typing import Literal

import av
import av.error
import numpy as np
import numpy.typing as npt
from av.codec.context import CodecContext
from av.container import InputContainer
from av.stream import Disposition
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from PIL import Image

from tutela.content.media.confined.ffmpeg import DECODING, OPENING
from tutela.content.media.confined.frame_luma import converted, readings
from tutela.content.media.confined.groups import Group, VideoPacket, groups, shown_until
from tutela.content.media.confined.parameter_sets import shows_nothing
from tutela.content.media.confined.stretch import Frame, Stretch, moments, spread
from tutela.content.media.confined.video_file import Clock, VideoReader
from tutela.content.media.content import Mode, Shortcoming
from tutela.content.media.limits import Limits
from tutela.errors import UnscreenableError

av.logging.set_level(None)

MAX_STREAMS = 8
"""Video streams of one file that are looked at; more are held."""
WHOLE_SHARE = 1 / 16
WHOLE_GROUPS = 16
"""The share of groups, each of a key frame and what follows it, that are decoded up to a random moment; and about how
many of a video it should be at least."""
CLOSER_S, CLOSER_MOMENTS = 0.25, 2
"""Where a key frame says nothing of what follows it, that is looked at in so many moments, no nearer than these."""
Pixels = npt.NDArray[np.uint8]
Thumbnail = npt.NDArray[np.float64]
Skip = Literal["DEFAULT", "NONREF"]
"""What the decoder leaves out: nothing, or frames that no other refers to."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a video's header says of it."""

    width: int
    height: int
    duration_s: float | None
    codec: str
    streams: int
    """Of moving pictures: none where the file is audio, or a recording that no player can show. Covers are looked at
    by themselves."""


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch of which key frames do not say enough."""

    begin: float
    end: float
    step_s: float
    """There is a sample in each of its steps."""
    to_its_end: bool = False
    """Whether what lies behind the last step that is needed counts as much as the rest."""


@dataclass(frozen=True, slots=True)
class Track:
    """One stream of an opened file, and what decodes it."""

    number: int
    container: InputContainer
    stream: VideoStream
    decoder: VideoCodecContext

    def skip(self, what: Skip) -> None:
        """Leave that out from now on."""
        self.decoder.skip_frame = what


class Video:
    """The video streams of one file. Raises UnscreenableError where there are none to be had."""

    def __init__(self, data: bytes | memoryview, mode: Mode, limits: Limits, seed: str = "") -> None:
        """`seed` decides which frames are sampled; whoever makes a file must not know it."""
        self._mode = mode
        self._limits = limits
        self._data = data
        self._seed = seed
        self.errors = 0
        """Packets that could not be decoded."""
        self._begun: set[int] = set()
        with self.open() as container:
            self._begins_anywhere = container.format.name in _STREAMED
            streams = [stream for stream in container.streams.video if not _is_cover(stream)]
            if self._begins_anywhere and streams and shows_nothing(container, data):
                self.facts = Facts(0, 0, None, streams[0].codec_context.name, 0)
                return
            self._numbers = [container.streams.video.index(stream) for stream in streams]
            if not streams and container.streams.audio:
                self.facts = Facts(0, 0, None, container.streams.audio[0].codec_context.name, 0)
                return
            if not streams:
                raise UnscreenableError(Shortcoming.UNSUPPORTED_TYPE, "the file has no video in it")
            if len(streams) > MAX_STREAMS:
                raise UnscreenableError(
                    Shortcoming.PARTLY_SCREENED,
                    "{streams} video streams are over the limit of {max_streams}",
                    streams=len(streams),
                    max_streams=MAX_STREAMS,
                )
            for stream in streams:
                if stream.codec_context is None:
                    raise UnscreenableError(Shortcoming.UNSUPPORTED_TYPE, "the video's codec is not known")
                self._check_size(stream.codec_context.width, stream.codec_context.height)
            first = streams[0]
            self.facts = Facts(
                first.codec_context.width,
                first.codec_context.height,
                _duration_s(container, first),
                first.codec_context.name,
                len(streams),
            )

    def sampled(self, stretch: Stretch, max_gap_s: float) -> Iterator[Frame]:
        """Key frames, about two in `max_gap_s` where there are more, and a glance at what follows each; then what is
        shown between them at random moments, so that no two are further apart than `max_gap_s`, and closer together
        where a glance showed something else than its key frame."""
        for number in range(self.facts.streams):
            chance = self._chance(number, stretch)
            with contextlib.closing(_Reading(self, number)) as reading:
                yield from _once(self._keys_then_gaps(reading, stretch, max_gap_s, chance))

    def closely(self, stretch: Stretch, step_s: float) -> Iterator[Frame]:
        """What is shown at a random moment in each `step_s` of a stretch that has an end."""
        for number in range(self.facts.streams):
            chance = self._chance(number, stretch)
            with contextlib.closing(_Reading(self, number)) as reading:
                yield from self._shown_at(reading, moments(stretch.begin, stretch.end, step_s, chance), chance)

    def at(self, seconds: Sequence[float]) -> Iterator[Sequence[Frame]]:
        """What the first stream shows at these moments: each frame once, with all its readings."""
        if not seconds or self.facts.streams == 0:
            return
        near_s = _SOUGHT_S if (self.facts.duration_s or 0.0) > _READ_THROUGH_S else math.inf
        chance = self._chance(0, Stretch())
        with contextlib.closing(_Reading(self, 0)) as reading:
            for due in _runs(sorted(seconds), near_s):
                frames = _once(self._shown_at(reading, due, chance))
                yield from (list(readings) for _, readings in groupby(frames, key=lambda frame: frame.seconds))

    def every(self, stretch: Stretch, step_s: float) -> Iterator[Frame]:
        """Frames at least `step_s` apart; each frame where that is 0."""
        for number in range(self.facts.streams):
            yield from self._spaced(number, stretch, step_s, self._chance(number, stretch))

    def numbered(self, seconds_per_hash: float) -> Iterator[Frame]:
        """The frames of the first stream that the vPDQ tool hashes, at the times it writes: number / frame rate."""
        if self.facts.streams == 0:
            raise UnscreenableError(Shortcoming.UNSUPPORTED_TYPE, "the file has no video in it")
        chance = self._chance(0, Stretch())
        with self.open() as container:
            track = self.track(container, 0)
            rate = float(track.stream.average_rate or track.stream.guessed_rate or 0)
            if rate <= 0:
                raise UnscreenableError(Shortcoming.UNREADABLE, "the video says nothing of its frame rate")
            every = max(1, int(seconds_per_hash * rate))
            for number, frame in enumerate(self._decoded(track)):
                if number % every == 0:
                    yield Frame(number / rate, self._pixels(frame, chance)[0], _quarters(frame))

    def _keys_then_gaps(
        self, reading: "_Reading", stretch: Stretch, max_gap_s: float, chance: Random
    ) -> Iterator[Frame]:
        gaps: list[Gap] = []
        yield from self._key_frames(reading, stretch, max_gap_s, chance, gaps)
        for gap in _joined(gaps):
            yield from self._shown_at(reading, _moments_in(gap, max_gap_s * _TOLERANCE, chance), chance)

    def _key_frames(
        self, reading: "_Reading", stretch: Stretch, max_gap_s: float, chance: Random, gaps: list[Gap]
    ) -> Iterator[Frame]:
        """Key frames and glances at what follows them; where that does not say enough, put down in `gaps`."""
        most_s = max_gap_s * _TOLERANCE
        reached = stretch.begin
        with self.open() as container:
            quick = self.track(container, reading.number, filtered=False)
            clock = Clock(quick.stream)
            clock.seek(container, stretch.begin)
            glances = _Glances(clock, gaps)
            found = groups(self._packets(quick), clock, stretch, most_s)
            for _, group in spread(((group.begin, group) for group in found), max_gap_s / 2, most_s, chance):
                if group.begin - reached > most_s:
                    gaps.append(Gap(reached, group.begin, most_s / 2))
                reached = group.begin
                decoded = self._glance(quick, reading, group, glances, max_gap_s, chance)
                yield from self._glanced(reading.number, stretch, glances, decoded, chance)
                group.packets.clear()
            for track in (quick, *reading.begun()):
                yield from self._glanced(reading.number, stretch, glances, self._decode(track, None), chance)
            glances.end()
            end = min(stretch.end, clock.furthest_s)
        if end - reached > most_s or reached == stretch.begin:
            gaps.append(Gap(reached, end, most_s / 2))

    def _glance(
        self,
        quick: Track,
        reading: "_Reading",
        group: Group,
        glances: "_Glances",
        max_gap_s: float,
        chance: Random,
    ) -> Iterator[VideoFrame]:
        """What is decoded of a group: the key frame, mostly with the frame behind it; or all up to a random moment."""
        length_s = group.end - group.begin
        choice = chance.random()
        share = max(WHOLE_SHARE, WHOLE_GROUPS * length_s / (self.facts.duration_s or math.inf))
        if choice < share and len(group.packets) > 1:
            target = group.shown_at(chance.uniform(group.begin, group.end))
            glances.expect(group, target)
            yield from self._whole(reading.track, group, target)
            return
        glances.expect(group)
        yield from self._decode(quick, group.key)
        if (behind := group.after_key()) is not None and choice < max(_GLANCES, length_s / max_gap_s):
            yield from self._decode(quick, behind)

    def _whole(self, track: Track, group: Group, target: float) -> Iterator[VideoFrame]:
        """What must be decoded for one frame; of frames that no other refers to only that."""
        for seconds, packet in group.up_to(target):
            track.skip("DEFAULT" if seconds == target else "NONREF")
            yield from self._decode(track, packet)

    def _glanced(
        self, number: int, stretch: Stretch, glances: "_Glances", decoded: Iterable[VideoFrame], chance: Random
    ) -> Iterator[Frame]:
        for frame in decoded:
            seconds = glances.clock.frame_seconds(frame)
            if seconds in stretch and glances.wants(seconds):
                pixels = self._pixels(frame, chance)
                if glances.shows_more(seconds, pixels):
                    yield from _as_shown(seconds, pixels, frame, number)

    def _shown_at(self, reading: "_Reading", due: Sequence[float], chance: Random) -> Iterator[Frame]:
        """What is shown at these moments, in their order. What lies behind the last is not decoded."""
        waiting = deque(due)
        held: tuple[float, VideoFrame] | None = None
        for seconds, frame in self._timed(reading, due):
            if waiting[0] < seconds:
                at, shown = held or (seconds, frame)
                yield from _as_shown(at, self._pixels(shown, chance), shown, reading.number)
                _drop_before(waiting, seconds)
            until = seconds + float((frame.duration or 0) * (frame.time_base or 0))
            held = (seconds, frame)
            if waiting and waiting[0] < until:
                yield from _as_shown(seconds, self._pixels(frame, chance), frame, reading.number)
                _drop_before(waiting, until)
            if not waiting:
                return
        if held is not None:
            at, shown = held
            yield from _as_shown(at, self._pixels(shown, chance), shown, reading.number)

    def _timed(self, reading: "_Reading", due: Sequence[float]) -> Iterator[tuple[float, VideoFrame]]:
        """The frames that others refer to, and those shown at one of the moments."""
        clock = reading.seek(due[0])
        for begin, until, packet in shown_until(self._packets(reading.track), clock):
            is_shown = bisect_left(due, begin) < bisect_left(due, until)
            reading.track.skip("DEFAULT" if is_shown else "NONREF")
            for frame in self._decode(reading.track, packet if packet.size else None):
                yield clock.frame_seconds(frame), frame

    def _spaced(self, number: int, stretch: Stretch, step_s: float, chance: Random) -> Iterator[Frame]:
        due = stretch.begin
        with self.open() as container:
            track = self.track(container, number)
            clock = Clock(track.stream)
            clock.seek(container, stretch.begin)
            for frame in self._decoded(track):
                seconds = clock.frame_seconds(frame)
                if seconds >= stretch.end:
                    return
                if seconds >= due:
                    # The next one is counted from here where frames are missing, so that nothing is caught up on.
                    due = max(due + step_s, seconds + step_s / 2)
                    yield from _as_shown(seconds, self._pixels(frame, chance)[:1], frame, number)

    def _chance(self, number: int, stretch: Stretch) -> Random:
        """Random choices that are the same again for the same seed: what makes a verdict can be made once more."""
        return Random(f"{self._seed}/{number}/{stretch.begin}")  # noqa: S311  (nobody sees what comes of it)

    def open(self) -> InputContainer:
        """The file, to be closed. Raises UnscreenableError."""
        try:
            return av.open(VideoReader(self._data), "r", metadata_errors="ignore", options=_OPTIONS)
        except av.error.FFmpegError as error:
            raise UnscreenableError(
                Shortcoming.UNREADABLE, "the video cannot be opened: {kind}", kind=type(error).__name__
            ) from error

    def track(self, container: InputContainer, number: int, *, filtered: bool = True) -> Track:
        """A stream and its decoder, which has not begun yet."""
        stream = container.streams.video[self._numbers[number]]
        decoder = stream.codec_context
        if stream.metadata.get("alpha_mode") == "1" and decoder.name in _WITH_ALPHA:
            other = CodecContext.create(_WITH_ALPHA[decoder.name], "r")
            assert isinstance(other, VideoCodecContext)
            decoder = other
        decoder.thread_count = 1
        options = {"max_pixels": str(self._limits.max_pixels), **DECODING}
        if self._mode is Mode.FAST and not filtered:
            options["skip_loop_filter"] = "all"  # over many frames the difference would grow
        decoder.options = options
        return Track(number, container, stream, decoder)

    def _decoded(self, track: Track) -> Iterator[VideoFrame]:
        for packet in self._packets(track):
            yield from self._decode(track, packet if packet.size else None)

    def _packets(self, track: Track) -> Iterator[VideoPacket]:
        """The stream's packets, up to where the file cannot be read any further, which counts as an error."""
        try:
            yield from track.container.demux(track.stream)
        except av.error.FFmpegError as error:
            if isinstance(error, MemoryError):
                raise
            self.errors += 1

    def _decode(self, track: Track, packet: VideoPacket | None) -> list[VideoFrame]:
        """What comes out of the decoder; a packet that it cannot read counts as an error and the next is tried."""
        if packet is not None and packet.is_keyframe:
            self._begun.add(track.number)
        try:
            return track.decoder.decode(packet)
        except av.error.EOFError:
            return []
        except av.error.FFmpegError as error:
            if isinstance(error, MemoryError):
                raise
            if track.number in self._begun or not self._begins_anywhere:
                self.errors += 1
            return []

    def _pixels(self, frame: VideoFrame, chance: Random) -> Sequence[Pixels]:
        """What viewers show of a frame: one picture, or more where it is transparent."""
        self._check_size(frame.width, frame.height)
        return [converted(frame, "rgb24")] if self._mode is Mode.EXACT else readings(frame, chance)

    def _check_size(self, width: int, height: int) -> None:
        if width * height > self._limits.max_pixels:
            raise UnscreenableError(
                Shortcoming.TOO_MANY_PIXELS,
                "{width:,} x {height:,} pixels are over the limit of {max_pixels:,}",
                width=width,
                height=height,
                max_pixels=self._limits.max_pixels,
            )


class _Reading:
    """One stream, opened when it is first needed, with a decoder of its own."""

    def __init__(self, video: Video, number: int) -> None:
        self.number = number
        self._video = video
        self._opened = contextlib.ExitStack()
        self._track: Track | None = None
        self._sought = False

    @property
    def track(self) -> Track:
        """The stream, read from its beginning or from where `seek` went."""
        if self._track is None:
            container = self._opened.enter_context(self._video.open())
            self._track = self._video.track(container, self.number)
        return self._track

    def begun(self) -> Sequence[Track]:
        """The stream where it was needed."""
        return () if self._track is None else (self._track,)

    def seek(self, seconds: float) -> Clock:
        """Go to the last key frame before that time."""
        clock = Clock(self.track.stream)
        if self.track.decoder.is_open:
            self.track.decoder.flush_buffers()
        clock.seek(self.track.container, max(seconds, _BEGINNING_S) if self._sought else seconds)
        self._sought = True
        return clock

    def close(self) -> None:
        """Let go of the file."""
        self._opened.close()


@dataclass(slots=True)
class _Glance:
    """What was asked of one group, and what came of it."""

    begin: float
    end: float
    target: float | None
    """When the frame is shown up to which all is decoded; None where only the group's beginning is."""
    key: Sequence[Thumbnail] = ()
    """What the key frame shows."""
    given: float = -math.inf


class _Glances:
    """Chooses, of the frames that come out of the decoders for each group, those that say more than the others."""

    def __init__(self, clock: Clock, gaps: list[Gap]) -> None:
        self.clock = clock
        self._gaps = gaps
        self._asked: deque[_Glance] = deque(maxlen=_REMEMBERED)
        self._other: list[tuple[_Glance, Sequence[Thumbnail]]] = []

    def expect(self, group: Group, target: float | None = None) -> None:
        """Frames of this group come next: its beginning, or all up to one."""
        self._asked.append(_Glance(group.begin, group.end, target))

    def wants(self, seconds: float) -> bool:
        """Whether a frame is to be looked at."""
        glance = self._of(seconds)
        if glance is None or glance.target is None:
            return True
        wanted = self._same(seconds, glance.target) or seconds - glance.given >= CLOSER_S
        if wanted:
            glance.given = seconds
        return wanted

    def shows_more(self, seconds: float, pixels: Sequence[Pixels]) -> bool:
        """Whether it is a key frame, or not like that of its group. A group deserves a closer look where what follows
        its key frame is not like the next one either: otherwise the scene changed, and that one shows it."""
        glance = self._of(seconds)
        if glance is None or glance.target is not None:
            return True
        shown = [_thumbnail(picture) for picture in pixels]
        if self._same(seconds, glance.begin):
            glance.key = shown
            self._judge(shown)
            return True
        differs = not _all_alike(shown, glance.key)
        if differs:
            self._other.append((glance, shown))
        return differs

    def end(self) -> None:
        """No further frame comes."""
        self._judge(())

    def _judge(self, key: Sequence[Thumbnail]) -> None:
        for glance, shown in self._other:
            if not _all_alike(shown, key):
                step_s = max(CLOSER_S, (glance.end - glance.begin) / CLOSER_MOMENTS)
                self._gaps.append(Gap(glance.begin, glance.end, step_s, to_its_end=True))
        self._other.clear()

    def _of(self, seconds: float) -> _Glance | None:
        reach = seconds + self.clock.frame_s / 2
        return next((glance for glance in reversed(self._asked) if glance.begin <= reach), None)

    def _same(self, one: float, other: float) -> bool:
        return abs(one - other) < self.clock.frame_s / 2


_WITH_ALPHA = {"vp8": "libvpx", "vp9": "libvpx-vp9"}
"""What decodes the transparency that WebM carries beside the frames: FFmpeg's own decoders leave it out."""
_STREAMED = frozenset({"mpegts", "mpeg"})
"""Forms that are broadcast: a recording begins where it was switched on, and is shown from its first key frame on."""
_BEGINNING_S = 1e-6
"""A file that was read already is sought back to its beginning too."""
_TOLERANCE = 1.05
"""Key frames that are meant to be two seconds apart are sometimes a frame further."""
_REMEMBERED = 32
_GLANCES = 1 / 2
"""In that share of groups at least, the frame behind the key frame is decoded too; in all that are as long as a gap."""
_SOUGHT_S, _READ_THROUGH_S = 2.0, 60.0
"""Of a video longer than the second, moments further apart than the first are sought one by one."""
_FARTHER = 1 / 4
"""So often, what lies behind the last sample that a gap needs is sampled as well."""
_THUMBNAIL = 16
_ALIKE = 0.65
"""Correlation of thumbnails: of frames a tenth of a second apart one in fifty comes under it in fast films, of
unrelated photos three in four."""
_FLAT = 1.5
"""Of 255 steps: what varies by less shows nothing that could match."""
_OPTIONS = {"probesize": "5000000", "analyzeduration": "2000000", "advanced_editlist": "0", **OPENING}
"""How far a file without a proper header is read to find out what it is: bytes, microseconds. Frames that an edit list
leaves out are looked at: not every player reads one."""


def _joined(gaps: Sequence[Gap]) -> Iterator[Gap]:
    """Gaps in their order, those of one kind that touch as one."""
    joined: Gap | None = None
    for gap in sorted(gaps, key=lambda gap: gap.begin):
        if joined is not None and gap.to_its_end and joined.to_its_end and gap.begin <= joined.end + gap.step_s:
            step_s = min(gap.step_s, joined.step_s)
            joined = Gap(joined.begin, max(joined.end, gap.end), step_s, to_its_end=True)
            continue
        if joined is not None:
            yield joined
        joined = gap
    if joined is not None:
        yield joined


def _moments_in(gap: Gap, most_s: float, chance: Random) -> list[float]:
    """Random moments; behind the last one that a gap needs, where decoding would have to go on for them, now and then
    only."""
    due = moments(gap.begin, gap.end, gap.step_s, chance)
    if gap.to_its_end or chance.random() < _FARTHER:
        return due
    needed = next((number for number, moment in enumerate(due) if moment >= gap.end - most_s), len(due))
    return due[: needed + 1]


def _as_shown(seconds: float, pixels: Sequence[Pixels], frame: VideoFrame, number: int) -> Iterator[Frame]:
    for picture in pixels:
        yield Frame(seconds, picture, _quarters(frame), number)


def _drop_before(waiting: deque[float], seconds: float) -> None:
    while waiting and waiting[0] < seconds:
        waiting.popleft()


def _runs(seconds: Sequence[float], near_s: float) -> Iterator[list[float]]:
    """Moments in runs of neighbours: from one to the next it is read on, to the next run it is sought."""
    run = [seconds[0]]
    for one, other in pairwise(seconds):
        if other - one > near_s:
            yield run
            run = []
        run.append(other)
    yield run


def _once(frames: Iterable[Frame]) -> Iterator[Frame]:
    """Each moment once, with all that may be seen then."""
    given: set[float] = set()
    current = -1.0
    for frame in frames:
        if frame.seconds == current or frame.seconds not in given:
            current = frame.seconds
            given.add(current)
            yield frame


def _all_alike(some: Sequence[Thumbnail], others: Sequence[Thumbnail]) -> bool:
    return all(any(_alike(one, other) for other in others) for one in some)


def _thumbnail(pixels: Pixels) -> Thumbnail:
    """What a picture shows on the whole, less its mean: what moves a little within it changes little of that."""
    step = max(1, min(pixels.shape[:2]) // (8 * _THUMBNAIL))
    image = Image.fromarray(np.ascontiguousarray(pixels[::step, ::step])).convert("L")
    small = np.asarray(image.resize((_THUMBNAIL, _THUMBNAIL), Image.Resampling.BOX), np.float64)
    shown: Thumbnail = small - small.mean()
    return shown


def _alike(one: Thumbnail, other: Thumbnail) -> bool:
    """Whether two thumbnails show the same scene, or the first hardly anything."""
    strength = math.sqrt((one * one).sum() * (other * other).sum())
    return float(one.std()) < _FLAT or float((one * other).sum()) >= _ALIKE * strength


def _duration_s(container: InputContainer, stream: VideoStream) -> float | None:
    if stream.duration and stream.time_base:
        return max(0.0, float(stream.duration * stream.time_base))
    return max(0.0, container.duration / 1_000_000) if container.duration else None


def _is_cover(stream: VideoStream) -> bool:
    return bool(stream.disposition & Disposition.attached_pic)


def _quarters(frame: VideoFrame) -> int:
    """By the display matrix. FFmpeg gives the angle counter-clockwise."""
    return round(frame.rotation / 90) % 4
