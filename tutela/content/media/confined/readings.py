"""The readings of a picture: every way in which a viewer may show it. Each is hashed, and any of them may match.

This is the one place that decides which there are: profiles and tones applied or not, transparent pixels on a light, a
dark and two middling grounds, or their colours without their alpha. A file that can be read in one way only has one
reading, and pays nothing. docs/rooms/readings.md says by format what is looked at.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from tutela.content.media.confined.colour import Planes, on_ground, planes, uninverted
from tutela.content.media.confined.tones import AS_STORED, Tone
from tutela.content.media.content import Mode

MIN_SIDE = 256
"""In fast mode a picture is brought down as far as its short side keeps this many pixels; PDQ needs 64."""
GROUNDS = (("", 255), ("on black", 0), ("on grey", 128), ("on dark grey", 48))
"""What is seen through a picture: the first is most viewers'."""
_NO_ALPHA = "without its transparency"
_ALIKE = 4
"""Readings are one where no field of 32 x 32 differs by more levels of grey than this."""
_FIELDS = (32, 32)
Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Reading:
    """One way to show a picture."""

    name: str
    """For people: `on black`, `without its colour profile`; empty for what most viewers show."""
    pixels: Pixels
    """(height, width) luma, or (height, width, 3) RGB in exact mode."""


def readings(image: Image.Image, tones: Sequence[Tone], mode: Mode) -> list[Reading]:
    """The readings of a loaded picture, what most viewers show first. In exact mode that one only."""
    parts = planes(image)
    tones = tones or [AS_STORED]
    if mode is Mode.EXACT:
        shown = toned(parts.colours, tones[0]).convert("RGB")
        return [Reading("", np.asarray(shown if parts.alpha is None else on_ground(shown, parts.alpha, 255)))]
    if len(tones) == 1 and parts.alpha is None and parts.colours.mode != "CMYK":
        return [Reading("", luma(toned(parts.colours, tones[0])))]
    return list(_distinct(_shown(parts, tones)))


def luma(image: Image.Image) -> Pixels:
    """The luma of a picture, brought down to eighths of it that are enough."""
    factor = min(image.size) // MIN_SIDE
    fold = next((fold for fold in (8, 4, 2) if fold <= factor), 1)
    # In RGB first: the mean of the luma and the luma of the mean are one, but for rounding.
    small = image if fold == 1 else image.reduce(fold)
    return np.asarray(small.convert("L"))


def toned(colours: Image.Image, tone: Tone) -> Image.Image:
    """Colours as a tone shows them, in mode L or RGB."""
    shown = colours if tone.transform is None else tone.transform(colours)
    return shown if shown.mode in ("L", "RGB") else shown.convert("RGB")


def _shown(parts: Planes, tones: Sequence[Tone]) -> Iterator[tuple[str, Image.Image]]:
    for number, tone in enumerate(tones):
        shown = toned(parts.colours, tone).convert("L")
        name = tone.name if number else ""
        if parts.alpha is None:
            yield name, shown
            continue
        for ground, level in GROUNDS:
            yield _joined(name, ground), on_ground(shown, parts.alpha, level)
        yield _joined(name, _NO_ALPHA), shown
    if parts.colours.mode == "CMYK":
        yield "with its inks the other way round", uninverted(parts.colours).convert("RGB").convert("L")


def _distinct(shown: Iterator[tuple[str, Image.Image]]) -> Iterator[Reading]:
    """Those that differ from all before."""
    before: list[npt.NDArray[Any]] = []
    for name, image in shown:
        fields = np.asarray(image.resize(_FIELDS, Image.Resampling.BOX), np.int16)
        if all(np.abs(fields - other).max() > _ALIKE for other in before):
            before.append(fields)
            yield Reading(name, luma(image))


def _joined(*names: str) -> str:
    return ", ".join(name for name in names if name)
