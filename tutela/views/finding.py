"""A picture to its views: those of the whole, then those of the likeliest pictures inside it."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from tutela._native import Canvas
from tutela.media.content import ViewSet
from tutela.views.anchors import EVERYWHERE, anchored_windows
from tutela.views.listing import EDGES, listed_views
from tutela.views.tilted import find_tilted
from tutela.views.view import ALL_TURNS, MIRRORED, UPRIGHT, WHOLE, Bounds, Corners, Luma, Views

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
    inside_turns: int
    """Ways in which what is found inside is turned to be looked up."""
    landmark_turns: int
    """The same for windows around landmarks."""


BUDGETS = {
    ViewSet.STANDARD: Budget(
        pieces=10, rectangles=28, landmarks=8, inner=4, inside_turns=UPRIGHT, landmark_turns=MIRRORED
    ),
    ViewSet.THOROUGH: Budget(
        pieces=16, rectangles=40, landmarks=12, inner=12, inside_turns=ALL_TURNS, landmark_turns=ALL_TURNS
    ),
}


@dataclass(frozen=True, slots=True)
class Frame:
    """A picture with views in it: the whole, or a tilted one that was found inside, turned upright."""

    canvas: Canvas
    views: Views
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
    if views is ViewSet.LISTED:
        return [Frame(Canvas(luma), listed_views(luma), WHOLE)]
    budget, canvas = BUDGETS[views], Canvas(luma)
    tilted = find_tilted(luma)
    upright, scores, pieces = canvas.pictures(budget.pieces, budget.rectangles)
    sure = upright[scores >= SURE][: max(0, budget.inner - len(tilted))]
    parts = [Views.of("deskewed", corners[None], budget.inside_turns) for corners in tilted]
    parts += [
        Views.of("piece", upright[:pieces], budget.inside_turns),
        Views.of("rectangle", upright[pieces:], budget.inside_turns),
        *_remains(canvas, EVERYWHERE, budget),
    ]
    for left_top, _, right_bottom, _ in sure.tolist():
        parts += _remains(canvas, (*left_top, *right_bottom), budget)
    frames = [Frame(canvas, Views.together(parts), WHOLE)]
    for corners in tilted[: budget.inner]:
        inner = _cut_out(luma, corners)
        if min(inner.shape) >= MIN_SIDE:
            alone = Canvas(inner)
            frames.append(Frame(alone, Views.together(_remains(alone, EVERYWHERE, budget)), corners))
    return frames


def _remains(canvas: Canvas, within: Bounds, budget: Budget) -> tuple[Views, Views]:
    """Parts of a picture that stay as they are when the rest of it is cut away or covered."""
    left, top, right, bottom = within
    edges = EDGES * (right - left, bottom - top) + (left, top)
    windows = anchored_windows(canvas, budget.landmarks, within)
    return Views.of("edge", edges), Views.of("anchored", windows, budget.landmark_turns)


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
