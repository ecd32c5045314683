"""The task that runs inside an isolated worker: bytes in, samples of every computable signal out.

The answer crosses back as JSON, so that a decoder which was taken over can lie but not run code in the service.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tutela.errors import TutelaError, UnscreenableError
from tutela.media.content import Content, Limits, Mode, Shortcoming
from tutela.screening.verdict import Reason
from tutela.screening.watching import watch
from tutela.signals.base import Computable, Region, Sample
from tutela.signals.registry import signal_types

TASK = "tutela.screening.examination:task"


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


def task(data: memoryview, options: Mapping[str, Any]) -> dict[str, Any] | Iterator[dict[str, Any]]:
    """Watch a video, where the options say so, or examine content of any other kind."""
    return watch(data, options) if "watch" in options else examine(data, options)


def examine(data: memoryview, options: Mapping[str, Any]) -> dict[str, Any]:
    """Decode the content once and compute every computable signal. The result is an `Examination` in JSON types."""
    content = Content(data, Mode(options["mode"]), Limits(**options["limits"]))
    samples: list[Sample] = []
    try:
        for signal_type in signal_types().values():
            if isinstance(signal_type, Computable):
                samples += signal_type.compute(content)
        shortcomings = _shortcomings(content)
        width, height = content.picture.width, content.picture.height
    except UnscreenableError as error:
        shortcomings, width, height = [(error.reason, str(error))], None, None
    return {
        "samples": [_sample_fields(sample) for sample in samples],
        "shortcomings": shortcomings,
        "media_type": content.media_type.value if content.media_type else None,
        "width": width,
        "height": height,
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


def _shortcomings(content: Content) -> Sequence[tuple[str, str]]:
    picture = content.picture
    found = []
    if picture.damaged:
        found.append((Shortcoming.DAMAGED, "the file is damaged: only a part of the picture could be decoded"))
    if picture.frames > 1:
        found.append((Shortcoming.PARTLY_SCREENED, f"only the first of {picture.frames} frames or pages was looked at"))
    return found
