"""One worker process, seen from the service: how it is started, given content, read from, and ended."""

import contextlib
import mmap
import os
import socket
import struct
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pydantic_core import from_json, to_json

from tutela.content.media.content import Shortcoming
from tutela.content.media.content_file import ContentFile, nameless_file, to_read_only
from tutela.content.media.fork_server import start_worker
from tutela.content.media.lanes import LONGEST_ASIDE_S, PATIENCE
from tutela.content.media.limits import Limits
from tutela.errors import TutelaError, UnscreenableError

MAX_RESULT_BYTES = 1024 * 1024
"""Of one message. A worker that was taken over cannot make the service parse more in one go."""
MAX_ANSWER_BYTES = 128 * 1024 * 1024
"""Of all the messages about one piece of content."""
START_TIMEOUT_S = 60.0
_ONE_READ = 64 * 1024
_TICK_S = 0.05
"""How often the time that a task takes is looked at."""
_TICK = struct.pack("@ll", 0, round(_TICK_S * 1_000_000))
"""As the system's sockets take it (a `timeval`). With a timeout of Python's, each call would wait with `poll` first."""
_LOWEST_PRIORITY = 19

_LENGTH = struct.Struct("<I")
_ZEROS = memoryview(bytes(256 * 1024))


class WorkerProcess:
    """One worker process, used by one thread at a time."""

    def __init__(self, task: str, limits: Limits) -> None:
        self.tasks = 0
        self.reusable = False
        self.interrupted = False
        self.refusals: dict[str, str] = {}
        self._received = 0
        self._watch_at = 0.0
        self._unread = bytearray()
        self._memory = nameless_file()
        self._map: mmap.mmap | None = None
        self._socket, theirs = socket.socketpair()
        for timeout in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            self._socket.setsockopt(socket.SOL_SOCKET, timeout, _TICK)
        memory = to_read_only(self._memory)
        arguments: dict[str, str | int] = {"task": task, "max_memory_bytes": limits.max_memory_bytes + limits.max_bytes}
        try:
            self._process = start_worker(arguments, theirs.fileno(), memory)
        except BaseException:
            self._socket.close()
            os.close(self._memory)
            raise
        finally:
            theirs.close()
            os.close(memory)
        self.pid = self._process.pid

    def wait_until_ready(self) -> None:
        """Until it has confined itself. Raises TutelaError when it does not."""
        if self.reusable:
            return
        deadline = time.monotonic() + START_TIMEOUT_S

        def watch() -> None:
            if time.monotonic() > deadline:
                raise TimeoutError

        try:
            message = self._receive(watch)
            if "failed" in message:
                raise TutelaError("a decoding worker did not start: {why}", why=message["failed"])
            self.pid = int(message["process"])
            self.refusals = {str(name): str(why) for name, why in message["refusals"].items()}
        except (OSError, EOFError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise TutelaError("a decoding worker did not start: {error!r}; see the log", error=error) from error
        self.reusable = True

    @property
    def alive(self) -> bool:
        """Whether the process is still there."""
        return self._process.alive

    def stand_back(self) -> None:
        """Give way, from now on, to every other process that wants a processor.

        What is idle in the system's eyes is put aside the moment that another wakes up. Its threads are looked for:
        those that are there keep what they have, and only new ones get what their maker has.
        """
        for thread in self._threads():
            with contextlib.suppress(OSError):
                if sys.platform == "linux":
                    os.sched_setscheduler(thread, os.SCHED_IDLE, os.sched_param(0))
                else:
                    os.setpriority(os.PRIO_PROCESS, thread, _LOWEST_PRIORITY)

    def _threads(self) -> list[int]:
        try:
            return [int(path.name) for path in Path(f"/proc/{self.pid}/task").iterdir()]
        except OSError:
            return [self.pid]

    def processor_s(self) -> float:
        """The time of a processor that it has taken since it started; the time that passed, where nobody says that."""
        try:
            return time.clock_gettime(_clock_of(self.pid))
        except (OSError, AttributeError):
            return time.monotonic()

    def run(
        self,
        content: bytes | memoryview | ContentFile,
        options: Mapping[str, Any],
        receive: Callable[[Any], object],
        timeout_s: float,
        watch: Callable[[], None],
    ) -> Any:
        """The task's result; `receive` gets what it yields before, `watch` is called now and then and may raise
        TimeoutError. As `WorkerPool.run`."""
        self.reusable = False
        self.tasks += 1
        self._watch_at = time.monotonic() + _TICK_S
        try:
            alarm_s = max(PATIENCE * timeout_s, LONGEST_ASIDE_S)
            request = {"task": self.tasks, "length": len(content), "timeout_s": alarm_s, "options": options}
            if isinstance(content, ContentFile):
                descriptor = to_read_only(content.descriptor)
                try:
                    self._send(request | {"own_file": True}, descriptor)
                finally:
                    os.close(descriptor)
            else:
                self._fill(content)
                self._send(request | {"own_file": False})
            answer = self._answer(receive, watch)
            if not isinstance(content, ContentFile):
                self._wipe(len(content))
        except TimeoutError:
            raise UnscreenableError(
                Shortcoming.TIMEOUT, "decoding took longer than {timeout_s:g} s", timeout_s=timeout_s
            ) from None
        except (OSError, EOFError):
            self._process.kill()
            status = self._process.wait()
            raise UnscreenableError(
                Shortcoming.DECODER_CRASH,
                "the decoder process ended (status {ended}) on this content",
                ended=status,
            ) from None
        except ValueError as error:
            raise TutelaError("a decoding worker's answer is not of its form: {error}", error=error) from error
        self.reusable = True
        if "unscreenable" in answer:
            raise UnscreenableError(str(answer["unscreenable"][0]), str(answer["unscreenable"][1]))
        if "fault" in answer:
            raise TutelaError("the task failed in its worker: {fault}", fault=answer["fault"])
        return answer.get("result")

    def _answer(self, receive: Callable[[Any], object], watch: Callable[[], None]) -> dict[str, Any]:
        """The last message about the content. Raises ValueError where a message is not of its form."""
        self._received = 0
        while True:
            message = self._receive(watch)
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
        """End the process, and let go of what was shared with it."""
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
        payload = to_json(message)
        left, deadline = memoryview(_LENGTH.pack(len(payload)) + payload), time.monotonic() + START_TIMEOUT_S
        while left:
            try:
                sent = socket.send_fds(self._socket, [left], descriptors) if descriptors else self._socket.send(left)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise TimeoutError from None
                continue
            left, descriptors = left[sent:], ()

    def _receive(self, watch: Callable[[], None]) -> Any:
        (length,) = _LENGTH.unpack(self._read(_LENGTH.size, watch))
        self._received += length
        if length > MAX_RESULT_BYTES or self._received > MAX_ANSWER_BYTES:
            raise ValueError(f"it is longer than the limit of {MAX_RESULT_BYTES:,} bytes, {MAX_ANSWER_BYTES:,} in all")
        return _message(self._read(length, watch))

    def _read(self, length: int, watch: Callable[[], None]) -> bytes:
        while len(self._unread) < length:
            if time.monotonic() > self._watch_at:
                self._watch_at = time.monotonic() + _TICK_S
                watch()
            with contextlib.suppress(BlockingIOError):
                part = self._socket.recv(max(_ONE_READ, length - len(self._unread)))
                if not part:
                    raise EOFError
                self._unread += part
        read = bytes(self._unread[:length])
        del self._unread[:length]
        return read


def _clock_of(process: int) -> int:
    """The clock of another process's time of a processor, as clock_getcpuclockid(3) makes it on Linux."""
    if sys.platform != "linux":
        raise OSError("no such clock is known")
    return (~process << 3) | 2


def _message(payload: bytes) -> Any:
    """What a message says. Raises ValueError where no worker of ours would say so: what is nested without end, is no
    number, or is text that cannot be written down. Names and links of content are kept nowhere else."""
    return from_json(payload, allow_inf_nan=False, cache_strings="keys")
