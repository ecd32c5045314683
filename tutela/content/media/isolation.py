"""A pool of worker processes in which hostile bytes are parsed.

A worker that crashes, hangs, or takes too much memory is killed and replaced, and its content gets an
UnscreenableError; nothing else notices. Content is handed over in shared memory, answers come back as JSON with a
cap on their size: a worker that was taken over can lie about its content, but not run code in the service.
"""

import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any

from tutela.content.media.content import Shortcoming
from tutela.content.media.content_file import ContentFile
from tutela.content.media.lanes import SMALL_S, Asker, Lane, Lanes, LaneTimes, Turn
from tutela.content.media.limits import Limits
from tutela.content.media.worker_process import WorkerProcess
from tutela.errors import NotReadyError, TutelaError, UnscreenableError

log = logging.getLogger(__name__)

MAX_TASKS = 5_000
"""A worker is replaced after this many tasks, so that a slow leak stays small."""

Content = bytes | memoryview | ContentFile
Receive = Callable[[Any], object]


class WorkerPool:
    """Runs `task`, a "module:function" taking (memoryview, options) and returning JSON types, on content.

    A task may be a generator function: what it yields is received while it still runs. Thread-safe. Workers start on
    `warm()` or on first use: `size` of them, and as many again where content takes long (`lanes.py`).
    """

    def __init__(
        self,
        task: str,
        *,
        size: int,
        limits: Limits | None = None,
        wait_s: float = 10.0,
        times: LaneTimes | None = None,
    ) -> None:
        """`size` workers; a caller waits at most `wait_s` seconds for a free one. `times` says what is quick."""
        self.task = task
        self.size = size
        self.limits = limits or Limits()
        self.starts = 0
        self._wait_s = wait_s
        self._process = os.getpid()
        self._closed = False
        self._warm = False
        self._refusals: dict[str, str] | None = None
        self._lock = threading.Lock()
        self._lanes = Lanes(size, times or LaneTimes())
        self._idle: dict[Lane, list[WorkerProcess]] = {lane: [] for lane in Lane}
        self._busy: set[WorkerProcess] = set()

    def run(
        self,
        content: Content,
        options: Mapping[str, Any],
        receive: Receive | None = None,
        *,
        timeout_s: float | None = None,
        wait_s: float | None = None,
        asker: Asker | None = None,
    ) -> Any:
        """The task's result for the content. What it yields before goes to `receive`, or is in the result's `parts`.

        What was received stays good when the task fails later; what `receive` raises ends the task. `timeout_s` is
        time of a processor; it and `wait_s` stand for the pool's own.
        Raises UnscreenableError: too many bytes, no worker free in time, timeout, crash, or what the task said.
        Raises TutelaError when the pool is closed or the task itself failed, NotReadyError when it was interrupted.
        """
        if self._closed or os.getpid() != self._process:
            raise TutelaError("this worker pool is closed, or was opened in another process")
        if len(content) > self.limits.max_bytes:
            raise UnscreenableError(
                Shortcoming.TOO_MANY_BYTES,
                "{data:,} bytes are over the limit of {max_bytes:,}",
                data=len(content),
                max_bytes=self.limits.max_bytes,
            )
        wait_s = self._wait_s if wait_s is None else wait_s
        turn = self._lanes.enter(asker or Asker(), wait_s)
        if turn is None:
            raise UnscreenableError(Shortcoming.BUSY, "no worker was free within {wait_s:g} s", wait_s=wait_s)
        task = _Task(self._lanes, turn, self.limits.timeout_s if timeout_s is None else timeout_s, self._replace)
        try:
            return self._run(task, content, options, receive)
        finally:
            self._lanes.leave(turn, task.spent_s())

    def is_anyone_slow(self) -> bool:
        """Whether anybody's content may have to be examined where it takes long."""
        return self._lanes.is_anyone_slow()

    def lane_of(self, asker: Asker) -> Lane:
        """Where content of somebody's would be examined now."""
        return self._lanes.lane_of(asker)

    def on_behalf_of(self, asker: Asker) -> "PoolOfAsker":
        """The same workers, asked for somebody."""
        return PoolOfAsker(self, asker)

    def warm(self) -> None:
        """Start every worker that is not up; the pool is ready with the first. Raises TutelaError when one cannot."""
        with self._lock:
            missing = self.size - len(self._idle[Lane.QUICK]) - len(self._busy)
        self._start_idle(Lane.QUICK, min(1, missing))
        self._warm = True
        self._start_idle(Lane.QUICK, missing - 1)

    def ready(self) -> bool:
        """Whether a worker has been started by `warm`."""
        return self._warm and not self._closed

    def protections(self) -> list[str]:
        """What confines a worker on this machine, as the worker itself found."""
        return [name for name, why in self.refusals().items() if not why]

    def refusals(self) -> dict[str, str]:
        """By protection, why this machine does not give it to a worker; empty where it does."""
        if self._refusals is None:
            self._start_idle(Lane.QUICK, 1)
        return dict(self._refusals or {})

    def weaknesses(self) -> list[str]:
        """What the system refuses to the workers that are up, with its reasons; does not wait for one."""
        return [f"{name}: {why}" for name, why in (self._refusals or {}).items() if why]

    def processes(self) -> list[int]:
        """The process numbers of the workers that are up. A worker does not know its own."""
        with self._lock:
            return [worker.pid for worker in (*self._idle[Lane.SLOW], *self._idle[Lane.QUICK], *self._busy)]

    def close(self) -> None:
        """End the workers. A task that runs ends with its caller."""
        self._closed = True
        with self._lock:
            idle = [worker for workers in self._idle.values() for worker in workers]
            self._idle = {lane: [] for lane in Lane}
        for worker in idle:
            worker.kill()

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

    def _run(self, task: "_Task", content: Content, options: Mapping[str, Any], receive: Receive | None) -> Any:
        worker = self._take(task.turn.lane)
        parts: list[Any] = []
        try:
            task.begin(worker)
            result = worker.run(
                content, options, parts.append if receive is None else receive, task.timeout_s, task.watch
            )
            return {**result, "parts": parts} if parts else result
        except UnscreenableError:
            if worker.interrupted:
                raise NotReadyError("the examination of the content was interrupted") from None
            raise
        finally:
            task.end()
            self._give_back(worker, task.turn.lane)

    def _take(self, lane: Lane) -> WorkerProcess:
        """An idle worker, or a new one. One that died while it was idle has nothing to do with what is asked now."""
        worker = None
        while worker is None:
            with self._lock:
                worker = self._idle[lane].pop() if self._idle[lane] else None
            if worker is None:
                worker = self._started(lane)
            elif not worker.alive:
                worker.kill()
                worker = None
        with self._lock:
            self._busy.add(worker)
        return worker

    def _give_back(self, worker: WorkerProcess, lane: Lane) -> None:
        with self._lock:
            self._busy.discard(worker)
            kept = worker.reusable and worker.tasks < MAX_TASKS and not self._closed
            kept = kept and len(self._idle[lane]) < self.size
            if kept:
                self._idle[lane].append(worker)
        if not kept:
            worker.kill()

    def _start_idle(self, lane: Lane, count: int) -> None:
        """Start workers, all at once. Raises TutelaError for the first that does not; the others are kept."""
        workers = [self._spawned() for _ in range(count)]
        try:
            for worker in workers:
                self._await(worker, lane)
        finally:
            for worker in workers:
                self._give_back(worker, lane)

    def _replace(self) -> None:
        """A worker has stepped aside: start another, before somebody waits for it."""

        def start() -> None:
            try:
                self._start_idle(Lane.QUICK, 1)
            except TutelaError as error:
                log.error("a decoding worker could not be started: %s", error)

        threading.Thread(target=start, name="tutela-worker-start", daemon=True).start()

    def _started(self, lane: Lane) -> WorkerProcess:
        worker = self._spawned()
        try:
            self._await(worker, lane)
        except BaseException:
            worker.kill()
            raise
        return worker

    def _spawned(self) -> WorkerProcess:
        with self._lock:
            self.starts += 1
        return WorkerProcess(self.task, self.limits)

    def _await(self, worker: WorkerProcess, lane: Lane) -> None:
        worker.wait_until_ready()
        if lane is Lane.SLOW:
            worker.stand_back()
        if self._refusals is None:
            self._refusals = worker.refusals
            for weakness in self.weaknesses():
                log.warning("decoding workers are less confined than they could be: %s", weakness)


