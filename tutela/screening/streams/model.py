"""Live streams as values: who publishes what where, what was seen of it, and the states between admission and the end.

A *cut* ends a stream because of what it shows; a stream that merely cannot be watched is *dropped*.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from tutela.screening.verdict import Match

_LONGEST_NAME = 250


@dataclass(frozen=True, slots=True)
class Channel:
    """Where a stream runs: the name by which its media server knows it."""

    server: str
    """The media server, as the settings call it."""
    app: str
    """The server's application, room or virtual host."""
    name: str

    @property
    def item(self) -> str:
        """The channel in one word, as cases name it."""
        return f"{self.server}/{self.app}/{self.name}"

    @property
    def is_plain(self) -> bool:
        """Whether a server, an address and a list of what runs all read the name alike, so that what is watched is what
        is published."""
        whole = f"{self.app}/{self.name}" if self.app else self.name
        parts = whole.split("/")
        return (
            len(whole) <= _LONGEST_NAME
            and not any(part in ("", ".", "..") or part != part.strip() for part in parts)
            and not any(character in "?#%&\\" for character in whole)
            and whole.isprintable()
        )


@dataclass(frozen=True, slots=True)
class Publication:
    """What a media server says of somebody who wants to publish."""

    channel: Channel
    publisher: str = ""
    """The platform's own opaque id of whoever publishes; the channel's name where it gives none."""
    session: str = ""
    """The server's id of the connection, by which it is ended."""
    address: str = ""
    """Where the publisher connects from; it is sealed with evidence and kept nowhere else."""

    @property
    def who(self) -> str:
        """By which a publisher that was cut is known again."""
        return self.publisher or self.channel.item


class StreamState(StrEnum):
    """How far a stream is."""

    WAITING = "waiting"
    """Admitted; nobody may watch before its first frame was cleared."""
    RUNNING = "running"
    PAUSED = "paused"
    """Something matched, or could not be examined: viewers are out until it is clear what it was."""
    CUT = "cut"
    """Ended because of what it showed."""
    DROPPED = "dropped"
    """Ended because it could not be watched; nothing is held against anybody."""
    ENDED = "ended"
    """Its publisher ended it."""


LIVE = (StreamState.WAITING, StreamState.RUNNING, StreamState.PAUSED)


class StreamStep(StrEnum):
    """What a ruling asks for."""

    NONE = "none"
    CLEAR = "clear"
    """The first frame was cleared: viewers may come."""
    PAUSE = "pause"
    RELEASE = "release"
    """Nothing further was found: viewers may come again."""
    CUT = "cut"
    DROP = "drop"


@dataclass(frozen=True, slots=True)
class Sight:
    """What was seen of one sampled frame, or that it could not be seen."""

    at: float
    """When it was examined; seconds of a monotonic clock."""
    seconds: float
    """When it is shown, in seconds from the stream's start."""
    matches: tuple[Match, ...] = ()
    """Of banks of known material, without those that allow lists cover."""
    fault: str | None = None
    """The reason code for which it could not be examined."""


class ScreenedFrames(StrEnum):
    """Why frames are sampled."""

    KEY = "key"
    RANDOM = "random"
    """At a moment that the sender cannot foresee."""
    NEW = "new"
    """A frame between key frames that carries as much as a new picture."""
    FOLLOWED = "followed"
    """Decoded throughout: key frames are late, or the stream is paused."""


@dataclass(frozen=True, slots=True)
class Codec:
    """What is needed to decode a stream's frames."""

    name: str
    extradata: bytes = b""
    width: int = 0
    height: int = 0


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet of a video stream, not decoded."""

    seconds: float
    """When its frame is shown."""
    data: bytes
    key: bool = False
    disposable: bool = False
    """Whether no other frame refers to it."""


@dataclass(frozen=True, slots=True)
class Look:
    """Packets to be decoded for some frames of theirs."""

    frames: ScreenedFrames
    packets: tuple[Packet, ...]
    """In decoding order."""
    due: tuple[float, ...]
    """When the frames that are wanted are shown."""
    fresh: bool = True
    """Whether the packets begin with a key frame; else they follow on those of the look before."""
    track: int = 0
    """Which of the stream's video tracks, from 0."""
    handed_at: float | None = None
    """When the receiver had it whole, on the system's monotonic clock."""


