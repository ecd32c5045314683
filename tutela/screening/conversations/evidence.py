"""Evidence of texts, as numbers: what scorers answer, standardised against ordinary talk, capped, and never under 0."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

CAP = 3.0
"""Most that one text can add, of one scorer: standard deviations over the ordinary."""


@dataclass(frozen=True, slots=True)
class Scores:
    """One number a text; each array has shape (texts,)."""

    trust: npt.NDArray[np.float32]
    """Evidence of an approach, from 0 to `CAP`."""
    coercion: npt.NDArray[np.float32]
    """Evidence of threats and demands, from 0 to `CAP`."""
    stage: npt.NDArray[np.uint8]
    """A `Stage`, or 0."""

    @classmethod
    def nothing(cls, count: int) -> "Scores":
        """No evidence in any text."""
        return cls(np.zeros(count, np.float32), np.zeros(count, np.float32), np.zeros(count, np.uint8))
