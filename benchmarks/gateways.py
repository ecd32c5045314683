"""The clamd gateway beside real clamd, and the upload proxy beside a bare `proxy_pass`: processor time in one run.

Real clamd and nginx are measured where they are installed. No file is ever sent twice: clamd remembers clean digests.
"""

import contextlib
import hashlib
import itertools
import json
import os
import random
import shutil
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

import httpx
import numpy as np

from benchmarks.hashes import random_hashes
from benchmarks.http_screening import build_index, processor_s
from benchmarks.pictures import SIZES, file_of, mosaic, single
from benchmarks.report import Scale, Table, duration, ratio
from tutela.content.media.profile import Profile
from tutela.deployment.composition import compose_deployment
from tutela.lists.banks.model import Action, NewEntry, Policy

_DRAWN = {Scale.TINY: 1, Scale.USUAL: 4, Scale.FULL: 4}
_FILES = {Scale.TINY: 1, Scale.USUAL: 20, Scale.FULL: 80}
_ROUNDS = {Scale.TINY: 1, Scale.USUAL: 3, Scale.FULL: 3}
_HASHES = {Scale.TINY: 100, Scale.USUAL: 100_000, Scale.FULL: 100_000}
_LONG_RUN = {Scale.TINY: 5, Scale.USUAL: 500, Scale.FULL: 5_000}
_UPLOADS = {Scale.TINY: 5, Scale.USUAL: 400, Scale.FULL: 2_000}
_MEGABYTE = 1_000_000
_numbers = itertools.count()


def run(scale: Scale) -> Iterator[Table]:
    """Processor time a file; what the gateway adds to `screen()`; memory over many requests; the proxy's rate."""
    numbers = range(_DRAWN[scale])
    photos = itertools.cycle([file_of(single(SIZES["3 MP"], number), "JPEG", quality=98) for number in numbers])
    pages = itertools.cycle([file_of(mosaic(SIZES["3 MP"], number), "JPEG", quality=88) for number in numbers])
    files = {
        "photo, JPEG of 3 MP": lambda: _marked(next(photos)),
        "page of photos, JPEG of 3 MP": lambda: _marked(next(pages)),
        "1 MB of words": _words,
    }
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        servers = {"Tutela": stack.enter_context(our_clamd(folder, _HASHES[scale]))}
        if shutil.which("clamd", path="/usr/sbin:/usr/bin"):
            servers["clamd, defaults"] = stack.enter_context(_real(folder, "yes", _HASHES[scale]))
            servers["clamd, ScanImageFuzzyHash no"] = stack.enter_context(_real(folder, "no", _HASHES[scale]))
        yield _beside(servers, files, scale)
        yield _added(folder, servers["Tutela"], files, scale)
        yield _memory(servers["Tutela"], files["photo, JPEG of 3 MP"], scale)
    for apart in (False, True):
        yield _proxy(scale, "a small application in Python", _application, apart=apart)
        yield _proxy(scale, "copyparty, a file server", _file_server, apart=apart)


class Server:
    """A scanner that speaks clamd's protocol at a UNIX socket."""

    def __init__(self, process: int, path: str) -> None:
        self.process = process
        self.path = path

    def ask(self, content: bytes, frame: int) -> bytes:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(self.path)
            connection.sendall(b"zINSTREAM\0")
            for at in range(0, len(content), frame):
                part = content[at : at + frame]
                connection.sendall(struct.pack(">I", len(part)) + part)
            connection.sendall(bytes(4))
            return connection.recv(200)

    def seconds(self, contents: list[bytes], frame: int = 8188) -> float:
        """Processor time a file."""
        before = processor_s(self.process)
        for content in contents:
            assert self.ask(content, frame) == b"stream: OK\0"
        return (processor_s(self.process) - before) / len(contents)


def _beside(servers: dict[str, Server], files: dict[str, Callable[[], bytes]], scale: Scale) -> Table:
    table = Table(
        f"Files through clamd's protocol, {_HASHES[scale]:,} hashes",
        ("file", "scanner", "processor time a file", "of Tutela's"),
        "The photos are 0.67 to 0.99 MB long, the pages 0.65. "
        f"Frames of 8,188 bytes over a UNIX socket. Medians of {_ROUNDS[scale]} rounds in turns.",
    )
    for kind, make in files.items():
        measured: dict[str, list[float]] = {name: [] for name in servers}
        for server in servers.values():
            server.seconds([make()])
        for _ in range(_ROUNDS[scale]):
            for name, server in servers.items():
                measured[name].append(server.seconds([make() for _ in range(_FILES[scale])]))
        ours = statistics.median(measured["Tutela"])
        for name, seconds in measured.items():
            median = statistics.median(seconds)
            table.add(kind, name, duration(median), "" if name == "Tutela" else ratio(median, ours))
    return table


