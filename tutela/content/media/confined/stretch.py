"""What a video is watched by: frames at their times, and stretches of time."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
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


def spread(timed: Iterable[tuple[float, ItemT]], least_s: float, most_s: float) -> Iterator[tuple[float, ItemT]]:
    """Of items in the order of their time the first, the last, and so many between that neighbours are at least
    `least_s` apart; nearer only where they would be more than `most_s` apart otherwise, or where time jumps back."""
    last: float | None = None
    waiting: tuple[float, ItemT] | None = None
    for seconds, item in timed:
        if last is not None and waiting is not None and seconds - last > most_s:
            yield waiting
            last, waiting = waiting[0], None
        if last is not None and 0 <= seconds - last < least_s:
            waiting = (seconds, item)
        else:
            yield seconds, item
            last, waiting = seconds, None
    if waiting is not None:
        yield waiting
