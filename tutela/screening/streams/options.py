"""What an operator chooses for live streams: the section `[streams]`."""

from dataclasses import dataclass

from tutela.foundation.options import require, require_positive


@dataclass(frozen=True, slots=True)
class StreamOptions:
    """How live streams are watched, and when one is paused or cut."""

    max_streams: int = 0
    """Streams that one process watches at once; one more is refused. 0: sixteen for each decoding worker."""
    max_gap_s: float = 2.0
    """Seconds of a stream between two samples, whatever its key frames are."""
    random_share: float = 0.25
    """Share of key-frame intervals in which one frame more is sampled, at a moment that the sender cannot foresee."""
    closely_s: float = 0.2
    """Seconds between two samples while a stream is paused."""
    second_hit_s: float = 10.0
    """A second hit within so many seconds of the first cuts the stream; without one, viewers are let in again."""
    certain_distance: int = 8
    """A match of a bank that blocks, at this distance or nearer, cuts at once, ..."""
    certain_quality: int = 50
    """... where the frame has at least this quality."""
    lease_s: float = 3.0
    """Seconds after which a stream is ended if part of it was left unexamined."""
    admit_s: float = 4.0
    """Seconds that a publisher waits for its watcher before it is refused; shorter than the server's own patience."""
    first_frame_s: float = 15.0
    """Seconds after admission within which a first frame must be cleared; otherwise the stream is ended."""
    refused_minutes: float = 15.0
    """Minutes for which a publisher that was cut is refused. Anything longer is a person's decision."""
    reconcile_s: float = 5.0
    """Seconds between questions to each media server about what runs there; a stream without a watcher is ended."""
    clip_s: float = 30.0
    """Seconds before the cut that are sealed as evidence."""
    max_followed: int = 8
    """Streams that are decoded throughout because their key frames are late or they are paused; one more is ended."""
    indicators: bool = False
    """Whether the platform's events about payments, viewers and accounts rank streams for a person to look at."""

    def __post_init__(self) -> None:
        require(self.max_streams >= 0, "max_streams", "must be 0 or more")
        require(0.5 <= self.max_gap_s <= 10.0, "max_gap_s", "must be from 0.5 to 10")
        require(0.0 < self.random_share <= 1.0, "random_share", "must be above 0 and at most 1")
        require(0.05 <= self.closely_s <= 1.0, "closely_s", "must be from 0.05 to 1")
        require(self.certain_distance >= 0, "certain_distance", "must be 0 or more")
        require(self.lease_s > self.max_gap_s, "lease_s", "must be longer than max_gap_s")
        require_positive(self, "second_hit_s", "admit_s", "first_frame_s", "refused_minutes", "reconcile_s")
        require_positive(self, "clip_s", "max_followed")
