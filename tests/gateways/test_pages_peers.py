"""Debian's squid with the helper and with ICAP: listed pages are answered 451, others pass, and a kill opens
nothing."""

import contextlib
import http.server
import json
import os
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.support.edges import Lists, edge_of, stop_page
from tests.support.effort import effort
from tests.support.gateways import GatewayProcess
from tests.support.service import free_port
from tests.support.serving import serving
from tests.support.squid import SQUID, squid_command
from tests.support.waiting import wait_until

pytestmark = pytest.mark.peers


@pytest.fixture
def origin() -> Iterator[int]:
    """A web server that answers every path with it, and says what it was asked."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = f"here is {self.headers['Host']}{self.path}".encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with serving(http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as server:
        yield server.server_port


@dataclass
class Squid:
    """A running squid, and a client behind it."""

    port: int
    client: httpx.Client
    process: subprocess.Popen[bytes]


@contextlib.contextmanager
def squid(folder: Path, settings: str, origin: int) -> Iterator[Squid]:
    """squid with such settings, to whom every host is the web server of this machine."""
    if SQUID is None:
        pytest.skip("squid is not installed: .ci/peers")
    port = free_port()
    command = squid_command(SQUID, folder, port, origin, settings)
    with (folder / "said").open("wb") as said:
        process = subprocess.Popen(command, stdout=said, stderr=said, start_new_session=True)
    client = httpx.Client(proxy=f"http://127.0.0.1:{port}", timeout=30)
    try:

        def answers() -> bool:
            assert process.poll() is None, (folder / "said").read_text()[-3000:]
            with contextlib.suppress(httpx.HTTPError):
                return client.get("http://free.example/").status_code == 200
            return False

        wait_until(answers, "squid answers")
        yield Squid(port, client, process)
    finally:
        client.close()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.fixture
def lists(tmp_path: Path) -> Iterator[Lists]:
    with edge_of(tmp_path / "home") as found:
        found.add("url", "gardens.example/roses?id=7", "en.wikipedia.org/wiki/An_album")
        found.add("domain", "listed.example")
        yield found


def test_squid_asks_the_helper_and_people_see_the_page(lists, tmp_path, origin):
    with stop_page(lists) as options:
        (lists.home / "tutela.toml").write_text(
            f'[stop_page]\naddress = "{options.address}"\ndry_run_minutes = 0\norganisation = "Example Net"\n'
        )
        # squid gives programs a short name, by which Python would not find its environment: so not `python -m`.
        tutela = f"{Path(sys.executable).with_name('tutela')} --home {lists.home} stop-page"
        page = subprocess.run([*tutela.split(), "squid-page"], capture_output=True, check=True).stdout
        (tmp_path / "errors").mkdir()
        (tmp_path / "errors" / "ERR_TUTELA").write_bytes(page)
        link = '"<https://example.net/blocking>; rel=\\"blocked-by\\""'
        asked = "ttl=0 negative_ttl=0 cache=0 children-max=2 children-startup=1 concurrency=200 %URI %METHOD"
        settings = f"""external_acl_type tutela {asked} {tutela} squid-helper
