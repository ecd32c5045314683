"""A whole video through the workers: in stretches, several at once, with an early end and a closer look where it pays.

The serving process sees nothing of the video but samples: it searches them as they come and says when it has enough.
"""

import math
import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from tutela.content.media.content import Mode, Shortcoming
from tutela.content.media.content_file import ContentFile
from tutela.content.media.limits import Limits
from tutela.content.signals.base import Sample
from tutela.errors import TutelaError, UnscreenableError
from tutela.screening.verdict import Reason
from tutela.screening.video.task import StretchTask, VideoFacts, audio_flaws, gap_s, read_batch, read_facts

STRETCH_S = 300.0
"""What one worker watches at a time."""
MAX_STRETCHES = 64
CLOSER_STEP_S = 0.2
CLOSER_AROUND_S = 3.0
CLOSER_TOTAL_S = 120.0
"""So much of a video is looked at once more, closely, around frames that are near an entry."""


class Pool(Protocol):
    """The workers: `tutela.content.media.isolation.WorkerPool`."""

    size: int

    def run(
        self,
        content: ContentFile,
        options: Mapping[str, Any],
        receive: Callable[[Any], object] | None = None,
        *,
        timeout_s: float | None = None,
        wait_s: float | None = None,
    ) -> Any:
        """The task's result; what it gives before goes to `receive`."""


class Audience(Protocol):
    """Who takes the samples: a `Matching` behind the screener."""

    def take(self, samples: Sequence[Sample]) -> bool:
        """Take samples. True when nothing more is needed."""

    def undecided(self) -> Sequence[float]:
        """Seconds that deserve a closer look."""


Progress = Callable[[float, float | None], None]
"""Called with the seconds watched so far, and with the length of the video where its header says it."""


@dataclass(slots=True)
class Viewed:
    """What came of a viewing, beside the samples."""

    facts: VideoFacts | None = None
    shortcomings: list[Reason] = field(default_factory=list)
    frames: int = 0
    ended_early: bool = False


def view(
    content: ContentFile,
    pool: Pool,
    limits: Limits,
    audience: Audience,
    on_progress: Progress | None = None,
    seed: str = "",
) -> Viewed:
    """Watch a video. Raises nothing for what is in it: how it falls short is in the result.

    `seed` decides which frames are sampled; whoever made the video must not know it.
    """
    viewing = _Viewing(content, pool, limits, audience, on_progress, seed)
    try:
        viewing.watch()
    except UnscreenableError as error:
        viewing.fall_short(error)
    return viewing.result


