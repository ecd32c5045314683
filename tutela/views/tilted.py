"""A tilted picture on plain ground: rotated with filled corners, or a screen that was photographed.

The ground is what the picture's own corners show. The hull of all else has four long sides, whatever lies within; they
are the tilted picture's, be it whole or cut off by the frame.
"""

import math
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from PIL import Image

from tutela.views.view import Corners, Luma

GROUND_SPREAD = 5.0
"""Standard deviation, of 255 steps, up to which a corner is plain ground."""
MAX_DIFFERENCE = 40.0
"""Steps of brightness between the ground's corners: light falls off."""
ROUNDING = 2.0
"""Steps that a quick look at the corners may be off what half the size shows."""
STANDS_OUT = 20
"""Steps of brightness from the ground that make a pixel part of the picture."""
MIN_TILT = 0.6
"""Degrees. What is straighter is found otherwise."""
MAX_TILT = 46.0
SAME_DIRECTION = 5.0
"""Degrees between the sides of a hull that belong to one side of the picture."""
MIN_SIDES = 0.5
"""Length of the sides that are at right angles to each other, as a share of the frame's width and height together."""

Points = npt.NDArray[np.float64]
"""(count, 2)."""


def find_tilted(luma: Luma) -> list[Corners]:
    """The tilted picture as a rectangle and, where its sides are not at right angles, as a quadrilateral."""
    if not _may_have_ground(luma):
        return []
    small = np.asarray(Image.fromarray(luma).reduce(2), np.int16)
    ground = _ground(small)
    if ground is None:
        return []
    hull = _hull(np.abs(small - ground) > STANDS_OUT)
    if len(hull) < 4:
        return []
    height, width = small.shape
    size = np.array([width, height], np.float64)
    sides = _sides(hull, size)
    if not sides:
        return []
    found = []
    tilt, share = _tilt(sides)
    if share * sum(map(_length, sides)) < MIN_SIDES * (width + height):
        return []
    if MIN_TILT <= abs(tilt) <= MAX_TILT:
        found.append(_box_at(hull, tilt) / size)
    quadrilateral = _quadrilateral(sides)
    if quadrilateral is not None and not _is_upright(quadrilateral):
        found.append(quadrilateral / size)
    return [corners for corners in found if np.all(np.abs(corners - 0.5) < 1.0)]


def _may_have_ground(luma: Luma) -> bool:
    """Whether at least three corners look plain and alike, by a few pixels each: most photos are done with here."""
    means = [_plain_mean(corner.tobytes()) for corner in (luma[:4, :4], luma[:4, -4:], luma[-4:, -4:], luma[-4:, :4])]
    known = [mean for mean in means if mean is not None]
    return len(known) >= 3 and max(known) - min(known) <= MAX_DIFFERENCE + ROUNDING


def _plain_mean(corner: bytes) -> float | None:
    """The mean of 4x4 pixels whose halves both ways differ little; None where they differ more."""
    halves = [sum(corner[i : i + 2]) + sum(corner[i + 4 : i + 6]) for i in (0, 2, 8, 10)]
    mean = sum(halves) / 4
    spread = math.sqrt(sum((half - mean) ** 2 for half in halves)) / 2
    return mean / 4 if spread / 4 <= GROUND_SPREAD + ROUNDING else None


def _ground(small: npt.NDArray[np.int16]) -> npt.NDArray[np.float32] | None:
    """What the ground's brightness is everywhere, by its corners; None where fewer than three are plain."""
    height, width = small.shape
    patch = 2
    corners = (small[:patch, :patch], small[:patch, -patch:], small[-patch:, -patch:], small[-patch:, :patch])
    plain = [float(corner.mean()) if corner.std() <= GROUND_SPREAD else None for corner in corners]
    known = [value for value in plain if value is not None]
    if len(known) < 3 or max(known) - min(known) > MAX_DIFFERENCE:
        return None
    usual = sum(known) / len(known)
    left_top, right_top, right_bottom, left_bottom = (usual if value is None else value for value in plain)
    across, down = np.linspace(0, 1, width, dtype=np.float32), np.linspace(0, 1, height, dtype=np.float32)[:, None]
    top, bottom = left_top + (right_top - left_top) * across, left_bottom + (right_bottom - left_bottom) * across
    return (top + (bottom - top) * down).astype(np.float32)


def _hull(stands_out: npt.NDArray[np.bool_]) -> Points:
    """The convex hull of what stands out, counter-clockwise as seen with y downwards (Andrew, 1979)."""
    # A lone pixel is a speck of the encoder's.
    solid = stands_out[:-1, :-1] & stands_out[1:, :-1] & stands_out[:-1, 1:] & stands_out[1:, 1:]
    rows = np.flatnonzero(solid.any(axis=1))
    if not len(rows):
        return np.empty((0, 2))
    first = solid[rows].argmax(axis=1)
    last = solid.shape[1] - solid[rows, ::-1].argmax(axis=1)
    points = [(x, y + down) for x, y in _outermost(first, rows) for down in (0.0, 2.0)]
    points += [(1.0 - x, y + down) for x, y in _outermost(-last, rows) for down in (0.0, 2.0)]
    points = sorted(set(points))
    return np.array([*_chain(points), *_chain(points[::-1])], np.float64)


