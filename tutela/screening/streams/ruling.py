"""What follows from what was seen of a stream, as pure functions: pause at a first hit, cut at a second or at a certain
one, release where nothing further is found.

A single picture entry may match by chance, or by a television in the background. So the first hit only keeps viewers
out while the stream is watched closely. What cannot be examined is treated in the same way.
"""

from dataclasses import dataclass, replace

from tutela.lists.banks.model import Action
from tutela.screening.streams.model import LIVE, Sight, StreamState, StreamStep
from tutela.screening.streams.options import StreamOptions
from tutela.screening.verdict import Match

CERTAIN, SECOND, UNEXAMINED, ALWAYS_DOUBTED = "certain-match", "second-match", "not-examined", "paused-for-too-long"
FIRST, NOTHING_SEEN, UNWATCHED = "first-match", "no-frame-cleared", "unwatched"
IN_DOUBT = "ended-in-doubt"
"""It ended while it was paused for a match: a person looks at what it was."""
_LONGEST_PAUSES = 6
"""A stream that is paused for so many times the wait for a second hit, with faults in between, is cut."""
_KEPT = 16


@dataclass(frozen=True, slots=True)
class Standing:
    """Where one stream stands."""

    state: StreamState = StreamState.WAITING
    hits: tuple[Sight, ...] = ()
    """The last sights that matched."""
    faults: tuple[Sight, ...] = ()
    """The last that could not be examined."""
    paused_at: float | None = None


@dataclass(frozen=True, slots=True)
class StreamRuling:
    """Where a stream stands now, what is to be done, and why."""

    standing: Standing
    step: StreamStep = StreamStep.NONE
    why: str = ""


def rule(standing: Standing, sight: Sight, options: StreamOptions) -> StreamRuling:
    """What follows from one more sight."""
    if standing.state not in LIVE:
        return StreamRuling(standing)
    matches = counting(sight)
    if any(is_certain(match, options) for match in matches):
        return _cut(_with_hit(standing, sight), CERTAIN)
    if matches:
        return _hit(standing, sight, options)
    if sight.fault is not None:
        return _fault(standing, sight, options)
    return _clean(standing, sight, options)


def counting(sight: Sight) -> list[Match]:
    """The matches that count: of banks that only log, none does."""
    return [match for match in sight.matches if match.action is not Action.LOG and match.suppressed_by is None]


def is_certain(match: Match, options: StreamOptions) -> bool:
    """Whether a match needs no second one."""
    clear = match.quality is None or match.quality >= options.certain_quality
    return match.action is Action.BLOCK and clear and match.distance <= options.certain_distance


def overdue(standing: Standing, waited_s: float, now: float, options: StreamOptions) -> StreamRuling:
    """What follows from time alone: `waited_s` since the stream was admitted, `now` on the clock of its sights."""
    if standing.state is StreamState.WAITING and waited_s > options.first_frame_s:
        return StreamRuling(replace(standing, state=StreamState.DROPPED), StreamStep.DROP, NOTHING_SEEN)
    paused_s = now - (now if standing.paused_at is None else standing.paused_at)
    if standing.state is StreamState.PAUSED and paused_s > _LONGEST_PAUSES * options.second_hit_s:
        return _cut(standing, ALWAYS_DOUBTED)
    return StreamRuling(standing)


def _hit(standing: Standing, sight: Sight, options: StreamOptions) -> StreamRuling:
    earlier = [
        hit for hit in standing.hits if sight.at - hit.at <= options.second_hit_s and hit.seconds != sight.seconds
    ]
    standing = _with_hit(standing, sight)
    return _cut(standing, SECOND) if earlier else _paused(standing, sight, FIRST)


def _fault(standing: Standing, sight: Sight, options: StreamOptions) -> StreamRuling:
    earlier = [fault for fault in standing.faults if sight.at - fault.at <= options.second_hit_s]
    standing = replace(standing, faults=(*standing.faults, sight)[-_KEPT:])
    return _cut(standing, UNEXAMINED) if earlier else _paused(standing, sight, sight.fault or UNEXAMINED)


def _clean(standing: Standing, sight: Sight, options: StreamOptions) -> StreamRuling:
    if standing.state is StreamState.WAITING:
        return StreamRuling(replace(standing, state=StreamState.RUNNING), StreamStep.CLEAR)
    if standing.state is StreamState.PAUSED:
        last = max((doubt.at for doubt in (*standing.hits, *standing.faults)), default=sight.at)
        if sight.at - last > options.second_hit_s:
            return StreamRuling(replace(standing, state=StreamState.RUNNING, paused_at=None), StreamStep.RELEASE)
    return StreamRuling(standing)


def _paused(standing: Standing, sight: Sight, why: str) -> StreamRuling:
    if standing.state is StreamState.PAUSED:
        return StreamRuling(standing)
    return StreamRuling(replace(standing, state=StreamState.PAUSED, paused_at=sight.at), StreamStep.PAUSE, why)


def _with_hit(standing: Standing, sight: Sight) -> Standing:
    return replace(standing, hits=(*standing.hits, sight)[-_KEPT:])


def _cut(standing: Standing, why: str) -> StreamRuling:
    return StreamRuling(replace(standing, state=StreamState.CUT), StreamStep.CUT, why)
