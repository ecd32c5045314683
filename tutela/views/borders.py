"""Borders that are not blank: a blurred copy of the picture around it, and noise.

Both are told by how neighbours along a line differ: next to nothing in blur; in noise as much as any two pixels do.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tutela.views.blanks import Rectangle
from tutela.views.view import Luma

MIN_SIDE = 0.2
"""What is left of a side must be at least this share of it."""
SMALLEST = 32
"""Pixels of a side under which nothing is said of borders."""
BLURRED = 0.3
"""A blurred line's steps are at most this share of the picture's usual ones."""
NOISY = 0.55
"""Mean square step over twice the variance: 1 for noise, a tenth or two for what a camera sees."""
MIN_NOISE = 25.0
"""Variance under which noise is none."""

Values = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class _Lines:
    """What is known of each line of a direction."""

    step: Values
    """Mean absolute difference of neighbours."""
    mean: Values
    variance: Values
    whiteness: Values
    """As `NOISY` has it."""


IsBorder = Callable[[_Lines], npt.NDArray[np.bool_]]


def find_inside(luma: Luma) -> list[Rectangle]:
    """What lies within a blurred or a noisy border, where there is one."""
    if min(luma.shape) < SMALLEST:
        return []
    likely = [set(_likely(luma)), set(_likely(luma.T))]
    found = []
    for is_border in (_blurred, _noisy):
        if is_border in likely[0] | likely[1]:
            box = _inside(luma, is_border)
            if box is not None:
                found.append(box)
    return found


def _likely(luma: Luma) -> Iterator[IsBorder]:
    """The kinds of border that the outermost rows may be, by these and a few others."""
    step = max(1, len(luma) // 12)
    measured = _measured(luma[np.r_[0, 1, 2 : len(luma) - 2 : step, len(luma) - 2, len(luma) - 1]])
    for is_border in (_blurred, _noisy):
        found = is_border(measured)
        if found[:2].all() and found[-2:].all():
            yield is_border


def _inside(luma: Luma, is_border: IsBorder) -> Rectangle | None:
    height, width = luma.shape
    top, bottom = _between(is_border(_measured(luma)))
    left, right = _between(is_border(_measured(luma[top:bottom].T)))
    if (left, top, right, bottom) == (0, 0, width, height):
        return None
    wide_enough = right - left >= MIN_SIDE * width and bottom - top >= MIN_SIDE * height
    return (left, top, right, bottom) if wide_enough else None


def _measured(luma: Luma) -> _Lines:
    pixels = luma.astype(np.float32)
    steps = np.diff(pixels, axis=1)
    variance = np.maximum(pixels.var(axis=1), 1e-3)
    return _Lines(
        np.abs(steps).mean(axis=1),
        pixels.mean(axis=1),
        variance,
        np.einsum("ij,ij->i", steps, steps) / steps.shape[1] / (2 * variance),
    )


def _blurred(lines: _Lines) -> npt.NDArray[np.bool_]:
    blurred: npt.NDArray[np.bool_] = lines.step < BLURRED * np.quantile(lines.step, 0.7)
    return blurred


def _noisy(lines: _Lines) -> npt.NDArray[np.bool_]:
    """Lines like the outermost ones, where these are noise."""
    outer = max(2, len(lines.mean) // 60)
    both_ends = np.r_[0:outer, len(lines.mean) - outer : len(lines.mean)]
    mean, variance, whiteness = (
        float(np.median(values[both_ends])) for values in (lines.mean, lines.variance, lines.whiteness)
    )
    if whiteness < NOISY or variance < MIN_NOISE:
        return np.zeros(len(lines.mean), np.bool_)
    noisy: npt.NDArray[np.bool_] = (
        (np.abs(lines.mean - mean) < 0.5 * np.sqrt(variance))
        & (np.abs(lines.variance - variance) < 0.4 * variance)
        & (lines.whiteness > 0.75 * whiteness)
    )
    return noisy


def _between(border: npt.NDArray[np.bool_]) -> tuple[int, int]:
    """The stretch between the border lines at both ends; all where everything is border."""
    inside = np.flatnonzero(~border)
    return (int(inside[0]), int(inside[-1]) + 1) if len(inside) else (0, len(border))
