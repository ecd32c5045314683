"""Child processes: a module of ours run in a process of its own, with what it needs to know in its environment."""

import os
import subprocess
import sys
from collections.abc import Collection, Iterable, Mapping
from typing import IO


def start_module(
    module: str,
    *arguments: str,
    environment: Mapping[str, str] | None = None,
    output: IO[bytes] | None = None,
    own_session: bool = False,
    descriptors: Collection[int] = (),
) -> subprocess.Popen[bytes]:
    """`python -m module arguments`, started. Secrets travel in `environment`, never among the arguments, which every
    user of the machine can read.

    `output` takes what it prints, by default ours does. In a session of its own it outlives this process's terminal.
    It inherits these `descriptors`.
    """
    return subprocess.Popen(  # noqa: S603
        [sys.executable, "-m", module, *arguments],
        env=os.environ | dict(environment or {}),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        start_new_session=own_session,
        pass_fds=tuple(descriptors),
    )


def end(processes: Iterable[subprocess.Popen[bytes]]) -> None:
    """Ask children to end, where they still run, and wait until they have."""
    running = [process for process in processes if process.poll() is None]
    for process in running:
        process.terminate()
    for process in running:
        process.wait()
