"""Windows around landmarks: the same piece of a scene is found again in a crop, under an overlay or in a collage.

Landmarks are blobs, brighter or darker than their surroundings, at a scale that follows the picture's size; the native
core finds them. A window of fixed size around each is a view. A crop changes the size by one factor only, however it is
placed, so the side that holds the original lists windows of several sizes and the crop is asked about in one.
"""

from tutela._native import Canvas
from tutela.content.views.view import Bounds, ManyCorners

WINDOW = 0.36
"""A window's side as a share of the root of the picture's area."""
_EVERYWHERE: Bounds = (0.0, 0.0, 1.0, 1.0)


def anchored_windows(canvas: Canvas, limit: int, scale: float = 1.0) -> ManyCorners:
    """Windows around the strongest landmarks of a picture, whose window lies within it; strongest first.

    `scale` below 1 finds those of a crop that keeps scale² of the picture's area.
    """
    return canvas.windows(_EVERYWHERE, limit, WINDOW, scale)
