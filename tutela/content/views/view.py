"""A view: a named quadrilateral of a picture, as it would look if it were the whole picture."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Self

import numpy as np
import numpy.typing as npt

Luma = npt.NDArray[np.uint8]
"""(height, width)."""

Corners = npt.NDArray[np.float64]
"""(4, 2): left-top, right-top, right-bottom, left-bottom as (x, y) in fractions of the picture's width and height."""

ManyCorners = npt.NDArray[np.float64]
"""(views, 4, 2)."""

Bounds = tuple[float, float, float, float]
"""Left, top, right, bottom in fractions of the picture's width and height."""

TURNS = ("", "turned-90", "turned-180", "turned-270", "flipped", "mirrored", "transposed", "anti-transposed")
"""The eight ways to turn a view, in the native core's order; turns are counter-clockwise."""


UPRIGHT, MIRRORED, ALL_TURNS = 0b1, 0b100001, 0b11111111
"""Which ways a view is turned to be looked up: bit i stands for `TURNS[i]`."""

WHOLE_FAMILY = "whole"
NEGATIVE = "negative"
"""The view of a picture with dark and light changed over."""


def view_name(family: str, turn: str) -> str:
    """What a match calls a view: the family, and the turn where there is one; a turned whole by its turn alone."""
    if not turn:
        return family
    return turn if family == WHOLE_FAMILY else f"{family}/{turn}"


def turn_of(view: str) -> str:
    """The turn in a view's name; empty for an upright one."""
    family, _, turn = view.partition("/")
    return family if family in TURNS else turn


@cache
def view_names(family: str, turns: int) -> tuple[str, ...]:
    """The names of a family's view in each of its turns."""
    return tuple(view_name(family, turn) for i, turn in enumerate(TURNS) if turns >> i & 1)


@dataclass(frozen=True, slots=True)
class View:
    """One view to be hashed."""

    family: str
    """How it was found: `piece`, `rectangle`, `anchored`, ..."""
    corners: Corners


@dataclass(frozen=True, slots=True)
class Views:
    """Views to be hashed together."""

    families: Sequence[str]
    corners: ManyCorners
    turns: npt.NDArray[np.uint8]
    """Ways in which each is turned, as `ALL_TURNS` has them."""

    @classmethod
    def of(cls, family: str, corners: ManyCorners, turns: int = UPRIGHT) -> Self:
        """Views of one family."""
        return cls([family] * len(corners), corners, np.full(len(corners), turns, np.uint8))

    @classmethod
    def together(cls, parts: Sequence["Views"]) -> Self:
        """All views of several families."""
        return cls(
            [family for part in parts for family in part.families],
            np.concatenate([part.corners for part in parts]),
            np.concatenate([part.turns for part in parts]),
        )


def rectangle(left: float, top: float, right: float, bottom: float) -> Corners:
    """The corners of an upright rectangle."""
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float64)


WHOLE = rectangle(0.0, 0.0, 1.0, 1.0)


def bounds(corners: ManyCorners) -> npt.NDArray[np.float64]:
    """(views, 4, 2) corners to (views, 4): left, top, right, bottom of the part of the picture that each covers."""
    ends: npt.NDArray[np.float64] = np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1).clip(0.0, 1.0)
    return ends


def placed(corners: ManyCorners, frame: Corners) -> ManyCorners:
    """Corners in a frame, itself a part of the whole, as corners in the whole; perspective left out."""
    if frame is WHOLE:
        return corners
    across, down = corners[:, :, :1], corners[:, :, 1:]
    top = frame[0] + (frame[1] - frame[0]) * across
    bottom = frame[3] + (frame[2] - frame[3]) * across
    inside: ManyCorners = top + (bottom - top) * down
    return inside


def turned_about_centre(width: int, height: int, share: float, degrees: float) -> Corners:
    """A rectangle of the picture's shape, `share` of its size, turned counter-clockwise about the picture's centre."""
    angle = math.radians(degrees)
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    size = np.array([width, height], np.float64)
    corners: Corners = ((WHOLE - 0.5) * share * size) @ turn / size + 0.5
    return corners
