"""The views of a picture that a bank lists beside its whole, where the curator holds the picture itself.

What a crop or an overlay leaves cannot be known when an upload comes; it can be listed beforehand.
"""

import math
from collections.abc import Iterator

import numpy as np

from tutela._native import Canvas
from tutela.views.anchors import anchored_windows
from tutela.views.view import (
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
        for share in (0.27, 0.5)
        for box in ((0, 0, share, 1), (1 - share, 0, 1, 1), (0, 0, 1, share), (0, 1 - share, 1, 1))
    ]
)
"""Strips and halves along the sides, which an overlay elsewhere leaves as they are."""
CUT = (0.03, 0.06, 0.09, 0.12, 0.16, 0.2)
"""Shares of one side that crops are listed without."""
AROUND = 0.025
"""The same on all four sides at once."""
CROP_SCALES = tuple(0.95**step for step in range(9))
"""Sides of the crops whose landmarks are listed: down to two thirds, so to 44 % of the area."""
LANDMARKS = 10
"""Of each size."""
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
    found += [View("inset", corners) for corners in _insets()]
    height, width = luma.shape
    for turn in (sign * turn for turn in ROTATIONS for sign in (1, -1)):
        found.append(View("rotated", _rotated_crop(luma, turn)))
        if abs(turn) <= MAX_IN_FRAME:
            found.append(View("rotated", turned_about_centre(width, height, 1.0, turn)))
    return found


def _insets() -> Iterator[Corners]:
    """The picture without a little of one side, and of all sides."""
    yield rectangle(AROUND, AROUND, 1 - AROUND, 1 - AROUND)
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
