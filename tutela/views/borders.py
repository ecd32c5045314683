"""Borders: stretches of rows or columns along the picture's sides that show nothing of their own."""

import numpy as np
import numpy.typing as npt

from tutela.views.view import Luma

Rectangle = tuple[int, int, int, int]
"""(left, top, right, bottom) in pixels; right and bottom are the first ones outside."""

FLAT_STEP = 4.0
"""Neighbours along a line of a border differ by no more than this many of 255 steps on average."""
FLAT_RANGE = 10.0
"""How far a border line's pixels may lie from the line's own straight fit, as a standard deviation."""
MIN_SHARE = 0.2
"""What is left of a side after trimming must be at least this share of it."""


def trim(luma: Luma) -> Rectangle:
    """What is left without flat or evenly shaded borders; the whole picture where there are none."""
    height, width = luma.shape
    top, bottom = _inside(_flat_lines(luma))
    left, right = _inside(_flat_lines(np.ascontiguousarray(luma[top:bottom].T)))
    if right - left < MIN_SHARE * width or bottom - top < MIN_SHARE * height:
        return 0, 0, width, height
    return left, top, right, bottom


def _flat_lines(luma: Luma) -> npt.NDArray[np.bool_]:
    """For every row, whether it is flat or a straight slope of brightness."""
    rows = luma.astype(np.float32)
    places = np.linspace(-1.0, 1.0, rows.shape[1], dtype=np.float32)
    power = float(places @ places) / len(places)
    slope = rows @ places / len(places) / power
    spread = np.einsum("ij,ij->i", rows, rows) / len(places) - rows.mean(axis=1) ** 2 - power * slope**2
    flat: npt.NDArray[np.bool_] = spread < FLAT_RANGE
    return flat


def _inside(flat: npt.NDArray[np.bool_]) -> tuple[int, int]:
    """The stretch between the flat lines at both ends."""
    busy = np.flatnonzero(~flat)
    return (int(busy[0]), int(busy[-1]) + 1) if len(busy) else (0, len(flat))
