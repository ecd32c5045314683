"""Child processes: a module of ours run in a process of its own, with what it needs to know in its environment. And who
goes first within one.
"""

import atexit
import contextlib
import gc
import os
import subprocess
import sys
import threading
from collections.abc import Collection, Iterable, Mapping
from typing import IO

_SWITCH_S = 0.0005
"""How long a thread goes on while another waits for the interpreter, a tenth of what is usual: an upload changes
threads ten times, and would wait as often for whoever reads what a worker found in a large archive."""

_LOW_PRIORITY = 15


def answer_promptly() -> None:
    """Have a process that answers others do so evenly, once it has loaded everything: threads take turns more often,
    and no collection looks again through what is there now."""
    sys.setswitchinterval(_SWITCH_S)
    gc.freeze()


def end_promptly() -> None:
    """Have the interpreter end without a search for garbage among all that was loaded, which goes with the process: a
    fifth of what a short command takes."""
    atexit.register(gc.freeze)


def give_way() -> None:
    """Have this thread run when no other wants the processor."""
    with contextlib.suppress(OSError, AttributeError):
        os.sched_setscheduler(threading.get_native_id(), os.SCHED_BATCH, os.sched_param(0))
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _LOW_PRIORITY)


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
