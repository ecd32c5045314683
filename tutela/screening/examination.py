"""The task that runs inside an isolated worker: bytes in, samples of every computable signal out.

The answer crosses back as JSON, so that a decoder which was taken over can lie but not run code in the service.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from tutela.errors import TutelaError
from tutela.media.budget import Budget
from tutela.media.content import Content, Limits, Mode, Shortcoming
from tutela.media.walk import Place, walk
from tutela.screening.findings import Findings
from tutela.screening.verdict import Reason
from tutela.signals.base import Region, Sample

TASK = "tutela.screening.examination:examine"
MAX_SAMPLES = 40_000
"""Hashes of one piece of content, all parts and views together: what fits into a worker's answer."""


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


def examine(data: memoryview, options: Mapping[str, Any]) -> dict[str, Any]:
    """Compute every computable signal of the content and, in fast mode, of everything in it.

    The result is an `Examination` in JSON types. In exact mode only the content itself is looked at: its hashes are
    for lists, not for a verdict.
    """
    content = Content(data, Mode(options["mode"]), Limits(**options["limits"]))
    findings = Findings()
    if content.mode is Mode.EXACT:
        findings.add(Place("", content))
    else:
        for place in walk(content, Budget(content.limits, len(data))):
            findings.add(place)
            if len(findings.samples) > MAX_SAMPLES:
                findings.fall_short("", Shortcoming.TOO_MANY_PARTS, f"only the first {MAX_SAMPLES:,} hashes count")
                break
    picture = content.picture if findings.has_picture else None
    return {
        "samples": [_sample_fields(sample) for sample in findings.samples],
        "shortcomings": findings.shortcomings(),
        "media_type": content.media_type.value if content.media_type else None,
        "width": picture.width if picture else None,
        "height": picture.height if picture else None,
    }


def read_examination(document: Any) -> Examination:
    """The examination in a worker's answer. Raises TutelaError when the answer is not of its form."""
    try:
        return Examination(
            tuple(_sample(fields) for fields in document["samples"]),
            tuple(Reason(str(code), str(message)) for code, message in document["shortcomings"]),
            document["media_type"],
            document["width"],
            document["height"],
        )
    except (KeyError, TypeError, ValueError) as error:
        raise TutelaError(f"a worker's answer is not an examination: {error!r}") from error


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
