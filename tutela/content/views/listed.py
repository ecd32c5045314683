"""The views of a picture that a bank lists beside its whole, where the curator holds the picture itself.

What a crop or an overlay leaves cannot be known when an upload comes; it can be listed beforehand.
"""

import math
from collections.abc import Iterator
from itertools import product

import numpy as np

from tutela._native import Canvas
from tutela.content.views.anchors import anchored_windows
from tutela.content.views.view import (
    ALL_TURNS,
    UPRIGHT,
    WHOLE,
    Corners,
    Luma,
    View,
    Views,
    rectangle,
    turned_about_centre,
)

EDGES = np.stack(
    [
        rectangle(*box)
        for share in (0.2, 0.5)
        for box in ((0, 0, share, 1), (1 - share, 0, 1, 1), (0, 0, 1, share), (0, 1 - share, 1, 1))
    ]
)
"""Strips and halves along the sides, which an overlay elsewhere leaves as they are."""
CUT = (0.03, 0.06, 0.09, 0.12, 0.16, 0.2)
"""Shares of one side that crops are listed without."""
KEPT = (0.96, 0.92)
"""Shares of both sides that crops are listed with: from each corner, each side's middle and the centre."""
CROP_SCALES = tuple(0.95**step for step in range(9))
"""Sides of the crops whose landmarks are listed: down to two thirds, so to 44 % of the area."""
LANDMARKS = 14
"""Of each size."""
MOST_PIECES = 3
LEAST_PIECE = 0.15
"""Share of the picture's area that a piece on plain ground has to be listed by itself."""
ROTATIONS = (1.5, 3.0, 4.5, 6.0, 7.5, 9.0, 10.5)
"""Degrees, both ways, of the rotated crops that are listed."""
MAX_IN_FRAME = 4.5
"""Degrees up to which the same is listed as it is when the frame stays and only the corners are lost."""


def listed_views(luma: Luma) -> Views:
    """What is listed of a reduced picture beside its plain hash.

    The whole is among them, in all its turns: pieces of an upload come nearer to it than to PDQ's own grid.
    """
    views = views_to_list(luma)
    others = Views(
        [view.family for view in views],
        np.stack([view.corners for view in views]),
        np.full(len(views), UPRIGHT, np.uint8),
    )
    return Views.together([Views.of("inset", WHOLE[None], ALL_TURNS), others])


def views_to_list(luma: Luma) -> list[View]:
    """The parts of a reduced picture that are listed."""
    canvas = Canvas(luma)
    found = [
        View("anchored", corners)
        for scale in CROP_SCALES
        for corners in anchored_windows(canvas, LANDMARKS, scale=scale)
    ]
    found += [View("edge", corners) for corners in EDGES]
    found += [View("trimmed", corners) for corners in _without_ground(canvas)]
    found += [View("inset", corners) for corners in _insets()]
    height, width = luma.shape
    for turn in (sign * turn for turn in ROTATIONS for sign in (1, -1)):
        found.append(View("rotated", _rotated_crop(luma, turn)))
        if abs(turn) <= MAX_IN_FRAME:
            found.append(View("rotated", turned_about_centre(width, height, 1.0, turn)))
    return found


def _without_ground(canvas: Canvas) -> Iterator[Corners]:
    """What is left of the picture without plain ground around it, and pieces apart on it.

    Where another picture of the same ground is beside it, an upload does not show where this one ended.
    """
    found, _, pieces = canvas.pictures(MOST_PIECES, 0)
    for corners in found[:pieces]:
        width, height = corners[2] - corners[0]
        if width * height >= LEAST_PIECE:
            yield corners


def _insets() -> Iterator[Corners]:
    """The picture without a little of one side, and of several."""
    for kept, across, down in product(KEPT, (0.0, 0.5, 1.0), (0.0, 0.5, 1.0)):
        left, top = (1 - kept) * across, (1 - kept) * down
        yield rectangle(left, top, left + kept, top + kept)
    for cut in CUT:
        yield rectangle(cut, 0, 1, 1)
        yield rectangle(0, cut, 1, 1)
        yield rectangle(0, 0, 1 - cut, 1)
        yield rectangle(0, 0, 1, 1 - cut)


def _rotated_crop(luma: Luma, degrees: float) -> Corners:
    """The largest rectangle of the picture's shape that lies inside it, turned by so much."""
    height, width = luma.shape
    angle = math.radians(abs(degrees))
    share = 1 / (math.cos(angle) + math.sin(angle) * max(width / height, height / width))
    return turned_about_centre(width, height, share, degrees)