acl free external tutela
acl everybody src all
acl refused http_status 451
error_directory {tmp_path}/errors
deny_info 451:ERR_TUTELA everybody
reply_header_add Link {link} refused
http_access allow free
http_access deny everybody"""
        with squid(tmp_path / "squid", settings, origin) as running:
            client = running.client
            for url in ("http://gardens.example/roses?id=7", "http://GARDENS.example:80/%72oses?id=7#x"):
                answer = client.get(url)
                assert answer.status_code == 451, (url, answer.text)
                assert 'rel="blocked-by"' in answer.headers["link"]
                number = lists.edge.appeals.references.of(1)
                assert f"<code>{number}</code>" in answer.text
                assert answer.text.startswith("<!doctype html>") and "100%" in answer.text and "%%" not in answer.text
            assert client.get("http://deep.listed.example/").status_code == 451
            for url in (
                "http://gardens.example/",
                "http://gardens.example/roses",
                "http://en.wikipedia.org/wiki/An_album",
            ):
                answer = client.get(url)
                assert (answer.status_code, answer.text[:7]) == (200, "here is"), url
            with pytest.raises(httpx.ProxyError):
                client.get("https://www.listed.example/")
            lists.add("url", "gardens.example/tulips")
            wait_until(lambda: client.get("http://gardens.example/tulips").status_code == 451, "a new entry counts")
            pids = helpers(lists.home)
            assert pids
            for pid in pids:
                os.kill(pid, signal.SIGKILL)
            codes = set()
            for _ in range(20):
                with contextlib.suppress(httpx.HTTPError):
                    codes.add(client.get("http://gardens.example/roses?id=7").status_code)
            assert 200 not in codes, "killed helpers let nothing pass"
            wait_until(lambda: client.get("http://free.example/").status_code == 200, "squid has new helpers")
            assert client.get("http://gardens.example/roses?id=7").status_code == 451


def helpers(home: Path) -> list[int]:
    """The helpers of this test's own squid."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words = path.read_bytes().decode("utf-8", "replace").split("\0")
            if "squid-helper" in words and str(home) in words:
                found.append(int(path.parent.name))
    return found


HOSTS = ("http://gardens.example/roses?id=7", "http://gardens.example/roses", "http://free.example/")
"""A listed page, another of its host, and a host without one."""


def asked_until(port: int, url: str, over: threading.Event) -> Counter[int]:
    """How a link is answered again and again, by status; 0 where the connection ends without an answer."""
    found: Counter[int] = Counter()
    with httpx.Client(proxy=f"http://127.0.0.1:{port}", timeout=30) as client:
        while not over.is_set():
            try:
                found[client.get(url).status_code] += 1
            except httpx.HTTPError:
                found[0] += 1
    return found


def test_squid_asks_over_icap_and_a_killed_service_lets_no_suspect_pass(lists, tmp_path, origin):
    port = free_port()
    (lists.home / "tutela.toml").write_text(
        '[stop_page]\naddress = "http://stop.example"\ndry_run_minutes = 0\nsite = "https://example.net/blocking"\n'
    )
    settings = {"edge": {"kind": "icap", "listen": [f"127.0.0.1:{port}"], "pages": True}}
    gateway = GatewayProcess(lists.home, "edge", settings)
    proxy = f"""icap_enable on
icap_service tutela reqmod_precache icap://127.0.0.1:{port}/tutela bypass=off
acl suspects dstdomain .gardens.example .listed.example
adaptation_access tutela allow suspects
http_access allow all
icap_persistent_connections on
icap_service_failure_limit -1"""
    try:
        with squid(tmp_path / "squid", proxy, origin) as running:
            client = running.client
            answer = client.get("http://gardens.example/roses?id=7")
            assert answer.status_code == 451, answer.text
            assert answer.headers["link"] == '<https://example.net/blocking>; rel="blocked-by"'
            assert client.get("http://www.listed.example/any").status_code == 451
            assert client.get("http://gardens.example/roses").status_code == 200
            took = []
            for number in range(300):
                began = time.perf_counter()
                assert client.get(f"http://gardens.example/{number}").status_code == 200
                took.append(time.perf_counter() - began)
            print(json.dumps({"median_ms": 1e3 * statistics.median(took), "p99_ms": 1e3 * sorted(took)[296]}))
            asking, over = ThreadPoolExecutor(len(HOSTS)), threading.Event()
            answers = {url: asking.submit(asked_until, running.port, url, over) for url in HOSTS}
            time.sleep(1.0)
            gateway.kill()
            time.sleep(effort(2, 20))
            over.set()
            listed, suspect, free = (answers[url].result() for url in HOSTS)
            assert set(free) == {200} and free.total() > 20, ("only suspect hosts suffer", free)
            assert listed[451] and listed[500] and not listed[200], listed
            assert suspect[200] and suspect[500], suspect
            print(f"asked while the gateway was killed: listed {listed}, suspect {suspect}, free {free}")
            gateway.start()
            wait_until(lambda: client.get("http://gardens.example/roses").status_code == 200, "it is back")
            assert client.get("http://gardens.example/roses?id=7").status_code == 451
    finally:
        gateway.kill()
