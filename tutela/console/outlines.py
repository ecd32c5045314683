"""Where in a picture its matches lie, as outlines: what is shown before, and instead of, the picture."""

from collections.abc import Sequence
from dataclasses import dataclass

from tutela.content.signals.base import Region
from tutela.screening.verdict import Match

_WIDTH = 480
_MAX_ASPECT = 4.0
WHOLE = Region(0.0, 0.0, 1.0, 1.0)


@dataclass(frozen=True, slots=True)
class Box:
    """One match's rectangle, in units of the drawing."""

    x: float
    y: float
    width: float
    height: float
    number: int
    """Which of the matches it is, from 1."""


@dataclass(frozen=True, slots=True)
class Outline:
    """A drawing of a picture's frame and of the regions that matched."""

    width: int
    height: int
    boxes: tuple[Box, ...]


def outline(matches: Sequence[Match], width: int | None, height: int | None) -> Outline:
    """The outlines of the matches; a picture of unknown size is drawn as 4 by 3, and a very long one shorter."""
    aspect = width / height if width and height else 4 / 3
    aspect = min(_MAX_ASPECT, max(1 / _MAX_ASPECT, aspect))
    across, down = (_WIDTH, round(_WIDTH / aspect)) if aspect >= 1 else (round(_WIDTH * aspect), _WIDTH)
    return Outline(
        across,
        down,
        tuple(_box(match.region or WHOLE, across, down, number) for number, match in enumerate(matches[:20], 1)),
    )


def _box(region: Region, across: int, down: int, number: int) -> Box:
    """The region inside the frame, whatever a worker said of it."""
    left, right = sorted(min(1.0, max(0.0, edge)) for edge in (region.left, region.right))
    top, bottom = sorted(min(1.0, max(0.0, edge)) for edge in (region.top, region.bottom))
    return Box(
        round(3 + left * (across - 6), 1),
        round(3 + top * (down - 6), 1),
        round((right - left) * (across - 6), 1),
        round((bottom - top) * (down - 6), 1),
        number,
    )
