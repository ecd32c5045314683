"""The HTTP service as operators run it, for the tests that need one."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tutela.api.keys import Keys, Scope
from tutela.store.database import Store


class Service:
    """A service process and a client with an admin's key."""

    def __init__(self, home: Path, *, workers: int = 1, **environment: str) -> None:
        self.home = home
        home.mkdir(exist_ok=True)
        store = Store.create(f"sqlite:///{home / 'tutela.db'}")
        self.keys = Keys(store)
        self.workers = workers
        self.environment = os.environ | {"TUTELA_DECODERS": "2"} | environment
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}"
        self.admin = self.keys.create("admin", [Scope.ADMIN])[1]
        self.start()

    def start(self) -> None:
        self.log = (self.home / "log").open("ab")
        arguments = ["serve", "--port", str(self.port), "--workers", str(self.workers)]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tutela", "--home", str(self.home), *arguments],
            stdout=self.log,
            stderr=self.log,
            env=self.environment,
            start_new_session=True,
        )
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with contextlib.suppress(httpx.HTTPError):
                if httpx.get(f"{self.address}/readyz").status_code == 200:
                    return
            assert self.process.poll() is None, (self.home / "log").read_text()[-3000:]
            time.sleep(0.05)
        pytest.fail(f"not ready: {(self.home / 'log').read_text()[-3000:]}")

    def client(self, key: str | None = None, **options) -> httpx.Client:
        headers = {"Authorization": f"Bearer {self.admin if key is None else key}"}
        return httpx.Client(base_url=self.address, headers=headers, timeout=30, **options)

    def kill(self) -> None:
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self) -> int:
        self.process.terminate()
        status = self.process.wait(30)
        self.log.close()
        return status


def wait_for(condition: Callable[[], object], seconds: float = 1.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "not within the time"
