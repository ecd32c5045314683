"""The task that runs inside an isolated worker: bytes in, samples of every computable signal out."""

import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import Any

from tutela.content.media.confined.budget import Budget
from tutela.content.media.confined.opened import OpenedContent
from tutela.content.media.confined.walk import Place, walk
from tutela.content.media.content import Mode, Shortcoming
from tutela.content.media.limits import Limits
from tutela.content.signals.base import Sample
from tutela.screening.findings import Findings
from tutela.screening.video.task import watch

MAX_SAMPLES = 200_000
"""Hashes of one piece of content, of all parts and views together."""
_BATCH_BYTES = 256 * 1024
"""About so much goes into one message of a worker."""
_TELL_EVERY_S = 1.0


def task(data: memoryview, options: Mapping[str, Any]) -> Generator[dict[str, Any], None, dict[str, Any]]:
    """Watch a video, where the options say so; examine content of any other kind, and what is in it."""
    return watch(data, options) if "watch" in options else examine(data, options)


def examine(data: memoryview, options: Mapping[str, Any]) -> Generator[dict[str, Any], None, dict[str, Any]]:
    """Compute every computable signal of the content and, in fast mode, of everything in it.

    What is found is yielded as it comes, so that it counts even if a later part ends the worker. In exact mode only the
    content itself is looked at: its hashes are for lists, not for a verdict.
    """
    content = OpenedContent(data, Mode(options["mode"]), Limits(**options["limits"]))
    watched, links = bool(options.get("watched")), bool(options.get("links"))
    findings = Findings(watched, str(options.get("seed", "")), links=links)
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
        "links": findings.take_links(),
        "shortcomings": findings.shortcomings(),
        "media_type": content.media_type.value if content.media_type else findings.media_type,
        "width": picture.width if picture else None,
        "height": picture.height if picture else None,
    }


def _places(content: OpenedContent) -> Iterator[Place]:
    if content.mode is Mode.EXACT:
        return iter((Place("", content),))
    return walk(content, Budget(content.limits, len(content.data)))


def _found(samples: Sequence[Sample]) -> dict[str, Any]:
    return {"samples": [_sample_fields(sample) for sample in samples]}


def _sample_fields(sample: Sample) -> list[Any]:
    region = sample.region and [sample.region.left, sample.region.top, sample.region.right, sample.region.bottom]
    return [sample.signal, sample.value.hex(), sample.view, sample.quality, region, sample.part, sample.seconds]
