"""Pictures through the HTTP service, one core: ours against Meta's Hasher-Matcher-Actioner.

The peer is run where HMA_PYTHON and HMA_SOURCE name its interpreter and its source (see `peer_hma`). Each service, its
decoding workers and its database share one core; the client has another where there is one.
"""

import contextlib
import os
import signal as signals
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np

from benchmarks.hashes import random_hashes
from benchmarks.pictures import SIZES, file_of, mosaic, single
from benchmarks.report import Scale, Table, duration, ratio
from tutela.api.keys import Keys, Scope
from tutela.deployment.composition import Deployment, compose_deployment
from tutela.lists.banks.model import Action, NewEntry, Policy

_HASHES = {Scale.TINY: 1000, Scale.USUAL: 100_000, Scale.FULL: 1_000_000}
_REQUESTS = {Scale.TINY: 5, Scale.USUAL: 200, Scale.FULL: 600}
_DRAWN = {Scale.TINY: (2, 2), Scale.USUAL: (10, 5), Scale.FULL: (10, 5)}
_THREE = ("plain", "standard", "thorough")
_VIEWS = {Scale.TINY: _THREE[:2], Scale.USUAL: _THREE, Scale.FULL: _THREE}
_CLIENTS = 4
Ask = Callable[[httpx.Client, bytes], None]


