"""Examinations: content handed to an isolated worker, and the samples of every computable signal that come back.

The answer crosses back as JSON, so that a decoder which was taken over can lie but not run code in the service. What
runs in the worker is in `tutela.screening.inspection`.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from pydantic_core import to_jsonable_python

from tutela.content.media.content import Mode
from tutela.content.media.content_file import ContentFile
from tutela.content.media.isolation import PoolOfAsker, WorkerPool
from tutela.content.media.limits import Limits
from tutela.content.signals.base import Region, Sample
from tutela.errors import TutelaError, UnscreenableError
from tutela.screening.verdict import Reason

TASK = "tutela.screening.inspection:task"
BYTES_A_SECOND = 1_000_000
"""So many bytes of a picture give it a second beyond the usual time."""
_OTHER_BYTES_A_SECOND = 100_000
"""Of anything else: a page of text is three thousand bytes, and takes some hundredths of a second."""


@dataclass(frozen=True, slots=True)
class Examination:
    """What a worker saw in one piece of content."""

    samples: tuple[Sample, ...] = ()
    shortcomings: tuple[Reason, ...] = ()
    """Why the content is not, or not wholly, screened; empty when it is."""
    media_type: str | None = None
    width: int | None = None
    height: int | None = None
    links: tuple[tuple[str, str], ...] = ()
    """Links in text and documents, each with the part that it lies in."""


def options(mode: Mode, limits: Limits) -> dict[str, Any]:
    """The task's options as JSON carries them: to name the value of an enumeration takes longer than all else in a
    request to a worker, so that is done once and not for each."""
    return {"mode": mode.value, "limits": to_jsonable_python(asdict(limits))}


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
            tuple((str(url), str(part)) for url, part in document.get("links", ())),
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise TutelaError("a worker's answer is not an examination: {error!r}", error=error) from error


def examine_isolated(
    pool: WorkerPool | PoolOfAsker,
    content: bytes | memoryview | ContentFile,
    task_options: Mapping[str, Any],
    *,
    is_picture: bool,
) -> Examination:
    """The examination of content in a worker. Where the worker does not come to an end, what it found until then, with
    the reason.

    Content is examined once. It has the usual time, and more the longer it is, up to the time of a film: an animation,
    a document of many pages or an archive with films in it pays for its time with its bytes. Raises TutelaError for a
    fault of ours.
    """
    limits = task_options["limits"]
    most_s = max(limits["timeout_s"], limits["video_timeout_s"])
    rate = BYTES_A_SECOND if is_picture else _OTHER_BYTES_A_SECOND
    longer_s = min(most_s, limits["timeout_s"] + len(content) / rate)
    return _examine(pool, content, {**task_options, "limits": {**limits, "timeout_s": longer_s}}, longer_s)


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
