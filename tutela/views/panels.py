"""Panels: a picture is cut along lines that are edges from side to side, its pieces again; and even grids.

This finds the pictures of a collage that touch each other, and those that gutters part.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

from tutela.views.blanks import Rectangle
from tutela.views.edges import Edges

MIN_SIDE = 0.12
"""A panel's side is at least this share of the picture's."""
MIN_CUT = 0.6
"""A line cuts a rectangle in two when this share of it, from side to side, is an edge."""
MAX_DEPTH = 3
"""How often the pieces of a cut are cut again."""
NEAR = 4
"""Pixels that an even grid's line may lie off its place."""
MIN_GRID = 0.4
"""The inner lines of an even grid are edges for at least this share."""


def find_panels(vertical: Edges, horizontal: Edges) -> list[Rectangle]:
    """The cells of even grids, then what cuts leave, larger before smaller; some of them more than once."""
    whole = (0, 0, horizontal.length, vertical.length)
    return [*_grids(vertical, horizontal), *_pieces(whole, vertical, horizontal, MAX_DEPTH)]


def _pieces(box: Rectangle, vertical: Edges, horizontal: Edges, depth: int) -> Iterator[Rectangle]:
    """The rectangles that lines from side to side cut a rectangle into, and the pieces of these."""
    left, top, right, bottom = box
    across = _cuts(vertical, left, right, top, bottom)
    down = _cuts(horizontal, top, bottom, left, right)
    if not across and not down:
        return
    if _mean_support(vertical, across, top, bottom) >= _mean_support(horizontal, down, left, right):
        inner = [(a, top, b, bottom) for a, b in pairwise((left, *across, right))]
    else:
        inner = [(left, a, right, b) for a, b in pairwise((top, *down, bottom))]
    for piece in inner:
        if piece[2] - piece[0] >= MIN_SIDE * horizontal.length and piece[3] - piece[1] >= MIN_SIDE * vertical.length:
            yield piece
            if depth > 1:
                yield from _pieces(piece, vertical, horizontal, depth - 1)


def _cuts(edges: Edges, first: int, last: int, begin: int, end: int) -> list[int]:
    """The lines between `first` and `last` that are edges from `begin` to `end`, the best of close ones."""
    margin = max(3, (last - first) // 50)
    places = np.arange(first + margin, last - margin)
    if not len(places):
        return []
    support = edges.support(places, np.full_like(places, begin), np.full_like(places, end))
    chosen: list[int] = []
    for i in np.argsort(-support, kind="stable")[:24]:
        if support[i] < MIN_CUT:
            break
        if all(abs(int(places[i]) - other) >= 3 for other in chosen):
            chosen.append(int(places[i]))
    return sorted(chosen)


def _mean_support(edges: Edges, places: Sequence[int], begin: int, end: int) -> float:
    if not places:
        return -1.0
    at = np.array(places, np.intp)
    return float(edges.support(at, np.full_like(at, begin), np.full_like(at, end)).mean())


def _grids(vertical: Edges, horizontal: Edges) -> Iterator[Rectangle]:
    """The cells of even grids whose inner lines show at least faintly."""
    width, height = horizontal.length, vertical.length
    across = [parts for parts in (1, 2, 3, 4) if _is_divided(vertical, width, parts)]
    down = [parts for parts in (1, 2, 3, 4) if _is_divided(horizontal, height, parts)]
    for columns in across:
        for rows in down:
            if columns * rows > 1:
                for i in range(columns * rows):
                    x, y = i % columns, i // columns
                    yield (
                        round(width * x / columns),
                        round(height * y / rows),
                        round(width * (x + 1) / columns),
                        round(height * (y + 1) / rows),
                    )


def _is_divided(edges: Edges, length: int, parts: int) -> bool:
    for i in range(1, parts):
        place = round(length * i / parts)
        if edges.totals[place - NEAR : place + NEAR + 1].max() < MIN_GRID:
            return False
    return True
