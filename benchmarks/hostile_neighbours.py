"""How long a benign upload takes beside clients that send nothing but costly content.

A share of 2 of the idle time is the aim: whoever's content takes long waits in a lane of its own.
"""

import io
import os
import statistics
import tempfile
import threading
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping

from PIL import Image

from benchmarks.pictures import photos
from benchmarks.report import Scale, Table
from tutela.content.media.content import Limits
from tutela.deployment.composition import Deployment, open_deployment
from tutela.errors import TutelaError
from tutela.screening.verdict import Context

HOSTILE_CLIENTS = 8
_UPLOADS = {Scale.TINY: 30, Scale.USUAL: 300, Scale.FULL: 2_000}
_SETTLE_S = 2.0


def run(scale: Scale) -> Iterator[Table]:
    """One table: each kind of hostile client beside the same benign uploads."""
    table = Table(
        f"A benign upload beside {HOSTILE_CLIENTS} hostile clients",
        ("beside", "median", "p99", "median to idle", "p99 to idle"),
        "A photo of 0.2 megapixels, sent one after the other; two decoding workers. The clients share its key and send"
        " without end, each under one uploader's name.",
    )
    os.sched_setaffinity(0, range(os.cpu_count() or 1))  # neighbours are about several cores
    file = io.BytesIO()
    Image.fromarray(photos()[0]).save(file, "JPEG", quality=85)
    with (
        tempfile.TemporaryDirectory() as home,
        open_deployment(home, decoders=2, limits=Limits(timeout_s=5.0)) as deployment,
    ):
        deployment.pool.warm()
        idle = _timed(deployment, file.getvalue(), _UPLOADS[scale])
        table.add("nobody", *_cells(idle, idle))
        for name, content in _hostile().items():
            with _Neighbours(deployment, content):
                time.sleep(_SETTLE_S)
                beside = _timed(deployment, file.getvalue(), _UPLOADS[scale])
            table.add(name, *_cells(beside, idle))
    yield table


def _hostile() -> Mapping[str, bytes]:
    """What takes a worker long: all of it small."""
    return {"an animation of many frames": _animation(), "an archive of many pictures": _archive()}


def _animation() -> bytes:
    frames = [Image.new("L", (1200, 1200), number % 256) for number in range(120)]
    for number, frame in enumerate(frames):
        frame.putpixel((number, number), 255 - number)
    file = io.BytesIO()
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:], duration=40)
    return file.getvalue()


def _archive() -> bytes:
    picture = io.BytesIO()
    Image.fromarray(photos()[1]).resize((1500, 1000)).save(picture, "PNG")
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for number in range(60):
            archive.writestr(f"{number}.png", picture.getvalue())
    return file.getvalue()


class _Neighbours:
    """Clients that send the same content without end."""

    def __init__(self, deployment: Deployment, content: bytes) -> None:
        self._ending = threading.Event()

        def send() -> None:
            while not self._ending.is_set():
                try:
                    deployment.screener.screen(content, Context(details={"uploader": "hostile"}), asked_by="platform")
                except TutelaError:
                    time.sleep(0.1)

        self._threads = [threading.Thread(target=send, daemon=True) for _ in range(HOSTILE_CLIENTS)]
        self._interrupt: Callable[[], None] = deployment.pool.interrupt

    def __enter__(self) -> None:
        for thread in self._threads:
            thread.start()

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        while any(thread.is_alive() for thread in self._threads):
            self._interrupt()
            time.sleep(0.1)


def _timed(deployment: Deployment, content: bytes, uploads: int) -> list[float]:
    """Seconds of each upload, in ascending order."""
    context = Context(details={"uploader": "benign"})
    seconds = []
    for _ in range(uploads):
        began = time.perf_counter()
        deployment.screener.screen(content, context, asked_by="platform")
        seconds.append(time.perf_counter() - began)
    return sorted(seconds)


def _cells(seconds: list[float], idle: list[float]) -> tuple[str, ...]:
    median, late = statistics.median(seconds), seconds[int(len(seconds) * 0.99)]
    return (
        f"{median * 1000:.1f} ms",
        f"{late * 1000:.1f} ms",
        f"{median / statistics.median(idle):.1f}",
        f"{late / idle[int(len(idle) * 0.99)]:.1f}",
    )
