"""squid itself with ICAP at a steady rate: requests that it asks us about, and requests that it does not, in turn.

Needs squid, nginx and wrk, as `.ci/peers` installs them; nginx is every host of the world. Squid, nginx and wrk share
one core, the gateway has the other. wrk's connections pause between their requests, each for another time, so that
together they ask at the wanted rate.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.http_screening import free_port, on_the_other_core, processor_s
from tests.support.squid import squid_command

_WAIT_S = 60.0
_CONNECTIONS, _PAUSE_MS = 80, 40
_SCRIPT = """
local number = 0
function request()
  number = number + 1
  return wrk.format("GET", string.format("%s", number %% 1000))
end
function delay() return math.random(%d, %d) end
function done(summary, latency)
  local failed = summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.timeout
  io.write(string.format("TOLD %%d %%d %%d %%d %%d %%d\\n", summary.requests, summary.duration, failed,
    latency:percentile(50), latency:percentile(99), latency.max))
end
"""


class NotInstalledError(Exception):
    """A program is not installed."""


@dataclass(frozen=True, slots=True)
class Through:
    """How requests through squid fared: how many a second there were, and what they took."""

    rate: float
    p50_s: float
    p99_s: float
    most_s: float
    gateway_s: float
    """Processor time of the gateway for a request."""
    squid_s: float


@contextlib.contextmanager
def squid_with_icap(home: Path, suspects: str) -> Iterator["Squid"]:
    """squid that asks a gateway of that home about the hosts below a name. Raises NotInstalledError."""
    squid, nginx, wrk = _program("squid"), _program("nginx"), _program("wrk")
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
        asked = squid_command(squid, folder, proxy, origin, _settings(icap, suspects))
        running = stack.enter_context(_started(asked, proxy, folder / "s"))
        squid = Squid(wrk, folder, proxy, gateway, running)
        squid.wait_for_answer("http://a" + suspects + "/other")
        yield squid


@dataclass(frozen=True, slots=True)
class Squid:
    """A squid that runs, and the gateway that it asks."""

    wrk: str
    folder: Path
    port: int
    gateway: int
    process: int

    def wait_for_answer(self, url: str) -> None:
        """Until a page comes through squid: it listens before it has asked the gateway what it can do."""
        proxies = urllib.request.ProxyHandler({"http": f"http://127.0.0.1:{self.port}"})
        with urllib.request.build_opener(proxies).open(url, timeout=_WAIT_S) as page:
            page.read()

    def asked(self, url: str, seconds: int) -> Through:
        """Ask 2,000 times a second for links, with a number in the place of `%d`.

        On a machine so busy that nothing is answered in that time it is asked for longer.
        """
        script = self.folder / "wrk.lua"
        script.write_text(_SCRIPT % (url, _PAUSE_MS * 3 // 4, _PAUSE_MS * 5 // 4))
        before = processor_s(self.gateway), processor_s(self.process)
        asking = ["-t1", f"-c{_CONNECTIONS}", f"-d{seconds}s", "--timeout", "30s", "-s", str(script)]
        command = [self.wrk, *asking, f"http://127.0.0.1:{self.port}"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        after = processor_s(self.gateway), processor_s(self.process)
        (told,) = [line.split()[1:] for line in done.stdout.splitlines() if line.startswith("TOLD ")]
        count, took, failed, p50, p99, most = map(int, told)
        if not (count or failed) and seconds < _WAIT_S:
            return self.asked(url, 2 * seconds)
        if failed or not count:
            raise AssertionError(done.stdout)
        used = [(late - early) / count for early, late in zip(before, after, strict=True)]
        return Through(1e6 * count / took, p50 / 1e6, p99 / 1e6, most / 1e6, *used)


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


def _settings(icap: int, suspects: str) -> str:
    return f"""icap_enable on
icap_service tutela reqmod_precache icap://127.0.0.1:{icap}/tutela bypass=off
acl suspects dstdomain {suspects}
adaptation_access tutela allow suspects
http_access allow all
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
