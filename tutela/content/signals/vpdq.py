"""vPDQ: a video as the PDQ hashes of its frames, each with its quality and its time.

Two text forms are read: the published hash lines `frame,quality,hash,seconds`, and the `hash,quality,seconds` texts
that ThreatExchange exchanges as a JSON array. Frames are searched as PDQ values; the type's own value is a digest that
tells one list of frames from another.

Source: the vPDQ tool and its README in the ThreatExchange repository (Meta, 2022).
"""

import hashlib
import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from tutela.content.signals.base import Sample, SignalKind
from tutela.content.signals.hexadecimal import parse_hexadecimal
from tutela.content.signals.pdq import PDQ
from tutela.errors import InvalidSignalError

MAX_FRAMES = 200_000
"""Frames of one video: 2 hours at 25 a second, and more than any list carries."""
_SEPARATORS = re.compile(r"[;\n]")


@dataclass(frozen=True, slots=True)
class Vpdq:
    """The vPDQ signal type."""

    name: str = "vpdq"
    kind: SignalKind = SignalKind.EXACT
    width: int = 32
    default_threshold: int = PDQ.default_threshold
    """Of each frame; how many frames must match, the screening policy says."""
    max_threshold: int = PDQ.max_threshold

    def parse(self, text: str) -> bytes:
        """The identity of the frames that the text lists, or the identity itself as 64 hexadecimal digits."""
        if "," not in text:
            return parse_hexadecimal(self.name, text, self.width)
        return self.identity(self.read(text))

    def format(self, value: bytes) -> str:
        """The identity in lower-case hexadecimal."""
        return value.hex()

    def distance(self, a: bytes, b: bytes) -> int:
        """0 for the same frames, 1 for others. How alike two videos are, alignment says."""
        return int(a != b)

    def read(self, text: str) -> tuple[Sample, ...]:
        """The frames, in the order of their time."""
        lines = _lines(text)
        if not lines:
            raise InvalidSignalError("vpdq needs at least one frame")
        if len(lines) > MAX_FRAMES:
            raise InvalidSignalError(
                "{lines:,} frames are over the limit of {max_frames:,}", lines=len(lines), max_frames=MAX_FRAMES
            )
        return tuple(sorted(map(_frame, lines), key=_seconds))

    def write(self, samples: Sequence[Sample]) -> str:
        """The published hash lines, with semicolons between them. Frames are numbered in the order of their time."""
        return ";".join(
            f"{number},{100 if sample.quality is None else sample.quality},{sample.value.hex()},{_seconds(sample):.3f}"
            for number, sample in enumerate(samples)
        )

    def identity(self, samples: Sequence[Sample]) -> bytes:
        """SHA-256 of the frames' lines, without their numbers."""
        digest = hashlib.sha256()
        for sample in samples:
            digest.update(f"{sample.quality},{sample.value.hex()},{_seconds(sample):.3f}\n".encode())
        return digest.digest()


def _lines(text: str) -> list[str]:
    if text.lstrip().startswith("["):
        try:
            items = json.loads(text)
        except (ValueError, RecursionError):
            raise InvalidSignalError("the JSON array of vpdq frames is broken") from None
        if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
            raise InvalidSignalError("vpdq as JSON is an array of texts")
        return items
    return [line for line in _SEPARATORS.split(text) if line.strip()]


def _frame(line: str) -> Sample:
    fields = [field.strip() for field in line.split(",")]
    try:
        match fields:
            case [number, quality, value, seconds]:
                int(number)
            case [value, quality, seconds]:
                pass
            case _:
                raise ValueError
        at, level = float(seconds), int(quality)
    except ValueError:
        raise InvalidSignalError(
            "a vpdq frame is written frame,quality,hash,seconds or hash,quality,seconds, got {line!r}", line=line[:120]
        ) from None
    if not 0 <= level <= 100 or not math.isfinite(at) or at < 0:
        raise InvalidSignalError(
            "a vpdq frame has a quality of 0-100 and a time of 0 or more, got {line!r}", line=line[:120]
        )
    return Sample(PDQ.name, PDQ.parse(value), quality=level, seconds=at)


def _seconds(sample: Sample) -> float:
    return sample.seconds or 0.0


VPDQ = Vpdq()