def _added(folder: Path, ours: Server, files: dict[str, Callable[[], bytes]], scale: Scale) -> Table:
    table = Table(
        "What the gateway adds to `screen()`",
        ("file", "screen()", "through the gateway", "added a MB", "a bare reader, a MB"),
        "Frames of 1,024 bytes, the same profile; the time of decoding workers is in both. The bare reader waits as the"
        " gateway does and does nothing with what it reads. Medians of files, each through all three in turns."
        " What a file costs whatever its length counts for more where files are short: words as long as a page, too.",
    )
    with compose_deployment(folder / "home", decoders=1) as deployment, _reader(folder) as bare:
        screener = deployment.screener.with_policy(_loose(deployment.screener.policy))
        for kind, make in {**files, "0.65 MB of words": lambda: _words()[:650_000]}.items():
            screener.screen(make(), profile=Profile.FILES)
            ours.ask(make(), 1024)
            spent, lengths = [], []
            for content in (make() for _ in range(_ROUNDS[scale] * _FILES[scale])):
                before = processor_s(os.getpid())
                screener.screen(content, profile=Profile.FILES)
                alone = processor_s(os.getpid()) - before
                through = ours.seconds([content], 1024)
                spent.append((alone, through, through - alone, bare.seconds([content], 1024)))
                lengths.append(len(content))
            length = statistics.mean(lengths) / _MEGABYTE
            screened, asked, added, read = (statistics.median(each) for each in zip(*spent, strict=True))
            table.add(
                kind,
                duration(screened),
                duration(asked),
                f"{added * 1000 / length:+.1f} ms",
                f"{read * 1000 / length:.1f} ms",
            )
    return table


_READER = """
import socket, sys, time
buffer = memoryview(bytearray(2**22))
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen()
while True:
    connection, came = listener.accept()[0], 0
    while count := connection.recv_into(buffer[came:]):
        came += count
        if buffer[came - 4 : came] == bytes(4):
            connection.sendall(b"stream: OK\\0")
            break
        if came > 8192:
            time.sleep(0.001)
    connection.close()
"""


@contextlib.contextmanager
def _reader(folder: Path) -> Iterator[Server]:
    """A loop that takes streams and says OK: what any reader pays for so many packets."""
    path = str(folder / "bare.sock")
    with _started([sys.executable, "-c", _READER, path], path) as process:
        yield Server(process, path)


def _loose(policy):  # type: ignore[no-untyped-def]
    from dataclasses import replace

    from tutela.screening.decision import Decision

    return replace(policy, overrides={"unknown-type": Decision.ALLOW})


