"""What a receiver is asked to read, as its nursery is told."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tutela.screening.streams.sampling import SamplingPlan


@dataclass(frozen=True, slots=True)
class StreamReading:
    """What a receiver is asked to read."""

    url: str
    plan: SamplingPlan
    seed: str
    clip_s: float
    open_s: float
    """Seconds until there must be a stream."""
    silence_s: float
    """Seconds without a packet after which the stream has ended."""
    pipe: tuple[str, ...] = ()
    """A program whose output is the stream, for protocols that the library lacks."""

    def fields(self) -> dict[str, Any]:
        """As JSON carries it."""
        return {
            "url": self.url,
            "plan": [self.plan.max_gap_s, self.plan.random_share],
            "seed": self.seed,
            "clip_s": self.clip_s,
            "open_s": self.open_s,
            "silence_s": self.silence_s,
            "pipe": list(self.pipe),
        }

    @classmethod
    def read(cls, fields: Mapping[str, Any]) -> "StreamReading":
        """What `fields` wrote."""
        times = {name: float(fields[name]) for name in ("clip_s", "open_s", "silence_s")}
        return cls(fields["url"], SamplingPlan(*fields["plan"]), fields["seed"], pipe=tuple(fields["pipe"]), **times)
