"""Who examines next, so that costly content of one asker does not keep others waiting. Values and order, no processes.

There are two lanes. In the quick one stands whoever's content took little until now; whoever's takes much waits for the
slow one, which others do not use. A turn that grows long in the quick lane steps aside. Both are shared fairly.
"""

import hashlib
import secrets
import threading
import time
from collections import Counter, OrderedDict, deque
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

QUICK_S = 0.25
"""Content that takes less of a processor is quick: nearly every picture, and most documents."""
SMALL_S = 0.03
"""What takes less finds a turn of the quick lane beside all that takes more of it: one is never given to that."""
OF_STRANGERS_S = 0.06
"""What somebody who was never seen has of it while others wait."""
PATIENCE = 6.0
"""A turn that waits for a processor may last so many times its time; it is its time of a processor that counts."""
LONGEST_ASIDE_S = 600.0
"""And so long at least in the slow lane: there it gives way to all else, and has a thousandth of a processor on a
machine that is busy without a pause."""


@dataclass(frozen=True, slots=True)
class LaneTimes:
    """Which content is quick, and which small; what is examined while it is shown has other times than uploads."""

    quick_s: float = QUICK_S
    small_s: float = SMALL_S
    of_strangers_s: float = OF_STRANGERS_S
    longest_aside_s: float = LONGEST_ASIDE_S


_REMEMBERED_S = 60.0
"""What somebody's content took is forgotten after so long without any."""
_MAX_REMEMBERED = 10_000
_WEIGHT = 0.3
"""Of the last content in the average of somebody's."""


_OF_UPLOADS = LaneTimes()
_KEY = secrets.token_bytes(32)


def masked(name: str) -> str:
    """A name as this process remembers it: equal for equal names, and nothing can be read from it."""
    return hashlib.blake2b(name.encode("utf-8", "surrogatepass"), key=_KEY, digest_size=16).hexdigest() if name else ""


class Asker(NamedTuple):
    """For whom content is examined, and of what kind it is: costs are remembered for these together."""

    key: str = ""
    """Who asks: an API key, a gateway."""
    uploader: str = ""
    """On whose behalf, where that is said: masked, for what uploaders are called stays in nobody's memory."""
    kind: str = ""
    """The content's type."""

    @property
    def anyone(self) -> "Asker":
        """The same for whatever uploader, by which one who was never seen is judged."""
        return self._replace(uploader="") if self.uploader else self


class Lane(StrEnum):
    """Where content is examined."""

    QUICK = "quick"
    SLOW = "slow"

    __hash__ = str.__hash__  # an enumeration's own is in Python, and lanes are looked up several times for each turn


_LANES = tuple(Lane)


@dataclass(slots=True, eq=False)
class Turn:
    """The right to one worker's time."""

    asker: Asker
    lane: Lane
    stranger: bool = False
    """Whether nothing was known of who asks."""
    small: bool = True
    """Whether what they sent until now took very little."""


class _Known(NamedTuple):
    """What somebody's former content says of the next."""

    lane: Lane = Lane.QUICK
    stranger: bool = True
    small: bool = True


_NOBODY = _Known()


def _closed_gate() -> threading.Lock:
    """A lock that somebody else opens. An event is made of three of them."""
    gate = threading.Lock()
    gate.acquire()
    return gate


@dataclass(slots=True, eq=False)
class _Waiter:
    number: int
    turn: Turn | None = None
    called: threading.Lock = field(default_factory=_closed_gate)


