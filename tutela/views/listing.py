"""The views of a picture that a bank lists beside its whole, where the curator holds the picture itself.

What a crop or an overlay leaves cannot be known when an upload comes; it can be listed beforehand.
"""

import math

import numpy as np

from tutela._native import Canvas
from tutela.views.anchors import anchored_windows
from tutela.views.view import Corners, Luma, View, rectangle, turned_about_centre

EDGES = np.stack(
    [
        rectangle(*box)
        for share in (0.27, 0.5)
        for box in ((0, 0, share, 1), (1 - share, 0, 1, 1), (0, 0, 1, share), (0, 1 - share, 1, 1))
    ]
)
"""Strips and halves along the sides, which an overlay elsewhere leaves as they are."""
INSETS = (
    (0.0, 0.0, 1.0, 1.0),
    (0.03, 0.0, 1.0, 1.0),
    (0.0, 0.03, 1.0, 1.0),
    (0.0, 0.0, 0.97, 1.0),
    (0.0, 0.0, 1.0, 0.97),
    (0.025, 0.025, 0.975, 0.975),
)
"""The whole as a view, to which pieces come nearer than to PDQ's own grid; and what pieces found a little off show."""
CROP_SCALES = tuple(0.95**step for step in range(9))
"""Sides of the crops whose landmarks are listed: down to two thirds, so to 44 % of the area."""
LANDMARKS = 10
"""Of each size."""
ROTATIONS = (1.5, 3.0, 4.5, 6.0, 7.5, 9.0, 10.5)
"""Degrees, both ways, of the rotated crops that are listed."""
MAX_IN_FRAME = 4.5
"""Degrees up to which the same is listed as it is when the frame stays and only the corners are lost."""


def views_to_list(luma: Luma) -> list[View]:
    """What is listed of a reduced picture, the whole left out."""
    canvas = Canvas(luma)
    found = [
        View("anchored", corners)
        for scale in CROP_SCALES
        for corners in anchored_windows(canvas, LANDMARKS, scale=scale)
    ]
    found += [View("edge", corners) for corners in EDGES]
    found += [View("inset", rectangle(*box)) for box in INSETS]
    height, width = luma.shape
    for turn in (sign * turn for turn in ROTATIONS for sign in (1, -1)):
        found.append(View("rotated", _rotated_crop(luma, turn)))
        if abs(turn) <= MAX_IN_FRAME:
            found.append(View("rotated", turned_about_centre(width, height, 1.0, turn)))
    return found


def _rotated_crop(luma: Luma, degrees: float) -> Corners:
    """The largest rectangle of the picture's shape that lies inside it, turned by so much."""
    height, width = luma.shape
    angle = math.radians(abs(degrees))
    share = 1 / (math.cos(angle) + math.sin(angle) * max(width / height, height / width))
    return turned_about_centre(width, height, share, degrees)