class PoolOfAsker:
    """A pool, asked for somebody."""

    def __init__(self, pool: WorkerPool, asker: Asker) -> None:
        self._pool = pool
        self._asker = asker
        self.size = pool.size
        self.limits = pool.limits

    def run(
        self,
        content: Content,
        options: Mapping[str, Any],
        receive: Receive | None = None,
        *,
        timeout_s: float | None = None,
        wait_s: float | None = None,
    ) -> Any:
        """As `WorkerPool.run`."""
        return self._pool.run(content, options, receive, timeout_s=timeout_s, wait_s=wait_s, asker=self._asker)


class _Task:
    """How long one piece of content takes: it steps aside where that is long, and ends where it is too long."""

    def __init__(self, lanes: Lanes, turn: Turn, timeout_s: float, on_aside: Callable[[], None]) -> None:
        self._on_aside = on_aside
        self.turn = turn
        self.timeout_s = timeout_s
        self._lanes = lanes
        self._worker: WorkerProcess | None = None
        self._began = 0.0
        self._spent_before_s = 0.0
        self._spent_s = 0.0

    def begin(self, worker: WorkerProcess) -> None:
        """The worker is about to be given the content."""
        self._worker = worker
        self._began = time.monotonic()
        self._spent_before_s = worker.processor_s()

    def end(self) -> None:
        """The worker has answered, or never will."""
        self._spent_s = self.spent_s()
        self._worker = None

    def spent_s(self) -> float:
        """Time of a processor. What was quick was quick: the system is asked only where it was not."""
        if self._worker is None:
            return self._spent_s
        waited_s = time.monotonic() - self._began
        if waited_s <= SMALL_S:
            return waited_s
        return min(waited_s, self._worker.processor_s() - self._spent_before_s)

    def watch(self) -> None:
        """Called now and then while the worker is at it. Raises TimeoutError, and UnscreenableError where it keeps
        others waiting and has nowhere to go."""
        spent_s = self.spent_s()
        lasted_s = time.monotonic() - self._began
        if spent_s > self.timeout_s or lasted_s > self._lanes.longest_s(self.turn, self.timeout_s):
            raise TimeoutError
        if not self._lanes.is_over(self.turn, spent_s):
            return
        if self._lanes.step_aside(self.turn, spent_s):
            assert self._worker is not None
            self._worker.stand_back()
            self._on_aside()
        elif self._lanes.wanted():
            raise UnscreenableError(Shortcoming.BUSY, "it takes long, and there is no room for more that does")
