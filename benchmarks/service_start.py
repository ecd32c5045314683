"""From starting `tutela serve` to its first "ready", with a bank that is mapped and not rebuilt."""

import http.client
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.hashes import random_hashes
from benchmarks.http_screening import build_index, free_port
from benchmarks.report import Scale, Table, duration
from tutela.deployment.composition import compose_deployment
from tutela.lists.banks.model import NewEntry

_COUNTS = {Scale.TINY: [1_000], Scale.USUAL: [0, 100_000], Scale.FULL: [0, 1_000_000, 10_000_000]}
_STARTS = {Scale.TINY: 1, Scale.USUAL: 5, Scale.FULL: 9}
_BARE = """
import sys, uvicorn
from fastapi import FastAPI
app = FastAPI()
app.get("/readyz")(lambda: {})
uvicorn.run(app, port=int(sys.argv[1]), log_level="error")
"""


def run(scale: Scale) -> Iterator[Table]:
    """One table: sizes, and an empty FastAPI application as the floor."""
    table = Table(
        "Start of the service, one core",
        ("hashes", "service", "ready after", "private memory"),
        "Median of the starts; files in the page cache, as after a restart. Private memory: of the service process.",
    )
    bare = [sys.executable, "-c", _BARE]
    table.add("", "empty FastAPI application", *_starts(bare, lambda port: [port], _STARTS[scale]))
    for count in _COUNTS[scale]:
        with tempfile.TemporaryDirectory() as folder:
            home = Path(folder) / "home"
            _fill(home, count)
            serve = [sys.executable, "-m", "tutela", "--home", str(home), "serve"]
            table.add(f"{count:,}", "ours", *_starts(serve, lambda port: ["--port", port], _STARTS[scale]))
    yield table


def _fill(home: Path, count: int) -> None:
    with compose_deployment(home, decoders=1) as deployment:
        deployment.banks.create("known", actor="benchmark")
        for begin in range(0, count, 100_000):
            rows = random_hashes(min(100_000, count - begin), seed=begin + 1)
            entries = [NewEntry("pdq", row.tobytes(), "benchmark") for row in rows]
            deployment.banks.add("known", entries, actor="benchmark")
        build_index(deployment)


def _starts(command: list[str], arguments: object, times: int) -> tuple[str, str]:
    assert callable(arguments)
    measured, memory = [], 0
    for _ in range(times):
        port = str(free_port())
        started = time.perf_counter()
        process = subprocess.Popen([*command, *arguments(port)], stderr=subprocess.DEVNULL, start_new_session=True)
        try:
            while not _ready(port):
                if process.poll() is not None:
                    raise RuntimeError(f"the service ended with status {process.returncode}")
                time.sleep(0.01)
            measured.append(time.perf_counter() - started)
            status = Path(f"/proc/{process.pid}/status").read_text().splitlines()
            memory = next(int(line.split()[1]) for line in status if line.startswith("RssAnon")) // 1024
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait()
    return duration(statistics.median(measured)), f"{memory} MB"


def _ready(port: str) -> bool:
    """By the standard library: a client that is costly to make would take the core from the service."""
    connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()
