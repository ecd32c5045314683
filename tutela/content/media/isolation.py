"""A pool of worker processes in which hostile bytes are parsed.

A worker that crashes, hangs, or takes too much memory is killed and replaced, and its content gets an
UnscreenableError; nothing else notices. Content is handed over in shared memory, answers come back as JSON with a
cap on their size: a worker that was taken over can lie about its content, but not run code in the service.
"""

import contextlib
import json
import logging
import mmap
import os
import queue
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any

from tutela.content.media.content import Limits, Shortcoming
from tutela.content.media.content_file import ContentFile, nameless_file
from tutela.errors import NotReadyError, TutelaError, UnscreenableError

log = logging.getLogger(__name__)

MAX_RESULT_BYTES = 1024 * 1024
"""Of one message. A worker that was taken over cannot make the service parse more in one go."""
MAX_ANSWER_BYTES = 128 * 1024 * 1024
"""Of all the messages about one piece of content."""
MAX_TASKS = 5_000
"""A worker is replaced after this many tasks, so that a slow leak stays small."""
START_TIMEOUT_S = 30.0
_ONE_READ = 64 * 1024

_LENGTH = struct.Struct("<I")
_ZEROS = memoryview(bytes(256 * 1024))
_OVERWRITING = ":".join(
    (
        "glibc.malloc.perturb=165",
        "glibc.malloc.tcache_count=0",  # what lies there is overwritten late
        "glibc.malloc.mmap_threshold=33554432",  # as large as they grow by themselves: else pages come and go
        "glibc.malloc.trim_threshold=67108864",
    )
)


