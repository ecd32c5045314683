"""A shell for the commands of one page: its folder, its variables, and the service that a page may ask.

Pages show the folder /tmp/tutela and the ports 8080 to 8082. Each run has a folder of its own and free ports instead,
with names of the same length, and what is printed is translated back.
"""

import contextlib
import os
import random
import re
import shutil
import signal
import socket
import string
import subprocess
import sys
import time
import urllib.request
from multiprocessing import Process
from pathlib import Path
from types import TracebackType

from pages.page import ROOT, PageError
from pages.warm import serve

SHOWN = "/tmp/tutela"  # noqa: S108
_PORTS = (8080, 8081, 8082)
_PATIENCE_S = 120.0
_DEMO = Path(os.environ.get("TMPDIR", "/tmp")) / f"tutela-pages-demo-{os.getpid()}"  # noqa: S108
"""The home of a demonstration that has run, made once and copied for each page that begins with it."""


class Shell:
    """Runs commands one after the other, as somebody would type them. A context manager."""

    def __init__(self, start: str) -> None:
        """`start` is what is there before the first command: `nothing`, `site` (after `tutela init`), `demo` (after
        `tutela demo`) or `service` (a demonstration whose service runs)."""
        letters = "".join(random.choice(string.ascii_lowercase) for _ in SHOWN[5:])  # noqa: S311
        self.root = Path("/tmp") / letters  # noqa: S108
        self.root.mkdir(mode=0o755)
        self._start = start
        self._ports = {shown: _free_port() for shown in _PORTS}
        self._code = 0
        self._groups: list[int] = []
        self._state = self.root / ".state"
        self._listener = socket.socket(socket.AF_UNIX)
        self._warm: Process | None = None
        self._service: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "Shell":
        tools = self.root / ".bin"
        tools.mkdir()
        address = self.root / ".warm"
        self._listener.bind(str(address))
        self._listener.listen()
        self._warm = Process(target=serve, args=(self._listener,), daemon=True)
        self._warm.start()
        command = tools / "tutela"
        command.write_text(f'#!/bin/sh\nexec {sys.executable} -S -E {Path(__file__).parent}/warm.py {address} "$@"\n')
        command.chmod(0o755)
        own = {name: os.environ[name] for name in ("HOME", "LANG", "USER") if name in os.environ}
        path = f"{tools}:{Path(sys.executable).parent}:{os.environ['PATH']}"
        exports = own | {"PATH": path, "PYTHONUNBUFFERED": "1", "COLUMNS": "200", "CHECKOUT": str(ROOT)}
        lines = [f"export {name}='{value}'" for name, value in exports.items()]
        self._state.write_text("\n".join([*lines, f"cd {self.root}"]))
        self._prepare()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._service is not None:
            self._service.terminate()
            self._service.wait(_PATIENCE_S)
        for home in {pid_file.parent for pid_file in self.root.rglob("*.pid")}:
            self.run(f"tutela --home {home} demo --stop > /dev/null 2>&1")
        for group in self._groups:  # what a page left running
            with contextlib.suppress(ProcessLookupError):
                os.killpg(group, signal.SIGTERM)
        assert self._warm is not None
        self._warm.terminate()
        self._warm.join()
        self._listener.close()
        shutil.rmtree(self.root, ignore_errors=True)

    def run(self, command: str) -> str:
        """What the command prints on both its outputs, as the page shows it."""
        script = f". {self._state}\n(exit {self._code})\n{self._own(command)}\ncode=$?\n"
        script += (
            f'{{ export -p; echo "cd $PWD"; }} > {self._state}.new && mv {self._state}.new {self._state}\nexit $code'
        )
        with subprocess.Popen(  # noqa: S603
            ["/bin/bash", "-c", script],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={},
            cwd=ROOT,
            start_new_session=True,
        ) as running:
            self._groups.append(running.pid)
            try:
                printed, _ = running.communicate(timeout=_PATIENCE_S)
            except subprocess.TimeoutExpired:
                os.killpg(running.pid, signal.SIGKILL)
                raise PageError(f"a command does not end: {command}") from None
        self._code = running.returncode
        return self._shown(printed.decode())

    def _own(self, command: str) -> str:
        for shown, ours in self._ports.items():
            command = re.sub(rf"\b{shown}\b", str(ours), command)
        return command.replace(SHOWN, str(self.root))

    def _shown(self, text: str) -> str:
        for shown, ours in self._ports.items():
            text = re.sub(rf"\b{ours}\b", str(shown), text)
        text = text.replace(str(self.root), SHOWN)
        return re.sub(r"port \d+ is taken; using \d+\n", "", text)

    def _prepare(self) -> None:
        home = f"{SHOWN}/home"
        if self._start == "nothing":
            return
        if self._start == "site":
            self._must(f"tutela --home {home} init --yes > init.txt")
        elif self._start in ("demo", "service"):
            if not _DEMO.exists():
                self._must(f"tutela --home {home} demo --port {_PORTS[0]} > demo.txt")
                self._must(f"tutela --home {home} demo --stop")
                _DEMO.mkdir()
                (_DEMO / "root").write_text(str(self.root))
                for name in ("home", "home-keys"):
                    shutil.copytree(self.root / name, _DEMO / name)
            else:
                for name in ("home", "home-keys"):
                    shutil.copytree(_DEMO / name, self.root / name)
                settings = self.root / "home" / "tutela.toml"
                settings.write_text(settings.read_text().replace((_DEMO / "root").read_text(), str(self.root)))
        else:
            raise PageError(f"a page begins with {self._start!r}, which is not known")
        self._must(f"export TUTELA_HOME={home}; cd {home}")
        if self._start == "service":
            self._start_service()

    def _start_service(self) -> None:
        environment = os.environ | {"TUTELA_HOME": str(self.root / "home")}
        port = str(self._ports[_PORTS[0]])
        self._service = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "tutela", "serve", "--port", port],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        end = time.monotonic() + _PATIENCE_S
        while time.monotonic() < end:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5):
                    return
            except OSError:
                time.sleep(0.2)
        raise PageError("the service of a page does not start")

    def _must(self, command: str) -> None:
        said = self.run(command)
        if self._code != 0:
            raise PageError(f"{command} ended with {self._code}:\n{said}")


def forget() -> None:
    """Remove what pages shared."""
    shutil.rmtree(_DEMO, ignore_errors=True)


def _free_port() -> int:
    """A port of four digits that nobody listens on."""
    while True:
        port = random.randrange(3000, 9999)  # noqa: S311
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in _PORTS:
            return port
