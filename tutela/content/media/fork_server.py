"""The fork server: a process that has loaded every decoder once, and forks workers that are children of this process.

Loading takes most of a second of a processor; a fork takes milliseconds, and what was loaded is in memory once for all
workers. The server never sees content, and a worker confines itself before its first byte as if it had loaded all this
on its own. Elsewhere than on Linux each worker is a server that serves itself: it loads everything anew.
"""

import atexit
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping

from tutela.errors import TutelaError

MAX_FORKS = 64
"""Workers of one server lie at the same addresses. A file that guesses at them gets so many guesses."""
_FORKS = sys.platform == "linux"
_ONE_MESSAGE = 64 * 1024
_ANSWERED_WITHIN_S = 60.0
"""Loading included. A server that hangs is ended, and another one is asked."""
_OVERWRITING = ":".join(
    (
        "glibc.malloc.perturb=165",
        "glibc.malloc.tcache_count=0",  # what lies there is overwritten late
        "glibc.malloc.mmap_threshold=33554432",  # as large as they grow by themselves: else pages come and go
        "glibc.malloc.trim_threshold=67108864",
    )
)


class ForkedProcess:
    """A child of ours that somebody else started. Thread-safe."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._status: int | None = None
        self._lock = threading.Lock()

    def kill(self) -> None:
        """End it, unless it was waited for: its number may be another's by then."""
        with self._lock:
            if self._status is None:
                os.kill(self.pid, signal.SIGKILL)

    @property
    def alive(self) -> bool:
        """Whether it has not ended yet; asks, and does not wait."""
        with self._lock:
            if self._status is not None:
                return False
            return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is None

    def wait(self) -> int:
        """Its exit status once it has ended; the number of a signal, negated, where that ended it."""
        with contextlib.suppress(ChildProcessError):  # another thread was faster
            if self._status is None:
                os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
        with self._lock:
            if self._status is None:
                self._status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
            return self._status


class ForkServer:
    """One prepared process."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.forks = 0
        self._lock = threading.Lock()
        self._socket, theirs = socket.socketpair()
        self._socket.settimeout(_ANSWERED_WITHIN_S)
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603
                [sys.executable, "-P", "-m", "tutela.content.media.confined.fork_server", str(theirs.fileno())],
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env=environment,
                process_group=0,  # no signals of a terminal; but of one session, by which systems share processors
            )

    def fork(self, arguments: Mapping[str, str | int], connection: int, memory: int) -> ForkedProcess:
        """A worker that was given both descriptors. Raises OSError or EOFError when the server has ended or hangs,
        TutelaError when it cannot do so."""
        with self._lock:
            self.forks += 1
            socket.send_fds(self._socket, [json.dumps(arguments).encode()], [connection, memory])
            received = self._socket.recv(_ONE_MESSAGE)
        if not received:
            raise EOFError("the fork server has ended")
        answer = json.loads(received)
        if "failed" in answer:
            raise TutelaError("a decoding worker did not start: {why}", why=answer["failed"])
        return ForkedProcess(int(answer["process"]))

    def close(self) -> None:
        """End the server; workers go on. Where it is the worker, its end is waited for by who started that."""
        self._socket.close()
        if _FORKS:
            self._process.kill()  # one that hangs would not see that the socket is closed
            self._process.wait()
        else:
            self._process.returncode = 0  # waited for as a worker


_servers: dict[tuple[int, str], ForkServer] = {}
_next: dict[tuple[int, str], ForkServer] = {}
"""Those that come after them."""
_servers_lock = threading.Lock()


def start_worker(arguments: Mapping[str, str | int], connection: int, memory: int) -> ForkedProcess:
    """A new worker process, a child of this one, that serves tasks over `connection` on content in `memory`.

    Raises TutelaError when it does not start.
    """
    environment = _environment()
    for last in (False, True):
        server = _server_for(environment)
        try:
            return server.fork(arguments, connection, memory)
        except (OSError, EOFError, ValueError) as error:  # killed, perhaps for memory: another is started
            if last:
                raise TutelaError("a decoding worker did not start: {error!r}; see the log", error=error) from error
            _forget(server)
        except TutelaError:
            _forget(server)
            raise
    raise AssertionError


def _server_for(environment: Mapping[str, str]) -> ForkServer:
    """The server of this process for that environment, started where there is none that may still fork."""
    key = os.getpid(), json.dumps(environment, sort_keys=True)
    with _servers_lock:
        server, most = _servers.get(key), MAX_FORKS if _FORKS else 1
        if server is not None and server.forks >= most:
            _servers.pop(key).close()
            server = None
        if server is None:
            server = _next.pop(key, None) or ForkServer(environment)
        elif server.forks >= most // 2 and _FORKS and key not in _next:
            _next[key] = ForkServer(environment)  # loads while this one still forks: nobody waits for it
        _servers[key] = server
        return server


def _forget(server: ForkServer) -> None:
    with _servers_lock:
        for key, known in list(_servers.items()):
            if known is server:
                _servers.pop(key).close()


@atexit.register
def _close_all() -> None:
    with _servers_lock:
        for servers in (_servers, _next):
            for process, environment in list(servers):
                server = servers.pop((process, environment))
                if process == os.getpid():
                    with contextlib.suppress(OSError):
                        server.close()


def _environment() -> dict[str, str]:
    """What Python needs and nothing else: no credentials, and one thread a library.

    The GNU C library overwrites memory when it is freed: a worker that waits has nothing of the content before. Small
    Python objects are left to it where the service does so too.
    """
    names = ("PATH", "LD_LIBRARY_PATH", "PYTHONMALLOC", "TUTELA_SIMD", "TUTELA_EMBEDDING_MODEL")
    kept = {name: os.environ[name] for name in names if name in os.environ}
    return kept | {
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "GLIBC_TUNABLES": _OVERWRITING,
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        "LC_ALL": "C.UTF-8",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