class WorkerPool:
    """Runs `task`, a "module:function" taking (memoryview, options) and returning JSON types, on content.

    A task may be a generator function: what it yields is received while it still runs. Thread-safe. Workers start on
    `warm()` or on first use.
    """

    def __init__(self, task: str, *, size: int, limits: Limits | None = None, wait_s: float = 10.0) -> None:
        """`size` workers; a caller waits at most `wait_s` seconds for a free one."""
        self.task = task
        self.size = size
        self.limits = limits or Limits()
        self.starts = 0
        self._wait_s = wait_s
        self._process = os.getpid()
        self._closed = False
        self._busy: set[_Worker] = set()
        self._warm = False
        self._lock = threading.Lock()
        self._free: queue.LifoQueue[_Worker | None] = queue.LifoQueue()
        for _ in range(size):
            self._free.put(None)

    def run(
        self,
        content: bytes | memoryview | ContentFile,
        options: Mapping[str, Any],
        receive: Callable[[Any], object] | None = None,
        *,
        timeout_s: float | None = None,
        wait_s: float | None = None,
    ) -> Any:
        """The task's result for the content. What it yields before goes to `receive`, or is in the result's `parts`.

        What was received stays good when the task fails later; what `receive` raises ends the task. `timeout_s` and
        `wait_s` stand for the pool's own.
        Raises UnscreenableError: too many bytes, no worker free in time, timeout, crash, or what the task said.
        Raises TutelaError when the pool is closed or the task itself failed, NotReadyError when it was interrupted.
        """
        if self._closed or os.getpid() != self._process:
            raise TutelaError("this worker pool is closed, or was opened in another process")
        timeout_s = self.limits.timeout_s if timeout_s is None else timeout_s
        wait_s = self._wait_s if wait_s is None else wait_s
        if len(content) > self.limits.max_bytes:
            raise UnscreenableError(
                Shortcoming.TOO_MANY_BYTES,
                f"{len(content):,} bytes are over the limit of {self.limits.max_bytes:,}",
            )
        try:
            worker = self._free.get(timeout=wait_s)
        except queue.Empty:
            raise UnscreenableError(Shortcoming.BUSY, f"no worker was free within {wait_s:g} s") from None
        try:
            worker = worker or self._start()
            self._busy.add(worker)
            if receive is not None:
                return worker.run(content, options, timeout_s, receive)
            parts: list[Any] = []
            result = worker.run(content, options, timeout_s, parts.append)
            return {**result, "parts": parts} if parts else result
        except UnscreenableError:
            if worker is not None and worker.interrupted:
                raise NotReadyError("the examination of the content was interrupted") from None
            raise
        finally:
            if worker is not None:
                self._busy.discard(worker)
            if worker is not None and (not worker.reusable or worker.tasks >= MAX_TASKS):
                worker.kill()
                worker = None
            self._free.put(worker)
            if self._closed:
                self._drain()

    def warm(self) -> None:
        """Start every worker that is not up; the pool is ready with the first. Raises TutelaError when one cannot."""
        slots = [self._free.get() for _ in range(self.size)]
        try:
            self._put_started([slots.pop()])
            self._warm = True
        finally:
            self._put_started(slots)

    def ready(self) -> bool:
        """Whether a worker has been started by `warm`."""
        return self._warm and not self._closed

    def _put_started(self, slots: list["_Worker | None"]) -> None:
        """Start what is not up, all at once, and give every place back; that of a worker that does not start, empty."""
        places = list(slots)
        try:
            for number, worker in enumerate(slots):
                places[number] = worker or self._spawn()
            for worker in places:
                assert worker is not None
                worker.wait_until_ready()
        finally:
            for worker in places:
                if worker is not None and not worker.reusable:
                    worker.kill()
                    worker = None
                self._free.put(worker)

    def protections(self) -> list[str]:
        """What confines a worker on this machine, as the worker itself found."""
        worker = self._free.get()
        try:
            worker = worker or self._start()
            return list(worker.protections)
        finally:
            self._free.put(worker)

    def close(self) -> None:
        """End the workers. A task that runs ends with its caller."""
        self._closed = True
        self._drain()

    def busy(self) -> bool:
        """Whether a worker is at a task."""
        return bool(self._busy)

    def interrupt(self) -> None:
        """End what the workers are at: its callers get NotReadyError, and no verdict comes of it."""
        for worker in tuple(self._busy):
            worker.interrupt()

    def __enter__(self) -> "WorkerPool":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _start(self) -> "_Worker":
        worker = self._spawn()
        try:
            worker.wait_until_ready()
        except BaseException:
            worker.kill()
            raise
        return worker

    def _spawn(self) -> "_Worker":
        with self._lock:
            self.starts += 1
        return _Worker(self.task, self.limits)

    def _drain(self) -> None:
        with contextlib.suppress(queue.Empty):
            while True:
                if worker := self._free.get_nowait():
                    worker.kill()


