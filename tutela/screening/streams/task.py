"""The task that decodes a look in an isolated worker: packets in, samples of the frames that are wanted out.

Most looks stand for themselves: a key frame, or what leads from it to one frame. Where a stream is followed, the worker
is that stream's own and keeps its decoder from look to look.
"""

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any, cast

import numpy as np

from tutela.content.media.content import Picture, Shortcoming
from tutela.content.media.limits import Limits
from tutela.content.signals.base import Sample
from tutela.content.signals.pdq import PDQ
from tutela.content.views.view_set import ViewSet
from tutela.errors import UnscreenableError
from tutela.screening.video.task import read_sample, sample_fields

_REMEMBERED = 8
"""Frames that are wanted and have not come out of the decoder yet."""


@dataclass(frozen=True, slots=True)
class StretchSeen:
    """What a worker saw of a frame."""

    seconds: float
    samples: tuple[Sample, ...]


def read_seen(document: Any) -> list[StretchSeen]:
    """The frames in a worker's answer. Raises ValueError, KeyError, TypeError where it is not of its form."""
    return [
        StretchSeen(float(seconds), tuple(read_sample(float(seconds), int(document["track"]), view) for view in views))
        for seconds, views in document["frames"]
    ]


def task(data: memoryview, options: Mapping[str, Any]) -> dict[str, Any]:
    """Decode one look. Raises UnscreenableError where a frame that is wanted cannot be had."""
    decoding = _decoding(options)
    frames = [
        [round(seconds, 4), [sample_fields(sample) for sample in samples]]
        for seconds, samples in decoding.look(data, options)
    ]
    if not frames and not options["followed"]:
        raise UnscreenableError(Shortcoming.UNREADABLE, "no frame could be decoded")
    if decoding.errors > _MOST_ERRORS:
        decoding.errors = 0
        raise UnscreenableError(Shortcoming.DAMAGED, "too much of the stream cannot be decoded")
    return {"frames": frames, "track": options["track"]}


_MOST_ERRORS = 25
"""Packets of a stream that is followed which may fail: what was lost on its way damages a few."""
_followed: dict[int, "_Decoding"] = {}
"""By track: the decoders of the one stream that this worker follows."""


def _decoding(options: Mapping[str, Any]) -> "_Decoding":
    track = int(options["track"])
    if not options["followed"]:
        return _Decoding.begun(options)
    if options["fresh"] or track not in _followed:
        _followed[track] = _Decoding.begun(options)
    return _followed[track]


@dataclass(slots=True)
class _Decoding:
    """One decoder and the frames that are still wanted of it."""

    decoder: Any
    limits: Limits
    due: list[tuple[int, float]] = field(default_factory=list)
    """The number of each packet whose frame is wanted, and its seconds. By its number, since a sender chooses times:
    of frames that all claim one moment, the first would stand for whichever is wanted."""
    packets: int = 0
    errors: int = 0
    chance: Random = field(default_factory=Random)
    """Seeded by the system; nobody sees anything of what it gives."""

    @classmethod
    def begun(cls, options: Mapping[str, Any]) -> "_Decoding":
        """A decoder for that codec."""
        try:
            from av.codec.context import CodecContext
            from av.error import FFmpegError

            from tutela.content.media.confined.ffmpeg import DECODING, VIDEO_DECODERS
        except ImportError:
            raise UnscreenableError(Shortcoming.UNSUPPORTED_TYPE, "streams need the extra tutela[video]") from None
        limits = Limits(**options["limits"])
        name = str(options["codec"]["name"])
        if name not in VIDEO_DECODERS:
            raise UnscreenableError(Shortcoming.UNSUPPORTED_TYPE, "the stream's codec is not one that is decoded")
        try:
            decoder = CodecContext.create(name, "r")
        except (FFmpegError, ValueError) as error:
            raise UnscreenableError(Shortcoming.UNSUPPORTED_TYPE, "the stream's codec is not known") from error
        extradata = bytes.fromhex(options["codec"]["extradata"])
        if extradata:
            decoder.extradata = extradata
        decoder.thread_count = 1
        decoder.options = {"max_pixels": str(limits.max_pixels), **DECODING}
        return cls(decoder, limits)

    def look(self, data: memoryview, options: Mapping[str, Any]) -> Generator[tuple[float, list[Sample]], None, None]:
        """The frame that is wanted, with its samples: the last one of a look."""
        at, last = 0, len(options["packets"])
        for number, (seconds, size, _, disposable) in enumerate(options["packets"], 1):
            packet = bytes(data[at : at + size])
            at += size
            self.packets += 1
            wanted = number == last and bool(options["due"])
            if wanted:
                self.due = [*self.due, (self.packets, float(seconds))][-_REMEMBERED:]
            elif disposable:
                continue  # no other frame needs it
            self.decoder.skip_frame = "DEFAULT" if wanted else "NONREF"
            yield from self._decoded(packet)
        if not options["followed"]:
            yield from self._decoded(None)
            if self.due and self.errors:
                raise UnscreenableError(Shortcoming.UNREADABLE, "the frame that was wanted cannot be decoded")

    def _decoded(self, data: bytes | None) -> Generator[tuple[float, list[Sample]], None, None]:
        from av.error import EOFError as EndError
        from av.error import FFmpegError
        from av.packet import Packet

        packet = None
        if data is not None:
            packet = Packet(data)
            packet.pts = self.packets
        try:
            frames = self.decoder.decode(packet)
        except EndError:
            return
        except FFmpegError as error:
            if isinstance(error, MemoryError):
                raise
            self.errors += 1
            return
        for frame in frames:
            had = [seconds for number, seconds in self.due if frame.pts is not None and number <= frame.pts]
            if had:
                self.due = self.due[len(had) :]
                yield had[-1], self._samples(frame)

    def _samples(self, frame: Any) -> list[Sample]:
        from tutela.content.media.confined.frame_luma import readings

        if frame.width * frame.height > self.limits.max_pixels:
            raise UnscreenableError(Shortcoming.TOO_MANY_PIXELS, "the stream's frames are over the limit of pixels")
        quarters = round(frame.rotation / 90) % 4
        samples: list[Sample] = []
        for luma in readings(frame, self.chance):
            pixels = np.ascontiguousarray(np.rot90(luma, quarters))
            height, width = pixels.shape
            samples += PDQ.of_picture(Picture(pixels, width, height), ViewSet(cast(str, self.limits.views)))
        return samples
