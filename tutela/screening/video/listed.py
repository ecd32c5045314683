"""A video that a curator holds, hashed for a list: frames as the vPDQ tool makes them, and views to find crops by."""

from typing import Any

from tutela.content.media.content import Mode
from tutela.content.media.isolation import WorkerPool
from tutela.content.media.limits import Limits
from tutela.content.signals.base import WHOLE, Sample
from tutela.content.signals.vpdq import VPDQ
from tutela.errors import TutelaError
from tutela.lists.banks.model import NewEntry
from tutela.lists.banks.values import composite_entry
from tutela.screening.video.task import StretchTask, read_batch

SECONDS_PER_HASH = 0.1
"""Frames so far apart are hashed; of those that look alike only one each half second is listed. That is denser than the
vPDQ tool's own second, so that an upload that is sampled sparsely finds a frame close by."""


def frames_of(
    content: bytes, pool: WorkerPool, limits: Limits, seconds_per_hash: float = SECONDS_PER_HASH
) -> list[Sample]:
    """The frames of a video with their times, and further views of some. In exact mode, for hashes to share.

    Raises UnscreenableError where it cannot be decoded as a whole: a list is not made from a part.
    """
    parts: list[Any] = []
    asked = StretchTask(step_s=seconds_per_hash, numbered=True, listing=True)
    pool.run(content, asked.options(Mode.EXACT, limits), parts.append, timeout_s=limits.video_timeout_s)
    samples = [sample for part in parts if "frames" in part for sample in read_batch(part).samples]
    if not samples:
        raise TutelaError("a worker gave no frame of a video")
    return samples


def entry_of(samples: list[Sample], reference: str = "", label: str | None = None, note: str | None = None) -> NewEntry:
    """The vPDQ entry of a video's frames and views."""
    whole = [sample for sample in samples if sample.view == WHOLE]
    views = [sample for sample in samples if sample.view != WHOLE]
    return composite_entry(VPDQ.name, whole, "operator", reference, label, note, views)