class _Worker:
    """One worker process, used by one thread at a time."""

    def __init__(self, task: str, limits: Limits) -> None:
        self.tasks = 0
        self.reusable = False
        self.interrupted = False
        self.protections: list[str] = []
        self._received = 0
        self._unread = bytearray()
        self._memory = nameless_file()
        self._map: mmap.mmap | None = None
        self._socket, theirs = socket.socketpair()
        arguments = {
            "task": task,
            "socket": theirs.fileno(),
            "memory": self._memory,
            "max_memory_bytes": limits.max_memory_bytes,
            "max_bytes": limits.max_bytes,
        }
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603
                [sys.executable, "-P", "-m", "tutela.content.media.confined.worker", json.dumps(arguments)],
                pass_fds=(theirs.fileno(), self._memory),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env=_environment(),
                start_new_session=True,
            )

    def wait_until_ready(self) -> None:
        if self.reusable:
            return
        try:
            self.protections = list(self._receive(time.monotonic() + START_TIMEOUT_S)["protections"])
        except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
            raise TutelaError(f"a decoding worker did not start: {error!r}; see the log") from error
        self.reusable = True

    def run(
        self,
        content: bytes | memoryview | ContentFile,
        options: Mapping[str, Any],
        timeout_s: float,
        receive: Callable[[Any], object],
    ) -> Any:
        self.reusable = False
        self.tasks += 1
        try:
            request = {"task": self.tasks, "length": len(content), "timeout_s": timeout_s, "options": options}
            if isinstance(content, ContentFile):
                self._send(request | {"own_file": True}, content.descriptor)
            else:
                self._fill(content)
                self._send(request | {"own_file": False})
            answer = self._answer(time.monotonic() + timeout_s, receive)
            if not isinstance(content, ContentFile):
                self._wipe(len(content))
        except TimeoutError:
            raise UnscreenableError(Shortcoming.TIMEOUT, f"decoding took longer than {timeout_s:g} s") from None
        except (OSError, EOFError):
            self._process.kill()
            status = self._process.wait()
            raise UnscreenableError(
                Shortcoming.DECODER_CRASH, f"the decoder process ended (status {status}) on this content"
            ) from None
        except ValueError as error:
            raise TutelaError(f"a decoding worker's answer is not of its form: {error}") from error
        self.reusable = True
        if "unscreenable" in answer:
            raise UnscreenableError(str(answer["unscreenable"][0]), str(answer["unscreenable"][1]))
        if "fault" in answer:
            raise TutelaError(f"the task failed in its worker: {answer['fault']}")
        return answer.get("result")

    def _answer(self, deadline: float, receive: Callable[[Any], object]) -> dict[str, Any]:
        """The last message about the content. Raises ValueError where a message is not of its form."""
        self._received = 0
        while True:
            message = self._receive(deadline)
            if not isinstance(message, dict) or message.get("task") != self.tasks:
                # Never taken for the answer to other content; the worker is not asked again.
                raise ValueError("a message is about something else")
            if "part" not in message:
                return message
            receive(message["part"])

    def interrupt(self) -> None:
        """End the process under a task; whoever waits for the task cleans up."""
        self.interrupted = True
        self._process.kill()

    def kill(self) -> None:
        self.reusable = False
        self._process.kill()
        self._process.wait()
        self._socket.close()
        if self._map is not None:
            self._map.close()
            self._map = None
        if self._memory >= 0:
            os.close(self._memory)
            self._memory = -1

    def _fill(self, content: bytes | memoryview) -> None:
        if self._map is None or len(self._map) < len(content):
            size = max(1 << 20, 1 << (len(content) - 1).bit_length()) if content else 1 << 20
            os.ftruncate(self._memory, size)
            self._map = mmap.mmap(self._memory, size)
        self._map[: len(content)] = content

    def _wipe(self, length: int) -> None:
        """Leave nothing of the content in the memory that waits for the next."""
        assert self._map is not None
        for begin in range(0, length, len(_ZEROS)):
            end = min(length, begin + len(_ZEROS))
            self._map[begin:end] = _ZEROS[: end - begin]

    def _send(self, message: Mapping[str, Any], *descriptors: int) -> None:
        payload = json.dumps(message).encode()
        request = _LENGTH.pack(len(payload)) + payload
        self._socket.settimeout(START_TIMEOUT_S)
        sent = socket.send_fds(self._socket, [request], descriptors)
        if sent < len(request):
            self._socket.sendall(request[sent:])

    def _receive(self, deadline: float) -> Any:
        (length,) = _LENGTH.unpack(self._read(_LENGTH.size, deadline))
        self._received += length
        if length > MAX_RESULT_BYTES or self._received > MAX_ANSWER_BYTES:
            raise ValueError(f"it is longer than the limit of {MAX_RESULT_BYTES:,} bytes, {MAX_ANSWER_BYTES:,} in all")
        return json.loads(self._read(length, deadline))

    def _read(self, length: int, deadline: float) -> bytes:
        while len(self._unread) < length:
            remaining_s = deadline - time.monotonic()
            if remaining_s <= 0:
                raise TimeoutError
            self._socket.settimeout(remaining_s)
            part = self._socket.recv(max(_ONE_READ, length - len(self._unread)))
            if not part:
                raise EOFError
            self._unread += part
        read = bytes(self._unread[:length])
        del self._unread[:length]
        return read


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
