"""A picture to its views: those of the whole, then those of the likeliest pictures inside it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from tutela._native import Canvas
from tutela.media.content import ViewSet
from tutela.views.anchors import EVERYWHERE, anchored_windows
from tutela.views.listing import EDGES, views_to_list
from tutela.views.tilted import find_tilted
from tutela.views.view import WHOLE, Bounds, Corners, Luma, ManyCorners

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
    ViewSet.STANDARD: Budget(pieces=10, rectangles=28, landmarks=8, inner=4, turned=False),
    ViewSet.THOROUGH: Budget(pieces=16, rectangles=24, landmarks=12, inner=12, turned=True),
}


@dataclass(frozen=True, slots=True)
class Frame:
    """A picture with views in it: the whole, or a tilted one that was found inside, turned upright."""

    canvas: Canvas
    families: Sequence[str]
    corners: ManyCorners
    turned: int
    """Of so many views, the first ones, all turns are looked up."""
    place: Corners
    """Where it lies in the whole."""


def reduced(luma: Luma) -> Luma:
    """The picture by a whole factor smaller, its short side not under 256 pixels."""
    factor = min(luma.shape) // SHORT_SIDE
    return luma if factor < 2 else np.asarray(Image.fromarray(luma).reduce(factor))


def find_frames(luma: Luma, views: ViewSet) -> list[Frame]:
    """What is to be looked up of a reduced picture, beside the whole and its turns; the whole's frame first."""
    if views is ViewSet.PLAIN or min(luma.shape) < MIN_SIDE:
        return []
    canvas = Canvas(luma)
    if views is ViewSet.LISTED:
        listed = views_to_list(luma)
        return [Frame(canvas, [view.family for view in listed], np.stack([view.corners for view in listed]), 0, WHOLE)]
    budget = BUDGETS[views]
    tilted = find_tilted(luma)
    upright, scores, pieces = canvas.pictures(budget.pieces, budget.rectangles)
    families = [*["deskewed"] * len(tilted), *["piece"] * pieces, *["rectangle"] * (len(upright) - pieces)]
    parts = [*(corners[None] for corners in tilted), upright]
    turned = len(families) if budget.turned else 0
    sure = upright[scores >= SURE][: max(0, budget.inner - len(tilted))]
    for within in (EVERYWHERE, *((*box[0], *box[2]) for box in sure.tolist())):
        remains = _remains(canvas, within, budget)
        families += remains[0]
        parts.append(remains[1])
    frames = [Frame(canvas, families, np.concatenate(parts), turned, WHOLE)]
    for corners in tilted[: budget.inner]:
        inner = _cut_out(luma, corners)
        if min(inner.shape) >= MIN_SIDE:
            alone = Canvas(inner)
            frames.append(Frame(alone, *_remains(alone, EVERYWHERE, budget), 0, corners))
    return frames


def _remains(canvas: Canvas, within: Bounds, budget: Budget) -> tuple[list[str], ManyCorners]:
    """Parts of a picture that stay as they are when the rest of it is cut away or covered."""
    left, top, right, bottom = within
    edges = EDGES * (right - left, bottom - top) + (left, top)
    windows = anchored_windows(canvas, budget.landmarks, within)
    return [*["edge"] * len(edges), *["anchored"] * len(windows)], np.concatenate([edges, windows])


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
