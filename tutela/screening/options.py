"""The section [screening]: what happens to content that was not wholly screened, and when a video matches."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tutela.foundation.options import require, require_positive
from tutela.screening.decision import Decision
from tutela.screening.reason_codes import require_overridable


@dataclass(frozen=True, slots=True)
class VideoRule:
    """When a video matches an entry that is a video.

    Either so much of the upload's frames match (the vPDQ tool's rule, with its defaults), or a stretch of both videos
    runs along for long enough and shows pictures that differ: a still that both hold for long proves nothing.
    """

    min_upload_share: float = 0.8
    """Share of the upload's frames that must match."""
    min_entry_share: float = 0.0
    """Share of the entry's frames that must match, beside the upload's share."""
    min_run_s: float = 2.0
    """Or a run of this many seconds in both videos, ..."""
    min_run_frames: int = 3
    """... with this many matching frames, ..."""
    min_run_pictures: int = 2
    """... that show this many different pictures."""
    max_window_distance: int = 18
    """A run that is seen through windows around landmarks alone needs frames that come so near on the median, ..."""
    min_window_frames: int = 12
    """... or so many of them: single windows of different films resemble each other more than whole frames do."""
    min_poor_pictures: int = 4
    """Pictures that differ in a run of parts of frames that all have little in them."""

    def __post_init__(self) -> None:
        require(0.0 < self.min_upload_share <= 1.0, "min_upload_share", "must be above 0 and at most 1")
        require(0.0 <= self.min_entry_share <= 1.0, "min_entry_share", "must be from 0 to 1")
        require_positive(self, "min_run_s", "min_run_pictures", "min_window_frames", "min_poor_pictures")
        require(self.min_run_frames >= 2, "min_run_frames", "must be at least 2")
        require(self.max_window_distance >= 0, "max_window_distance", "must be at least 0")


@dataclass(frozen=True, slots=True)
class ScreeningPolicy:
    """What happens to content that could not be screened, or not wholly."""

    overrides: Mapping[str, Decision] = field(default_factory=dict)
    """Decision by reason code (`unsupported-type`, `damaged`, `partly-screened`, `timeout`, ...); what is not named is
    held."""
    video: VideoRule = VideoRule()
    follows_links: bool = False
    """Whether shortened links in checks are followed, to where their shorteners say that they lead: by a process of its
    own, which asks shorteners alone and connects to public addresses alone."""

    def __post_init__(self) -> None:
        require_overridable(self.overrides, "overrides")

    def on(self, code: str) -> Decision:
        """The decision for content with that shortcoming."""
        return self.overrides.get(code, Decision.HOLD)
