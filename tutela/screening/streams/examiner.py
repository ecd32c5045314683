"""From looks to sights: frames are decoded and hashed in isolated workers, and their hashes searched here.

A look that stands for itself goes to whichever worker is free. A stream that is followed has a worker of its own, which
keeps its decoder.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from tutela.content.media.content import Shortcoming
from tutela.content.media.isolation import WorkerPool
from tutela.content.media.lanes import Asker, LaneTimes
from tutela.content.media.limits import Limits
from tutela.content.media.worker_process import WorkerProcess
from tutela.content.signals.base import WHOLE, Sample
from tutela.errors import TutelaError, UnscreenableError
from tutela.screening.streams.model import Codec, Look, Sight
from tutela.screening.streams.task import StretchSeen, read_seen
from tutela.screening.streams.wire import codec_fields, packet_fields
from tutela.screening.verdict import Match

log = logging.getLogger(__name__)

TASK = "tutela.screening.streams.task:task"
WAIT_S = 2.5
"""A look that no worker came to in this time was not examined."""
LOOK_S = 4.0
"""Time of a processor that one look may take."""
LOOK_TIMES = LaneTimes(quick_s=1.0, small_s=1.0, of_strangers_s=1.0, longest_aside_s=0.0)
"""All looks are quick but those that only a hostile stream needs: a busy machine gives the slow lane no time, and a
stream whose looks wait there is ended."""
MAX_LISTS_AGE_S = 30.0
FAULT, STALE, NO_FOLLOWER = "engine-fault", "lists-stale", "no-worker-to-follow"
_SPARE = 2


class Lookup(Protocol):
    """Where samples are searched: `Screener.lookup_each`."""

    def __call__(self, groups: Sequence[Sequence[Sample]]) -> list[list[Match]]:
        """The matches of each group on its own."""


@dataclass(frozen=True, slots=True)
class Examined:
    """What came of a look."""

    sights: tuple[Sight, ...]
    wholes: tuple[Sample, ...] = ()
    """The whole of each frame: what tells whether frames show the same."""


class Examiner:
    """Examines looks of all streams. Thread-safe."""

    def __init__(
        self,
        lookup: Lookup,
        limits: Limits,
        *,
        workers: int,
        max_followed: int,
        lists_age_s: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self.pool = WorkerPool(TASK, size=workers, limits=limits, wait_s=WAIT_S, times=LOOK_TIMES)
        self._lookup = lookup
        self._limits = limits
        self._lists_age_s = lists_age_s
        self._max_followed = max_followed
        self._lock = threading.Lock()
        self._spare: list[WorkerProcess] = []
        self._followed = 0
        self._closed = False

    def warm(self) -> None:
        """Start the workers, and one that is to follow a stream. Raises TutelaError when one cannot be started."""
        self.pool.warm()
        self._refill()

    def examine(self, look: Look, codec: Codec, follower: "Follower") -> Examined:
        """The sights of a look. Never raises: what fails is a sight with a fault."""
        try:
            if self._lists_age_s() > MAX_LISTS_AGE_S:
                return _faulty(look, STALE)
            seen = self._decoded(look, codec, follower)
            matches = self._lookup([frame.samples for frame in seen]) if seen else []
        except UnscreenableError as error:
            return _faulty(look, error.reason)
        except Exception:
            log.exception("a frame of a stream could not be examined")
            return _faulty(look, FAULT)
        at = time.monotonic()
        sights = [Sight(at, frame.seconds, tuple(found)) for frame, found in zip(seen, matches, strict=True)]
        wholes = [sample for frame in seen for sample in frame.samples if sample.view == WHOLE]
        return Examined(tuple(sights), tuple(wholes))

    def close(self) -> None:
        """End the workers."""
        self._closed = True
        self.pool.close()
        with self._lock:
            spare, self._spare = self._spare, []
        for worker in spare:
            worker.kill()

    def _decoded(self, look: Look, codec: Codec, follower: "Follower") -> list[StretchSeen]:
        options: Mapping[str, Any] = {
            "codec": codec_fields(codec),
            "packets": packet_fields(look),
            "due": list(look.due),
            "fresh": look.fresh,
            "track": look.track,
            "followed": follower.follows(look),
            "limits": asdict(self._limits),
        }
        content = b"".join(packet.data for packet in look.packets)
        if follower.follows(look):
            answer = follower.run(content, options)
        else:
            answer = self.pool.run(content, options, timeout_s=LOOK_S, asker=follower.asker)
        try:
            return read_seen(answer)
        except (KeyError, TypeError, ValueError) as error:
            raise TutelaError("a worker's answer is not of its form: {error!r}", error=error) from error

    def take_follower(self) -> WorkerProcess:
        """A worker for one stream. Raises UnscreenableError where there are as many as there may be."""
        with self._lock:
            if self._followed >= self._max_followed or self._closed:
                raise UnscreenableError(NO_FOLLOWER, "too many streams are followed")
            self._followed += 1
            worker = self._spare.pop() if self._spare else None
        try:
            worker = worker or self._started()
        except BaseException:
            self.give_follower_back(None)
            raise
        threading.Thread(target=self._refill, name="tutela-follower-start", daemon=True).start()
        return worker

    def give_follower_back(self, worker: WorkerProcess | None) -> None:
        """End a stream's worker: it has seen that stream's frames and gets no other."""
        if worker is not None:
            worker.kill()
        with self._lock:
            self._followed -= 1

    def _started(self) -> WorkerProcess:
        worker = WorkerProcess(TASK, self._limits)
        try:
            worker.wait_until_ready()
        except BaseException:
            worker.kill()
            raise
        return worker

    def _refill(self) -> None:
        while not self._closed:
            with self._lock:
                if len(self._spare) >= min(_SPARE, self._max_followed):
                    return
            try:
                worker = self._started()
            except TutelaError as error:
                log.error("a worker that follows streams could not be started: %s", error)
                return
            with self._lock:
                self._spare.append(worker)
        self.close()


class Follower:
    """One stream as the examiner knows it, with its worker while it is followed. For one thread."""

    def __init__(self, examiner: Examiner, stream_id: str) -> None:
        self._examiner = examiner
        self.asker = Asker(key=stream_id)
        """What one stream's looks cost is no other's."""
        self._worker: WorkerProcess | None = None

    @property
    def pid(self) -> int | None:
        """The worker's process."""
        return None if self._worker is None else self._worker.pid

    def follows(self, look: Look) -> bool:
        """Whether a look is for this worker."""
        return look.frames.value == "followed"

    def run(self, content: bytes, options: Mapping[str, Any]) -> Any:
        """The task's answer, in this stream's worker. Raises UnscreenableError; the next look then begins anew."""
        if self._worker is None:
            self._worker = self._examiner.take_follower()
        began = time.monotonic()

        def watch() -> None:
            if time.monotonic() - began > LOOK_S:
                raise TimeoutError

        try:
            return self._worker.run(content, options, lambda _: None, LOOK_S, watch)
        except UnscreenableError as error:
            if error.reason in (Shortcoming.DECODER_CRASH, Shortcoming.TIMEOUT):
                self.end()
            raise
        except TutelaError:
            self.end()
            raise

    def end(self) -> None:
        """Let go of the worker."""
        if self._worker is not None:
            worker, self._worker = self._worker, None
            self._examiner.give_follower_back(worker)


def _faulty(look: Look, code: str) -> Examined:
    at = time.monotonic()
    return Examined(tuple(Sight(at, seconds, fault=code) for seconds in look.due[:1]))
