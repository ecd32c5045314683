"""How long a benign upload takes beside clients that mean harm, through HTTP.

A p99 of at most twice the idle one is the aim: whoever's content takes long waits in a lane of its own, and whoever
sends nothing, or too slowly, takes nobody's place. Idle is measured before and after each kind.
"""

import contextlib
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
from PIL import Image

from benchmarks.hostile_clients import CLIENTS, CONNECTIONS, CONTENTS, STANDING
from benchmarks.http_screening import free_port, running
from benchmarks.pictures import file_of, photos
from benchmarks.report import Scale, Table
from tutela.api.keys import Keys, Scope
from tutela.deployment.composition import compose_deployment

_UPLOADS = {Scale.TINY: 3, Scale.USUAL: 300, Scale.FULL: 2_000}
_SETTLE_S = {Scale.TINY: 0.5, Scale.USUAL: 4.0, Scale.FULL: 10.0}


def run(scale: Scale) -> Iterator[Table]:
    """One table: each kind of hostile clients beside the same benign uploads."""
    table = Table(
        f"A benign upload beside {CLIENTS} hostile clients",
        ("beside", "median", "p99", "median to idle", "p99 to idle"),
        "A photo of 0.2 megapixels through HTTP, one after the other; two decoding workers. The hostile share its key.",
    )
    os.sched_setaffinity(0, range(os.cpu_count() or 1))  # neighbours are about several cores
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 8192)), hard))
    file = file_of(Image.fromarray(photos()[0]), "JPEG", quality=85)
    with tempfile.TemporaryDirectory() as folder, _service(Path(folder) / "home") as (client, port, key):
        ask = _Benign(client, file, _UPLOADS[scale])
        before = ask.timed()
        for kind, what, content in _kinds(Path(folder), scale):
            with _hostile(kind, port, key, content):
                time.sleep(_SETTLE_S[scale])
                beside = ask.timed()
            ask.settled(2.0 * statistics.median(before))
            after = ask.timed()
            table.add(what, *_cells(beside, sorted(before + after)))
            print(*table.rows[-1], sep="  ", file=sys.stderr, flush=True)
            before = after
    yield table


def _kinds(folder: Path, scale: Scale) -> Iterator[tuple[str, str, Path]]:
    """Kinds of clients, what they are called, and the file that they send."""
    path = folder / "content"
    for what, make in CONTENTS.items():
        path.write_bytes(make())
        called = f"{what}, {path.stat().st_size / 1000:,.0f} kB"
        yield "content", called, path
        if scale is Scale.TINY:
            return
        if what == "a small PDF that draws without end":
            yield "names", f"{called}, each under another name", path
    yield "bodies", f"{STANDING} bodies that stand still", path
    yield "connections", f"{CONNECTIONS:,} connections that ask nothing", path


@contextlib.contextmanager
def _service(home: Path) -> Iterator[tuple[httpx.Client, int, str]]:
    with compose_deployment(home, decoders=1) as deployment:
        key = Keys(deployment.store).create("benchmark", [Scope.SCREEN], by="benchmark")[1]
    port = free_port()
    command = [sys.executable, "-m", "tutela", "--home", str(home), "serve", "--port", str(port)]
    with running(command, port, "/readyz", TUTELA_DECODERS="2") as client:
        client.headers["Authorization"] = f"Bearer {key}"
        yield client, port, key


@contextlib.contextmanager
def _hostile(kind: str, port: int, key: str, content: Path) -> Iterator[None]:
    command = [sys.executable, "-m", "benchmarks.hostile_clients", kind, str(port), key, str(content)]
    process = subprocess.Popen(command)
    try:
        yield
    finally:
        assert process.poll() is None, "the hostile clients have ended"
        process.kill()
        process.wait()


class _Benign:
    """Who uploads photos, one after the other."""

    def __init__(self, client: httpx.Client, content: bytes, uploads: int) -> None:
        self._client = client
        self._content = content
        self._uploads = uploads
        self._headers = {"Tutela-Context": json.dumps({"details": {"uploader": "benign"}})}

    def once(self) -> float:
        """Seconds of one upload, answered as it should be."""
        began = time.perf_counter()
        answer = self._client.post("/v1/screen", content=self._content, headers=self._headers)
        passed = time.perf_counter() - began
        assert answer.status_code == 200, answer.text
        assert answer.json()["decision"] == "allow", answer.text
        return passed

    def timed(self) -> list[float]:
        """Seconds of each, in ascending order."""
        return sorted(self.once() for _ in range(self._uploads))

    def settled(self, quick_s: float) -> None:
        """Return when what the hostile sent is done with, or after half a minute."""
        deadline = time.monotonic() + 30
        while (
            statistics.median(self.once() for _ in range(min(15, self._uploads))) > quick_s
            and time.monotonic() < deadline
        ):
            time.sleep(1)


def _cells(seconds: list[float], idle: list[float]) -> tuple[str, ...]:
    median, late = statistics.median(seconds), _p99(seconds)
    return (
        f"{median * 1000:.1f} ms",
        f"{late * 1000:.1f} ms",
        f"{median / statistics.median(idle):.1f}",
        f"{late / _p99(idle):.1f}",
    )


def _p99(seconds: list[float]) -> float:
    return seconds[int(len(seconds) * 0.99)]