class _Viewing:
    def __init__(
        self,
        content: ContentFile,
        pool: Pool,
        limits: Limits,
        audience: Audience,
        on_progress: Progress | None,
        seed: str,
    ) -> None:
        self.result = Viewed()
        self._seed = seed
        self._content = content
        self._pool = pool
        self._limits = limits
        self._audience = audience
        self._on_progress = on_progress
        self._deadline = time.monotonic() + limits.video_timeout_s
        self._taking = threading.Lock()
        self._enough = threading.Event()
        self._watched_s = 0.0

    def watch(self) -> None:
        """The whole, then closely what is near an entry."""
        facts = self._facts()
        self.result.facts = facts
        if facts.streams == 0:
            self.result.shortcomings += (Reason(*flaw) for flaw in audio_flaws(self._limits.profile, alone=True))
            return
        self._in_parallel(_stretches(facts.duration_s, gap_s(facts.duration_s, self._limits)))
        if self._enough.is_set():
            self.result.ended_early = True
            return
        if self.result.frames == 0 and not self.result.shortcomings:
            raise UnscreenableError(Shortcoming.UNREADABLE, "no frame of the video could be decoded")
        self._in_parallel(_closer(self._audience.undecided()))
        self.result.ended_early = self._enough.is_set()

    def fall_short(self, error: UnscreenableError) -> None:
        """Something of the video was not screened."""
        reason = Reason(error.reason, str(error))
        if reason not in self.result.shortcomings:
            self.result.shortcomings.append(reason)

    def _facts(self) -> VideoFacts:
        told: list[Any] = []
        self._run(StretchTask(0.0, 0.0, step_s=1.0), told.append, None)
        if not told:
            raise TutelaError("a worker said nothing of the video")
        return read_facts(told[0])

    def _in_parallel(self, stretches: Sequence[StretchTask]) -> None:
        """As many workers as are free, each with a stretch at a time; one worker is waited for."""
        waiting: queue.SimpleQueue[StretchTask] = queue.SimpleQueue()
        for stretch in stretches:
            waiting.put(stretch)
        faults: list[Exception] = []
        helpers = [
            threading.Thread(target=self._work, args=(waiting, faults, 0.0), daemon=True)
            for _ in range(min(self._pool.size, len(stretches)) - 1)
        ]
        for helper in helpers:
            helper.start()
        self._work(waiting, faults, None)
        for helper in helpers:
            helper.join()
        if faults:
            raise faults[0]

    def _work(self, waiting: "queue.SimpleQueue[StretchTask]", faults: list[Exception], wait_s: float | None) -> None:
        while not self._enough.is_set() and not faults:
            try:
                stretch = waiting.get_nowait()
            except queue.Empty:
                return
            try:
                self._watch(stretch, wait_s)
            except UnscreenableError as error:
                if error.reason == Shortcoming.BUSY and wait_s is not None:
                    waiting.put(stretch)  # no further worker is free: those at work will come to it
                    return
                self.fall_short(error)
                if error.reason in (Shortcoming.TIMEOUT, Shortcoming.BUSY):
                    return
            except Exception as error:
                faults.append(error)

    def _watch(self, stretch: StretchTask, wait_s: float | None) -> None:
        try:
            result = self._run(stretch, self._receive, wait_s)
        except _EnoughError:
            return
        if int(result["errors"]):
            raise UnscreenableError(Shortcoming.DAMAGED, "the video is damaged: only a part of it could be decoded")

    def _receive(self, part: Any) -> None:
        """Runs in the thread of the stretch. Whatever is raised here ends the worker's task."""
        if "frames" in part:
            batch = read_batch(part)
            with self._taking:
                try:
                    self._take(batch.samples, batch.seconds)
                except Exception as error:
                    raise _AudienceError(
                        "samples of the video could not be taken"
                    ) from error  # a fault of ours, which is never taken for one of the worker's
        if self._enough.is_set():
            raise _EnoughError

    def _take(self, samples: Sequence[Sample], seconds: Sequence[float]) -> None:
        if self._enough.is_set():
            return
        self.result.frames += len(seconds)
        if self._audience.take(samples):
            self._enough.set()
        if seconds and self._on_progress is not None:
            self._watched_s = max(self._watched_s, *seconds)
            self._on_progress(self._watched_s, self.result.facts.duration_s if self.result.facts else None)

    def _run(self, stretch: StretchTask, receive: Callable[[Any], object], wait_s: float | None) -> Any:
        left_s = self._deadline - time.monotonic()
        if left_s <= 0:
            raise UnscreenableError(
                Shortcoming.TIMEOUT,
                "only a part could be looked at within {video_timeout_s:g} s",
                video_timeout_s=self._limits.video_timeout_s,
            )
        options = replace(stretch, seed=self._seed).options(Mode.FAST, self._limits)
        return self._pool.run(self._content, options, receive, timeout_s=left_s, wait_s=wait_s)


class _EnoughError(Exception):
    """Nothing more is needed of the video."""


class _AudienceError(TutelaError):
    """The samples could not be taken."""

    code = "audience"


def _stretches(duration_s: float | None, max_gap_s: float) -> list[StretchTask]:
    """The whole of a video in stretches. The last is open: what the header says of the length may be wrong."""
    length_s = max(STRETCH_S, (duration_s or 0.0) / MAX_STRETCHES)
    count = max(1, math.ceil((duration_s or 0.0) / length_s))
    return [
        StretchTask(number * length_s, None if number == count - 1 else (number + 1) * length_s, max_gap_s=max_gap_s)
        for number in range(count)
    ]


def _closer(seconds: Sequence[float]) -> list[StretchTask]:
    """Stretches around these moments, those that touch joined, until there is enough of them."""
    joined: list[tuple[float, float]] = []
    total_s = 0.0
    for moment in seconds:
        begin, end = max(0.0, moment - CLOSER_AROUND_S), moment + CLOSER_AROUND_S
        if joined and begin <= joined[-1][1]:
            total_s += end - joined[-1][1]
            joined[-1] = (joined[-1][0], end)
        else:
            total_s += end - begin
            joined.append((begin, end))
        if total_s >= CLOSER_TOTAL_S:
            break
    return [StretchTask(begin, end, step_s=CLOSER_STEP_S, closely=True) for begin, end in joined]
