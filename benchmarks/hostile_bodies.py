"""How long a clamd client waits beside others whose bodies do not end, or lie about their length.

A p99 of at most twice the idle one is the aim. Idle is measured before and after each kind. The hostile clients have a
core of their own where there is one, so that what is measured is what they take of the gateway, not of the machine.
"""

import contextlib
import os
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from benchmarks.gateways import Server, on_cores, our_clamd
from benchmarks.pictures import file_of, photos
from benchmarks.report import Scale, Table, duration, ratio

_ASKED = {Scale.TINY: 3, Scale.USUAL: 200, Scale.FULL: 1_000}
_SETTLE_S = {Scale.TINY: 0.2, Scale.USUAL: 3.0, Scale.FULL: 10.0}
_CLIENTS = 4
_MOST = 64 * 1024 * 1024 + 1
KINDS = (
    "frames of one byte, ten a second",
    "frames of one byte, without end",
    "frames of 64 KiB, without end",
    "a frame of 4 GiB",
    "64 MiB and a byte",
)


def run(scale: Scale) -> Iterator[Table]:
    """One table: each kind of hostile bodies beside the same photos."""
    table = Table(
        f"A photo through clamd's protocol beside {_CLIENTS} hostile clients",
        ("beside", "median", "p99", "median to idle", "p99 to idle"),
        "A photo of 0.2 megapixels over a UNIX socket, one after the other; one decoding worker.",
    )
    file = file_of(Image.fromarray(photos()[0]), "JPEG", quality=85)
    cores = range(os.cpu_count() or 1)
    with tempfile.TemporaryDirectory() as folder, on_cores({cores[0]}), our_clamd(Path(folder), 100) as server:
        _timed(server, file, Scale.TINY)  # which warms it up
        before = _timed(server, file, scale)
        for number, kind in enumerate(KINDS):
            with _hostile(server.path, number, {cores[-1]}):
                time.sleep(_SETTLE_S[scale])
                beside = _timed(server, file, scale)
            _settle(server, file, 2.0 * statistics.median(before))
            after = _timed(server, file, scale)
            idle = sorted(before + after)
            table.add(
                kind,
                duration(statistics.median(beside)),
                duration(_p99(beside)),
                ratio(statistics.median(beside), statistics.median(idle)),
                ratio(_p99(beside), _p99(idle)),
            )
            before = after
    yield table


def _timed(server: Server, file: bytes, scale: Scale) -> list[float]:
    taken = []
    for _ in range(_ASKED[scale]):
        started = time.perf_counter()
        assert server.ask(file, 8188) == b"stream: OK\0"
        taken.append(time.perf_counter() - started)
    return sorted(taken)


def _settle(server: Server, file: bytes, quick_s: float) -> None:
    """Return when what the hostile sent is done with, or after half a minute."""
    deadline = time.monotonic() + 30
    while statistics.median(_timed(server, file, Scale.TINY)) > quick_s and time.monotonic() < deadline:
        time.sleep(1)


def _p99(taken: list[float]) -> float:
    return taken[min(len(taken) - 1, len(taken) * 99 // 100)]


@contextlib.contextmanager
def _hostile(path: str, number: int, cores: set[int]) -> Iterator[None]:
    with on_cores(cores):
        process = subprocess.Popen([sys.executable, "-m", "benchmarks.hostile_bodies", path, str(number)])
    try:
        yield
    finally:
        process.kill()
        process.wait()


def _attack(path: str, kind: str) -> None:
    """One client, again and again."""
    while True:
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as connection:
            connection.connect(path)
            connection.sendall(b"zINSTREAM\0")
            match kind:
                case "frames of one byte, ten a second":
                    while True:
                        connection.sendall(struct.pack(">I", 1) + b"x")
                        time.sleep(0.1)
                case "frames of one byte, without end":
                    while True:
                        connection.sendall(struct.pack(">I", 1) + b"x")
                case "frames of 64 KiB, without end":
                    while True:
                        connection.sendall(struct.pack(">I", 65_536) + bytes(65_536))
                case "a frame of 4 GiB":
                    connection.sendall(struct.pack(">I", 0xFFFF_FFFF))
                case _:
                    connection.sendall(struct.pack(">I", _MOST))
                    for _ in range(_MOST // 65_536):
                        connection.sendall(bytes(65_536))
                    connection.sendall(b"x" + bytes(4))
            connection.recv(200)


if __name__ == "__main__":
    threads = [threading.Thread(target=_attack, args=(sys.argv[1], KINDS[int(sys.argv[2])])) for _ in range(_CLIENTS)]
    for thread in threads:
        thread.start()
