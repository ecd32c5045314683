"""Windows around landmarks: the same piece of a scene is found again in a crop, under an overlay or in a collage.

Landmarks are blobs, brighter or darker than their surroundings, at a scale that follows the picture's size
(extrema of a difference of Gaussians: Lowe, "Distinctive Image Features from Scale-Invariant Keypoints", 2004, section
3). A window of fixed size around each is a view. A crop changes the size by one factor only, however it is placed, so
the side that holds the original lists windows of several sizes and the crop is asked about in one.
"""

import math

import numpy as np
import numpy.typing as npt
from PIL import Image

from tutela import _native
from tutela.views.view import Corners, Luma, rectangle

REFERENCE = 72
"""Landmarks are looked for with the picture's root of area brought to so many pixels."""
FINE, COARSE = 1.85, 3.0
"""Standard deviations of the two Gaussians, in pixels of that size."""
WINDOW = 0.36
"""A window's side as a share of the root of the picture's area."""
NEIGHBOURS = 3
"""A landmark is the extreme of all within so many pixels both ways."""
SPACING = 0.1
"""Landmarks lie at least so far apart, across or down, as a share of the root of the picture's area."""


Places = npt.NDArray[np.float32]


def anchored_windows(luma: Luma, limit: int, scale: float = 1.0) -> list[Corners]:
    """Windows around the strongest landmarks whose window lies within the picture, strongest first.

    `scale` below 1 finds those of a crop that keeps scale² of the picture's area.
    """
    height, width = luma.shape
    size = scale * math.sqrt(width * height)
    small = (max(8, round(width * REFERENCE / size)), max(8, round(height * REFERENCE / size)))
    values = np.asarray(Image.fromarray(luma).resize(small, Image.Resampling.BOX))
    half_x, half_y = WINDOW * size / 2 / width, WINDOW * size / 2 / height
    to_fractions = np.array([1 / small[0], 1 / small[1]], np.float32)
    places = _native.blobs(values, FINE, COARSE, NEIGHBOURS)[:, :2] * to_fractions
    fits = (np.minimum(places, 1 - places) >= (half_x, half_y)).all(axis=1)
    spacing = np.array([SPACING * size / width, SPACING * size / height], np.float32)
    chosen = _apart(places[fits], spacing, limit)
    return [rectangle(x - half_x, y - half_y, x + half_x, y + half_y) for x, y in chosen]


def _apart(places: Places, spacing: Places, limit: int) -> list[tuple[float, float]]:
    """The first places that keep their distance from those before them."""
    chosen: list[tuple[float, float]] = []
    left = places
    while len(left) and len(chosen) < limit:
        place = left[0]
        chosen.append((float(place[0]), float(place[1])))
        left = left[(np.abs((left - place) / spacing)).max(axis=1) >= 1]
    return chosen
