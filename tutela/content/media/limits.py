"""The section [limits]: what content may cost, and what is expected of uploads."""

from dataclasses import dataclass

from tutela.content.media.profile import Profile
from tutela.content.views.view_set import ViewSet
from tutela.foundation.options import require, require_positive


@dataclass(frozen=True, slots=True)
class Limits:
    """What one piece of content may cost before it is held instead of decoded."""

    max_bytes: int = 64 * 1024 * 1024
    """Largest content that is answered at once, in bytes; a longer one is a job."""
    max_pixels: int = 100_000_000
    """Largest picture that is decoded, in pixels."""
    max_memory_bytes: int = 1024 * 1024 * 1024
    """Memory that one decoding worker may take beyond what it starts with."""
    timeout_s: float = 10.0
    """Seconds that one picture may take to decode."""
    views: ViewSet = ViewSet.STANDARD
    """How many views of each picture are looked up: plain, standard or thorough."""
    max_depth: int = 8
    """How deep containers lie in each other before the inner ones are held."""
    max_parts: int = 5_000
    """Files, pages and frames inside one piece of content, at every depth together; ten times as many in a job."""
    max_expanded_bytes: int = 512 * 1024 * 1024
    """Bytes that come out of containers, at every depth together."""
    max_ratio: int = 100
    """How many times the content's own length may come out of it, once that is more than 64 MiB."""
    video_timeout_s: float = 300.0
    """Seconds that one video may take, over all workers that examine it."""
    max_gap_s: float = 2.0
    """Most seconds between two samples of a video; in a short video they are closer."""
    profile: Profile = Profile.PICTURES
    """What uploads are expected to be: `pictures` (and films), or `files` of every kind. What shows nothing passes or
    is held by it."""

    def __post_init__(self) -> None:
        require_positive(self, "max_bytes", "max_pixels", "max_memory_bytes", "timeout_s", "max_depth", "max_parts")
        require_positive(self, "max_expanded_bytes", "max_ratio", "video_timeout_s")
        require(0.25 <= self.max_gap_s <= 10.0, "max_gap_s", "must be from 0.25 to 10")
