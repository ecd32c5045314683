"""The command `tutela` in a process forked from one that has loaded it: a page with many commands is run in seconds.

`serve` is that process. Run as a program, this file is the command itself: it hands its arguments, folder,
environment and standard streams over, and ends with the exit code that comes back. What runs until it is stopped starts
a process of its own.
"""

import contextlib
import gc
import importlib
import json
import os
import socket
import struct
import sys
from functools import cache

_LASTING = ({"serve"}, {"console", "serve"}, {"gateway", "run"}, {"dns", "serve"})
_LOADED = (
    "cryptography.hazmat.primitives.asymmetric.ed25519",
    "obstore.store",
    "pwd",
    "pyrage",
    "sqlalchemy.dialects.sqlite.pysqlite",
    "sqlite3",
    "tutela.api.keys",
    "tutela.casework.evidence.review_key",
    "tutela.cli.commands",
    "tutela.cli.screening",
    "tutela.console.people",
    "tutela.deployment.casework",
    "tutela.deployment.composition",
    "tutela.deployment.store",
)
"""What most commands load."""


def serve(listener: socket.socket) -> None:
    """Run every command that is asked for, each in a fork of this process. Never returns."""
    import typer.main

    import tutela.cli

    for name in _LOADED:
        importlib.import_module(name)
    # The first command makes the option classes, the tree of commands and more: a quarter of a second that none needs
    # after it.
    typer.main.get_command = cache(typer.main.get_command)
    sys.argv = ["tutela", "config", "show", "--defaults"]
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere), contextlib.suppress(SystemExit):  # noqa: PTH123
        tutela.cli.main()
    gc.collect()
    gc.freeze()  # no collection of a fork looks through them, and so writes to their pages

    while True:
        connection, _ = listener.accept()
        if os.fork() == 0:
            with contextlib.closing(listener):
                _answer(connection, tutela.cli.main)
            os._exit(0)
        connection.close()
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


def _answer(connection: socket.socket, main: object) -> None:
    asked, descriptors, _, _ = socket.recv_fds(connection, 1 << 20, 3)
    arguments, folder, environment = json.loads(asked)
    child = os.fork()
    if child == 0:
        for number, descriptor in enumerate(descriptors):
            os.dup2(descriptor, number)
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        sys.argv = ["tutela", *arguments]
        sys.stdin = open(0, closefd=False)  # noqa: SIM115
        sys.stdout = open(1, "w", buffering=1, closefd=False)  # noqa: SIM115
        sys.stderr = open(2, "w", buffering=1, closefd=False)  # noqa: SIM115
        code: object = 0
        try:
            main()  # type: ignore[operator]
        except SystemExit as end:
            code = end.code or 0
        with contextlib.suppress(OSError):
            sys.stdout.flush()
        os._exit(code if isinstance(code, int) else 1)
    _, status = os.waitpid(child, 0)
    connection.sendall(struct.pack("i", os.waitstatus_to_exitcode(status)))


def _ask(address: str) -> int:
    arguments = sys.argv[2:]
    if any(words <= set(arguments) for words in _LASTING):
        os.execv(sys.executable, [sys.executable, "-m", "tutela", *arguments])  # noqa: S606
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(address)
        asked = json.dumps([arguments, os.getcwd(), dict(os.environ)]).encode()  # noqa: PTH109
        socket.send_fds(connection, [asked], [0, 1, 2])
        answer = connection.recv(4)
    return struct.unpack("i", answer)[0] if answer else 1


if __name__ == "__main__":
    sys.exit(_ask(sys.argv[1]))
