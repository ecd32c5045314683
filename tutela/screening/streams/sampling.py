"""Which frames of a running stream are looked at, chosen by packets alone: nothing is decoded here.

Every key frame; one frame at a random moment in a random share of the intervals between them; a frame that carries as
much as a new picture; and, where key frames are late or the stream is in doubt, a frame in every step of a decoding
that follows the stream. The dice are the watcher's: a sender that shows one thing in the frames that are sampled and
another between them would have to foresee them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from tutela.screening.streams.model import Look, Packet, ScreenedFrames

TOLERANCE = 1.1
"""Key frames that are meant to be two seconds apart are sometimes a frame or two further."""
NEW_SHARE, NEW_TIMES, NEW_EVERY_S = 0.3, 3.0, 0.5
"""A frame carries a new picture where it has this share of its key frame's bytes and so many times the usual of the
frames between. Of several within so many seconds the first is looked at, and what is shown at a later moment that
nobody can foresee."""
_SOONEST_NEW = 0.4
_BY_TIME = 0.5
"""Share of the random moments that are drawn by time; the others are drawn by frame."""
_SHORT_GROUPS = 3
"""After so many intervals of the right length, a stream with late key frames is no longer followed."""
_EARLIEST = 0.6
"""Of a step: the moment in it is random, and no two are further apart than the step."""


_BACK_S, _FORWARD_S = 1.0, 10.0
"""No clock of a sender is believed that goes further in one frame: back as frames out of order do, or forward."""
_LATE_S, _EARLY_S = 3.0, 20.0
"""Nor one that has fallen so far behind ours since the stream began, or is so far ahead: HLS begins some segments back.
"""
_MOST_FRAMES = 130
"""Of a clock that runs too slowly: after so many frames one is looked at, whatever the time is. Two seconds have fewer
at 60 frames a second."""
_STEP_S = 0.001


class Timeline:
    """The times of one track's frames, from a sender's clock that may be set, turned back, or stand still.

    What is sampled follows from them: a sender whose times were believed could have two seconds last for hours.
    """

    def __init__(self, begin: float, arrived: float) -> None:
        """`begin` is the time of the stream's first frame on the sender's clock, `arrived` when it came on ours."""
        self._offset = -begin
        self._arrived = arrived
        self._given: float | None = None
        self._last = 0.0

    def of(self, given: float, arrived: float) -> float:
        """The seconds of a frame since the stream began, whose time is given so and that came then."""
        at = given + self._offset
        ours = arrived - self._arrived
        is_sane = self._last - _BACK_S <= at <= self._last + _FORWARD_S and at <= ours + _EARLY_S
        if given == self._given or not is_sane:
            at = self._last + _STEP_S
        if ours - at > _LATE_S:
            at = ours
        if given != self._given:
            self._offset = at - given
        self._given, self._last = given, at
        return at


@dataclass(frozen=True, slots=True)
class SamplingPlan:
    """How closely a stream is sampled."""

    max_gap_s: float
    random_share: float


class Sampler:
    """Chooses looks from the packets of one video track, as they come in decoding order."""

    def __init__(self, plan: SamplingPlan, chance: Random, track: int = 0) -> None:
        self._plan = plan
        self._chance = chance
        self._track = track
        self._group: list[Packet] = []
        """What came since the last key frame, or since the last look that followed."""
        self._key: Packet | None = None
        self._random_at: float | None = None
        """When the frame between is looked at; never, where one is drawn from all of them at the interval's end."""
        self._last_s = 0.0
        self._new_from = float("-inf")
        """From when on a new picture is looked at."""
        self._has_news = False
        self._usual_bytes = 0.0
        self._following = False
        self._fresh = True
        self._due_s = 0.0
        self._short_groups = 0
        self._unseen = 0
        """Packets since one was looked at."""
        self._closely_s: float | None = None
        self._attends = False

    @property
    def late_keys(self) -> bool:
        """Whether the stream is followed because its key frames are late."""
        return self._following and self._closely_s is None

    def closely(self, step_s: float | None) -> list[Look]:
        """Follow the stream with a sample in every such step, from its last key frame on; None to go back to usual."""
        self._closely_s = step_s
        if step_s is None:
            return []
        self._due_s = min(self._due_s, self._last_s + step_s)
        return [] if self._following else self._begin_following()

    def attend(self, whole: bool) -> None:
        """Sample a random frame in every interval, or again in the usual share of them."""
        self._attends = whole

    def restart(self) -> list[Look]:
        """The next packet is a key frame of another form: what follows the stream begins anew with it. The looks that
        are to be had of what came before."""
        looks = self.finish()
        self._random_at = None
        self._group = []
        self._fresh = True
        return looks

    def finish(self) -> list[Look]:
        """The looks that are still to be had of what came, where nothing more does."""
        if self._following:
            return self._send(self._group[-1]) if self._group else []
        return self._drawn(self._group[-1].seconds if self._group else 0.0)

    def take(self, packet: Packet) -> list[Look]:
        """The looks that a packet completes."""
        if self._key is None and not packet.key:
            return []  # nothing before the first key frame can be shown
        if packet.key:
            return self._take_key(packet)
        self._group.append(packet)
        self._unseen += 1
        if self._following:
            return self._follow(packet)
        looks = []
        if self._random_at is not None and packet.seconds >= self._random_at:
            looks.append(self._moment(ScreenedFrames.RANDOM, len(self._group) - 2))
            self._random_at = None
        elif self._is_new(packet):
            looks.append(self._moment(ScreenedFrames.NEW, len(self._group) - 1))
        self._usual_bytes += 0.1 * (len(packet.data) - self._usual_bytes)
        if packet.seconds - self._last_s > self._plan.max_gap_s * TOLERANCE or self._unseen > _MOST_FRAMES:
            looks += self._begin_following()
        return looks

    def _take_key(self, packet: Packet) -> list[Look]:
        looks: list[Look] = []
        if self._following:
            length_s = packet.seconds - (self._key or packet).seconds
            self._short_groups = self._short_groups + 1 if length_s <= self._plan.max_gap_s * TOLERANCE else 0
            if self._closely_s is not None or self._short_groups < _SHORT_GROUPS:
                self._key = packet
                self._group.append(packet)
                return self._send(packet)
            self._following = False
        else:
            looks += self._drawn(packet.seconds)
        self._key, self._group = packet, [packet]
        self._short_groups, self._has_news = 0, False
        self._random_at = self._random_moment(packet) if self._chance.random() < self._share else None
        looks.append(self._moment(ScreenedFrames.KEY, 0))
        return looks

    @property
    def _share(self) -> float:
        return 1.0 if self._attends else self._plan.random_share

    def _random_moment(self, key: Packet) -> float:
        """A moment in the longest interval that there may be, or its end, where one of its frames is drawn.

        A sender foresees neither: how long it makes its intervals changes nothing, and times that it sets so that what
        it hides takes none, or frames that it adds to what it hides, change half of the draws.
        """
        longest_s = self._plan.max_gap_s * TOLERANCE
        return key.seconds + self._chance.uniform(0.0, longest_s) if self._chance.random() < _BY_TIME else float("inf")

    def _drawn(self, until: float) -> list[Look]:
        """At an interval's end: one of its frames, where its moment has not come."""
        if self._random_at is None or not self._group[1:]:
            return []
        place = self._chance.randrange(1, len(self._group))
        if self._random_at < float("inf"):
            begin = self._group[0].seconds
            moment = self._random_at if self._random_at <= until else self._chance.uniform(begin, max(begin, until))
            place = max((at for at, packet in enumerate(self._group) if packet.seconds <= moment), default=0)
        self._random_at = None
        return [self._moment(ScreenedFrames.RANDOM, place)]

    def _is_new(self, packet: Packet) -> bool:
        """Whether a new picture is shown, by this frame or since one that came too soon after another."""
        assert self._key is not None
        size = len(packet.data)
        self._has_news |= size >= NEW_SHARE * len(self._key.data) and size >= NEW_TIMES * self._usual_bytes
        if not self._has_news or packet.seconds < self._new_from:
            return False
        self._has_news = False
        self._new_from = packet.seconds + NEW_EVERY_S * self._chance.uniform(_SOONEST_NEW, 1.0)
        return True

    def _moment(self, frames: ScreenedFrames, place: int) -> Look:
        """A look of its own, decoded from the key frame on: at that, or at the frame in that place behind it."""
        packets = tuple(self._group[: 1 if frames is ScreenedFrames.KEY else max(1, place) + 1])
        self._unseen = 0
        self._last_s = max(self._last_s, packets[-1].seconds)
        return Look(frames, packets, (packets[-1].seconds,), track=self._track)

    def _begin_following(self) -> list[Look]:
        self._following, self._fresh, self._short_groups = True, True, 0
        return self._send(self._group[-1]) if self._group else []

    def _follow(self, packet: Packet) -> list[Look]:
        is_new = self._is_new(packet)
        self._usual_bytes += 0.1 * (len(packet.data) - self._usual_bytes)
        return self._send(packet) if is_new or packet.seconds >= self._due_s or self._unseen > _MOST_FRAMES else []

    def _send(self, packet: Packet) -> list[Look]:
        """What came since the last look, with this frame to be seen."""
        look = Look(ScreenedFrames.FOLLOWED, tuple(self._group), (packet.seconds,), self._fresh, self._track)
        self._fresh = False
        self._group = []
        self._unseen = 0
        self._last_s = packet.seconds
        step_s = self._closely_s or self._plan.max_gap_s
        self._due_s = packet.seconds + step_s * self._chance.uniform(_EARLIEST, 1.0)
        return [look]


def begins_anew(codec: str, extradata: bytes, data: bytes) -> bool:
    """Whether a frame that is marked as a key frame can be decoded without those before it.

    H.264 also marks points from which a picture is refreshed little by little: what is decoded from there on alone is a
    part of the picture, so they are no key frames here (ITU-T H.264, 7.4.1: an IDR picture has NAL units of type 5).
    """
    if codec != "h264":
        return True
    return any(kind == _IDR for kind in _nal_kinds(extradata, data))


_IDR = 5


def _nal_kinds(extradata: bytes, data: bytes) -> Iterator[int]:
    if extradata[:1] == b"\x01" and len(extradata) > 4:  # each unit behind its length (ISO/IEC 14496-15)
        size, at = (extradata[4] & 3) + 1, 0
        while at + size < len(data):
            length = int.from_bytes(data[at : at + size])
            yield data[at + size] & 31
            at += size + length
        return
    at = data.find(b"\0\0\1")  # each unit behind a start code (Annex B)
    while 0 <= at < len(data) - 3:
        yield data[at + 3] & 31
        at = data.find(b"\0\0\1", at + 3)
