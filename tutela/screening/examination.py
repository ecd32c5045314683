"""The task that runs inside an isolated worker: bytes in, samples of every computable signal out.

The answer crosses back as JSON, so that a decoder which was taken over can lie but not run code in the service.
"""

import json
from dataclasses import dataclass, field

from tutela.errors import UnscreenableError
from tutela.media.content import Content, Limits, Mode
from tutela.screening.verdict import Reason
from tutela.signals.base import Computable, Kind, Sample
from tutela.signals.registry import signal_types

TASK = "tutela.screening.examination:examine"


@dataclass(frozen=True, slots=True)
class Examination:
    """What a worker saw in one piece of content."""

    samples: tuple[Sample, ...] = ()
    shortcomings: tuple[Reason, ...] = ()
    media_type: str | None = None
    width: int | None = None
    height: int | None = None
    missing: tuple[str, ...] = field(default=())
    """Signal types that could not be computed."""
