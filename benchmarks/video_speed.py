"""Multiples of real time on one core, beside the package `vpdq`."""

import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import av

from benchmarks.films import join
from benchmarks.hd_films import RATE, encode_hd
from benchmarks.peer_vpdq import MISSING, hash_files, peer_python
from benchmarks.report import Scale, Table
from tutela.content.media.confined.stretch import Stretch
from tutela.content.media.confined.video import Video
from tutela.content.media.content import Mode
from tutela.content.media.limits import Limits
from tutela.content.views.view_set import ViewSet
from tutela.screening.video.task import StretchTask, watch

_SECONDS = {Scale.TINY: 1, Scale.USUAL: 20, Scale.FULL: 20}
_REPEATED = {Scale.TINY: 1, Scale.USUAL: 15, Scale.FULL: 15}
"""Ours watch the film so many times over, as one: of a short one they look at more."""
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
    """The table."""
    seconds = _SECONDS[scale]
    columns = (
        *("Mbit/s", "key frames at least every", "key frames", "samples"),
        *("Tutela", "of it decoding", "vpdq, 1 hash a second", "ratio"),
    )
    note = (
        f"{seconds} s of 1080p H.264 at {RATE} frames a second: real footage with a moving camera and grain, by x264"
        f" with preset {_PRESET[scale]} and CRF 23, key frames also at cuts. Multiples of real time on one core, in"
        f" processor time; Tutela watches the film {_REPEATED[scale]} times over, as one file. It samples key frames,"
        " about one a second where there are more, glances at what follows them, never leaves more than two seconds"
        " between samples, and looks for all views of pictures."
    )
    table = Table("Speed of videos", columns, note if peer_python() else f"{note}\n\n{MISSING}")
    with tempfile.TemporaryDirectory() as folder:
        for grain, every_s in _KEY_FRAMES_S[scale]:
            path = Path(folder) / "video.mp4"
            path.write_bytes(encode_hd(seconds, grain, round(every_s * RATE), _PRESET[scale]))
            table.add(*_measured(path, seconds, every_s, _ROUNDS[scale], _REPEATED[scale]))
    return [table]


def _measured(path: Path, seconds: int, every_s: float, rounds: int, repeated: int) -> Iterator[str]:
    """The cells of one file: medians, ours and the package in turns."""
    content = path.read_bytes()
    long, long_s = join([content] * repeated), seconds * repeated
    ours, decoding, peers, samples = [], [], [], 0
    _watch_s(content)
    for _ in range(rounds):
        watched_s, samples = _watch_s(long)
        ours.append(watched_s)
        decoding.append(_decode_s(long))
        if peer_python():
            peers.append(hash_files([path])[0].seconds)
    yield f"{len(content) * 8e-6 / seconds:.1f}"
    yield f"{every_s:.3g} s"
    yield str(_key_frames(path))
    yield f"{samples / repeated:.0f}"
    yield f"{long_s / statistics.median(ours):.0f} ×"
    yield f"{long_s / statistics.median(decoding):.0f} ×"
    yield f"{seconds / statistics.median(peers):.1f} ×" if peers else ""
    yield f"{statistics.median(peers) / statistics.median(ours) * repeated:.1f} ×" if peers else ""


def _key_frames(path: Path) -> int:
    with av.open(str(path)) as container:
        return sum(packet.is_keyframe for packet in container.demux(video=0) if packet.size)


def _watch_s(content: bytes) -> tuple[float, int]:
    """Processor seconds of what a worker does, in this process, and how many frames it saw."""
    options = StretchTask(max_gap_s=2.0).options(Mode.FAST, Limits())
    started, frames = time.process_time(), 0
    for part in watch(memoryview(content), options):
        frames += len(part.get("frames", ()))
    return time.process_time() - started, frames


def _decode_s(content: bytes) -> float:
    started = time.process_time()
    for _ in Video(content, Mode.FAST, Limits(views=ViewSet.PLAIN)).sampled(Stretch(), 2.0):
        pass
    return time.process_time() - started
