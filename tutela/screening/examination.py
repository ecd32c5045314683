"""Examinations: content handed to an isolated worker, and the samples of every computable signal that come back.

The answer crosses back as JSON, so that a decoder which was taken over can lie but not run code in the service. What
runs in the worker is in `tutela.screening.inspection`.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from tutela.content.media.content import Limits, Mode, Shortcoming
from tutela.content.media.content_file import ContentFile
from tutela.content.media.isolation import PoolOfAsker, WorkerPool
from tutela.content.media.sniff import PICTURES, MediaType, sniff
from tutela.content.signals.base import Region, Sample
from tutela.errors import TutelaError, UnscreenableError
from tutela.screening.verdict import Reason

TASK = "tutela.screening.inspection:task"
BYTES_A_SECOND = 1_000_000
"""So many bytes of a picture give it a second beyond the usual time."""


@dataclass(frozen=True, slots=True)
class Examination:
    """What a worker saw in one piece of content."""

    samples: tuple[Sample, ...] = ()
    shortcomings: tuple[Reason, ...] = ()
    """Why the content is not, or not wholly, screened; empty when it is."""
    media_type: str | None = None
    width: int | None = None
    height: int | None = None


def options(mode: Mode, limits: Limits) -> dict[str, Any]:
    """The task's options as JSON carries them."""
    return {"mode": mode.value, "limits": asdict(limits)}


def read_examination(document: Any) -> Examination:
    """The examination in a worker's answer. Raises TutelaError when the answer is not of its form."""
    try:
        parts = document.get("parts", ())
        return Examination(
            tuple(_sample(fields) for found in (*parts, document) for fields in found["samples"]),
            tuple(Reason(str(code), str(message)) for code, message in document["shortcomings"]),
            document["media_type"],
            document["width"],
            document["height"],
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise TutelaError(f"a worker's answer is not an examination: {error!r}") from error


def examine_isolated(
    pool: WorkerPool | PoolOfAsker, content: bytes | memoryview | ContentFile, task_options: Mapping[str, Any]
) -> Examination:
    """The examination of content in a worker. Where the worker does not come to an end, what it found until then, with
    the reason. A long document, or content with a film in it, is given the time of a film, and examined once more.

    Raises TutelaError for a fault of ours.
    """
    limits = task_options["limits"]
    if sniff(content.view() if isinstance(content, ContentFile) else content) in PICTURES:
        # Once, and for longer where there is more of it: an animation pays for its time with its bytes.
        most_s = max(limits["timeout_s"], limits["video_timeout_s"])
        longer_s = min(most_s, limits["timeout_s"] + len(content) / BYTES_A_SECOND)
        return _examine(pool, content, {**task_options, "limits": {**limits, "timeout_s": longer_s}}, longer_s)
    found = _examine(pool, content, task_options, None)
    if not _needs_longer(found) or limits["video_timeout_s"] <= limits["timeout_s"]:
        return found
    longer_s = limits["video_timeout_s"]
    again = _examine(pool, content, {**task_options, "limits": {**limits, "timeout_s": longer_s}}, longer_s)
    return replace(again, samples=tuple(dict.fromkeys((*found.samples, *again.samples))))


def _needs_longer(found: Examination) -> bool:
    """Whether time ran out over what has a length: a film, or a document of many pages."""
    cut_short = any(reason.code == Shortcoming.TIMEOUT for reason in found.shortcomings)
    has_film = any(sample.seconds is not None for sample in found.samples)
    return cut_short and (has_film or found.media_type == MediaType.PDF)


def _examine(
    pool: WorkerPool | PoolOfAsker,
    content: bytes | memoryview | ContentFile,
    task_options: Mapping[str, Any],
    timeout_s: float | None,
) -> Examination:
    parts: list[Any] = []
    try:
        last = pool.run(content, task_options, parts.append, timeout_s=timeout_s)
    except UnscreenableError as error:
        last = {"samples": (), "shortcomings": [(error.reason, str(error))]}
        last |= dict.fromkeys(("media_type", "width", "height"))
    return read_examination({**last, "parts": parts})


def _sample(fields: Any) -> Sample:
    signal, value, view, quality, region, part, seconds = fields
    return Sample(
        str(signal),
        bytes.fromhex(value),
        str(view),
        None if quality is None else int(quality),
        None if region is None else Region(*map(float, region)),
        str(part),
        None if seconds is None else float(seconds),
    )
