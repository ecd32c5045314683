"""Multiples of real time on one core, beside the package `vpdq`; and whether memory stays flat over the length."""

import contextlib
import io
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av

from benchmarks.films import film, join
from benchmarks.hd_films import RATE, encode_hd
from benchmarks.peer_vpdq import MISSING, hash_files, peer_python
from benchmarks.report import Scale, Table
from tutela.deployment import Deployment, open_deployment
from tutela.media.content import Limits, Mode, ViewSet
from tutela.media.stretch import Stretch
from tutela.media.video import Video
from tutela.screening.watching import Watch, watch

_SECONDS = {Scale.TINY: 3, Scale.USUAL: 20, Scale.FULL: 20}
_LONG_MIN = {Scale.TINY: 2, Scale.USUAL: 20, Scale.FULL: 120}
_ROUNDS = {Scale.TINY: 1, Scale.USUAL: 3, Scale.FULL: 5}
_PRESET = {Scale.TINY: "ultrafast", Scale.USUAL: "medium", Scale.FULL: "medium"}
_STREAMED, _GRAINY = 2.0, 4.0
"""Grain with which the film takes about the bits of a stream, and about twice as many."""
_KEY_FRAMES_S = {
    Scale.TINY: ((_STREAMED, 1.0),),
    Scale.USUAL: tuple((_STREAMED, every_s) for every_s in (0.5, 1.0, 2.0, 250 / RATE)),
    Scale.FULL: tuple((grain, every_s) for grain in (_STREAMED, _GRAINY) for every_s in (0.5, 1.0, 2.0, 250 / RATE)),
}


def run(scale: Scale) -> list[Table]:
    """The tables."""
    return [_speed(scale), _memory(scale)]


def _speed(scale: Scale) -> Table:
    seconds = _SECONDS[scale]
    columns = (
        *("Mbit/s", "key frames at least every", "key frames", "samples"),
        *("Tutela", "of it decoding", "vpdq, 1 hash a second", "ratio"),
    )
    note = (
        f"{seconds} s of 1080p H.264 at {RATE} frames a second: real footage with a moving camera and grain, by x264"
        f" with preset {_PRESET[scale]} and CRF 23, key frames also at cuts. Multiples of real time on one core, in"
        " processor time. Tutela samples key frames, one a second where there are more, never leaves more than two"
        " seconds between samples, and looks for all views of pictures."
    )
    table = Table("Speed of videos", columns, note if peer_python() else f"{note}\n\n{MISSING}")
    with tempfile.TemporaryDirectory() as folder:
        for grain, every_s in _KEY_FRAMES_S[scale]:
            path = Path(folder) / "video.mp4"
            path.write_bytes(encode_hd(seconds, grain, round(every_s * RATE), _PRESET[scale]))
            table.add(*_measured(path, seconds, every_s, _ROUNDS[scale]))
    return table


def _measured(path: Path, seconds: int, every_s: float, rounds: int) -> Iterator[str]:
    """The cells of one file: medians, ours and the package in turns."""
    content = path.read_bytes()
    ours, decoding, peers, samples = [], [], [], 0
    _watch_s(content)
    for _ in range(rounds):
        watched_s, samples = _watch_s(content)
        ours.append(watched_s)
        decoding.append(_decode_s(content))
        if peer_python():
            peers.append(hash_files([path])[0].seconds)
    yield f"{len(content) * 8e-6 / seconds:.1f}"
    yield f"{every_s:.3g} s"
    yield str(_key_frames(path))
    yield str(samples)
    yield f"{seconds / statistics.median(ours):.0f} ×"
    yield f"{seconds / statistics.median(decoding):.0f} ×"
    yield f"{seconds / statistics.median(peers):.1f} ×" if peers else ""
    yield f"{statistics.median(peers) / statistics.median(ours):.1f} ×" if peers else ""


def _key_frames(path: Path) -> int:
    with av.open(str(path)) as container:
        return sum(packet.is_keyframe for packet in container.demux(video=0) if packet.size)


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