def _outermost(left: npt.NDArray[np.intp], rows: npt.NDArray[np.intp]) -> list[tuple[float, float]]:
    """Those left ends (x, y) of rows that lie left of the line between their neighbours: no other is the hull's."""
    share = (rows[1:-1] - rows[:-2]) / (rows[2:] - rows[:-2])
    between = left[:-2] + (left[2:] - left[:-2]) * share
    kept = np.concatenate([[True], left[1:-1] < between, [True]])[: len(rows)]
    return [(float(x), float(y)) for x, y in zip(left[kept], rows[kept], strict=True)]


def _chain(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    chain: list[tuple[float, float]] = []
    for x, y in points:
        while len(chain) >= 2:
            (ax, ay), (bx, by) = chain[-2], chain[-1]
            if (bx - ax) * (y - ay) - (by - ay) * (x - ax) > 0:
                break
            chain.pop()
        chain.append((x, y))
    return chain[:-1]


def _sides(hull: Points, size: Points) -> list[tuple[Points, Points]]:
    """The hull's sides that are not the frame's, joined where they go on in one direction: (begin, end) each."""
    border = 2.0
    loop = np.vstack([hull, hull[:1]])
    sides: list[tuple[Points, Points]] = []
    for begin, end in pairwise(loop):
        on_frame = any(
            (abs(begin[axis] - place) <= border and abs(end[axis] - place) <= border)
            for axis in (0, 1)
            for place in (0.0, size[axis])
        )
        if on_frame:
            continue
        if sides and np.array_equal(sides[-1][1], begin) and _turn(sides[-1], (begin, end)) < SAME_DIRECTION:
            sides[-1] = (sides[-1][0], end)
        else:
            sides.append((begin, end))
    if len(sides) > 1 and np.array_equal(sides[-1][1], sides[0][0]) and _turn(sides[-1], sides[0]) < SAME_DIRECTION:
        sides[0] = (sides.pop()[0], sides[0][1])
    return sides


def _direction(side: tuple[Points, Points]) -> float:
    """Degrees from the x axis, in (-180, 180]."""
    across, down = side[1] - side[0]
    return math.degrees(math.atan2(down, across))


def _length(side: tuple[Points, Points]) -> float:
    return float(np.hypot(*(side[1] - side[0])))


def _turn(a: tuple[Points, Points], b: tuple[Points, Points]) -> float:
    difference = abs(_direction(a) - _direction(b)) % 360
    return min(difference, 360 - difference)


def _tilt(sides: list[tuple[Points, Points]]) -> tuple[float, float]:
    """The tilt, in (-45, 45], that most of the sides' length has in common at right angles, and how much of it."""
    angles = np.array([(_direction(side) + 45) % 90 - 45 for side in sides])
    lengths = np.array([_length(side) for side in sides])
    differences = (angles[None, :] - angles[:, None] + 45) % 90 - 45
    near = np.abs(differences) < SAME_DIRECTION / 2
    best = int((near * lengths).sum(axis=1).argmax())
    weights = near[best] * lengths**2
    tilt = angles[best] + (weights * differences[best]).sum() / weights.sum()
    return float(tilt), float((near[best] * lengths).sum() / lengths.sum())


def _box_at(hull: Points, tilt: float) -> Points:
    """The smallest rectangle of a tilt around the hull."""
    angle = math.radians(tilt)
    along, across = np.array([math.cos(angle), math.sin(angle)]), np.array([-math.sin(angle), math.cos(angle)])
    u, v = hull @ along, hull @ across
    corners = [(u.min(), v.min()), (u.max(), v.min()), (u.max(), v.max()), (u.min(), v.max())]
    return np.array([a * along + b * across for a, b in corners])


def _quadrilateral(sides: list[tuple[Points, Points]]) -> Points | None:
    """Where the four longest sides meet, from the left top corner on; None where they do not make a quadrilateral."""
    if len(sides) < 4:
        return None
    longest = sorted(sorted(range(len(sides)), key=lambda i: -_length(sides[i]))[:4])
    lines = [sides[i] for i in longest]
    corners = [_meeting(lines[i - 1], lines[i]) for i in range(4)]
    known = [corner for corner in corners if corner is not None]
    if len(known) < 4:
        return None
    points = np.array(known)
    return np.roll(points, -int(points.sum(axis=1).argmin()), axis=0)


def _is_upright(corners: Points) -> bool:
    """Whether it is as good as an upright rectangle, which is found otherwise."""
    sides = [(corners[i - 1], corners[i]) for i in range(4)]
    return all(abs((_direction(side) + 45) % 90 - 45) < MIN_TILT for side in sides)


def _meeting(a: tuple[Points, Points], b: tuple[Points, Points]) -> Points | None:
    along, other = a[1] - a[0], b[1] - b[0]
    cross = along[0] * other[1] - along[1] * other[0]
    if abs(cross) < 0.2 * np.hypot(*along) * np.hypot(*other):
        return None
    gap = b[0] - a[0]
    point: Points = a[0] + along * ((gap[0] * other[1] - gap[1] * other[0]) / cross)
    return point
