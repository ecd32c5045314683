"""Whether a page is listed: our mapped prefixes, and `threatexchange`'s `url` and `url_md5`, each asked with a link
as text.

Ours includes the parsing, every page, folder and domain that a link asks for, and SHA-256. Peers are asked for one
string. What each finds of listed pages in other spellings is told beside, because that is what they are for.
"""

import json
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO, Self

import numpy as np
import numpy.typing as npt
from threatexchange.signal_type.signal_base import SignalType
from threatexchange.signal_type.url import URLSignal
from threatexchange.signal_type.url_md5 import UrlMD5Signal

from benchmarks.http_screening import build_index, free_port, on_the_other_core, processor_s, started_service
from benchmarks.report import Scale, Table, duration, ratio
from benchmarks.through_squid import NotInstalledError, squid_with_icap
from tutela import _native
from tutela.api.keys import Keys, Scope
from tutela.content.links.link import lookups
from tutela.content.signals.registry import signal_type
from tutela.deployment.composition import compose_deployment
from tutela.lists.banks.model import Action, BankUse, Policy
from tutela.lists.banks.values import new_entry
from tutela.lists.index.manifest import checksum, read_manifest, write_manifest
from tutela.lists.index.segments import open_segment

_COUNTS = {Scale.TINY: [2_000], Scale.USUAL: [1_000_000], Scale.FULL: [1_000_000, 10_000_000]}
_PEERS_UP_TO, _MOST = 1_000_000, 10_000_000
_REAL = 1_000
_REQUESTS_A_S = 2_000
_LISTED_OVER_HTTP = {Scale.TINY: 100, Scale.USUAL: 10_000, Scale.FULL: 100_000}
_QUESTIONS: Mapping[str, Mapping[str, object]] = {
    "a link": {"urls": ["https://host1.example/other"]},
    "a link with a query": {"urls": ["https://host1.example/page?utm=x&id=2"]},
    "a post of 200 letters with a link": {"text": "so many words " * 12 + "host1[.]example/other there"},
}
_COLUMNS = (
    "links",
    "index",
    "build",
    "bytes a link that a search touches",
    "p50",
    "p99",
    "p50 of ours",
    "spellings found",
)


def run(scale: Scale) -> Iterator[Table]:
    """One table: sizes by indexes."""
    table = Table(
        "Links, one core",
        _COLUMNS,
        "Processor time of one look-up; half of the links asked for are listed. Spellings: of listed pages, each in "
        "five "
        "ways that browsers take for the same page.",
    )
    for count in _COUNTS[scale]:
        for row in _of_size(count, 500 if scale is Scale.TINY else 10_000):
            table.add(*row)
    yield table
    yield _over_http(scale)
    if scale is Scale.FULL:
        yield _over_http(scale, _MOST)
    yield _at_squid(scale)
    yield _through_squid(scale)


def _over_http(scale: Scale, indexed: int = 0) -> Table:
    """`POST /v1/check` as platforms call it: one link, a post with one, and a link that is asked for by parameters."""
    count = _LISTED_OVER_HTTP[scale]
    more = f", {indexed:,} in the index" if indexed else ""
    table = Table(
        f"POST /v1/check over HTTP, {count:,} links listed{more}, one core",
        ("asked for", "p50", "p99", "processor time"),
        "One client on a kept connection, a plain socket, from another core where there is one; nothing that is asked "
        "for is listed. "
        "Processor time is that of the service for a request. Half of the listed pages name a parameter that counts. "
        "All rows take turns; the last is a control, a bare application that the same server serves: what it takes is "
        "the server's and the machine's.",
    )
    with tempfile.TemporaryDirectory() as folder:
        home, port = Path(folder) / "home", free_port()
        key = _listed(home, count)
        if indexed:
            _fill_index(home, indexed)
        command = [sys.executable, "-m", "tutela", "--home", str(home), "serve", "--port", str(port)]
        settings = {"TUTELA_DECODERS": "1", "TUTELA_SERVICE__RATE": "100000/second"}
        bare_port = free_port()
        bare_command = [sys.executable, "-m", "benchmarks.bare_service", str(bare_port)]
        with (
            started_service(command, port, "/readyz", **settings) as served,
            started_service(bare_command, bare_port, "/") as bare,
            on_the_other_core(),
            _Connection(port, key) as ours,
            _Connection(bare_port, key) as control,
        ):
            questions = [(name, ours, served.process, body) for name, body in _QUESTIONS.items()]
            questions.append(("a link, of a bare application", control, bare.process, _QUESTIONS["a link"]))
            rounds = [
                [_asked(*asked, 50 if scale is Scale.TINY else 300) for _, *asked in questions]
                for _ in range(1 if scale is Scale.TINY else 10)
            ]
            for (name, *_), found in zip(questions, zip(*rounds, strict=True), strict=True):
                p50, p99 = np.percentile(np.concatenate([seconds for seconds, _ in found]), (50, 99))
                processor = float(np.median([used for _, used in found]))
                table.add(name, duration(float(p50)), duration(float(p99)), duration(processor))
    return table


