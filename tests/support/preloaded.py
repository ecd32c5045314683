"""`tutela` as a process of its own that loads nothing anew: it is forked from one that has loaded everything.

A start takes most of a second of a processor, nearly all of it to load modules, and the tests start many hundreds. What
is forked runs `main` with the arguments, environment, folder and descriptors that it was given, ends as any program
does, and is a child of the tests' process. Where a start itself may differ, as by what the interpreter or a library
reads from its surroundings, by a terminal or by what is to happen before it, `start_tutela` runs the program anew.

A service that would start anew with memory that is overwritten is forked from a process that was started like that.
What decoding workers are forked from is forked, too: of what is forked itself, by a process that stands beside it from
the beginning, when nothing has happened there that a worker must not have.
"""

import atexit
import contextlib
import fcntl
import gc
import importlib
import inspect
import io
import json
import locale
import os
import resource
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

import typer.main

from tests.support.waiting import PATIENCE_S
from tutela import _native
from tutela.casework.evidence.memory import CLEAN_MEMORY
from tutela.content.media import fork_server
from tutela.content.media.confined import preparation
from tutela.errors import InputError

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
_USUAL, _CLEAN, _DECODERS = "usual", "clean", "decoders"
"""What loaded processes have loaded: everything; the same with memory that is overwritten; what reads content."""
_FORK_SERVER = "tutela.content.media.confined.fork_server"
_ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
"""Workers have to do without others; those of libraries would be started as they are loaded."""
_NEED_DECODERS = frozenset({"serve", "run", "screen", "hash", "doctor", "selftest", "demo", "evaluate", "tmk"})
"""Words of commands that have, or may have, content examined."""
_LENGTH = 4
_MOST_DESCRIPTORS = 64


def start_tutela(arguments: Sequence[str | bytes | Path], **options: Any) -> subprocess.Popen[Any]:
    """`tutela` with those arguments and the options of `subprocess.Popen`."""
    kind = _CLEAN if _overwrites_memory([os.fsdecode(each) for each in arguments], options) else _USUAL
    return _started(kind, [SCRIPT, *arguments], options)


def start_python(code: str, *arguments: str, **options: Any) -> subprocess.Popen[Any]:
    """Python with that code of ours, its arguments, and the options of `subprocess.Popen`."""
    return _started(_USUAL, [sys.executable, "-c", code, *arguments], options)


def fork_servers_are_forked() -> None:
    """From now on those of this process, by which decoding workers are forked, are themselves forked, where they are
    to have the environment that they would have now."""
    process, environment = os.getpid(), fork_server._environment()

    def start(command: Sequence[str], **options: Any) -> subprocess.Popen[Any]:
        if (os.getpid(), options["env"]) == (process, environment):
            with contextlib.suppress(OSError, EOFError):  # it may have ended with whatever ended a group of processes
                return _Forked(_DECODERS, command, **options)
        return subprocess.Popen(command, **options)

    vars(fork_server)["subprocess"] = SimpleNamespace(Popen=start, DEVNULL=subprocess.DEVNULL)


def commands_are_forked() -> None:
    """From now on `python -m tutela`, where this process starts it, is forked from a process that is forked from this
    one as it is now."""
    process, started = os.getpid(), subprocess.Popen
    _ours[process, _USUAL] = _from_here(_environment())

    class Popen(started):  # type: ignore[misc, valid-type]
        def __new__(cls, args: Any, *rest: Any, **options: Any) -> Any:
            is_command = isinstance(args, list) and args[:3] == [sys.executable, "-m", "tutela"]
            if not is_command or rest or os.getpid() != process or not _makes_no_difference(_USUAL, options):
                return super().__new__(cls)
            if _overwrites_memory([os.fsdecode(each) for each in args[3:]], options):
                return super().__new__(cls)
            return _Forked(_USUAL, [SCRIPT, *args[3:]], **options)

    vars(subprocess)["Popen"] = Popen


def _overwrites_memory(arguments: Sequence[str], options: Mapping[str, Any]) -> bool:
    """Whether the command is one that starts itself anew so that memory is overwritten."""
    words = [word for word in arguments if not word.startswith("-")]
    if not {"serve", "run"} & set(words):
        return False
    if {"console", "risk"} & set(words):
        return True
    from tutela.deployment.settings import load_settings

    environment = dict(options.get("env") or os.environ)
    if environment.get("TUTELA_MEMORY"):
        return False
    given = {name: Path(arguments[at + 1]) for at, name in enumerate(arguments[:-1]) if name in ("--home", "--config")}
    with contextlib.suppress(InputError), contextlib.chdir(options.get("cwd") or "."):
        settings = load_settings(config=given.get("--config"), home=given.get("--home"), environment=environment)
        return settings.evidence is not None
    return False


def _started(kind: str, command: Sequence[str | bytes | Path], options: Mapping[str, Any]) -> subprocess.Popen[Any]:
    if sys.platform == "linux" and _makes_no_difference(kind, options):
        return _Forked(kind, command, **options)
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


