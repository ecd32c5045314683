"""A picture to its views: one list for each view set."""

import numpy as np
from PIL import Image

from tutela.media.content import ViewSet
from tutela.views.anchors import anchored_windows
from tutela.views.blanks import find_pieces
from tutela.views.borders import find_inside
from tutela.views.rectangles import find_rectangles, same
from tutela.views.view import Corners, Luma, View, rectangle

SHORT_SIDE = 256
"""Views are looked for, and hashed, with the picture's short side brought to 256 to 511 pixels."""
MIN_SIDE = 48
"""Smaller pictures have no views but the whole."""

EDGES = tuple(
    rectangle(*box)
    for share in (0.27, 0.5)
    for box in ((0, 0, share, 1), (1 - share, 0, 1, 1), (0, 0, 1, share), (0, 1 - share, 1, 1))
)
"""Strips and halves along the sides, which an overlay elsewhere leaves as they are."""

LIMITS = {ViewSet.STANDARD: (8, 12, 8), ViewSet.THOROUGH: (16, 20, 14)}
"""Pieces, rectangles and landmarks, at most."""


def reduced(luma: Luma) -> Luma:
    """The picture by a whole factor smaller, its short side not under 256 pixels."""
    factor = min(luma.shape) // SHORT_SIDE
    return luma if factor < 2 else np.asarray(Image.fromarray(luma).reduce(factor))


def find_views(luma: Luma, views: ViewSet) -> list[View]:
    """What is to be looked up of a reduced picture, the whole and its turns left out; turned views first."""
    height, width = luma.shape
    if views is ViewSet.PLAIN or min(height, width) < MIN_SIDE:
        return []
    thorough = views is ViewSet.THOROUGH
    pieces, rectangles, landmarks = LIMITS[views]
    boxes = [(box, "piece") for box in find_pieces(luma, pieces)]
    boxes += [(box, "piece") for box in find_inside(luma)]
    boxes += [(item.rectangle, "rectangle") for item in find_rectangles(luma, rectangles)]
    found = [
        View(family, _fractions(box, luma), turned=thorough)
        for i, (box, family) in enumerate(boxes)
        if not any(same(box, other) for other, _ in boxes[:i])
    ]
    found += [View("edge", corners) for corners in EDGES]
    found += [View("anchored", corners, turned=thorough) for corners in anchored_windows(luma, landmarks)]
    return sorted(found, key=lambda view: not view.turned)


def _fractions(box: tuple[int, int, int, int], luma: Luma) -> Corners:
    height, width = luma.shape
    left, top, right, bottom = box
    return rectangle(left / width, top / height, right / width, bottom / height)