def _at_squid(scale: Scale) -> Table:
    """The helper that squid asks, at a steady rate, as squid talks to it; without squid itself."""
    count, asked = _LISTED_OVER_HTTP[scale], 200 if scale is Scale.TINY else 20_000
    table = Table(
        f"The helper of squid, {count:,} links listed, {_REQUESTS_A_S:,} requests a second",
        ("requests", "p50", "p99", "processor time"),
        "From the moment at which a line is due to be written until its answer; nothing that is asked for is listed.",
    )
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        _listed(home, count, BankUse.PROXY)
        command = [sys.executable, "-m", "tutela", "--home", str(home), "stop-page", "squid-helper"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as helper:
            assert helper.stdin is not None and helper.stdout is not None
            _ask_steadily(helper.stdin, helper.stdout, 100)
            before = processor_s(helper.pid)
            seconds = _ask_steadily(helper.stdin, helper.stdout, asked)
            used = processor_s(helper.pid) - before
            helper.stdin.close()
        p50, p99 = np.percentile(seconds, (50, 99))
        table.add(f"{asked:,}", duration(float(p50)), duration(float(p99)), duration(used / asked))
    return table


def _through_squid(scale: Scale) -> Table:
    """squid itself, which asks over ICAP about hosts with a listed page and about no others."""
    count, seconds = _LISTED_OVER_HTTP[scale], 1 if scale is Scale.TINY else 10
    table = Table(
        f"squid with ICAP, {count:,} links listed",
        ("hosts", "requests a second", "p50", "p99", "most", "processor time of the gateway", "of squid"),
        f"{seconds} s each; nothing that is asked for is listed. The gateway has one core; squid, the web server "
        "behind it and wrk have the other.",
    )
    questions = {
        "suspect, asked about over ICAP": "http://host%d.example/other",
        "others": "http://host%d.example.org/other",
    }
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        _listed(home, count, BankUse.PROXY)
        try:
            with squid_with_icap(home, ".example") as squid:
                for name, url in questions.items():
                    if scale is not Scale.TINY:
                        squid.asked(url, 3)  # to warm up
                    found = squid.asked(url, seconds)
                    times = (found.p50_s, found.p99_s, found.most_s, found.gateway_s, found.squid_s)
                    table.add(name, f"{found.rate:,.0f}", *map(duration, times))
        except NotInstalledError as error:
            table.note += f" Not measured: {error} is not installed."
    return table


def _ask_steadily(questions: IO[bytes], answers: IO[bytes], count: int) -> list[float]:
    """How long each answer took, in seconds, when one is asked for at a steady rate, whatever the answers take."""
    begin = time.perf_counter() + 0.01

    def due(number: int) -> float:
        return begin + number / _REQUESTS_A_S

    def write() -> None:
        for number in range(count):
            time.sleep(max(0.0, due(number) - time.perf_counter()))
            questions.write(f"{number} http://host{number % 1_000}.example/other GET\n".encode())
            questions.flush()

    writing = threading.Thread(target=write)
    writing.start()
    seconds = []
    for _ in range(count):
        channel, said = answers.readline().split(maxsplit=1)
        seconds.append(time.perf_counter() - due(int(channel)))
        if not said.startswith(b"OK"):
            raise AssertionError(said)
    writing.join()
    return seconds


def _listed(home: Path, count: int, use: BankUse = BankUse.PLATFORM) -> str:
    """The key to a home that lists so many pages."""
    with compose_deployment(home, decoders=1) as deployment:
        policy = Policy(action=Action.BLOCK)
        deployment.banks.create("pages", policy=policy, uses={use}, actor="benchmark")
        for begin in range(0, count, 10_000):
            numbers = range(begin, min(begin + 10_000, count))
            pages = [f"host{number}.example/page?id={number}" + " keys=id" * (number % 2) for number in numbers]
            deployment.banks.add("pages", [new_entry("url", page) for page in pages], actor="benchmark")
        build_index(deployment, "url")
        return Keys(deployment.store).create("benchmark", [Scope.SCREEN], by="benchmark")[1]


def _fill_index(home: Path, count: int) -> None:
    """Have the index of pages searched among so many digests: those listed, and others that the database does not have,
    because to import them takes an hour. A search ends in the index, unless it finds something."""
    directory = home / "index" / "url"
    manifest = read_manifest(directory)
    assert manifest is not None
    listed, keys = open_segment(directory / manifest.file, signal_type("url")).rows(0, manifest.count)
    others = np.random.default_rng(7).integers(0, 256, (count - len(keys), 32), dtype=np.uint8)
    other_keys = np.arange(10**9, 10**9 + len(others), dtype=np.uint64)
    path = directory / f"filled-{manifest.file}"
    _native.build_prefixes(str(path), np.concatenate([listed, others]), np.concatenate([keys, other_keys]))
    filled = open_segment(path, signal_type("url"))
    size, digest = path.stat().st_size, checksum(filled)
    write_manifest(directory, replace(manifest, count=count, file=path.name, bytes=size, checksum=digest))


class _Connection:
    """A kept connection to a service, which asks without an HTTP library: one takes longer than what is measured."""

    def __init__(self, port: int, key: str) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._answers = self._socket.makefile("rb")
        self._head = f"POST /v1/check HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {key}\r\n"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._answers.close()
        self._socket.close()

    def ask(self, body: bytes) -> bytes:
        """The body of the answer."""
        head = f"{self._head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        self._socket.sendall(head.encode() + body)
        status, length = self._answers.readline(), 0
        while (line := self._answers.readline()) not in {b"\r\n", b""}:
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        answer = self._answers.read(length)
        if status.split()[1:2] != [b"200"]:
            raise AssertionError((status, answer))
        return answer


def _asked(
    connection: _Connection, process: int, asked: Mapping[str, object], requests: int
) -> tuple[npt.NDArray[np.float64], float]:
    """The time that each answer takes, and the processor time of one, in seconds."""
    seconds, body = np.empty(requests), json.dumps(asked).encode()
    for _ in range(20):
        connection.ask(body)
    before = processor_s(process)
    for number in range(requests):
        began = time.perf_counter()
        answer = connection.ask(body)
        seconds[number] = time.perf_counter() - began
        if json.loads(answer)["answer"] != "allow":
            raise AssertionError(answer)
    return seconds, (processor_s(process) - before) / requests


def spellings(page: str) -> list[str]:
    """Ways to write a page's link that every browser takes for the same page."""
    host, _, path = page.partition("/")
    return [
        f"HTTP://{host.upper()}:80/{path}#top",
        f"http://user@{host}./{path}",
        f"http://{host}/x/../{path}",
        f"http://{host}/%{ord(path[0]):02x}{path[1:]}",
        f"http:\\\\{host}\\{path}",
    ]


def _of_size(count: int, asked: int) -> Iterator[Sequence[str]]:
    chance = random.Random(5)
    listed = [f"host{number}.example/folder/page{chance.randrange(10**9)}" for number in range(_REAL)]
    other = [f"host{number}.example/folder/page{chance.randrange(10**9)}x" for number in range(_REAL)]
    urls = [f"http://{chance.choice(listed if number % 2 else other)}" for number in range(asked)]
    written = [spelling for page in listed[:200] for spelling in spellings(page)]
    page, known = signal_type("url"), frozenset(listed)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "links"
        values = np.random.default_rng(7).integers(0, 256, (count, 32), dtype=np.uint8)
        values[:_REAL] = np.frombuffer(b"".join(map(page.parse, listed)), np.uint8).reshape(-1, 32)
        started = time.process_time()
        _native.build_prefixes(str(path), values, np.arange(count, dtype=np.uint64))
        built = time.process_time() - started
        prefixes = _native.Prefixes(str(path))

        def find(url: str) -> bool:
            found = lookups(url)
            return found is not None and prefixes.may_hold(found[0])

        touched = (2**22 * 4 + count * 8) / count
        p50, p99 = _measured(find, urls)
        hits = sum(map(find, written))
        if [find(url) for url in urls] != [url.removeprefix("http://") in known for url in urls]:
            raise AssertionError("ours is wrong")
        yield (
            *(f"{count:,}", "ours", duration(built), f"{touched:.1f}", duration(p50), duration(p99), "1"),
            f"{hits} of {len(written)}",
        )
    if count > _PEERS_UP_TO:
        return
    filler = [f"filler{number}.example/x" for number in range(count - _REAL)]
    for kind in (URLSignal, UrlMD5Signal):
        build_s, search = _peer(kind, [f"http://{each}" for each in (*listed, *filler)])
        peer50, peer99 = _measured(search, urls)
        hits = sum(map(search, written))
        yield (
            *(f"{count:,}", f"threatexchange {kind.get_name()}", duration(build_s), ""),
            *(duration(peer50), duration(peer99), ratio(peer50, p50), f"{hits} of {len(written)}"),
        )


def _peer(kind: type[SignalType], urls: Sequence[str]) -> tuple[float, Callable[[str], bool]]:
    """Its own index, and a search by a link as text; a link that it raises for is not found."""

    def value(url: str) -> str:
        return kind.hash_from_str(url) if kind is UrlMD5Signal else url  # type: ignore[attr-defined]

    started = time.process_time()
    index = kind.get_index_cls().build((value(url), number) for number, url in enumerate(urls))
    built = time.process_time() - started

    def search(url: str) -> bool:
        try:
            return bool(index.query(value(url)))
        except ValueError:
            return False

    return built, search


def _measured(search: Callable[[str], bool], urls: Sequence[str]) -> tuple[float, float]:
    for url in urls[:200]:
        search(url)
    seconds = np.empty(len(urls))
    for number, url in enumerate(urls):
        started = time.thread_time()
        search(url)
        seconds[number] = time.thread_time() - started
    p50, p99 = np.percentile(seconds, (50, 99))
    return float(p50), float(p99)
