"""A picture to its views: those of the whole, then those of the likeliest pictures inside it."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from tutela._native import Canvas
from tutela.content.views.anchors import WINDOW, anchored_windows
from tutela.content.views.listed import EDGES, listed_views
from tutela.content.views.view import ALL_TURNS, MIRRORED, UPRIGHT, WHOLE, Corners, Luma, Views
from tutela.content.views.view_set import ViewSet

SHORT_SIDE = 256
"""Views are looked for, and hashed, with the picture's short side brought to 256 to 511 pixels."""
SURE = 0.9
"""Score of a rectangle that is looked into itself."""
MIN_SIDE = 48
"""Smaller pictures have no views but the whole."""
FAMILIES = ("deskewed", "piece", "rectangle", "edge", "anchored")
"""Of what is found inside, in the native core's order."""


@dataclass(frozen=True, slots=True)
class ViewBudget:
    """How much is looked for."""

    pieces: int
    rectangles: int
    landmarks: int
    inner: int
    """Pictures inside that are looked into themselves, for what a crop or an overlay left of them."""
    inside_turns: int
    """Ways in which pictures found inside are turned to be looked up."""
    landmark_turns: int
    """The same for windows around landmarks."""

    def turns(self, families: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """The same for views of families by their numbers in `FAMILIES`. Edges stay upright."""
        inside = self.inside_turns
        return np.array([inside, inside, inside, UPRIGHT, self.landmark_turns], np.uint8)[families]


BUDGETS = {
    ViewSet.STANDARD: ViewBudget(
        pieces=10, rectangles=28, landmarks=8, inner=4, inside_turns=UPRIGHT, landmark_turns=MIRRORED
    ),
    ViewSet.THOROUGH: ViewBudget(
        pieces=16, rectangles=40, landmarks=12, inner=12, inside_turns=ALL_TURNS, landmark_turns=ALL_TURNS
    ),
}


@dataclass(frozen=True, slots=True)
class ViewFrame:
    """A picture with views in it: the whole, or a tilted one that was found inside, turned upright."""

    canvas: Canvas
    views: Views
    place: Corners
    """Where it lies in the whole."""


def reduced(luma: Luma) -> Luma:
    """The picture by a whole factor smaller, its short side not under 256 pixels."""
    factor = min(luma.shape) // SHORT_SIDE
    return luma if factor < 2 else np.asarray(Image.fromarray(luma).reduce(factor))


def find_frames(luma: Luma, views: ViewSet) -> list[ViewFrame]:
    """What is to be looked up of a reduced picture, beside the whole and its turns; the whole's frame first."""
    if views is ViewSet.PLAIN or min(luma.shape) < MIN_SIDE:
        return []
    if views is ViewSet.LISTED:
        return [ViewFrame(Canvas(luma), listed_views(luma), WHOLE)]
    budget, canvas = BUDGETS[views], Canvas(luma)
    families, corners = canvas.views(
        budget.pieces, budget.rectangles, budget.landmarks, WINDOW, budget.inner, SURE, EDGES
    )
    names = [FAMILIES[family] for family in families.tolist()]
    frames = [ViewFrame(canvas, Views(names, corners, budget.turns(families)), WHOLE)]
    for tilted in corners[: min(budget.inner, names.count("deskewed"))]:
        inner = canvas.cut_out(tilted, MIN_SIDE)
        if inner is not None:
            frames.append(ViewFrame(inner, _remains(inner, budget), tilted))
    return frames


def _remains(canvas: Canvas, budget: ViewBudget) -> Views:
    """Parts of a picture found in another that stay as they are when the rest of it is cut away or covered."""
    windows = anchored_windows(canvas, budget.landmarks)
    return Views.together([Views.of("edge", EDGES), Views.of("anchored", windows, budget.landmark_turns)])
