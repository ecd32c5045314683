"""Under `video.py`: a stream's packets in groups, a key frame and what follows it; and when each frame is shown.

Runs in isolated workers.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from av.packet import Packet
from av.video.stream import VideoStream

from tutela.content.media.confined.stretch import Stretch
from tutela.content.media.confined.video_file import Clock

if TYPE_CHECKING:
    VideoPacket = Packet[VideoStream]
else:
    VideoPacket = Packet  # generic for type checkers only

_MOST_BYTES = 32 * 1024 * 1024
_AHEAD = 16
"""Packets that are read ahead to know how long a frame is shown: as far as H.264 and HEVC reorder."""


@dataclass(slots=True)
class Group:
    """A key frame and the frames that follow it, up to the next, in the order in which they are decoded."""

    begin: float
    end: float
    packets: list[tuple[float, VideoPacket]] = field(default_factory=list)
    """When each is shown. Only the key frame's where the group is too long to be kept."""

    @property
    def key(self) -> VideoPacket:
        """The key frame."""
        return self.packets[0][1]

    def after_key(self) -> VideoPacket | None:
        """The frame behind the key frame that needs nothing else to be decoded."""
        return next((packet for seconds, packet in self.packets[1:] if seconds > self.begin), None)

    def shown_at(self, moment: float) -> float:
        """When the frame begins to be shown that is seen at that moment."""
        return max((seconds for seconds, _ in self.packets if seconds <= moment), default=self.begin)

    def up_to(self, target: float) -> Iterator[tuple[float, VideoPacket]]:
        """What must be decoded to have the frame that begins to be shown then."""
        for seconds, packet in self.packets:
            if seconds >= self.begin:  # what is shown before the key frame refers to the group before
                yield seconds, packet
            if seconds == target:
                return


def groups(packets: Iterable[VideoPacket], clock: Clock, stretch: Stretch, most_s: float) -> Iterator[Group]:
    """The groups whose key frames lie in the stretch. Of one longer than `most_s` only the key frame is kept."""
    group: Group | None = None
    held = 0
    for packet in packets:
        seconds = clock.packet_seconds(packet)
        ends = packet.is_keyframe or seconds >= stretch.end
        if not packet.size:
            continue
        if group is not None and ends:
            group.end = max(group.begin, min(seconds, stretch.end))
            yield group
            group = None
        if seconds >= stretch.end:
            return
        if packet.is_keyframe and seconds >= stretch.begin:
            group, held = Group(seconds, seconds, [(seconds, packet)]), packet.size
        elif group is not None:
            group.end = max(group.end, seconds + clock.frame_s)
            held += packet.size
            if seconds - group.begin > most_s or held > _MOST_BYTES:
                held = _MOST_BYTES
                del group.packets[1:]
            else:
                group.packets.append((seconds, packet))
    if group is not None:
        yield group


def shown_until(packets: Iterable[VideoPacket], clock: Clock) -> Iterator[tuple[float, float, VideoPacket]]:
    """(from when, until when it is shown, packet) in the order of decoding."""
    window: deque[tuple[float, VideoPacket]] = deque()
    earlier: deque[float] = deque(maxlen=_AHEAD)

    def first() -> tuple[float, float, VideoPacket]:
        seconds, packet = window.popleft()
        later = [at for at in (*earlier, *(item[0] for item in window)) if at > seconds]
        earlier.append(seconds)
        return seconds, min(later, default=float("inf")), packet

    for packet in packets:
        window.append((clock.packet_seconds(packet), packet))
        if len(window) > _AHEAD:
            yield first()
    while window:
        yield first()