def _memory(ours: Server, make: Callable[[], bytes], scale: Scale) -> Table:
    table = Table("Memory over many requests", ("after", "resident", "open files"))
    for _ in range(_LONG_RUN[scale] // 10):
        ours.ask(make(), 8188)
    for part in range(3):
        if part:
            for _ in range(_LONG_RUN[scale] // 2):
                ours.ask(make(), 8188)
        pages = int(Path(f"/proc/{ours.process}/statm").read_text().split()[1])
        open_files = sum(1 for _ in Path(f"/proc/{ours.process}/fd").iterdir())
        table.add(
            f"{_LONG_RUN[scale] // 10 + part * (_LONG_RUN[scale] // 2):,} requests",
            f"{pages * os.sysconf('SC_PAGE_SIZE') / 1024**2:.1f} MB",
            str(open_files),
        )
    return table


def _proxy(scale: Scale, named: str, started: "_StartApplication", *, apart: bool) -> Table:
    cores = range(os.cpu_count() or 1)
    where = "the gateway and its worker on a core of their own" if apart else "everything on the same two cores"
    table = Table(
        f"100 KB of text to {named}: {where}",
        ("way", "requests/s", "of bare", "gateway", "its worker"),
        "nginx before the application, a process of its own, and four clients in another"
        + (", all on one core both times." if apart else ".")
        + f" Medians of {_ROUNDS[scale]} rounds in turns; processor time a request.",
    )
    if not shutil.which("nginx", path="/usr/sbin:/usr/bin"):
        table.add("nginx is not installed", "", "", "", "")
        return table
    if len(cores) < 2:
        table.add("there is one core only", "", "", "", "")
        return table
    others, ours = ({cores[0]}, {cores[1]}) if apart else ({*cores[:2]}, {*cores[:2]})
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        stack.enter_context(on_cores(others))  # and with this thread, whatever it starts
        try:
            application = stack.enter_context(started(folder))
        except ModuleNotFoundError as error:
            table.add(f"{error.name} is not installed", "", "", "", "")
            return table
        with on_cores(ours):
            port, process = stack.enter_context(_our_proxy(folder, application))
        fronts = {
            "nginx, proxy_pass": stack.enter_context(_nginx(folder, application)),
            "nginx, upload proxy": stack.enter_context(_nginx(folder, port)),
            "nginx that keeps connections, upload proxy": stack.enter_context(_nginx(folder, port, keeps=True)),
        }
        rates: dict[str, list[float]] = {way: [] for way in fronts}
        spent: dict[str, list[tuple[float, float]]] = {way: [] for way in fronts}
        for round_ in range(_ROUNDS[scale] + 1):
            count = _UPLOADS[scale] if round_ else 10  # the first warms up
            for way, front in fronts.items():
                before = _own_and_below(process)
                rate = _upload_rate(front, count)
                after = _own_and_below(process)
                if round_:
                    rates[way].append(rate)
                    spent[way].append(tuple((b - a) / count for a, b in zip(before, after, strict=True)))
        bare, *screened = fronts
        alone = statistics.median(rates[bare])
        table.add(bare, f"{alone:.0f}", "", "", "")
        for way in screened:
            through = statistics.median(rates[way])
            gateway, worker = (statistics.median(each) for each in zip(*spent[way], strict=True))
            table.add(way, f"{through:.0f}", f"{through / alone:.2f} ×", duration(gateway), duration(worker))
    return table


@contextlib.contextmanager
def on_cores(cores: set[int]) -> Iterator[None]:
    """Run this thread, and whatever it starts, on those processors."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _own_and_below(process: int) -> tuple[float, float]:
    """Processor time of a process, and of all below it."""
    tasks = list(Path(f"/proc/{process}/task").iterdir())
    own = sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9
    return own, processor_s(process) - own


def _upload_rate(port: int, count: int) -> float:
    body = _words()[:100_000]

    def send(_: int) -> None:
        path = f"/words-{next(_numbers)}.txt"
        answer = clients[threading.get_ident()].put(f"http://127.0.0.1:{port}{path}", content=body)
        assert answer.status_code == 201, answer.text

    clients: dict[int, httpx.Client] = {}

    def begin() -> None:
        clients[threading.get_ident()] = httpx.Client(timeout=None, verify=False)

    with ThreadPoolExecutor(4, initializer=begin) as threads:
        started = time.perf_counter()
        list(threads.map(send, range(count)))
        return count / (time.perf_counter() - started)


def _marked(picture: bytes) -> bytes:
    """The same picture with another comment: no other file has its digest."""
    comment = b"%020d" % (next(_numbers) + random.SystemRandom().randrange(10**18))
    return picture[:2] + b"\xff\xfe" + struct.pack(">H", len(comment) + 2) + comment + picture[2:]


def _words() -> bytes:
    said = b"a gateway answers where a scanner is asked and says nothing but the number of its verdict ".split()
    chosen = np.random.default_rng(next(_numbers)).integers(0, len(said), 250_000).tolist()
    return b" ".join(map(said.__getitem__, chosen))[:_MEGABYTE]


@contextlib.contextmanager
def our_clamd(folder: Path, count: int) -> Iterator[Server]:
    """The clamd gateway, with so many hashes listed."""
    home, path = folder / "home", str(folder / "ours.sock")
    with compose_deployment(home, decoders=1) as deployment:
        deployment.banks.create("known", policy=Policy(Action.BLOCK), actor="benchmark")
        entries = [NewEntry("pdq", value.tobytes()) for value in random_hashes(count, seed=3)]
        for at in range(0, len(entries), 10_000):
            deployment.banks.add("known", entries[at : at + 10_000], actor="benchmark")
        build_index(deployment)
    options = {"kind": "clamd", "listen": [path], "overrides": {"unknown-type": "allow"}, "answer_s": 600}
    settings = json.dumps({"mail": options})
    environment = os.environ | {"TUTELA_GATEWAYS": settings, "TUTELA_DECODERS": "1"}
    command = [sys.executable, "-m", "tutela", "--home", str(home), "gateway", "run", "mail"]
    with _started(command, path, env=environment) as process:
        yield Server(process, path)


@contextlib.contextmanager
def _real(folder: Path, fuzzy: str, count: int) -> Iterator[Server]:
    base = folder / f"clamd-{fuzzy}"
    (base / "db").mkdir(parents=True)
    lines = (f"{hashlib.md5(b'%d' % n).hexdigest()}:{n % 100_000 + 1}:Stands.For.Known-{n}" for n in range(count + 1))
    (base / "db" / "own.hdb").write_text("\n".join(lines) + "\n")
    path = str(base / "sock")
    (base / "conf").write_text(
        f"LocalSocket {path}\nDatabaseDirectory {base / 'db'}\nForeground yes\nScanImageFuzzyHash {fuzzy}\n"
    )
    with _started(["/usr/sbin/clamd", "-c", str(base / "conf")], path) as process:
        yield Server(process, path)


@contextlib.contextmanager
def _our_proxy(folder: Path, application: int) -> Iterator[tuple[int, int]]:
    """Its port and its process."""
    port = _free_port()
    options = {"kind": "proxy", "listen": [f"127.0.0.1:{port}"], "application": f"127.0.0.1:{application}"}
    settings = json.dumps({"up": options | {"overrides": {"unknown-type": "allow"}, "answer_s": 600}})
    environment = os.environ | {"TUTELA_GATEWAYS": settings, "TUTELA_DECODERS": "1"}
    command = [sys.executable, "-m", "tutela", "--home", str(folder / "proxy"), "gateway", "run", "up"]
    with _started(command, ("127.0.0.1", port), env=environment) as process:
        yield port, process


@contextlib.contextmanager
def _nginx(folder: Path, upstream: int, *, keeps: bool = False) -> Iterator[int]:
    port = _free_port()
    base = folder / f"nginx-{port}"
    base.mkdir()
    paths = " ".join(
        f"{name}_temp_path {base}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    kept = "keepalive 16; keepalive_timeout 10s;" if keeps else ""
    keeping = 'proxy_set_header Connection "";' if keeps else ""
    (base / "conf").write_text(
        f"daemon off; user root; pid {base}/pid; error_log {base}/log; events {{}}\n"
        f"http {{ access_log off; {paths} upstream behind {{ server 127.0.0.1:{upstream}; {kept} }}\n"
        f"server {{ listen 127.0.0.1:{port}; location / {{ proxy_request_buffering off; proxy_http_version 1.1;\n"
        f"{keeping} proxy_pass http://behind; }} }} }}\n"
    )
    with _started(["/usr/sbin/nginx", "-c", str(base / "conf"), "-p", str(base)], ("127.0.0.1", port)):
        yield port


_APPLICATION = """
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_PUT(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(201)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *arguments):
        return

ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


_StartApplication = Callable[[Path], contextlib.AbstractContextManager[int]]
"""An application that takes uploads and keeps what it keeps in a folder: its port."""


@contextlib.contextmanager
def _application(_: Path) -> Iterator[int]:
    """Not in the clients' process: of that, one thread runs at a time, so clients would wait for it and it for them."""
    port = _free_port()
    with _started([sys.executable, "-c", _APPLICATION, str(port)], ("127.0.0.1", port)):
        yield port


@contextlib.contextmanager
def _file_server(folder: Path) -> Iterator[int]:
    """What a user has behind the proxy: it writes each file to the disk, and computes its digest. Raises
    ModuleNotFoundError."""
    if find_spec("copyparty") is None:
        raise ModuleNotFoundError("copyparty is not installed", name="copyparty")
    port, kept = _free_port(), folder / "kept"
    kept.mkdir()
    command = [sys.executable, "-m", "copyparty", "-q", "-i", "127.0.0.1", "-p", str(port), "-v", f"{kept}::w"]
    with _started([*command, "--no-thumb"], ("127.0.0.1", port)):
        yield port


@contextlib.contextmanager
def _started(command: list[str], address: str | tuple[str, int], **options: object) -> Iterator[int]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options)
    try:
        deadline = time.monotonic() + 120
        while True:
            with socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET) as asking:
                try:
                    asking.connect(address)
                    break
                except OSError:
                    assert process.poll() is None and time.monotonic() < deadline, command[0]
                    time.sleep(0.1)
        yield process.pid
    finally:
        process.terminate()
        process.wait(60)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
