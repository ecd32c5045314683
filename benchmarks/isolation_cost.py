"""What confinement costs: processor time of a picture in a worker that has confined itself, and in one that has not.

Both have loaded the same, and do the same pictures in turns, so that a noisy moment hits both alike.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.pictures import SIZES, file_of, mosaic
from benchmarks.report import Scale, Table, duration

_ROUNDS = {Scale.TINY: 1, Scale.USUAL: 60, Scale.FULL: 400}
_FORMS = {Scale.TINY: ("JPEG",), Scale.USUAL: ("JPEG", "PNG", "WEBP"), Scale.FULL: ("JPEG", "PNG", "WEBP")}
_EACH = 10


def run(scale: Scale) -> Iterator[Table]:
    """One table: a row a file."""
    table = Table(
        "A picture in a confined worker, beside an unconfined one",
        ("picture", "unconfined", "confined", "more"),
        f"Processor time, medians of {_ROUNDS[scale]} rounds of {_EACH} pictures each, in turns.",
    )
    with tempfile.TemporaryDirectory() as folder:
        for form in _FORMS[scale]:
            path = Path(folder, form)
            path.write_bytes(file_of(mosaic(SIZES["1 MP"], 1), form))
            free, confined = _in_turns(path, _ROUNDS[scale])
            table.add(f"{form} of 1 MP", duration(free), duration(confined), f"{100 * (confined / free - 1):+.1f} %")
    yield table


def _in_turns(path: Path, rounds: int) -> tuple[float, float]:
    """Seconds of a picture, without and with confinement."""
    workers = [_started(path, how) for how in ("free", "confined")]
    seconds: list[list[float]] = [[], []]
    for _ in range(rounds):
        for worker, measured in zip(workers, seconds, strict=True):
            assert worker.stdin is not None
            assert worker.stdout is not None
            worker.stdin.write(b"x")
            worker.stdin.flush()
            measured.append(float(worker.stdout.readline()))
    for worker in workers:
        worker.communicate()
    free, confined = map(statistics.median, seconds)
    return free, confined


def _started(path: Path, how: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "benchmarks.isolation_cost", how, str(path)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def _work(how: str, path: Path) -> None:
    """A worker: a byte comes, a number goes."""
    from tutela.content.media.confined.confinement import confine, leave_processes
    from tutela.content.media.confined.preparation import prepare
    from tutela.content.media.content import Mode
    from tutela.content.media.limits import Limits
    from tutela.screening.examination import options
    from tutela.screening.inspection import task

    content, asked = path.read_bytes(), options(Mode.FAST, Limits()) | {"seed": "0"}
    prepare()
    if how == "confined":
        left = leave_processes()
        if child := os.fork():
            os.waitpid(child, 0)
            return
        refused = {name: why for name, why in confine(4 << 30, left).items() if why}
        assert not refused, refused
    for _ in range(3):
        list(task(memoryview(content), asked))
    while sys.stdin.buffer.read(1):
        began = time.process_time()
        for _ in range(_EACH):
            list(task(memoryview(content), asked))
        print((time.process_time() - began) / _EACH, flush=True)


if __name__ == "__main__":
    _work(sys.argv[1], Path(sys.argv[2]))
