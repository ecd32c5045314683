"""Benign videos for the tests: cameras that move over photos which scikit-image carries, and what is done to copies."""

import io
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from functools import cache
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
from PIL import Image

from tests.support.pictures import photos
from tutela import _native
from tutela.content.media.confined.video import Video
from tutela.content.media.content import Mode
from tutela.content.media.limits import Limits
from tutela.content.signals.base import Sample

Pictures = npt.NDArray[np.uint8]
"""(height, width, 3) RGB."""
RATE = 10
SIZE = (320, 180)


@cache
def scene(number: int, seconds: float = 8.0, rate: int = RATE) -> tuple[Pictures, ...]:
    """The frames of a camera that wanders over a photo and comes nearer; each number is another film."""
    photo = photos()[number % len(photos())]
    rng = np.random.default_rng(number)
    corners = rng.random((4, 2))
    count = round(seconds * rate)
    frames = []
    for i in range(count):
        at = i / max(1, count - 1) * 3
        place = corners[min(2, int(at))] * (1 - at % 1) + corners[min(3, int(at) + 1)] * (at % 1)
        if i == count - 1:
            place = corners[3]
        width = photo.width * (0.45 + 0.2 * np.sin(at + number))
        height = min(width * SIZE[1] / SIZE[0], photo.height)
        left, top = place * (photo.width - width, photo.height - height)
        box = (left, top, left + width, top + height)
        frames.append(np.asarray(photo.resize(SIZE, Image.Resampling.BILINEAR, box=box)))
    return tuple(frames)


def looped(number: int, seconds: float) -> tuple[Pictures, ...]:
    """The frames of a film, again and again for so long: sooner made than as many of their own."""
    frames, count = scene(number), round(seconds * RATE)
    return (frames * -(-count // len(frames)))[:count]


def still(number: int, seconds: float, rate: int = RATE) -> tuple[Pictures, ...]:
    """One picture, held."""
    return scene(number)[:1] * round(seconds * rate)


def encode(
    frames: Sequence[Pictures],
    *,
    rate: int = RATE,
    form: str = "mp4",
    codec: str = "libx264",
    key_frames_every: int = 20,
    options: dict[str, str] | None = None,
) -> bytes:
    """Frames as a file's bytes."""
    file = io.BytesIO()
    with av.open(file, "w", format=form) as container:
        stream = container.add_stream(codec, rate=rate)
        assert isinstance(stream, av.VideoStream)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        if codec != "mjpeg":
            stream.gop_size = key_frames_every
        stream.options = dict(options or ({"preset": "ultrafast"} if codec == "libx264" else {}))
        for number, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), "rgb24")
            frame.pts, frame.time_base = number, Fraction(1, rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()


def decode(path: Path) -> Iterator[Pictures]:
    """The frames of a file, as RGB."""
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            yield frame.to_ndarray(format="rgb24").astype(np.uint8, copy=False)


def each(frames: Sequence[Pictures], change: Callable[[Image.Image], Image.Image]) -> list[Pictures]:
    """Every frame changed in the same way."""
    return [np.asarray(change(Image.fromarray(frame))) for frame in frames]


def frames_of(content: bytes, step_s: float = 0.0) -> list[Sample]:
    """The frames of a video as the vPDQ tool lists them."""
    video = Video(content, Mode.EXACT, Limits())
    hashes = ((frame.seconds, *_native.pdq(frame.pixels)) for frame in video.numbered(step_s))
    return [Sample("pdq", value, quality=quality, seconds=seconds) for seconds, value, quality in hashes]
