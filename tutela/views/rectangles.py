"""Pictures inside a picture: upright rectangles whose four sides are edges or the frame of the whole.

This finds the picture within any border, in a screenshot or a meme, and the panels of a collage. Rectangles are built
of the few best vertical and horizontal lines, scored together, and those that another one splits are left out.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tutela.views.borders import Rectangle
from tutela.views.edges import Edges, find_edges
from tutela.views.view import Luma

MAX_LINES = 14
"""Lines of each direction that are put together to rectangles."""
MIN_LINE = 0.12
"""A line is considered when this share of the whole line is an edge."""
MIN_SIDE = 0.16
"""A rectangle's side is at least this share of the picture's."""
MIN_SUPPORT = 0.55
"""At least this share of each side that is not the frame's must be an edge."""
SAME = 0.85
"""Rectangles that overlap by more than this share of their union are the same."""

Integers = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Found:
    """A rectangle and how sure it is, 0-1."""

    rectangle: Rectangle
    score: float


def find_rectangles(luma: Luma, limit: int) -> list[Found]:
    """The likeliest rectangles, best first; none for a picture that has no other inside."""
    height, width = luma.shape
    vertical, horizontal = find_edges(luma)
    columns, rows = _lines(vertical, width), _lines(horizontal, height)
    if len(columns) == 2 and len(rows) == 2:
        return []
    lefts, rights = _pairs(columns, MIN_SIDE * width)
    tops, bottoms = _pairs(rows, MIN_SIDE * height)
    across, down = (grid.ravel() for grid in np.meshgrid(np.arange(len(lefts)), np.arange(len(tops)), indexing="ij"))
    boxes = np.stack([lefts[across], tops[down], rights[across], bottoms[down]], axis=1)
    boxes = boxes[((boxes[:, 2] - boxes[:, 0]) < width) | ((boxes[:, 3] - boxes[:, 1]) < height)]
    scores = _scores(boxes, vertical, horizontal)
    good = np.flatnonzero(scores > 0)
    ranked = good[np.argsort(-scores[good], kind="stable")][: 12 * limit]
    return _distinct(boxes[ranked], scores[ranked], limit)


def _lines(edges: Edges, length: int) -> Integers:
    """The frame's two lines and the best ones between, in order."""
    totals = edges.totals.copy()
    margin = max(2, length // 100)
    totals[:margin] = totals[length + 1 - margin :] = 0
    chosen = [0, length]
    for position in np.argsort(-totals, kind="stable")[: 6 * MAX_LINES]:
        if totals[position] < MIN_LINE or len(chosen) >= MAX_LINES + 2:
            break
        if all(abs(int(position) - other) >= margin for other in chosen):
            chosen.append(int(position))
    return np.array(sorted(chosen), np.intp)


def _pairs(lines: Integers, least: float) -> tuple[Integers, Integers]:
    first, second = np.triu_indices(len(lines), 1)
    far = lines[second] - lines[first] >= least
    return lines[first[far]], lines[second[far]]


def _scores(boxes: Integers, vertical: Edges, horizontal: Edges) -> npt.NDArray[np.float32]:
    """0 where a side lacks support; else the mean support of the sides that are not the frame's, less for few sides."""
    left, top, right, bottom = boxes.T
    width, height = horizontal.length, vertical.length
    supports = np.stack(
        [
            vertical.support(left, top, bottom),
            vertical.support(right, top, bottom),
            horizontal.support(top, left, right),
            horizontal.support(bottom, left, right),
        ]
    )
    inner = np.stack([left > 0, right < width, top > 0, bottom < height])
    sides = inner.sum(axis=0)
    enough = np.where(inner, supports, 1.0).min(axis=0) >= MIN_SUPPORT
    mean = np.where(inner, supports, 0.0).sum(axis=0) / np.maximum(sides, 1)
    scores: npt.NDArray[np.float32] = np.where(enough & (sides > 0), mean + 0.02 * sides, 0.0).astype(np.float32)
    return scores


def _distinct(boxes: Integers, scores: npt.NDArray[np.float32], limit: int) -> list[Found]:
    kept: list[Found] = []
    for (left, top, right, bottom), score in zip(boxes.tolist(), scores.tolist(), strict=True):
        box = (left, top, right, bottom)
        if all(_overlap(box, other.rectangle) < SAME for other in kept):
            kept.append(Found(box, score))
            if len(kept) == limit:
                break
    return kept


def _overlap(a: Rectangle, b: Rectangle) -> float:
    """The common area as a share of the area of both together."""
    across, down = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    if across <= 0 or down <= 0:
        return 0.0
    common = across * down
    return common / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - common)
