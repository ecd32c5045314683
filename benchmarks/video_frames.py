"""Frames of the shared videos in exact mode, beside those of the package `vpdq` and beside the published hash files."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from benchmarks.films import SHARED
from benchmarks.peer_vpdq import MISSING, hash_files, peer_python
from benchmarks.report import Scale, Table
from tutela import _native
from tutela.content.media.confined.video import Video
from tutela.content.media.content import Mode
from tutela.content.media.limits import Limits
from tutela.content.signals.pdq import PDQ

_MIN_QUALITY = 50
"""What a bank takes by default."""
_VIDEOS = {Scale.TINY: 1, Scale.USUAL: 100, Scale.FULL: 100}


def run(scale: Scale) -> list[Table]:
    """The table."""
    beside = ("vpdq: at most 2 bits", "most", "published: at most 2 bits", "most")
    beside += ("fast mode: median", "most", "most at quality 50 or more")
    columns = ("video", "frames", *beside)
    note = "Distances of every frame's hash. Times differ by less than 0.001 s wherever there is a frame beside it."
    table = Table("Frames of videos", columns, note if peer_python() else f"{note}\n\n{MISSING}")
    paths = sorted((SHARED / "videos").glob("*.mp4"))[: _VIDEOS[scale]]
    if not paths:
        table.note += "\n\n_the shared videos are not there_"
        table.add(*["–"] * len(columns))
    for path in paths:
        table.add(path.stem, *_cells(path))
    return [table]


def _cells(path: Path) -> Iterator[str]:
    ours, qualities, seconds = _hashes(path, Mode.EXACT)
    yield str(len(ours))
    if peer_python():
        (peers,) = hash_files([path], seconds_per_hash=0)
        yield from _beside(ours, [value for value, _, _ in peers.frames])
        assert len(ours) == len(peers.frames)
        assert max(abs(a - at) for a, (_, _, at) in zip(seconds, peers.frames, strict=True)) < 0.001
    else:
        yield from ("", "")
    published = [line.split(",") for line in (SHARED / "vpdq-hashes" / f"{path.stem}.txt").read_text().split()]
    yield from _beside(ours, [bytes.fromhex(value) for _, _, value, _ in published])
    fast = [PDQ.distance(a, b) for a, b in zip(ours, _hashes(path, Mode.FAST)[0], strict=True)]
    matched = [distance for distance, quality in zip(fast, qualities, strict=True) if quality >= _MIN_QUALITY]
    yield from (f"{np.median(fast):g}", str(max(fast)), str(max(matched, default="")))


def _hashes(path: Path, mode: Mode) -> tuple[list[bytes], list[int], list[float]]:
    hashes, qualities, seconds = [], [], []
    for frame in Video(path.read_bytes(), mode, Limits()).numbered(0.0):
        value, quality = _native.pdq(frame.pixels)
        hashes.append(value)
        qualities.append(quality)
        seconds.append(frame.seconds)
    return hashes, qualities, seconds


def _beside(ours: Sequence[bytes], theirs: Sequence[bytes]) -> Iterator[str]:
    distances = np.array([PDQ.distance(a, b) for a, b in zip(ours, theirs, strict=True)])
    yield f"{np.mean(distances <= 2):.1%}"
    yield str(distances.max())
