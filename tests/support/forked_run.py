"""The tests in several processes, which load and collect them once: each is forked from one that has done so.

`python -m tests.support.forked_run COUNT OPTION…` is `pytest -n COUNT OPTION…`, in which each process would by itself
load every module and collect every test: eight seconds of a processor, and in a new check-out, where everything is to
be compiled, four times as long.
"""

import contextlib
import gc
import os
import shlex
import signal
import socket
import sys
import tempfile
from pathlib import Path
from typing import NoReturn

import pytest

from tutela import _native

_LENGTH = 1 << 20


def main() -> int:
    """Run the tests. The exit status is pytest's."""
    count, options = int(sys.argv[1]), sys.argv[2:]
    if sys.platform != "linux":
        return pytest.main(["--dist", "worksteal", "-n", str(count), *options])
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as listener:
        address = str(Path(folder) / "asked")
        listener.bind(address)
        listener.listen()
        loaded = os.fork()
        if loaded == 0:
            _serve(listener, options)
        command = (sys.executable, "-S", "-E", str(Path(__file__).with_name("forked_asking.py")), address)
        asking = f"popen//python={shlex.join(command)}"
        try:
            return pytest.main(["--dist", "worksteal", *["--tx", asking] * count, *options])
        finally:
            os.kill(loaded, signal.SIGKILL)
            os.waitpid(loaded, 0)


def _serve(listener: socket.socket, options: list[str]) -> NoReturn:
    """Fork whatever is asked for."""
    _native.end_with_parent()
    _collect(options)
    gc.collect()
    gc.freeze()
    interrupted = signal.signal(signal.SIGINT, signal.SIG_IGN)  # which ends what is forked, and then whoever waits
    while True:
        connection, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            signal.signal(signal.SIGINT, interrupted)
            _answer(connection)
        connection.close()
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


def _collect(options: list[str]) -> None:
    """What is wrong with a test is said by those that are forked."""
    aside, nowhere = [os.dup(number) for number in (1, 2)], os.open(os.devnull, os.O_WRONLY)
    for number in (1, 2):
        os.dup2(nowhere, number)
    pytest.main(["--collect-only", "-q", "-p", "no:cacheprovider", *options])
    for number, own in zip((1, 2), aside, strict=True):
        os.dup2(own, number)


def _answer(connection: socket.socket) -> NoReturn:
    """Be the process that somebody asks for, and tell how it ends."""
    begin, descriptors, _, _ = socket.recv_fds(connection, _LENGTH, 3)
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        with contextlib.suppress(OSError):
            connection.sendall(bytes([abs(os.waitstatus_to_exitcode(status)) & 0xFF]))
        os._exit(0)
    connection.close()
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
        os.close(descriptor)
    sys.argv = ["-c"]
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        setattr(sys, name, os.fdopen(number, mode, closefd=False))
        setattr(sys, f"__{name}__", getattr(sys, name))
    exec(begin, {"__name__": "__main__"})
    sys.exit()


if __name__ == "__main__":
    sys.exit(main())
