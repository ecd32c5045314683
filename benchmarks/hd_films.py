"""A film in 1080p for the speed of videos: real footage brought to that size, a slow camera over it, and grain, so that
x264 spends its bits as in a usual film. Without the shared videos it is drawn."""

import io
import itertools
from collections.abc import Iterator
from fractions import Fraction

import av
import numpy as np
import numpy.typing as npt
from PIL import Image

from benchmarks.films import SHARED, film

SIZE = (1920, 1080)
RATE = 30
_SHOTS = (
    ("chair-orig-22-sd-bar", 6),
    ("doorknob-hd-no-bar", 4),
    ("pattern-longer-no-bar", 4),
    ("chair-19-sd-bar", 4),
)
"""Shared videos, and how many seconds of each."""
_ROOM = 1.05
"""Footage is brought to so many times the size that fills the picture; the camera moves in what is left."""


def hd_film(seconds: int, grain: float) -> Iterator[av.VideoFrame]:
    """The frames; `grain` is the standard deviation of noise in luma, of 255 steps."""
    rng = np.random.default_rng(0)
    noise = rng.normal(0, grain, (SIZE[1] + 256, SIZE[0] + 256)).round().astype(np.int16)
    footage = itertools.islice(itertools.cycle(_footage()), seconds * RATE)
    for number, frame in enumerate(footage):
        planes = [np.array(plane) for plane in _planes(frame)]
        left, top = _camera(number, frame.width - SIZE[0], frame.height - SIZE[1])
        planes[0] = planes[0][top : top + SIZE[1], left : left + SIZE[0]]
        planes[1:] = [plane[top // 2 :, left // 2 :][: SIZE[1] // 2, : SIZE[0] // 2] for plane in planes[1:]]
        x, y = rng.integers(0, 256, 2)
        grainy = planes[0] + noise[y : y + SIZE[1], x : x + SIZE[0]]
        planes[0] = np.clip(grainy, 16, 235).astype(np.uint8)
        flat = np.concatenate([plane.ravel() for plane in planes]).reshape(-1, SIZE[0])
        yield av.VideoFrame.from_ndarray(flat, "yuv420p")


def encode_hd(seconds: int, grain: float, key_frames_every: int, preset: str) -> bytes:
    """H.264 in MP4 at x264's usual quality (CRF 23), with key frames at cuts and at least so often, in frames."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=RATE)
        stream.width, stream.height = SIZE
        stream.pix_fmt = "yuv420p"
        stream.gop_size = key_frames_every
        stream.options = {"preset": preset, "crf": "23"}
        for number, frame in enumerate(hd_film(seconds, grain)):
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()


def _footage() -> Iterator[av.VideoFrame]:
    if not SHARED.is_dir():
        for pixels in film(0):
            picture = Image.fromarray(pixels).resize((round(SIZE[0] * _ROOM), round(SIZE[1] * _ROOM)))
            yield from [av.VideoFrame.from_ndarray(np.asarray(picture), "rgb24").reformat(format="yuv420p")] * 3
        return
    for name, seconds in _SHOTS:
        with av.open(str(SHARED / "videos" / f"{name}.mp4")) as container:
            for frame in itertools.islice(container.decode(video=0), seconds * RATE):
                scale = _ROOM * max(SIZE[0] / frame.width, SIZE[1] / frame.height)
                width, height = (round(side * scale) // 2 * 2 for side in (frame.width, frame.height))
                yield frame.reformat(width, height, format="yuv420p", interpolation="BICUBIC")


def _planes(frame: av.VideoFrame) -> Iterator[npt.NDArray[np.uint8]]:
    for plane in frame.planes:
        rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
        yield rows[: plane.height, : plane.width]


def _camera(number: int, across: int, down: int) -> tuple[int, int]:
    """Where the picture begins in the footage: a slow drift to and fro."""
    at = number / RATE
    left, top = across / 2 * (1 + 0.8 * np.sin(0.7 * at)), down / 2 * (1 + 0.8 * np.sin(0.5 * at + 1))
    return int(left) // 2 * 2, int(top) // 2 * 2
