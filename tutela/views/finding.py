"""A picture to its views: those of the whole, then those of the likeliest pictures inside it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from tutela.media.content import ViewSet
from tutela.views.anchors import anchored_windows
from tutela.views.blanks import Rectangle, find_pieces
from tutela.views.borders import find_inside
from tutela.views.listing import EDGES, views_to_list
from tutela.views.rectangles import find_rectangles, same
from tutela.views.tilted import find_tilted
from tutela.views.view import WHOLE, WHOLE_FAMILY, Corners, Luma, View, rectangle

SHORT_SIDE = 256
"""Views are looked for, and hashed, with the picture's short side brought to 256 to 511 pixels."""
SURE = 0.9
"""Score of a rectangle that is looked into itself."""
MIN_SIDE = 48
"""Smaller pictures have no views but the whole."""


@dataclass(frozen=True, slots=True)
class Budget:
    """How much is looked for."""

    pieces: int
    rectangles: int
    landmarks: int
    inner: int
    """Pictures inside that are looked into themselves, for what a crop or an overlay left of them."""
    turned: bool
    """Whether what is found inside is looked up in all its turns."""


BUDGETS = {
    ViewSet.STANDARD: Budget(pieces=10, rectangles=20, landmarks=8, inner=4, turned=False),
    ViewSet.THOROUGH: Budget(pieces=16, rectangles=24, landmarks=12, inner=12, turned=True),
}


@dataclass(frozen=True, slots=True)
class Frame:
    """A picture with views in it: the whole, or what was found inside, turned upright."""

    luma: Luma
    views: Sequence[View]
    """Turned ones first."""
    corners: Corners
    """Where it lies in the whole."""


def reduced(luma: Luma) -> Luma:
    """The picture by a whole factor smaller, its short side not under 256 pixels."""
    factor = min(luma.shape) // SHORT_SIDE
    return luma if factor < 2 else np.asarray(Image.fromarray(luma).reduce(factor))


def find_frames(luma: Luma, views: ViewSet) -> list[Frame]:
    """What is to be looked up of a reduced picture. A whole that is turned stands for its seven turns only."""
    if views is ViewSet.PLAIN or min(luma.shape) < MIN_SIDE:
        return []
    if views is ViewSet.LISTED:
        return [Frame(luma, views_to_list(luma), WHOLE)]
    budget = BUDGETS[views]
    inside, sure = _inside(luma, budget)
    found = [*inside, *_remains(luma, budget)]
    frames = [Frame(luma, sorted(found, key=lambda view: not view.turned), WHOLE)]
    for view in inside[: min(sure, budget.inner)]:
        inner = _cut_out(luma, view.corners)
        if min(inner.shape) >= MIN_SIDE:
            frames.append(Frame(inner, _remains(inner, budget), view.corners))
    return frames


def _inside(luma: Luma, budget: Budget) -> tuple[list[View], int]:
    """The pictures inside, likeliest first, and how many of them are quite sure."""
    views = [View("deskewed", corners, budget.turned) for corners in find_tilted(luma)]
    boxes: list[tuple[Rectangle, str]] = [(box, "piece") for box in find_inside(luma)]
    boxes += [(box, "piece") for box in find_pieces(luma, budget.pieces)]
    rectangles = find_rectangles(luma, budget.rectangles)
    boxes += [(item.rectangle, "rectangle") for item in rectangles]
    for i, (box, family) in enumerate(boxes):
        if not any(same(box, other) for other, _ in boxes[:i]):
            views.append(View(family, _fractions(box, luma), budget.turned))
    sure = len(views) - sum(item.score < SURE for item in rectangles)
    return views, max(0, sure)


def _remains(luma: Luma, budget: Budget) -> list[View]:
    """Parts that stay as they are when the rest is cut away or covered."""
    views = [View("edge", corners) for corners in EDGES]
    return views + [View("anchored", corners) for corners in anchored_windows(luma, budget.landmarks)]


def _fractions(box: Rectangle, luma: Luma) -> Corners:
    height, width = luma.shape
    left, top, right, bottom = box
    return rectangle(left / width, top / height, right / width, bottom / height)


def _cut_out(luma: Luma, corners: Corners) -> Luma:
    """A quadrilateral of the picture as a picture of its own, at the same scale."""
    size = np.array([luma.shape[1], luma.shape[0]])
    points = corners * size
    width = int(max(np.hypot(*(points[1] - points[0])), np.hypot(*(points[2] - points[3]))))
    height = int(max(np.hypot(*(points[3] - points[0])), np.hypot(*(points[2] - points[1]))))
    if width < MIN_SIDE or height < MIN_SIDE or max(width, height) > 4 * max(luma.shape):
        return luma[:0, :0]
    left_top, right_top, right_bottom, left_bottom = (tuple(point) for point in points.tolist())
    if left_top[1] == right_top[1] and left_top[0] == left_bottom[0]:
        box = np.rint([*left_top, *right_bottom]).astype(int)
        return np.ascontiguousarray(luma[box[1] : box[3], box[0] : box[2]])
    quadrilateral = (*left_top, *left_bottom, *right_bottom, *right_top)
    return np.asarray(
        Image.fromarray(luma).transform((width, height), Image.Transform.QUAD, quadrilateral, Image.Resampling.BILINEAR)
    )
