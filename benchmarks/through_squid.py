"""squid itself with ICAP at a steady rate: requests that it asks us about, and requests that it does not, in turn.

Needs squid and nginx, as `.ci/peers` installs them; nginx is every host of the world. Squid, nginx and the client share
one core, the gateway has the other.
"""

import contextlib
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.http_screening import free_port, on_the_other_core, processor_s

_LENGTH = re.compile(rb"content-length: (\d+)", re.I)
_WAIT_S = 60.0
_CONNECTIONS = 200
"""Of the client at most; what is due while all of them wait for answers waits, too, and that counts."""


class NotInstalledError(Exception):
    """A program is not installed."""


@dataclass(frozen=True, slots=True)
class Through:
    """How requests through squid fared."""

    seconds: Sequence[float]
    """From the moment at which each was due to be sent until it was answered whole."""
    gateway_s: float
    """Processor time of the gateway for a request."""
    squid_s: float


@contextlib.contextmanager
def squid_with_icap(home: Path, suspects: str) -> Iterator["Squid"]:
    """squid that asks a gateway of that home about the hosts below a name. Raises NotInstalledError."""
    squid, nginx = _program("squid"), _program("nginx")
    icap = free_port()
    (home / "tutela.toml").write_text(
        "[stop_page]\ndry_run_minutes = 0\n"
        f'[gateways.edge]\nkind = "icap"\nlisten = ["127.0.0.1:{icap}"]\npages = true\n'
    )
    folder = home / "squid"
    folder.mkdir(mode=0o777)
    command = [sys.executable, "-m", "tutela", "--home", str(home), "gateway", "run", "edge"]
    with contextlib.ExitStack() as stack:
        gateway = stack.enter_context(_started(command, icap, folder / "gateway.log", TUTELA_DECODERS="1"))
        stack.enter_context(on_the_other_core())
        origin, proxy = free_port(), free_port()
        (folder / "nginx.conf").write_text(_nginx(folder, origin))
        stack.enter_context(
            _started([nginx, "-p", str(folder), "-c", str(folder / "nginx.conf")], origin, folder / "o")
        )
        (folder / "squid.conf").write_text(_squid(folder, proxy, origin, icap, suspects))
        # As a user who is not root in a space of its own, but who may read what was made here.
        alone = ["unshare", "--user", "--map-user=1000", "--map-group=1000"] if os.geteuid() == 0 else []
        asked = [*alone, squid, "-N", "-f", str(folder / "squid.conf")]
        running = stack.enter_context(_started(asked, proxy, folder / "s"))
        yield Squid(proxy, gateway, running)


@dataclass(frozen=True, slots=True)
class Squid:
    """A squid that runs, and the gateway that it asks."""

    port: int
    gateway: int
    process: int

    def asked(self, urls: Sequence[str], count: int, rate: int) -> Through:
        """Ask for the links in turn, so many a second, on kept connections, whatever the answers take."""
        before = processor_s(self.gateway), processor_s(self.process)
        seconds = _steadily(self.port, [_request(url) for url in urls], count, rate)
        after = processor_s(self.gateway), processor_s(self.process)
        return Through(seconds, *((late - early) / count for early, late in zip(before, after, strict=True)))


def _steadily(port: int, requests: Sequence[bytes], count: int, rate: int) -> list[float]:
    idle: deque[socket.socket] = deque()
    under_way: dict[socket.socket, tuple[float, bytearray]] = {}
    seconds: list[float] = []
    begin, sent = time.perf_counter() + 0.01, 0
    with contextlib.ExitStack() as stack:
        while len(seconds) < count:
            while sent < count and time.perf_counter() >= (due := begin + sent / rate):
                if not idle and len(under_way) >= _CONNECTIONS:
                    break
                if not idle:
                    idle.append(stack.enter_context(socket.create_connection(("127.0.0.1", port), _WAIT_S)))
                connection = idle.popleft()
                connection.sendall(requests[sent % len(requests)])
                under_way[connection] = (due, bytearray())
                sent += 1
            waits = sent < count and (idle or len(under_way) < _CONNECTIONS)
            wait_s = max(0.0, begin + sent / rate - time.perf_counter()) if waits else _WAIT_S
            for connection in select.select(list(under_way), (), (), wait_s)[0]:
                due, answer = under_way[connection]
                answer += connection.recv(65536)
                if _is_whole(answer):
                    seconds.append(time.perf_counter() - due)
                    del under_way[connection]
                    idle.append(connection)
    return seconds


def _is_whole(answer: bytearray) -> bool:
    head, end, body = answer.partition(b"\r\n\r\n")
    if not end:
        return False
    if not head.startswith(b"HTTP/1.1 200 "):
        raise AssertionError(bytes(answer[:200]))
    length = _LENGTH.search(head)
    return length is not None and len(body) >= int(length[1])


def _request(url: str) -> bytes:
    return f"GET {url} HTTP/1.1\r\nHost: {url.split('/')[2]}\r\nUser-Agent: benchmark\r\nAccept: */*\r\n\r\n".encode()


def _program(name: str) -> str:
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if found is None:
        raise NotInstalledError(name)
    return found


def _nginx(folder: Path, port: int) -> str:
    return f"""daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log warn;
events {{ worker_connections 1024; }}
http {{ access_log off; keepalive_requests 1000000; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/g;
  server {{ listen 127.0.0.1:{port}; location / {{ return 200 "a page of some host\\n"; }} }} }}
"""


def _squid(folder: Path, port: int, origin: int, icap: int, suspects: str) -> str:
    return f"""http_port 127.0.0.1:{port}
pid_filename none
netdb_filename none
access_log none
cache_log {folder}/cache.log
cache_store_log none
coredump_dir {folder}
cache deny all
shutdown_lifetime 1 seconds
visible_hostname proxy.example
cache_peer 127.0.0.1 parent {origin} 0 no-query originserver name=origin
acl everything src all
cache_peer_access origin allow everything
never_direct allow everything
icap_enable on
icap_service tutela reqmod_precache icap://127.0.0.1:{icap}/tutela bypass=off
acl suspects dstdomain {suspects}
adaptation_access tutela allow suspects
http_access allow everything
"""


@contextlib.contextmanager
def _started(command: list[str], port: int, log: Path, **environment: str) -> Iterator[int]:
    """The process of a program that runs, once it listens."""
    with log.open("wb") as said:
        process = subprocess.Popen(
            command, env=os.environ | environment, stdout=said, stderr=said, start_new_session=True
        )
    try:
        deadline = time.monotonic() + _WAIT_S
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(log.read_text(errors="replace")[-3000:])
            time.sleep(0.05)
        yield process.pid
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
