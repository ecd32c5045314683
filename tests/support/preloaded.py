"""`tutela` as a process of its own that loads nothing anew: it is forked from one that has loaded everything.

A start takes most of a second of a processor, nearly all of it to load modules, and the tests start many hundreds. What
is forked runs `main` with the arguments, environment, folder and descriptors that it was given, ends as any program
does, and is a child of the tests' process. Where a start itself may differ, as by what the interpreter or a library
reads from its surroundings, by a terminal or by what is to happen before it, `start_tutela` runs the program anew.
"""

import contextlib
import ctypes
import fcntl
import gc
import importlib
import inspect
import io
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.support.waiting import PATIENCE_S

Ended = subprocess.CompletedProcess[str]
ROOT = Path(__file__).parents[2]
SHOWN = ("PYTHONIOENCODING", "COLUMNS", "FORCE_COLOR", "NO_COLOR", "TTY_")
"""How names begin of what a user's terminal or whoever runs the tests may set, and what is printed would show."""
SCRIPT = str(Path(sys.executable).with_name("tutela"))
_READ_AT_THE_START = (
    *("PYTHON", "LD_", "GLIBC_", "MALLOC_", "OMP_", "OPENBLAS_", "NPY_", "LC_", "LANG", "TUTELA_SIMD"),
    *("TERM", "TTY_", "FORCE_COLOR", "NO_COLOR", "PY_COLORS", "GITHUB_"),
)
"""How names begin of what the interpreter, a library or ours reads before anything is asked of it."""
_GIVEN = frozenset({"stdin", "stdout", "stderr", "cwd", "env", "pass_fds", "start_new_session", "text", "encoding"})
"""Options that make no difference to a start."""
_LENGTH = 4
_MOST_DESCRIPTORS = 64
_PR_SET_CHILD_SUBREAPER = 36


def start_tutela(arguments: Sequence[str | bytes | Path], **options: Any) -> subprocess.Popen[Any]:
    """`tutela` with those arguments and the options of `subprocess.Popen`."""
    return _started([SCRIPT, *arguments], options)


def start_python(code: str, *arguments: str, **options: Any) -> subprocess.Popen[Any]:
    """Python with that code of ours, its arguments, and the options of `subprocess.Popen`."""
    return _started([sys.executable, "-c", code, *arguments], options)


def _started(command: Sequence[str | bytes | Path], options: Mapping[str, Any]) -> subprocess.Popen[Any]:
    if sys.platform == "linux" and _makes_no_difference(options):
        return _Forked(command, **options)
    return subprocess.Popen(command, **options)


def run_tutela(arguments: Sequence[str | bytes | Path], *, given: str | None = None, **options: Any) -> Ended:
    """What `tutela` says when it has ended."""
    pipes = {"stdin": subprocess.DEVNULL if given is None else subprocess.PIPE}
    pipes |= {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with start_tutela(arguments, **pipes, text=True, **options) as process:
        try:
            out, err = process.communicate(given, timeout=PATIENCE_S)
        finally:
            process.kill()
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def _makes_no_difference(options: Mapping[str, Any]) -> bool:
    if not options.keys() <= _GIVEN:
        return False
    for name, descriptor in (("stdin", 0), ("stdout", 1), ("stderr", 2)):
        given = options.get(name)
        if given is None:
            given = descriptor
        elif not isinstance(given, int):
            given = given.fileno()
        with contextlib.suppress(OSError):
            if given >= 0 and os.isatty(given):
                return False
    environment, usual = options.get("env") or os.environ, _Loaded.get().environment
    return all(
        not name.startswith(_READ_AT_THE_START)
        for name in environment.keys() | usual.keys()
        if environment.get(name) != usual.get(name)
    )


class _Loaded:
    """The process that has loaded everything; each process of the tests has one."""

    _ours: "_Loaded | None" = None
    _lock = threading.Lock()

    @classmethod
    def get(cls) -> "_Loaded":
        with cls._lock:
            if cls._ours is None or cls._ours._owner != os.getpid():
                cls._ours = cls()
            return cls._ours

    def __init__(self) -> None:
        not_ours = ("TUTELA_", *SHOWN)
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith(not_ours)}
        path = os.pathsep.join((str(ROOT), self.environment.get("PYTHONPATH", "")))
        self._owner = os.getpid()
        self._socket, far = socket.socketpair()
        with far:
            self._process = subprocess.Popen(
                [sys.executable, "-c", "from tests.support.preloaded import serve; serve()", str(far.fileno())],
                cwd=ROOT,
                env=self.environment | {"PYTHONPATH": path},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[far.fileno()],
            )

    def fork(self, asked: Mapping[str, Any], descriptors: Sequence[int]) -> int:
        """The id of a new process that was given the descriptors. It is a child of this one."""
        message = json.dumps(asked).encode()
        with self._lock, _adopting():
            socket.send_fds(self._socket, [len(message).to_bytes(_LENGTH, "big")], descriptors)
            self._socket.sendall(message)
            return int.from_bytes(_exactly(self._socket, _LENGTH), "big")


