"""A video to frames: key frames first, then what lies between where they are too far apart. Runs in isolated workers.

Frames are given as luma, straight from the decoder's own plane, or in exact mode as RGB. One thread, memory that does
not grow with the length: nothing is kept of a frame that was handed on.
"""

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import av
import av.error
import numpy as np
import numpy.typing as npt
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from tutela.content.media.confined.ffmpeg import DECODING, OPENING
from tutela.content.media.confined.stretch import Frame, Stretch, spread
from tutela.content.media.confined.video_file import Clock, Reader
from tutela.content.media.content import Limits, Mode, Shortcoming
from tutela.errors import UnscreenableError

av.logging.set_level(None)

MAX_STREAMS = 8
"""Video streams of one file that are looked at; more are held."""
Skip = Literal["DEFAULT", "NONREF", "NONKEY"]
"""What the decoder leaves out: nothing, frames that no other refers to, all but key frames."""
_PLANAR = frozenset({"yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "yuvj444p", "nv12", "gray"})
"""Pixel formats whose first plane is the luma of eight bits that a viewer shows."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a video's header says of it."""

    width: int
    height: int
    duration_s: float | None
    codec: str
    streams: int


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch without key frames inside it."""

    begin: float
    end: float
    begins_with_frame: bool
    """Whether it begins with a key frame, which was given already."""


class Video:
    """The video streams of one file. Raises UnscreenableError where there are none to be had."""

    def __init__(self, data: bytes | memoryview, mode: Mode, limits: Limits) -> None:
        self._mode = mode
        self._limits = limits
        self._data = data
        self.errors = 0
        """Packets that could not be decoded."""
        with self._open() as container:
            streams = container.streams.video
            if not streams:
                raise UnscreenableError(Shortcoming.UNSUPPORTED_TYPE, "the file has no video in it")
            if len(streams) > MAX_STREAMS:
                raise UnscreenableError(
                    Shortcoming.PARTLY_SCREENED, f"{len(streams)} video streams are over the limit of {MAX_STREAMS}"
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
        """Key frames, about two in `max_gap_s` where there are more, then so many frames between them that no two are
        further apart than `max_gap_s`."""
        for number in range(self.facts.streams):
            gaps: list[Gap] = []
            yield from self._key_frames(number, stretch, max_gap_s, gaps)
            for gap in gaps:
                yield from self._between(number, gap, max_gap_s)

    def every(self, stretch: Stretch, step_s: float) -> Iterator[Frame]:
        """Frames at least `step_s` apart; each frame where that is 0."""
        for number in range(self.facts.streams):
            yield from self._spaced(number, stretch, step_s, "NONREF" if step_s >= _SPARSE_S else "DEFAULT")

    def numbered(self, seconds_per_hash: float) -> Iterator[Frame]:
        """The frames of the first stream that the vPDQ tool hashes, at the times it writes: number / frame rate."""
        with self._open() as container:
            stream = self._stream(container, 0, "DEFAULT")
            rate = float(stream.average_rate or stream.guessed_rate or 0)
            if rate <= 0:
                raise UnscreenableError(Shortcoming.UNREADABLE, "the video says nothing of its frame rate")
            every = max(1, int(seconds_per_hash * rate))
            for number, frame in enumerate(self._decoded(container, stream)):
                if number % every == 0:
                    yield Frame(number / rate, self._pixels(frame), _quarters(frame))

    def _key_frames(self, number: int, stretch: Stretch, max_gap_s: float, gaps: list[Gap]) -> Iterator[Frame]:
        """The key frames; and where they are too far apart, put down in `gaps`."""
        last: float | None = None
        reached = stretch.begin
        with self._open() as container:
            stream = self._stream(container, number, "NONKEY")
            clock = Clock(stream)
            clock.seek(container, stretch.begin)

            def key_packets() -> "Iterator[tuple[float, Packet[VideoStream]]]":
                nonlocal reached
                for packet in self._packets(container, stream):
                    seconds = clock.packet_seconds(packet)
                    reached = max(reached, min(seconds, stretch.end))
                    if seconds >= stretch.end:
                        return
                    if packet.is_keyframe and packet.size and seconds >= stretch.begin:
                        yield seconds, packet

            for seconds, packet in spread(key_packets(), max_gap_s / 2 * _ABOUT, max_gap_s * _TOLERANCE):
                gaps.append(Gap(stretch.begin if last is None else last, seconds, last is not None))
                last = seconds
                yield from self._frames(number, clock, stretch, self._decode(stream, packet))
            yield from self._frames(number, clock, stretch, self._decode(stream, None))
        gaps.append(Gap(stretch.begin if last is None else last, reached, last is not None))
        gaps[:] = [gap for gap in gaps if gap.end - gap.begin > max_gap_s * _TOLERANCE or last is None]

    def _between(self, number: int, gap: Gap, max_gap_s: float) -> Iterator[Frame]:
        """Frames inside a gap, the last as early as may be: what lies behind it is not decoded."""
        most_s = max_gap_s * _TOLERANCE
        length_s = gap.end - gap.begin
        inside = max(0, math.ceil(length_s / most_s) - 1)
        step_s = (length_s - most_s) / inside if inside else most_s
        begin = gap.begin + step_s if gap.begins_with_frame else gap.begin
        frames = self._spaced(number, Stretch(begin, max(gap.end, begin + step_s / 2)), step_s, "NONREF")
        yield from itertools.islice(frames, inside if gap.begins_with_frame else inside + 1)

    def _spaced(self, number: int, stretch: Stretch, step_s: float, skip: Skip) -> Iterator[Frame]:
        due = stretch.begin
        with self._open() as container:
            stream = self._stream(container, number, skip)
            clock = Clock(stream)
            clock.seek(container, stretch.begin)
            for frame in self._decoded(container, stream):
                seconds = clock.frame_seconds(frame)
                if seconds >= stretch.end:
                    return
                if seconds >= due:
                    # The next one is counted from here where frames are missing, so that nothing is caught up on.
                    due = max(due + step_s, seconds + step_s / 2)
                    yield Frame(seconds, self._pixels(frame), _quarters(frame), number)

    def _frames(self, number: int, clock: Clock, stretch: Stretch, decoded: list[VideoFrame]) -> Iterator[Frame]:
        for frame in decoded:
            seconds = clock.frame_seconds(frame)
            if seconds in stretch:
                yield Frame(seconds, self._pixels(frame), _quarters(frame), number)

    def _open(self) -> InputContainer:
        try:
            return av.open(Reader(self._data), "r", metadata_errors="ignore", options=_OPTIONS)
        except av.error.FFmpegError as error:
            raise UnscreenableError(
                Shortcoming.UNREADABLE, f"the video cannot be opened: {type(error).__name__}"
            ) from error

    def _stream(self, container: InputContainer, number: int, skip: Skip) -> VideoStream:
        stream = container.streams.video[number]
        context = stream.codec_context
        context.thread_count = 1
        context.skip_frame = skip
        options = {"max_pixels": str(self._limits.max_pixels), **DECODING}
        if self._mode is Mode.FAST and skip == "NONKEY":
            options["skip_loop_filter"] = "all"  # in others the difference would grow from frame to frame
        context.options = options
        return stream

    def _decoded(self, container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
        for packet in self._packets(container, stream):
            yield from self._decode(stream, packet if packet.size else None)

    def _packets(self, container: InputContainer, stream: VideoStream) -> "Iterator[Packet[VideoStream]]":
        """The stream's packets, up to where the file cannot be read any further, which counts as an error."""
        try:
            yield from container.demux(stream)
        except av.error.FFmpegError as error:
            if isinstance(error, MemoryError):
                raise
            self.errors += 1

    def _decode(self, stream: VideoStream, packet: "Packet[VideoStream] | None") -> list[VideoFrame]:
        """What comes out of the decoder; a packet that it cannot read counts as an error and the next is tried."""
        try:
            return stream.codec_context.decode(packet)
        except av.error.EOFError:
            return []
        except av.error.FFmpegError as error:
            if isinstance(error, MemoryError):
                raise
            self.errors += 1
            return []

    def _pixels(self, frame: VideoFrame) -> npt.NDArray[np.uint8]:
        self._check_size(frame.width, frame.height)
        if self._mode is Mode.EXACT:
            return _converted(frame, "rgb24")
        if frame.format.name in _PLANAR:
            plane = frame.planes[0]
            rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
            luma = rows[: frame.height, : frame.width]
            return np.ascontiguousarray(luma) if _full_range(frame) else np.clip(luma, _BLACK, _WHITE)
        return _converted(frame, "gray")

    def _check_size(self, width: int, height: int) -> None:
        if width * height > self._limits.max_pixels:
            raise UnscreenableError(
                Shortcoming.TOO_MANY_PIXELS,
                f"{width:,} x {height:,} pixels are over the limit of {self._limits.max_pixels:,}",
            )


_TOLERANCE = 1.05
"""Key frames that are meant to be two seconds apart are sometimes a frame further."""
_ABOUT = 0.95
"""Key frames that are meant to be half a gap apart are sometimes a frame nearer."""
_SPARSE_S = 0.2
"""Frames that no other refers to are skipped where samples are at least so far apart."""
_BLACK, _WHITE = 16, 235
"""Of luma in the limited range (ITU-R BT.601)."""
_FULL = 2
"""FFmpeg's mark of luma in the full range."""
_OPTIONS = {"probesize": "5000000", "analyzeduration": "2000000", **OPENING}
"""How far a file without a proper header is read to find out what it is: bytes, microseconds."""


def _converted(frame: VideoFrame, form: str) -> npt.NDArray[np.uint8]:
    try:
        return np.ascontiguousarray(frame.to_ndarray(format=form), np.uint8)
    except (av.error.FFmpegError, ValueError) as error:
        if isinstance(error, MemoryError):
            raise
        raise UnscreenableError(
            Shortcoming.UNREADABLE, f"frames of the pixel format {frame.format.name} cannot be converted"
        ) from error


def _full_range(frame: VideoFrame) -> bool:
    """Whether luma goes from 0 to 255. Otherwise a screen shows what lies beyond black and white as these."""
    return frame.format.name.startswith("yuvj") or frame.format.name == "gray" or frame.color_range == _FULL


def _duration_s(container: InputContainer, stream: VideoStream) -> float | None:
    if stream.duration and stream.time_base:
        return max(0.0, float(stream.duration * stream.time_base))
    return max(0.0, container.duration / 1_000_000) if container.duration else None


def _quarters(frame: VideoFrame) -> int:
    """By the display matrix. FFmpeg gives the angle counter-clockwise."""
    return round(frame.rotation / 90) % 4
