"""What an attack is: a name, a group, the strengths at which it is tried, and what it does to a picture."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from PIL import Image

Picture = Image.Image
"""RGB."""


@dataclass(frozen=True, slots=True)
class Scene:
    """What an attack has to work with."""

    picture: Picture
    others: Sequence[Picture]
    """Unrelated pictures, for collages and screens."""
    random: random.Random
    """Seeded by picture, attack and strength, so that a run can be repeated."""


@dataclass(frozen=True, slots=True)
class Encoding:
    """How the attacked picture becomes a file."""

    format: str = "JPEG"
    quality: int = 85


@dataclass(frozen=True, slots=True)
class Attack:
    """One kind of attack."""

    name: str
    group: str
    """The row of the summary that it counts in."""
    unit: str
    """What its strengths measure."""
    strengths: Sequence[float]
    apply: Callable[[Scene, float], Picture]
    encoding: Callable[[float], Encoding] = lambda strength: Encoding()


def noise(scene: Scene, size: tuple[int, int], spread: int) -> Picture:
    """Coloured noise around grey."""
    values = scene.random.randbytes(size[0] * size[1] * 3)
    grey = Image.frombytes("RGB", size, values)
    return Image.blend(Image.new("RGB", size, (128, 128, 128)), grey, min(1.0, spread / 74))


def colour(scene: Scene) -> tuple[int, int, int]:
    """A colour, black and white more often than others."""
    draw = scene.random.random
    if draw() < 0.6:
        return (0, 0, 0) if draw() < 0.5 else (255, 255, 255)
    return int(draw() * 256), int(draw() * 256), int(draw() * 256)
