"""Pictures apart on plain ground: a page is cut along blank rows, its pieces along blank columns, and so on.

Source of the method: Nagy, Seth, "Hierarchical representation of optically scanned documents" (1984), the X-Y cut. What
is left of the whole without blank sides is the first piece: the picture within a border.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from tutela.views.view import Luma

Rectangle = tuple[int, int, int, int]
"""(left, top, right, bottom) in pixels; right and bottom are the first ones outside."""

BLANK_VARIANCE = 10.0
"""A line is blank whose pixels vary so much at most about a straight slope of brightness, of 255 steps, squared."""
MIN_SIDE = 0.12
"""A piece's side is at least this share of the whole's."""
MAX_DEPTH = 4


def find_pieces(luma: Luma, limit: int) -> list[Rectangle]:
    """The pieces, the larger first, the whole left out."""
    height, width = luma.shape
    every_third = _blank(luma[:, ::3].astype(np.float32)), _blank(luma[::3].T.astype(np.float32))
    if not every_third[0].any() and not every_third[1].any():
        return []
    least = (MIN_SIDE * width, MIN_SIDE * height)
    found = dict.fromkeys(_pieces(luma.astype(np.float32), (0, 0), least, MAX_DEPTH))
    found.pop((0, 0, width, height), None)
    return sorted(found, key=lambda box: -(box[2] - box[0]) * (box[3] - box[1]))[:limit]


def _pieces(
    pixels: npt.NDArray[np.float32], offset: tuple[int, int], least: tuple[float, float], depth: int
) -> Iterator[Rectangle]:
    """What is left of a part without its blank sides, then the pieces between blank lines inside."""
    top, bottom = _between(_blank(pixels))
    if top == bottom:
        return
    left, right = _between(_blank(pixels[top:bottom].T))
    if right - left < least[0] or bottom - top < least[1]:
        return
    x, y = offset[0] + left, offset[1] + top
    inner = pixels[top:bottom, left:right]
    yield x, y, x + right - left, y + bottom - top
    if depth == 0:
        return
    rows, columns = _stretches(_blank(inner)), _stretches(_blank(inner.T))
    if len(rows) > 1:
        for begin, end in rows:
            if end - begin >= least[1]:
                yield from _pieces(inner[begin:end], (x, y + begin), least, depth - 1)
    elif len(columns) > 1:
        for begin, end in columns:
            if end - begin >= least[0]:
                yield from _pieces(inner[:, begin:end], (x + begin, y), least, depth - 1)


def _blank(pixels: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
    """For every row, whether it is blank: one brightness, or a straight slope of it."""
    length = pixels.shape[1]
    places = np.linspace(-1.0, 1.0, length, dtype=np.float32)
    power = float(places @ places) / length
    mean = pixels.mean(axis=1)
    slope = np.einsum("ij,j->i", pixels, places) / length / power
    variance = np.einsum("ij,ij->i", pixels, pixels) / length - mean**2 - power * slope**2
    blank: npt.NDArray[np.bool_] = variance < BLANK_VARIANCE
    return blank


def _between(blank: npt.NDArray[np.bool_]) -> tuple[int, int]:
    """The stretch between the blank lines at both ends."""
    busy = np.flatnonzero(~blank)
    return (int(busy[0]), int(busy[-1]) + 1) if len(busy) else (0, 0)


def _stretches(blank: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """The stretches of lines that are not blank."""
    edges = np.flatnonzero(np.diff(np.concatenate(([True], blank, [True])).astype(np.int8)))
    return [(int(begin), int(end)) for begin, end in zip(edges[::2], edges[1::2], strict=True)]