class _Running:
    """The turns of one lane."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.count = 0
        self.by_asker: Counter[Asker] = Counter()

    def change(self, asker: Asker, change: int) -> None:
        self.count += change
        self.by_asker[asker] += change
        if not self.by_asker[asker]:
            del self.by_asker[asker]


class Lanes:
    """Gives turns. Thread-safe."""

    def __init__(self, size: int, times: LaneTimes = _OF_UPLOADS) -> None:
        """So many turns at once in the quick lane. The slow one has twice as many, half of them at most for one key and
        kind of content, and as many again for those that step aside."""
        self._size = size
        self._times = times
        self._lock = threading.Lock()
        self._waiting: dict[Asker, deque[_Waiter]] = {}
        """Those who wait, by whom they ask for: among equals the first is the next."""
        self._came = 0
        self._running = {Lane.QUICK: _Running(size), Lane.SLOW: _Running(2 * size)}
        self._not_small = 0
        """Turns of the quick lane."""
        self._given = 0
        self._served: dict[tuple[str, ...], int] = {}
        self._costs: OrderedDict[Asker, tuple[float, float]] = OrderedDict()
        self._slow_until = 0.0
        """Until then somebody's content may be remembered as slow."""

    def enter(self, asker: Asker, wait_s: float) -> Turn | None:
        """A turn, as soon as there is one; None when there was none in time."""
        with self._lock:
            if not self._waiting and (turn := self._at_once(asker)) is not None:
                return turn
            self._came += 1
            waiter = _Waiter(self._came)
            self._waiting.setdefault(asker, deque()).append(waiter)
            self._call()
        if waiter.turn is None and not waiter.called.acquire(timeout=wait_s):
            with self._lock:
                if waiter.turn is None:
                    self._waiting[asker].remove(waiter)
                    self._forget_if_none_waits(asker)
        return waiter.turn

    def is_over(self, turn: Turn, spent_s: float) -> bool:
        """Whether a turn has taken more than is quick. Where others wait, somebody who was never seen has less: a name
        costs nothing."""
        if turn.lane is Lane.SLOW:
            return False
        longest_s = self._times.of_strangers_s if turn.stranger else self._times.quick_s
        return spent_s > self._times.quick_s or (spent_s > longest_s and self.wanted())

    def longest_s(self, turn: Turn, timeout_s: float) -> float:
        """How long a turn for so much time of a processor may last, however much of it is waiting for one."""
        at_least_s = self._times.longest_aside_s if turn.lane is Lane.SLOW else 0.0
        return max(at_least_s, PATIENCE * timeout_s)

    @property
    def waiting(self) -> int:
        """How many wait for a turn."""
        with self._lock:
            return sum(map(len, self._waiting.values()))

    def wanted(self) -> bool:
        """Whether somebody waits for the quick lane."""
        with self._lock:
            return any(self._known(asker).lane is Lane.QUICK for asker in self._waiting)

    def step_aside(self, turn: Turn, spent_s: float) -> bool:
        """Leave the quick lane in the middle of a turn that has taken so long; False when the slow one has no room."""
        with self._lock:
            self._remember(turn.asker, spent_s)
            aside = turn.lane is Lane.QUICK and self._running[Lane.SLOW].count < 4 * self._size
            if aside:
                self._take(turn, -1)
                turn.lane = Lane.SLOW
                self._take(turn, 1)
            self._call()
            return aside

    def leave(self, turn: Turn, spent_s: float) -> None:
        """End a turn that took so long of a processor."""
        with self._lock:
            self._take(turn, -1)
            self._remember(turn.asker, spent_s)
            self._call()

    def lane_of(self, asker: Asker) -> Lane:
        """Where the next content of an asker is examined, by what its former content took."""
        with self._lock:
            return self._known(asker).lane

    def is_anyone_slow(self) -> bool:
        """Whether anybody's content may have to be examined in the slow lane."""
        return time.monotonic() < self._slow_until

    def _known(self, asker: Asker) -> _Known:
        own_s = cost_s = self._cost_s(asker)
        if own_s is None and asker.uploader:
            cost_s = self._cost_s(asker.anyone)
        if cost_s is None:
            return _NOBODY
        lane = Lane.SLOW if cost_s > self._times.quick_s else Lane.QUICK
        return _Known(lane, own_s is None, cost_s <= self._times.small_s)

    def _cost_s(self, asker: Asker) -> float | None:
        remembered = self._costs.get(asker)
        return remembered[0] if remembered and time.monotonic() - remembered[1] < _REMEMBERED_S else None

    def _remember(self, asker: Asker, spent_s: float) -> None:
        now = time.monotonic()
        for known in {asker, asker.anyone} if asker.uploader else (asker,):
            cost_s, at = self._costs.pop(known, (0.0, 0.0))
            fresh = not at or now - at > _REMEMBERED_S
            cost_s = spent_s if fresh else cost_s + _WEIGHT * (spent_s - cost_s)
            self._costs[known] = (cost_s, now)
            if cost_s > self._times.quick_s:
                self._slow_until = now + _REMEMBERED_S
        while len(self._costs) > _MAX_REMEMBERED:
            self._costs.popitem(last=False)

    def _take(self, turn: Turn, change: int) -> None:
        self._running[turn.lane].change(turn.asker, change)
        if turn.lane is Lane.QUICK and not turn.small:
            self._not_small += change

    def _call(self) -> None:
        """Give what is free to those who have the fewest turns; among equals to whoever had one the longest ago."""
        for lane in _LANES if self._waiting else ():
            while self._waiting and self._has_room(lane):
                candidates = [asker for asker in self._waiting if self._may_enter(asker, self._known(asker), lane)]
                if not candidates:
                    break
                chosen = candidates[0] if len(candidates) == 1 else min(candidates, key=self._turns)
                waiter = self._waiting[chosen].popleft()
                self._forget_if_none_waits(chosen)
                waiter.turn = self._given_turn(chosen, self._known(chosen), lane)
                waiter.called.release()

    def _forget_if_none_waits(self, asker: Asker) -> None:
        if not self._waiting[asker]:
            del self._waiting[asker]

    def _at_once(self, asker: Asker) -> Turn | None:
        """A turn for somebody before whom nobody waits; None where there is no room."""
        known = self._known(asker)
        for lane in _LANES:
            if self._has_room(lane) and self._may_enter(asker, known, lane):
                return self._given_turn(asker, known, lane)
        return None

    def _has_room(self, lane: Lane) -> bool:
        running = self._running[lane]
        return running.count < running.most

    def _given_turn(self, asker: Asker, known: _Known, lane: Lane) -> Turn:
        turn = Turn(asker, lane, known.stranger, known.small)
        self._take(turn, 1)
        self._note(asker)
        return turn

    def _may_enter(self, asker: Asker, known: _Known, lane: Lane) -> bool:
        own = known.lane
        if own is Lane.QUICK and not known.small and self._not_small >= max(1, self._size - 1):
            own = Lane.SLOW
        if own is not lane:
            return False
        if lane is Lane.QUICK:
            return True
        turns = self._running[lane].by_asker.items()
        return sum(count for other, count in turns if other.anyone == asker.anyone) < self._size

    def _turns(self, asker: Asker) -> tuple[int, ...]:
        """How many turns an asker's key has, and when it had its last; then the same of its uploader, where strangers
        come after those who are known; then who came first."""
        of_key = of_uploader = 0
        for running in self._running.values():
            for other, count in running.by_asker.items():
                if other.key == asker.key:
                    of_key += count
                    of_uploader += count * (other.uploader == asker.uploader)
        of_key_at, of_uploader_at = self._served.get(asker[:1], 0), self._served.get(asker[:2], 0)
        stranger = int(self._cost_s(asker) is None)
        return of_key, of_key_at, of_uploader, stranger, of_uploader_at, self._waiting[asker][0].number

    def _note(self, asker: Asker) -> None:
        self._given += 1
        if len(self._served) > _MAX_REMEMBERED:
            self._served.clear()
        self._served[asker[:1]] = self._served[asker[:2]] = self._given
