"""Whether memory stays flat over the length of a video, on the way that long uploads go: sealed to disk as they come,
unsealed into a file of memory that workers map, watched.

Each length has a process of its own, which makes no film: it reads a file as an upload comes, a piece at a time.
"""

import contextlib
import io
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av

from benchmarks.report import Scale, Table
from tutela.deployment.composition import Deployment, compose_deployment
from tutela.screening.jobs.limits import JobLimits
from tutela.screening.jobs.service import JobState
from tutela.screening.verdict import Context

_LONG_MIN = {Scale.TINY: 1, Scale.USUAL: 20, Scale.FULL: 120}
_PIECE_S = 20
_BLOCK = 1 << 20


def run(scale: Scale) -> list[Table]:
    """The table."""
    from benchmarks.films import join  # not in the process that is measured

    longest = _LONG_MIN[scale]
    note = (
        "Uploaded as jobs, each length in a process of its own. Largest memory of a decoding worker and of the serving"
        " process, beside the unsealed content, which is one file of memory that both map."
    )
    columns = ("minutes", "bytes of video", "worker", "serving process", "unsealed content", "took")
    table = Table("Memory over the length", columns, note)
    piece = _piece()
    with tempfile.TemporaryDirectory() as folder:
        for minutes in sorted({1, max(1, longest // 4), longest}):
            path = Path(folder) / f"{minutes}.mp4"
            path.write_bytes(join([piece] * (minutes * 60 // _PIECE_S)))
            answer = subprocess.run([sys.executable, "-m", __name__, str(path)], stdout=subprocess.PIPE, check=True)
            found = json.loads(answer.stdout)
            memory = (found[name] for name in ("worker", "serving", "content"))
            sizes = [f"{value / 1e6:.0f} MB" for value in (path.stat().st_size, *memory)]
            table.add(f"{minutes}", *sizes, f"{found['took_s']:.1f} s")
    return [table]


def _piece() -> bytes:
    from benchmarks.films import film

    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt, stream.gop_size = 480, 270, "yuv420p", 20
        stream.options = {"preset": "ultrafast"}
        stream.bit_rate = 200_000
        for number, pixels in enumerate(film(1, _PIECE_S)):
            frame = av.VideoFrame.from_ndarray(pixels, "rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 10)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()


def _main(path: Path) -> None:
    limits = JobLimits(timeout_s=3600)
    with (
        tempfile.TemporaryDirectory() as folder,
        compose_deployment(Path(folder), decoders=1, job_limits=limits) as deployment,
    ):
        started = time.perf_counter()
        with _peak() as peak:
            _screened_as_job(deployment, path)
        print(json.dumps({**peak, "took_s": time.perf_counter() - started}))


def _screened_as_job(deployment: Deployment, path: Path) -> None:
    upload = deployment.jobs.begin(Context(path.name))
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            upload.write(block)
    job = deployment.jobs.submit(upload, "benchmark")
    deployment.job_runner.run_due()
    done = deployment.jobs.get(job.id)
    assert done.state is JobState.DONE
    assert done.verdict is not None
    assert (done.verdict["decision"], done.verdict["reasons"]) == ("allow", []), done.verdict["reasons"]


@contextlib.contextmanager
def _peak() -> Iterator[dict[str, int]]:
    """The largest memory while the block runs, in bytes: of a worker, of this process, of the content that it maps."""
    peak, done = {"worker": 0, "serving": 0, "content": 0}, threading.Event()

    def look() -> None:
        while not done.wait(0.02):
            now = {
                "worker": max((_memory(child, "RssAnon") for child in _workers()), default=0),
                "serving": _memory(os.getpid(), "RssAnon"),
                "content": _memory(os.getpid(), "RssShmem"),
            }
            peak.update({name: max(value, now[name]) for name, value in peak.items()})

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield peak
    finally:
        done.set()
        watcher.join()


def _workers() -> Iterator[int]:
    """The child processes that have become a program of their own."""
    own = Path("/proc/self/cmdline").read_bytes()
    for child in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split():
        with contextlib.suppress(OSError):
            if Path(f"/proc/{child}/cmdline").read_bytes() not in (own, b""):
                yield int(child)


def _memory(process: int, kind: str) -> int:
    with contextlib.suppress(OSError, StopIteration):
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(kind)) * 1024
    return 0


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
