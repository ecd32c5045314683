"""Multiples of real time on one core, beside the package `vpdq`; and whether memory stays flat over the length."""

import contextlib
import io
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
from PIL import Image

from benchmarks.films import SHARED, film, join
from benchmarks.peer_vpdq import MISSING, hash_files, peer_python
from benchmarks.report import Scale, Table
from tutela.deployment import Deployment, open_deployment
from tutela.media.content import Limits, Mode, ViewSet
from tutela.media.stretch import Stretch
from tutela.media.video import Video
from tutela.screening.watching import Watch, watch

_SECONDS = {Scale.TINY: 4, Scale.USUAL: 30, Scale.FULL: 60}
_LONG_MIN = {Scale.TINY: 2, Scale.USUAL: 20, Scale.FULL: 120}
_RATE = 30
_HD = (1920, 1080)


def run(scale: Scale) -> list[Table]:
    """The tables."""
    return [_speed(scale), _memory(scale)]


def _speed(scale: Scale) -> Table:
    seconds = _SECONDS[scale]
    frames = _hd_frames(seconds)
    columns = ("key frames every", "Mbit/s", "Tutela", "of it decoding", "frames", "vpdq, 1 hash a second", "ratio")
    note = (
        f"{seconds} s of 1080p H.264 at {_RATE} frames a second, as multiples of real time on one core. Tutela samples"
        " key frames and never leaves more than two seconds between samples, with all views of pictures."
    )
    table = Table("Speed of videos", columns, note if peer_python() else f"{note}\n\n{MISSING}")
    with tempfile.TemporaryDirectory() as folder:
        for every_s in (0.5, 1.0, 2.0, 8.0):
            content = _encode_hd(frames, round(every_s * _RATE))
            path = Path(folder) / "video.mp4"
            path.write_bytes(content)
            total_s, count = _watch_s(content)
            decoding_s = _decode_s(content)
            peer_s = hash_files([path])[0].seconds if peer_python() else None
            table.add(
                f"{every_s:g} s",
                f"{len(content) * 8e-6 / seconds:.1f}",
                f"{seconds / total_s:.0f} ×",
                f"{seconds / decoding_s:.0f} ×",
                str(count),
                f"{seconds / peer_s:.1f} ×" if peer_s else "",
                f"{peer_s / total_s:.1f} ×" if peer_s else "",
            )
    return table


def _hd_frames(seconds: int) -> list[av.VideoFrame]:
    """A real video, to and fro, where the shared ones are there; else a drawn film."""
    path = SHARED / "videos" / "pattern-longer-no-bar.mp4"
    if path.exists():
        with av.open(str(path)) as container:
            shown = [frame.reformat(*_HD, format="yuv420p") for frame in container.decode(video=0)]
        shown += shown[::-1]
        return [shown[i % len(shown)] for i in range(seconds * _RATE)]
    small = film(0, seconds)
    shown = [av.VideoFrame.from_image(Image.fromarray(frame).resize(_HD)).reformat(format="yuv420p") for frame in small]
    return [shown[i * len(shown) // (seconds * _RATE)] for i in range(seconds * _RATE)]


def _encode_hd(frames: list[av.VideoFrame], key_frames_every: int) -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=_RATE)
        stream.width, stream.height = _HD
        stream.pix_fmt = "yuv420p"
        stream.gop_size = key_frames_every
        stream.options = {"preset": "veryfast", "sc_threshold": "0", "crf": "23"}
        for number, frame in enumerate(frames):
            frame.pts, frame.time_base, frame.pict_type = number, Fraction(1, _RATE), 0
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()


def _watch_s(content: bytes) -> tuple[float, int]:
    """Processor seconds of what a worker does, in this process, and how many frames it saw."""
    options = Watch(max_gap_s=2.0).options(Mode.FAST, Limits())
    started, frames = time.process_time(), 0
    for part in watch(memoryview(content), options):
        frames += len(part.get("frames", ()))
    return time.process_time() - started, frames


def _decode_s(content: bytes) -> float:
    started = time.process_time()
    for _ in Video(content, Mode.FAST, Limits(views=ViewSet.PLAIN)).sampled(Stretch(), 2.0):
        pass
    return time.process_time() - started


def _memory(scale: Scale) -> Table:
    longest = _LONG_MIN[scale]
    note = "Largest memory that is no mapped file, of a decoding worker and of the process that screens."
    table = Table("Memory over the length", ("minutes", "bytes of video", "worker", "serving process", "took"), note)
    minute = _minute()
    with tempfile.TemporaryDirectory() as folder:
        for minutes in (1, longest // 4, longest):
            content = join([minute] * max(1, minutes))
            limits = Limits(max_bytes=1 << 32, video_timeout_s=3600)
            with open_deployment(Path(folder) / str(minutes), decoders=1, limits=limits) as deployment:
                deployment.screener.screen(b"")
                started = time.perf_counter()
                with _peak(deployment) as peak:
                    verdict = deployment.screener.screen(content)
                assert not verdict.reasons, verdict.reasons
                took = time.perf_counter() - started
            row = [f"{minutes}", f"{len(content) / 1e6:.0f} MB", *(f"{value / 1e6:.0f} MB" for value in peak)]
            table.add(*row, f"{took:.1f} s")
    return table


def _minute() -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt, stream.gop_size = 480, 270, "yuv420p", 20
        stream.options = {"preset": "ultrafast"}
        stream.bit_rate = 200_000
        for number, pixels in enumerate(film(1, 60.0)):
            frame = av.VideoFrame.from_ndarray(pixels, "rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 10)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()


@contextlib.contextmanager
def _peak(deployment: Deployment) -> Iterator[list[int]]:
    """The largest memory while the block runs: of the workers, and of this process."""
    peak, done = [0, 0], threading.Event()

    def look() -> None:
        while not done.wait(0.02):
            children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
            own = [_anonymous(int(child)) for child in children]
            peak[0] = max(peak[0], *own, 0)
            peak[1] = max(peak[1], _anonymous(os.getpid()))

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield peak
    finally:
        done.set()
        watcher.join()


def _anonymous(process: int) -> int:
    with contextlib.suppress(OSError, StopIteration):
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) * 1024
    return 0