def run(scale: Scale) -> Iterator[Table]:
    """Services by pictures a second and latency; then ours by what is looked up, and by what the pictures show."""
    table = Table(
        f"JPEG of 1 MP through HTTP, a bank of {_HASHES[scale]:,} hashes, one core",
        ("service", "call", "pictures/s", "p50", "p99", "pictures/s of ours", "processor time", "of ours"),
        f"Latency with one client, pictures a second and processor time a picture with {_CLIENTS}; answers are checked "
        "in ours and in the peer's. Processor time is that of service and decoders, without the peer's database.",
    )
    views = Table(
        f"JPEG of 1 MP through HTTP by view set, a bank of {_HASHES[scale]:,} hashes, one core",
        ("pictures", "views", "pictures/s", "p50", "processor time", "of plain"),
        "Pages are put together of several photos, which are looked up too. In most single photos nothing is found.",
    )
    pages, photos = _DRAWN[scale]
    pictures = [file_of(mosaic(SIZES["1 MP"], seed), "JPEG", quality=85) for seed in range(pages)]
    singles = [file_of(single(SIZES["1 MP"], number), "JPEG", quality=85) for number in range(photos)]
    hashes = random_hashes(_HASHES[scale], seed=3)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        key = _fill(home, hashes)
        measured: dict[tuple[str, str], _Measured] = {}
        for name in _VIEWS[scale]:
            with _our_service(home, key, name) as served:
                for kind, files in (("pages of photos", pictures), ("single photos", singles)):
                    measured[kind, name] = _measure(served, _screen, files, _REQUESTS[scale])
        ours = measured["pages of photos", "plain"]
        table.add("ours, one view as the peer", "POST /v1/screen", *_cells(ours, ours))
        table.add("ours, standard views", "POST /v1/screen", *_cells(measured["pages of photos", "standard"], ours))
        for (kind, name), found in sorted(measured.items(), key=lambda row: row[0][0]):
            rate, p50, _, _, processor, dearer = _cells(found, measured[kind, "plain"])
            views.add(kind, name, rate, p50, processor, dearer)
        python, source = os.environ.get("HMA_PYTHON"), os.environ.get("HMA_SOURCE")
        if python and source:
            (Path(folder) / "hashes").write_bytes(hashes.tobytes())
            with _hma(Path(folder), python, source) as served:
                for name, ask in (("POST /m/lookup", _lookup), ("POST /h/hash, GET /m/raw_lookup", _hash_and_lookup)):
                    peer = _measure(served, ask, pictures, _REQUESTS[scale] // 3)
                    table.add("HMA", name, *_cells(peer, ours))
        else:
            table.note += " HMA was not measured: HMA_PYTHON and HMA_SOURCE are not set."
    yield table
    yield views


@dataclass(frozen=True, slots=True)
class _Measured:
    rate: float
    p50: float
    p99: float
    processor_s: float
    """Of a picture."""


@dataclass(frozen=True, slots=True)
class Served:
    """A service that runs: its process, and a client of it."""

    process: int
    client: httpx.Client


def _cells(measured: _Measured, ours: _Measured) -> tuple[str, ...]:
    rate = f"{measured.rate:.1f}"
    slower, dearer = ratio(ours.rate, measured.rate), ratio(measured.processor_s, ours.processor_s)
    return rate, duration(measured.p50), duration(measured.p99), slower, duration(measured.processor_s), dearer


def _measure(served: Served, ask: Ask, pictures: list[bytes], requests: int) -> _Measured:
    client = served.client
    with on_the_other_core():
        for picture in pictures:
            ask(client, picture)
        seconds = []
        for number in range(requests):
            started = time.perf_counter()
            ask(client, pictures[number % len(pictures)])
            seconds.append(time.perf_counter() - started)
        before, started = processor_s(served.process), time.perf_counter()
        with ThreadPoolExecutor(_CLIENTS) as clients:
            list(clients.map(lambda number: ask(client, pictures[number % len(pictures)]), range(requests)))
        elapsed, used = time.perf_counter() - started, processor_s(served.process) - before
    p50, p99 = np.percentile(seconds, (50, 99))
    return _Measured(requests / elapsed, float(p50), float(p99), used / requests)


def processor_s(process: int) -> float:
    """Processor time of a process and all below it, to the nanosecond: a request takes less than a tick. Also of what
    has ended, since workers are replaced in mid-measurement (proc(5), clock_getcpuclockid(3))."""
    try:
        own = time.clock_gettime((~process << 3) | 2)
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        tasks = list(Path(f"/proc/{process}/task").iterdir())
        children = " ".join((task / "children").read_text() for task in tasks).split()
    except OSError:
        return 0.0  # it has ended just now: its parent's next figure has it
    ended = sum(map(int, fields[13:15])) / os.sysconf("SC_CLK_TCK")
    return own + ended + sum(processor_s(int(child)) for child in children)


def _screen(client: httpx.Client, picture: bytes) -> None:
    answer = client.post("/v1/screen", content=picture).raise_for_status().json()
    assert answer["decision"] == "allow", answer


def _lookup(client: httpx.Client, picture: bytes) -> None:
    answer = client.post("/m/lookup", files={"photo": ("p.jpg", picture, "image/jpeg")}).raise_for_status().json()
    assert "pdq" in answer, answer


def _hash_and_lookup(client: httpx.Client, picture: bytes) -> None:
    answer = client.post("/h/hash", files={"photo": ("p.jpg", picture, "image/jpeg")}).raise_for_status().json()
    found = client.get("/m/raw_lookup", params={"signal": answer["pdq"], "signal_type": "pdq"})
    assert "matches" in found.raise_for_status().json(), found.text


def _fill(home: Path, hashes: np.ndarray) -> str:
    """The key to a home that lists the hashes."""
    with compose_deployment(home, decoders=1) as deployment:
        deployment.banks.create("known", policy=Policy(action=Action.BLOCK), actor="benchmark")
        entries = [NewEntry("pdq", row.tobytes(), "benchmark") for row in hashes]
        for begin in range(0, len(entries), 10_000):
            deployment.banks.add("known", entries[begin : begin + 10_000], actor="benchmark")
        build_index(deployment)
        return Keys(deployment.store).create("benchmark", [Scope.SCREEN], by="test")[1]


@contextlib.contextmanager
def _our_service(home: Path, key: str, views: str) -> Iterator[Served]:
    port = free_port()
    command = [sys.executable, "-m", "tutela", "--home", str(home), "serve", "--port", str(port)]
    with started_service(command, port, "/readyz", TUTELA_DECODERS="1", TUTELA_LIMITS__VIEWS=views) as served:
        served.client.headers["Authorization"] = f"Bearer {key}"
        yield served


@contextlib.contextmanager
def _hma(folder: Path, python: str, source: str) -> Iterator[Served]:
    port = free_port()
    script = str(Path(__file__).with_name("peer_hma.py"))
    state = folder / "hma"
    try:
        command = [python, script, source, str(state), str(folder / "hashes"), str(port)]
        with started_service(command, port, "/status") as served:
            yield served
    finally:
        # Its PostgreSQL has a session of its own, and removes this file when it has ended.
        process_file = state / "postgres" / "postmaster.pid"
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            os.kill(int(process_file.read_text().split()[0]), signals.SIGINT)
            while process_file.exists():
                time.sleep(0.1)


@contextlib.contextmanager
def running(command: list[str], port: int, ready: str, **environment: str) -> Iterator[httpx.Client]:
    """A client of the service that the command starts, once the path answers 200; the service ends with the block."""
    with started_service(command, port, ready, **environment) as served:
        yield served.client


@contextlib.contextmanager
def started_service(command: list[str], port: int, ready: str, **environment: str) -> Iterator[Served]:
    """As `running`, with the process beside the client."""
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            command, env=os.environ | environment, stdout=log, stderr=log, start_new_session=True
        )
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, verify=False) as client:
                _wait(process, client, ready)
                yield Served(process.pid, client)
        except BaseException:
            log.seek(0)
            sys.stderr.write(log.read().decode(errors="replace")[-4000:])
            raise
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signals.SIGTERM)
            process.wait()


def _wait(process: subprocess.Popen[bytes], client: httpx.Client, ready: str) -> None:
    while process.poll() is None:
        with contextlib.suppress(httpx.TransportError):
            if client.get(ready).status_code == 200:
                return
        time.sleep(0.2)
    raise RuntimeError(f"the service ended with status {process.returncode}")


@contextlib.contextmanager
def on_the_other_core() -> Iterator[None]:
    """Keep this process off the core that the services have, where there is another."""
    own = os.sched_getaffinity(0)
    every = set(range(os.cpu_count() or 1))
    os.sched_setaffinity(0, (every - own) or own)
    try:
        yield
    finally:
        os.sched_setaffinity(0, own)


def build_index(deployment: Deployment, signal: str = "pdq") -> None:
    """Build now what every service builds soon after lists have grown."""
    while not deployment.indexes.build(signal):
        time.sleep(0.1)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])
