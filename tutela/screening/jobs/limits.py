"""What a job may cost: more than an immediate answer."""

from dataclasses import dataclass, replace

from tutela.content.media.limits import Limits
from tutela.foundation.options import require_positive

_TIMES_PARTS = 10
_TIMES_BYTES = 4


@dataclass(frozen=True, slots=True)
class JobLimits:
    """Limits of content that is screened later."""

    max_bytes: int = 1024**3
    """Largest content that is screened as a job, in bytes. While it is screened it is in memory, once for each service
    process that screens one."""
    timeout_s: float = 600.0
    """Seconds that a job may take."""

    def __post_init__(self) -> None:
        require_positive(self, "max_bytes", "timeout_s")

    def over(self, limits: Limits) -> Limits:
        """The limits of a worker that does jobs, where those are of one that answers at once."""
        return replace(
            limits,
            max_bytes=max(self.max_bytes, limits.max_bytes),
            timeout_s=max(self.timeout_s, limits.timeout_s),
            video_timeout_s=max(self.timeout_s, limits.video_timeout_s),
            max_parts=limits.max_parts * _TIMES_PARTS,
            max_expanded_bytes=max(limits.max_expanded_bytes, _TIMES_BYTES * self.max_bytes),
        )
