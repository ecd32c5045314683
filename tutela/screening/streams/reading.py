"""What a receiver is asked to read, as its nursery is told."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tutela.errors import TutelaError
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


def pipe_of(url: str) -> tuple[str, ...]:
    """The program that reads an address whose protocol the library lacks, as a transport stream; empty for all others.

    Raises TutelaError where the program is missing.
    """
    if not url.startswith("srt:"):
        return ()
    program = shutil.which("ffmpeg")
    if program is None:
        raise TutelaError("SRT is read through the program ffmpeg, which is not installed")
    quietly = ("-nostdin", "-loglevel", "quiet")
    # Little is read to find out what a stream is, and none of it is thrown away, as `nobuffer` does: that hid up to
    # five seconds at the beginning.
    probing = ("-probesize", "65536", "-analyzeduration", "200000", "-fflags", "+flush_packets")
    return (program, *quietly, *probing, "-i", url, "-map", "0", "-c", "copy", "-f", "mpegts", "pipe:1")