@contextlib.contextmanager
def _adopting() -> Iterator[None]:
    """Meanwhile, what loses its parent becomes a child of this process."""
    prctl = ctypes.CDLL(None).prctl
    prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        yield
    finally:
        prctl(_PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


class _Forked(subprocess.Popen[Any]):
    """As any process, but for how it comes to be."""

    def _execute_child(self, *arguments: Any) -> None:
        given = inspect.signature(subprocess.Popen._execute_child).bind(self, *arguments).arguments  # type: ignore[attr-defined]
        passed = sorted(given["pass_fds"])
        standard = [given[name] for name in ("p2cread", "c2pwrite", "errwrite")]
        asked = {
            "arguments": [os.fsdecode(each) for each in given["args"]],
            "environment": dict(os.environ if given["env"] is None else given["env"]),
            "folder": os.fspath(given["cwd"] or Path.cwd()),
            "session": given["start_new_session"],
            "descriptors": [0, 1, 2, *passed],
        }
        try:
            self.pid = _Loaded.get().fork(
                asked, [own if own >= 0 else number for number, own in enumerate(standard)] + passed
            )
            self._child_created = True
        finally:
            pipes = ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite")
            self._close_pipe_fds(*(given[name] for name in pipes))  # type: ignore[attr-defined]


def serve() -> None:
    """Fork what is asked for over the socket whose descriptor is the first argument; a fork goes on as `tutela`."""
    control = socket.socket(fileno=int(sys.argv[1]))
    _load()
    while True:
        head, descriptors, _, _ = socket.recv_fds(control, _LENGTH, _MOST_DESCRIPTORS)
        if not head:
            os._exit(0)
        asked = json.loads(_exactly(control, int.from_bytes(head, "big")))
        reading, writing = os.pipe()
        between = os.fork()
        if between == 0:
            parent, child = os.getpid(), os.fork()
            if child != 0:
                os.write(writing, child.to_bytes(_LENGTH, "big"))
                os._exit(0)  # and its child is whoever's adopts it
            while os.getppid() == parent:
                time.sleep(0.0005)
            control.detach()
            _become(asked, descriptors)
            _run(asked["arguments"])
            return
        os.close(writing)  # so that there is an end to be read where no child came of it
        os.waitpid(between, 0)
        control.sendall(os.read(reading, _LENGTH))
        for each in (reading, *descriptors):
            os.close(each)


_WHAT_IT_LOADS = (
    "tutela.cli.commands",
    "tutela.cli.output",
    "tutela.cli.screening",
    "tutela.deployment.store",
    "typer.rich_utils",
    "rich.table",
    "rich.panel",
    "rich.progress",
    "sqlalchemy.dialects.sqlite",
    "sqlite3",
    "uvloop",
    "httptools",
    "tutela.api.server",
    "tutela.api.app",
    "tutela.api.exchange_routes",
    "tutela.api.feed_routes",
    "anyio._backends._asyncio",
    "uvicorn.lifespan.on",
    "tutela.foundation.receiver",
    "tutela.console.server",
    "tutela.gateways.service",
    "tutela.gateways.process",
    "tutela.gateways.pages",
    "tutela.gateways.streams",
    "tutela.content.signals.embedding",
    "tutela.content.signals.photodna",
    "tutela.content.signals.tmk",
    "tutela.content.links.digest",
    "tutela.content.links.domain",
    "tutela.content.links.url",
)
"""What commands and services load before they do anything; whatever else they need they load by themselves."""


def _load() -> None:
    for module in _WHAT_IT_LOADS:
        importlib.import_module(module)
    # The first command makes the tree of commands and the classes of options: a quarter of a second.
    sys.argv = ["tutela", "config", "show", "--defaults"]
    with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere), contextlib.suppress(SystemExit):
        importlib.import_module("tutela.cli").main()
    gc.collect()
    gc.freeze()  # no collection of a fork looks through them, and so writes to their pages


def _become(asked: Mapping[str, Any], descriptors: Sequence[int]) -> None:
    """Have the arguments, the surroundings and the descriptors that were asked for, and no others."""
    numbers = asked["descriptors"]
    aside = [fcntl.fcntl(each, fcntl.F_DUPFD_CLOEXEC, max(numbers) + 1) for each in descriptors]
    for descriptor, number in zip(aside, numbers, strict=True):
        os.dup2(descriptor, number)
    for each in [int(each.name) for each in Path("/proc/self/fd").iterdir()]:
        if each not in numbers:
            with contextlib.suppress(OSError):
                os.close(each)
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        before = getattr(sys, name)
        unbuffered = before.write_through and mode == "w"
        buffer = open(number, f"{mode}b", buffering=0 if unbuffered else -1, closefd=False)  # noqa: SIM115
        after = io.TextIOWrapper(
            buffer,
            before.encoding,
            before.errors,
            line_buffering=before.line_buffering,
            write_through=before.write_through,
        )
        setattr(sys, name, after)
        setattr(sys, f"__{name}__", after)
    if asked["session"]:
        os.setsid()
    os.chdir(asked["folder"])
    os.environ.clear()
    os.environ.update(asked["environment"])
    tempfile.tempdir = None


def _run(arguments: list[str]) -> None:
    """As `tutela`, or as `python -c`."""
    if arguments[0] == SCRIPT:
        sys.argv, sys.orig_argv = arguments, [sys.executable, *arguments]
        importlib.import_module("tutela.cli").main()
    else:
        sys.argv, sys.orig_argv = ["-c", *arguments[3:]], arguments
        exec(arguments[2], {"__name__": "__main__"})


def _exactly(connection: socket.socket, length: int) -> bytes:
    received = b""
    while len(received) < length:
        if not (part := connection.recv(length - len(received))):
            raise EOFError("the process that has loaded everything has ended")
        received += part
    return received