def _makes_no_difference(kind: str, options: Mapping[str, Any]) -> bool:
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
    environment, usual = options.get("env") or os.environ, _loaded(kind).environment
    return all(
        not name.startswith(_READ_AT_THE_START)
        for name in environment.keys() | usual.keys()
        if environment.get(name) != usual.get(name)
    )


class _Loaded:
    """A process that has loaded everything: a child of the one that has this."""

    def __init__(
        self, process: int, connection: socket.socket, environment: Mapping[str, str], popen: object = None
    ) -> None:
        self.process = process
        self._popen = popen  # it would say of itself, when it is collected, that it still runs
        self.environment = environment
        """What is forked may be given this one; of another, a start might make something else."""
        self._socket = connection
        self._lock = threading.Lock()

    def fork(self, asked: Mapping[str, Any], descriptors: Sequence[int]) -> int:
        """The id of a new process that was given the descriptors. It is a child of this one."""
        message = json.dumps(asked).encode()
        with self._lock:
            socket.send_fds(self._socket, [len(message).to_bytes(_LENGTH, "big")], descriptors)
            self._socket.sendall(message)
            child = int.from_bytes(_exactly(self._socket, _LENGTH), "big", signed=True)
        if child < 0:
            raise OSError(-child, os.strerror(-child))
        return child


_ours: dict[tuple[int, str], _Loaded] = {}
"""By the process that has them and by kind. Whoever is forked inherits none."""
_ours_lock = threading.Lock()


def loaded_processes() -> set[int]:
    """Those that this process has by now: they stay."""
    return {loaded.process for (process, _), loaded in _ours.items() if process == os.getpid()}


def _loaded(kind: str) -> _Loaded:
    """This process's own of one kind, started where there is none."""
    with _ours_lock:
        if (os.getpid(), kind) not in _ours:
            _ours[os.getpid(), kind] = _start(kind)
        return _ours[os.getpid(), kind]


def _start(kind: str) -> _Loaded:
    if kind == _DECODERS:
        environment = started_with = fork_server._environment()
    else:
        environment = _environment()
        path = os.pathsep.join((str(ROOT), environment.get("PYTHONPATH", "")))
        started_with = environment | _ONE_THREAD | {"PYTHONPATH": path, "GLIBC_TUNABLES": fork_server._OVERWRITING}
        started_with |= CLEAN_MEMORY if kind == _CLEAN else {}
    ours, theirs = socket.socketpair()
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-c", "from tests.support.preloaded import serve; serve()", str(theirs.fileno()), kind],
            cwd=ROOT,
            env=started_with,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
        )
    return _Loaded(process.pid, ours, environment, process)


def _environment() -> dict[str, str]:
    """This process's, without what tests set for what they start."""
    not_ours = ("TUTELA_", *SHOWN)
    return {name: value for name, value in os.environ.items() if not name.startswith(not_ours)}


class _Forked(subprocess.Popen[Any]):
    """As any process, but for how it comes to be."""

    def __init__(self, kind: str, command: Sequence[str | bytes | Path], **options: Any) -> None:
        self._kind = kind
        super().__init__(command, **options)

    def _execute_child(self, *arguments: Any) -> None:
        given = inspect.signature(subprocess.Popen._execute_child).bind(self, *arguments).arguments  # type: ignore[attr-defined]
        passed = sorted(given["pass_fds"])
        standard = [given[name] for name in ("p2cread", "c2pwrite", "errwrite")]
        environment = dict(os.environ if given["env"] is None else given["env"])
        asked = {
            "arguments": [os.fsdecode(each) for each in given["args"]],
            "environment": environment | (CLEAN_MEMORY if self._kind == _CLEAN else {}),
            "folder": os.fspath(given["cwd"] or Path.cwd()),
            "session": given["start_new_session"],
            "group": given["process_group"],
            "processors": sorted(os.sched_getaffinity(0)),
            "files": resource.getrlimit(resource.RLIMIT_NOFILE),
            "descriptors": [0, 1, 2, *passed],
        }
        try:
            self.pid = _loaded(self._kind).fork(
                asked, [own if own >= 0 else number for number, own in enumerate(standard)] + passed
            )
            self._child_created = True
        finally:
            pipes = ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite")
            self._close_pipe_fds(*(given[name] for name in pipes))  # type: ignore[attr-defined]


def serve() -> None:
    """Load what the kind has that is the second argument, and fork what is asked for over the socket whose descriptor
    is the first; a fork goes on as what it was asked to be."""
    descriptor, kind = sys.argv[1:]
    if kind == _DECODERS:
        preparation.prepare()
    else:
        _load()
    gc.collect()
    gc.freeze()  # no collection of a fork looks through them, and so writes to their pages
    _serve(socket.socket(fileno=int(descriptor)))


