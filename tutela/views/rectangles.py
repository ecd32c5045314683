"""Pictures inside a picture: upright rectangles whose four sides are edges or the frame of the whole.

This finds the picture within any border, in a screenshot or a meme, and the panels of a collage. Rectangles are built
of the few best vertical and horizontal lines, scored together, and those that another one splits are left out.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tutela.views.blanks import Rectangle
from tutela.views.edges import Edges, find_edges
from tutela.views.panels import MIN_SIDE, find_panels
from tutela.views.view import Luma

MAX_LINES = 9
"""Lines of each direction that are put together to rectangles."""
MIN_LINE = 0.2
"""A line is considered when this share of the whole line is an edge."""
MIN_SUPPORT = 0.6
"""At least this share of each side that is not the frame's must be an edge."""
MIN_FAINT = 0.1
"""The same for one that lies on a line of the whole picture."""
MIN_PANEL_SUPPORT = 0.3
"""The same for a panel: what it was cut along is an edge from side to side already."""
SNAP = 4
"""Pixels that a side may be moved to a better line."""
NEARLY = 0.9
"""A line with this share of the best one's support is as good."""
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
    panels = np.array(find_panels(vertical, horizontal), np.intp).reshape(-1, 4)
    boxes = _combinations(_lines(vertical, width), _lines(horizontal, height), vertical, horizontal)[: 4 * limit]
    kept: list[Found] = []
    for candidates, least in ((panels, MIN_PANEL_SUPPORT), (boxes, MIN_FAINT)):
        if not len(candidates):
            continue
        candidates = _snapped(candidates, vertical, horizontal)
        scores = _scores(candidates, vertical, horizontal, least)
        good = np.flatnonzero(scores > 0)
        ranked = good[np.argsort(-scores[good], kind="stable")]
        _keep_distinct(kept, candidates[ranked], scores[ranked], limit)
    return kept


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


def _combinations(columns: Integers, rows: Integers, vertical: Edges, horizontal: Edges) -> Integers:
    """The rectangles of these lines with enough support on every side, best first; the whole left out."""
    width, height = horizontal.length, vertical.length
    lefts, rights = _pairs(len(columns), columns, MIN_SIDE * width)
    tops, bottoms = _pairs(len(rows), rows, MIN_SIDE * height)
    if not len(lefts) or not len(tops):
        return np.empty((0, 4), np.intp)
    beside = vertical.support(columns[:, None], rows[tops][None, :], rows[bottoms][None, :])
    along = horizontal.support(rows[:, None], columns[lefts][None, :], columns[rights][None, :]).T
    # A line that goes on through the whole picture may be faint at one cell of a collage.
    beside = np.maximum(beside, vertical.totals[columns][:, None])
    along = np.maximum(along, horizontal.totals[rows][None, :])
    beside[[0, -1]] = 1.0
    along[:, [0, -1]] = 1.0
    # (pairs of columns, pairs of rows): the least supported side, and all four together.
    sides = (beside[lefts], beside[rights], along[:, tops], along[:, bottoms])
    least = np.minimum(np.minimum(sides[0], sides[1]), np.minimum(sides[2], sides[3]))
    total = sides[0] + sides[1] + sides[2] + sides[3]
    inner = (lefts > 0).astype(np.float32) + (rights < len(columns) - 1)
    more = inner[:, None] + ((tops > 0).astype(np.float32) + (bottoms < len(rows) - 1))[None, :]
    i, j = np.nonzero((least >= MIN_SUPPORT) & (more > 0))
    order = np.argsort(-(total[i, j] + 0.1 * more[i, j]), kind="stable")
    i, j = i[order], j[order]
    return np.stack([columns[lefts[i]], rows[tops[j]], columns[rights[i]], rows[bottoms[j]]], axis=1)


def _pairs(count: int, lines: Integers, least: float) -> tuple[Integers, Integers]:
    """Numbers of the lines that lie far enough apart, two by two."""
    first, second = np.triu_indices(count, 1)
    far = lines[second] - lines[first] >= least
    return first[far], second[far]


def _snapped(boxes: Integers, vertical: Edges, horizontal: Edges) -> Integers:
    """The rectangles with every side moved to the innermost of the good lines close by, by its own length alone."""
    snapped = boxes.copy()
    for side, edges, begin, end, inwards in (
        (0, vertical, 1, 3, 1),
        (2, vertical, 1, 3, -1),
        (1, horizontal, 0, 2, 1),
        (3, horizontal, 0, 2, -1),
    ):
        places = snapped[:, side, None] + inwards * np.arange(-SNAP, SNAP + 1)[None, :]
        known = np.clip(places, 0, edges.sums.shape[1] - 1)
        support = edges.support(known, snapped[:, begin, None], snapped[:, end, None])
        support = np.where(known == places, support, 0.0)
        good = (support >= NEARLY * support.max(axis=1, keepdims=True)) & (support >= MIN_SUPPORT)
        innermost = 2 * SNAP - np.argmax(good[:, ::-1], axis=1)
        moved = places[np.arange(len(boxes)), innermost]
        snapped[:, side] = np.where(good.any(axis=1), moved, snapped[:, side])
    return snapped


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
