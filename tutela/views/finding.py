"""A picture to its views: one list for each view set."""

import numpy as np
from PIL import Image

from tutela.media.content import ViewSet
from tutela.views.anchors import anchored_windows
from tutela.views.borders import trim
from tutela.views.rectangles import find_rectangles
from tutela.views.view import Corners, Luma, View, rectangle

SHORT_SIDE = 256
"""Views are looked for, and hashed, with the picture's short side brought to 256 to 511 pixels."""
MIN_SIDE = 48
"""Smaller pictures have no views but the whole."""

LIMITS = {ViewSet.STANDARD: (10, 8), ViewSet.THOROUGH: (16, 16)}
"""Rectangles and landmarks, at most."""


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
    rectangles, landmarks = LIMITS[views]
    found: list[View] = []
    trimmed = trim(luma)
    if trimmed != (0, 0, width, height):
        found.append(View("trimmed", _fractions(trimmed, luma), turned=True))
    found += [
        View("rectangle", _fractions(item.rectangle, luma), turned=thorough)
        for item in find_rectangles(luma, rectangles)
        if item.rectangle != trimmed
    ]
    found += [View("anchored", corners, turned=thorough) for corners in anchored_windows(luma, landmarks)]
    return sorted(found, key=lambda view: not view.turned)


def _fractions(box: tuple[int, int, int, int], luma: Luma) -> Corners:
    height, width = luma.shape
    left, top, right, bottom = box
    return rectangle(left / width, top / height, right / width, bottom / height)