@dataclass(frozen=True, slots=True)
class Running:
    """A publisher as its media server lists it."""

    channel: Channel
    session: str = ""


class MediaServer(Protocol):
    """One media server, asked from here. What fails raises HttpError or OSError."""

    name: str
    fails_open: bool
    """Whether streams run there while its hooks are not answered."""
    subscribes_first: bool
    """Whether a watcher may subscribe before the publisher is let in."""
    adopts: bool
    """Whether it asks nobody: streams that it lists are watched from then on."""
    keeps_viewers_out: bool
    """Whether viewers of a paused stream can be sent away. Otherwise its publisher is."""

    def address(self, channel: Channel, token: str) -> str:
        """Where a watcher reads the stream; the server's play hook hears the token."""

    def cut(self, channel: Channel, session: str) -> int:
        """End the publisher's connection; how many connections that ended."""

    def dismiss(self, channel: Channel, viewers: Sequence[str]) -> None:
        """End these viewers' connections. A server whose own gate keeps them out does nothing."""

    def purge(self, channel: Channel, since: float, others: Collection[Channel] = ()) -> int:
        """Remove segments that hold anything after that moment (seconds since the epoch); how many.

        `others` are streams there that are watched for themselves: what is theirs stays.
        """

    def running(self) -> Sequence[Running]:
        """Every publisher that the server has now."""


@dataclass(frozen=True, slots=True)
class StreamFacts:
    """A stream as the store, the console and the command line know it. Never a picture."""

    id: str
    channel: Channel
    state: StreamState
    since: float
    """When it was admitted, seconds since the epoch."""
    cleared_at: float | None
    """When a frame of it was last cleared, seconds since the epoch."""
    ended_at: float | None = None
    why: str = ""
    """Why it was paused, cut or dropped: a reason code."""
    samples: int = 0
    hits: int = 0
    pauses: int = 0
    unwatched_s: float = 0.0
    """Seconds for which something of it waited longer than its lease."""
    lag_s: float = 0.0
    """How long its last sample took from its arrival to its ruling."""
    late_keys: bool = False
    """Whether its key frames are further apart than samples may be."""
    verdict: str | None = None
    """Of the cut; by it the case is found."""
    refused_until: float | None = None
    """Until when its publisher is refused, seconds since the epoch."""


@dataclass(frozen=True, slots=True)
class StreamEvent:
    """One line of a stream's time line."""

    at: float
    """Seconds since the epoch."""
    kind: str
    detail: Mapping[str, str | int | float | bool | None] = field(default_factory=dict)


def stream_document(facts: StreamFacts) -> dict[str, str | int | float | bool | None]:
    """A stream as a JSON object."""
    return {
        "id": facts.id,
        "server": facts.channel.server,
        "app": facts.channel.app,
        "name": facts.channel.name,
        "state": facts.state.value,
        "why": facts.why,
        "since": facts.since,
        "cleared_at": facts.cleared_at,
        "ended_at": facts.ended_at,
        "samples": facts.samples,
        "hits": facts.hits,
        "pauses": facts.pauses,
        "unwatched_s": facts.unwatched_s,
        "lag_s": facts.lag_s,
        "late_keys": facts.late_keys,
        "verdict": facts.verdict,
        "refused_until": facts.refused_until,
    }


def read_facts(document: Mapping[str, Any]) -> StreamFacts:
    """The stream of a document that `stream_document` made."""
    told = dict(document)
    channel = Channel(told.pop("server"), told.pop("app"), told.pop("name"))
    return StreamFacts(channel=channel, state=StreamState(told.pop("state")), **told)