def _serve(control: socket.socket) -> NoReturn:
    while True:
        head, descriptors, _, _ = socket.recv_fds(control, _LENGTH, _MOST_DESCRIPTORS)
        if not head:
            os._exit(0)
        asked = json.loads(_exactly(control, int.from_bytes(head, "big")))
        child = _native.fork_for_parent()
        if child == 0:
            control.detach()
            _become(asked, descriptors)
            _end_after(partial(_run, asked["arguments"]))
        control.sendall(child.to_bytes(_LENGTH, "big", signed=True))
        for each in descriptors:
            os.close(each)


_WHAT_IT_LOADS = (
    "tutela.cli.commands",
    "tutela.cli.output",
    "tutela.cli.screening",
    "tutela.deployment.settings.check",
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
    "tutela.content.links.url_tree",
)
"""What commands and services load before they do anything; whatever else they need they load by themselves."""


def _load() -> None:
    for module in _WHAT_IT_LOADS:
        importlib.import_module(module)
    # What workers need, but for what else preparing does: that is for workers alone.
    for module in preparation._MODULES:
        with contextlib.suppress(ImportError):
            importlib.import_module(module)
    for name in preparation._WHOLE:
        preparation._load_whole(importlib.import_module(name))
    # The first command makes the tree of commands, 0.05 s, and the classes of options: a quarter of a second in all.
    vars(typer.main)["get_command"] = cache(typer.main.get_command)
    sys.argv = ["tutela", "config", "show", "--defaults"]
    with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere), contextlib.suppress(SystemExit):
        importlib.import_module("tutela.cli").main()


def _become(asked: Mapping[str, Any], descriptors: Sequence[int]) -> None:
    """Have the arguments, the surroundings and the descriptors that were asked for, and no others."""
    _have(dict(zip(asked["descriptors"], descriptors, strict=True)))
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
    if asked["group"] is not None and asked["group"] >= 0:
        os.setpgid(0, asked["group"])
    os.sched_setaffinity(0, asked["processors"])
    resource.setrlimit(resource.RLIMIT_NOFILE, tuple(asked["files"]))
    os.chdir(asked["folder"])
    os.environ.clear()
    os.environ.update(asked["environment"])
    tempfile.tempdir = None


def _have(descriptors: Mapping[int, int]) -> None:
    """By the number that it is to have, each descriptor; and no others."""
    most = max(*descriptors, *descriptors.values()) + 1
    aside = {number: fcntl.fcntl(own, fcntl.F_DUPFD_CLOEXEC, most) for number, own in descriptors.items()}
    for number, own in aside.items():
        os.dup2(own, number)
    for each in [int(each.name) for each in Path("/proc/self/fd").iterdir()]:
        if each not in descriptors:
            with contextlib.suppress(OSError):
                os.close(each)


def _run(arguments: list[str]) -> None:
    """As `tutela`, as `python -c`, or as the fork server."""
    if arguments[1:4] == ["-P", "-m", _FORK_SERVER]:
        sys.argv, sys.orig_argv = [_FORK_SERVER, *arguments[4:]], arguments
        locale.setlocale(locale.LC_CTYPE, os.environ["LC_ALL"])
        importlib.import_module(_FORK_SERVER).main()
        return
    if _NEED_DECODERS & set(arguments) or arguments[0] != SCRIPT:
        _have_decoders()
    if arguments[0] == SCRIPT:
        sys.argv, sys.orig_argv = arguments, [sys.executable, *arguments]
        importlib.import_module("tutela.cli").main()
    else:
        sys.argv, sys.orig_argv = ["-c", *arguments[3:]], arguments
        exec(arguments[2], {"__name__": "__main__"})


def _end_after(run: Callable[[], None]) -> NoReturn:
    """End as a program does, but for taking apart what was loaded, object by object: that takes a tenth of a second."""
    status: Any = 0
    try:
        run()
    except SystemExit as exit_:
        status = exit_.code or 0
    if isinstance(status, int):
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
        with contextlib.suppress(OSError, ValueError):  # where there is one, the usual way tells of it
            for stream in (sys.stdout, sys.stderr):
                if stream is not None:
                    stream.flush()
            os._exit(status & 0xFF)
    sys.exit(status)


def _have_decoders() -> None:
    """A process, forked from this one while nothing has happened here, from which its fork servers are forked."""
    _ours[os.getpid(), _DECODERS] = _from_here(fork_server._environment())
    fork_servers_are_forked()


def _from_here(environment: Mapping[str, str]) -> _Loaded:
    """A process, forked from this one, that has loaded what this one has."""
    ours, theirs = socket.socketpair()
    process = os.fork()
    if process == 0:
        os.setpgid(0, 0)
        nowhere = os.open(os.devnull, os.O_RDWR)
        _have({0: nowhere, 1: nowhere, 2: nowhere, 3: theirs.detach()})
        _serve(socket.socket(fileno=3))
    theirs.close()
    return _Loaded(process, ours, environment)


def _exactly(connection: socket.socket, length: int) -> bytes:
    received = b""
    while len(received) < length:
        if not (part := connection.recv(length - len(received))):
            raise EOFError("the process that has loaded everything has ended")
        received += part
    return received
