"""What a video is watched by: frames at their times, and stretches of time."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


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
