"""What a video is watched by: frames at their times, stretches of time, and moments in them that nobody can foresee."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from random import Random
from typing import TypeVar

import numpy as np
import numpy.typing as npt

ItemT = TypeVar("ItemT")


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame at its time."""

    seconds: float
    pixels: npt.NDArray[np.uint8]
    """(height, width) luma, or (height, width, 3) RGB in exact mode; as stored, `quarters` says how it is shown."""
    quarters: int = 0
    """Quarter turns counter-clockwise that a viewer gives it."""
    stream: int = 0
    """Which of the file's video streams, from 0."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of time, in seconds from the start; `end` is not in it."""

    begin: float = 0.0
    end: float = float("inf")

    def __contains__(self, seconds: float) -> bool:
        return self.begin <= seconds < self.end


def spread(
    timed: Iterable[tuple[float, ItemT]], usual_s: float, most_s: float, chance: Random
) -> Iterator[tuple[float, ItemT]]:
    """Of items in the order of their time, each shown until the next, the first, the last, and between them those that
    are shown at moments about `usual_s` apart. The moments are random: how long an item is shown decides how likely it
    is chosen, and nobody foresees which are. Neighbours are more than `most_s` apart only where nothing lies between
    them, or where time jumps back."""
    last = due = 0.0
    begun = False
    waiting: tuple[float, ItemT] | None = None
    for seconds, item in timed:
        if waiting is not None and (seconds > due or seconds - last > most_s):
            yield waiting
            last, waiting = waiting[0], None
            due = max(due, last) + usual_s * chance.uniform(_NEARER, _FARTHER)
        if not begun or seconds > due or seconds < last:
            yield seconds, item
            begun, last = True, seconds
            due = seconds + usual_s * chance.uniform(_NEARER, _FARTHER)
        else:
            waiting = (seconds, item)
    if waiting is not None:
        yield waiting


_NEARER, _FARTHER = 0.6, 1.4
"""Of the usual distance, so much nearer and farther a moment may be."""


def moments(begin: float, end: float, step_s: float, chance: Random) -> list[float]:
    """A random moment in every step of a stretch."""
    count = max(1, -int(-(end - begin) // step_s))
    length_s = (end - begin) / count
    return [begin + (number + chance.random()) * length_s for number in range(count)]
