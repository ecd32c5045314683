"""The HTTP service as operators run it, for the tests that need one."""

import contextlib
import http.client
import os
import random
import signal
import socket
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from tests.support.preloaded import start_tutela
from tests.support.stores import new_store
from tests.support.waiting import PATIENCE_S, wait_until
from tutela.api.keys import Keys, Scope
from tutela.foundation.store.database import Store


class Service:
    """A service process and a client with an admin's key."""

    def __init__(self, home: Path, *, workers: int = 1, database: str | None = None, **environment: str) -> None:
        """`database` is a URL; a file in the home by default."""
        self.home = home
        home.mkdir(mode=0o700, exist_ok=True)
        file = home / "tutela.db"
        self.database = database or (f"sqlite:///{file}" if file.exists() else new_store(file))
        store = Store.create(self.database)
        self.keys = Keys(store)
        self.workers = workers
        self.environment = os.environ | {"TUTELA_DECODERS": "2", "TUTELA_DATABASE": self.database} | environment
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self.admin = self.keys.create("admin", [Scope.ADMIN], by="test")[1]
        self.start()

    def start(self) -> None:
        self.log = (self.home / "log").open("ab")
        arguments = ["serve", "--port", str(self.port), "--workers", str(self.workers)]
        self.process = start_tutela(
            ["--home", str(self.home), *arguments],
            stdout=self.log,
            stderr=self.log,
            env=self.environment,
            start_new_session=True,
        )
        try:
            wait_until(self._is_ready, "the service is ready")
        except BaseException:
            self.kill()
            raise

    def _is_ready(self) -> bool:
        assert self.process.poll() is None, (self.home / "log").read_text()[-3000:]
        return is_up(f"{self.address}/readyz")

    def client(self, key: str | None = None, **options: Any) -> httpx.Client:
        headers = {"Authorization": f"Bearer {self.admin if key is None else key}"}
        return httpx.Client(base_url=self.address, headers=headers, timeout=PATIENCE_S, verify=False, **options)

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self) -> int:
        self.process.terminate()
        status = self.process.wait(PATIENCE_S)
        self.log.close()
        return status


def is_up(address: str) -> bool:
    """Whether a GET of an address without TLS is answered with 200."""
    # A client of httpx takes milliseconds to make: whoever waits would take the core from what starts.
    url = urlsplit(address)
    connection = http.client.HTTPConnection(url.netloc, timeout=PATIENCE_S)
    try:
        connection.request("GET", url.path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


@cache
def _ports(number: int) -> Iterator[int]:
    """Those of one process of a run. Other runs of tests on this machine begin elsewhere."""
    worker = number % 16
    own = range(10_000 + 1_375 * worker, 10_000 + 1_375 * (worker + 1))
    first = random.SystemRandom().randrange(len(own))
    return iter((*own[first:], *own[:first]))


def ports_are_given() -> bool:
    """Whether anybody has asked for one yet."""
    return _ports.cache_info().currsize > 0


def free_port() -> int:
    """A port that nobody listens on, below those that the system gives to outgoing connections.

    No process of these tests is given the same one twice, and none is given to two of them: whoever asks may use it
    later.
    """
    for port in _ports(int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))):
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise AssertionError("every port is taken")
