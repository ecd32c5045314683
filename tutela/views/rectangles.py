"""Pictures inside a picture: upright rectangles whose four sides are edges or the frame of the whole.

This finds the picture within any border, in a screenshot or a meme, and the panels of a collage. Rectangles are built
of the few best vertical and horizontal lines, scored together, and those that another one splits are left out.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from tutela.views.blanks import Rectangle
from tutela.views.edges import Edges, find_edges
from tutela.views.view import Luma

MAX_LINES = 14
"""Lines of each direction that are put together to rectangles."""
MIN_LINE = 0.12
"""A line is considered when this share of the whole line is an edge."""
MIN_SIDE = 0.12
"""A rectangle's side is at least this share of the picture's."""
MIN_SUPPORT = 0.55
"""At least this share of each side that is not the frame's must be an edge."""
MIN_CUT = 0.6
"""A line cuts a rectangle in two when this share of it, from side to side, is an edge."""
MAX_DEPTH = 3
"""How often the pieces of a cut are cut again."""
SAME = 0.02
"""Rectangles whose sides differ by less than this share of their own size are the same."""

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
    pieces = np.array(list(_pieces((0, 0, width, height), vertical, horizontal, MAX_DEPTH)), np.intp).reshape(-1, 4)
    boxes = _combinations(_lines(vertical, width), _lines(horizontal, height), width, height)
    kept: list[Found] = []
    for candidates, least in ((pieces, 0.3), (boxes, MIN_SUPPORT)):
        scores = _scores(candidates, vertical, horizontal, least)
        good = np.flatnonzero(scores > 0)
        ranked = good[np.argsort(-scores[good], kind="stable")][: 12 * limit]
        _keep_distinct(kept, candidates[ranked], scores[ranked], limit)
    return kept


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


def _combinations(columns: Integers, rows: Integers, width: int, height: int) -> Integers:
    """Every rectangle of these lines, the whole left out."""
    lefts, rights = _pairs(columns, MIN_SIDE * width)
    tops, bottoms = _pairs(rows, MIN_SIDE * height)
    across, down = (grid.ravel() for grid in np.meshgrid(np.arange(len(lefts)), np.arange(len(tops)), indexing="ij"))
    boxes = np.stack([lefts[across], tops[down], rights[across], bottoms[down]], axis=1)
    return boxes[((boxes[:, 2] - boxes[:, 0]) < width) | ((boxes[:, 3] - boxes[:, 1]) < height)]


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


def _scores(boxes: Integers, vertical: Edges, horizontal: Edges, least: float) -> npt.NDArray[np.float32]:
    """The mean support of the sides that are not the frame's, more for more sides; 0 where one lacks support."""
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
    enough = np.where(inner, supports, 1.0).min(axis=0) >= least
    mean = np.where(inner, supports, 0.0).sum(axis=0) / np.maximum(sides, 1)
    scores: npt.NDArray[np.float32] = np.where(enough & (sides > 0), mean + 0.02 * sides, 0.0).astype(np.float32)
    return scores


def _keep_distinct(kept: list[Found], boxes: Integers, scores: npt.NDArray[np.float32], limit: int) -> None:
    for (left, top, right, bottom), score in zip(boxes.tolist(), scores.tolist(), strict=True):
        if len(kept) == limit:
            return
        box = (left, top, right, bottom)
        if not any(same(box, other.rectangle) for other in kept):
            kept.append(Found(box, score))


def same(a: Rectangle, b: Rectangle) -> bool:
    """Whether the sides of both lie as good as in the same places."""
    across, down = SAME * (b[2] - b[0]), SAME * (b[3] - b[1])
    return (
        abs(a[0] - b[0]) <= across
        and abs(a[2] - b[2]) <= across
        and abs(a[1] - b[1]) <= down
        and abs(a[3] - b[3]) <= down
    )
