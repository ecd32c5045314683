"""The way a picture takes to a person: for one item, for one held key, step by step, and for a few seconds only.

A reveal is begun (policy, exposure and the two-person rule are asked first), its renditions are made once in an
isolated worker, handed out in order and not faster than the pace, and gone when it ends. The evidence itself is never
sent and never kept.
"""

import base64
import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from tutela.console.exposure import Exposures
from tutela.console.people import Person
from tutela.content.media.isolation import WorkerPool
from tutela.errors import InputError, NotFoundError, TutelaError

clock = time.monotonic
"""What the time of a reveal is told by."""

TASK = "tutela.console.rendition:render"


@dataclass(frozen=True, slots=True)
class Step:
    """How clear a rendition is: pixels of detail, and pixels it is drawn with, on the longer side."""

    detail: int
    shown: int


STEPS = (Step(10, 240), Step(20, 240), Step(40, 240), Step(240, 240), Step(480, 480))
CLEAR = 3
"""The first step that is not blurred: from here on the two-person rule applies."""
PACE_S = 0.35
"""A step follows the one before it after this time at the earliest."""
LASTS_S = 8.0
"""A reveal covers itself after this time, whatever the browser does."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What is to be revealed."""

    case_id: str
    item_id: str
    severe: bool
    clear: bool
    """Whether the sharp steps may be shown; otherwise the two-person rule still waits for a second person."""
    parts: tuple[str, ...] = ()
    """The paths inside the content that matched; empty for the content itself."""
    matched: tuple[float, ...] = ()
    """The seconds of a video that matched, nearest first."""


@dataclass(slots=True)
class _Reveal:
    person_id: str
    exposure: int
    pictures: Sequence[bytes]
    whole: bool
    began: float
    first_shown: float | None = None
    last_shown: float = 0.0
    step: int = -1


@dataclass(frozen=True, slots=True)
class Begun:
    """A reveal that the browser may now ask pictures of."""

    token: str
    steps: int
    frames: int
    pace_ms: int = int(PACE_S * 1000)
    lasts_ms: int = int(LASTS_S * 1000)
    waits_for_second: bool = field(default=False)


class Reveals:
    """The reveals under way in this process. Thread-safe."""

    def __init__(self, pool: WorkerPool, exposures: Exposures) -> None:
        self._pool = pool
        self._exposures = exposures
        self._under_way: dict[str, _Reveal] = {}
        self._lock = threading.Lock()

    def begin(self, person: Person, subject: Subject, read: Callable[[], bytes], *, frame: int | None = None) -> Begun:
        """Count the exposure, then make the renditions of what `read` returns.

        Raises PauseError when the person has seen enough, UnscreenableError when nothing can be shown.
        """
        self.end_all(person)
        exposure = self._exposures.open(
            person, subject.case_id, subject.item_id, severe=subject.severe, clear=subject.clear, most_s=LASTS_S
        )
        try:
            steps = STEPS if subject.clear else STEPS[:CLEAR]
            answer = self._pool.run(read(), _options(steps, frame, subject, self._pool))
            pictures, frames, whole = _pictures(answer, len(steps))
        except BaseException:
            self._exposures.close(exposure, 0.0, 0)
            raise
        token = secrets.token_urlsafe(24)
        with self._lock:
            self._under_way[token] = _Reveal(person.id, exposure, pictures, whole and not subject.parts, clock())
        return Begun(token, len(pictures), frames, waits_for_second=not subject.clear)

    def picture(self, person: Person, token: str, step: int) -> bytes:
        """The JPEG of a step: the next one, or one shown before. Raises NotFoundError, InputError."""
        at = clock()
        with self._lock:
            reveal = self._mine(person, token)
            if at - (reveal.first_shown or at) > LASTS_S or at - reveal.began > 2 * LASTS_S:
                raise NotFoundError("this reveal is over")
            if not 0 <= step <= reveal.step + 1 or step >= len(reveal.pictures):
                raise InputError("a reveal goes step by step")
            if step == reveal.step + 1:
                # A tenth is left for clocks; the pace is the reviewer's protection, not a lock.
                if reveal.step >= 0 and at - reveal.last_shown < PACE_S * 0.9:
                    raise InputError("a reveal goes step by step")
                reveal.step, reveal.last_shown = step, at
            reveal.first_shown = reveal.first_shown or at
            return reveal.pictures[step]

    def end(self, person: Person, token: str) -> float:
        """Cover it; the seconds it was open. Raises NotFoundError when it is over already."""
        with self._lock:
            reveal = self._mine(person, token)
            del self._under_way[token]
        return self._account(reveal)

    def end_all(self, person: Person) -> None:
        """Cover everything the person has open, and forget what others left open too long."""
        at = clock()
        with self._lock:
            over = {
                token: reveal
                for token, reveal in self._under_way.items()
                if reveal.person_id == person.id or at - reveal.began > 2 * LASTS_S
            }
            for token in over:
                del self._under_way[token]
        for reveal in over.values():
            self._account(reveal)

    def _mine(self, person: Person, token: str) -> _Reveal:
        reveal = self._under_way.get(token)
        if reveal is None or reveal.person_id != person.id:
            raise NotFoundError("this reveal is over")
        return reveal

    def _account(self, reveal: _Reveal) -> float:
        seconds = 0.0 if reveal.first_shown is None else min(LASTS_S, clock() - reveal.first_shown)
        # A contact sheet is not the whole of a video, nor one picture the whole of an archive.
        whole = reveal.step >= CLEAR and reveal.whole
        self._exposures.close(reveal.exposure, seconds, max(0, reveal.step), whole=whole)
        return seconds


def _options(steps: Sequence[Step], frame: int | None, subject: Subject, pool: WorkerPool) -> Mapping[str, Any]:
    return {
        "parts": list(subject.parts),
        "matched": list(subject.matched),
        "steps": [[step.detail, step.shown] for step in steps],
        "frame": frame,
        "limits": asdict(pool.limits),
    }


def _pictures(answer: Any, steps: int) -> tuple[Sequence[bytes], int, bool]:
    """The JPEGs, the number of frames and whether they are all, in a worker's answer, which is not trusted."""
    try:
        pictures = [base64.b64decode(text, validate=True) for text in answer["steps"]]
        frames, whole = int(answer["frames"]), answer["whole"] is True
    except (KeyError, TypeError, ValueError) as error:
        raise TutelaError("a worker's answer is not a rendition") from error
    if len(pictures) != steps or not all(picture.startswith(b"\xff\xd8\xff") for picture in pictures):
        raise TutelaError("a worker's answer is not a rendition")
    return pictures, frames, whole
