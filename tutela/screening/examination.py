"""The task that runs inside an isolated worker: bytes in, samples of every computable signal out.

The answer crosses back as JSON, so that a decoder which was taken over can lie but not run code in the service.
"""

import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from tutela.content.media.confined.budget import Budget
from tutela.content.media.confined.walk import Place, walk
from tutela.content.media.content import Content, Limits, Mode, Shortcoming
from tutela.content.media.content_file import ContentFile
from tutela.content.media.isolation import PoolOfAsker, WorkerPool
from tutela.content.media.sniff import PICTURES, MediaType, sniff
from tutela.content.signals.base import Region, Sample
from tutela.errors import TutelaError, UnscreenableError
from tutela.screening.findings import Findings
from tutela.screening.verdict import Reason
from tutela.screening.video.task import watch

TASK = "tutela.screening.examination:task"
MAX_SAMPLES = 200_000
"""Hashes of one piece of content, of all parts and views together."""
BYTES_A_SECOND = 1_000_000
"""So many bytes of a picture give it a second beyond the usual time."""
_BATCH_BYTES = 256 * 1024
"""About so much goes into one message of a worker."""
_TELL_EVERY_S = 1.0


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


def task(data: memoryview, options: Mapping[str, Any]) -> Generator[dict[str, Any], None, dict[str, Any]]:
    """Watch a video, where the options say so; examine content of any other kind, and what is in it."""
    return watch(data, options) if "watch" in options else examine(data, options)


def examine(data: memoryview, options: Mapping[str, Any]) -> Generator[dict[str, Any], None, dict[str, Any]]:
    """Compute every computable signal of the content and, in fast mode, of everything in it.

    What is found is yielded as it comes, so that it counts even if a later part ends the worker. In exact mode only the
    content itself is looked at: its hashes are for lists, not for a verdict.
    """
    content = Content(data, Mode(options["mode"]), Limits(**options["limits"]))
    findings = Findings(bool(options.get("watched")))
    told, at = 0, time.monotonic()
    for place in _places(content):
        findings.add(place)
        if findings.weight >= _BATCH_BYTES or time.monotonic() - at > _TELL_EVERY_S:
            told += len(findings.samples)
            yield _found(findings.take())
            at = time.monotonic()
            if told > MAX_SAMPLES:
                findings.fall_short("", Shortcoming.TOO_MANY_PARTS, f"only the first {MAX_SAMPLES:,} hashes count")
                break
    picture = content.picture if findings.has_picture else None
    return {
        **_found(findings.take()),
        "shortcomings": findings.shortcomings(),
        "media_type": content.media_type.value if content.media_type else None,
        "width": picture.width if picture else None,
        "height": picture.height if picture else None,
    }


def _places(content: Content) -> Iterator[Place]:
    if content.mode is Mode.EXACT:
        return iter((Place("", content),))
    return walk(content, Budget(content.limits, len(content.data)))


def _found(samples: Sequence[Sample]) -> dict[str, Any]:
    return {"samples": [_sample_fields(sample) for sample in samples]}


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


def _sample_fields(sample: Sample) -> list[Any]:
    region = sample.region and [sample.region.left, sample.region.top, sample.region.right, sample.region.bottom]
    return [sample.signal, sample.value.hex(), sample.view, sample.quality, region, sample.part, sample.seconds]


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
