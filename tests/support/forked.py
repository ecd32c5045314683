"""A process that forks one to be killed: everything is imported once, so that a kill costs little.

Lines on standard input: a round begins at `go`, its process's id is printed, and its end is awaited.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from tests.support.waiting import PATIENCE_S

ROOT = Path(__file__).parents[2]


def serve_rounds(work: Callable[[], None]) -> None:
    """Do the work in a process of its own for each round that is asked for."""
    for _ in sys.stdin:
        child = os.fork()
        if child == 0:
            os.dup2(2, 1)  # what it logs is no word to the test
            try:
                work()
            except BaseException as error:
                sys.stderr.write(f"{error!r}\n")
            finally:
                os._exit(1)
        print(child, flush=True)
        _, status = os.waitpid(child, 0)
        print("killed" if os.WIFSIGNALED(status) else "ended by itself", flush=True)


class Forking:
    """A module of the tests that serves rounds, seen from the test that kills them."""

    def __init__(self, module: str, *arguments: str, longest_s: float) -> None:
        command = [sys.executable, "-m", module, *arguments]
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._watchdog = threading.Timer(longest_s, self._process.kill)
        self._watchdog.start()
        self._child: int | None = None

    def start(self) -> int:
        """Begin a round: the id of its process."""
        assert self._process.stdin is not None
        self._process.stdin.write("go\n")
        self._process.stdin.flush()
        self._child = int(self._read())
        return self._child

    def kill(self) -> None:
        """End the round."""
        assert self._child is not None
        os.kill(self._child, signal.SIGKILL)
        self.wait_killed()

    def wait_killed(self) -> None:
        """Wait until the round's process is gone, by a kill and not by itself."""
        assert self._read() == "killed"
        self._child = None

    def _read(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def __enter__(self) -> "Forking":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._watchdog.cancel()
        if self._child is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._child, signal.SIGKILL)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(PATIENCE_S)
        self._process.stdout.close()
