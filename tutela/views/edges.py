"""Straight, upright edges: how much of any stretch of a row or column is an edge, in constant time.

Brightness is averaged a few pixels along the line before differences are taken, so that noise and texture fade while
the side of a picture laid over another stays; then only the strongest of neighbouring lines counts.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tutela import _native
from tutela.views.view import Luma

ALONG = 4
"""Pixels averaged along a line, in the native core."""
Sums = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Edges:
    """Support of lines of one direction."""

    length: int
    """Pixels along the lines."""
    sums: Sums
    """(blocks + 1, positions): running sums of edge strength 0-1 over blocks of `ALONG` pixels. Position i lies between
    pixels i - 1 and i."""

    @property
    def totals(self) -> npt.NDArray[np.float32]:
        """(positions,): the share of the whole line that is an edge."""
        totals: npt.NDArray[np.float32] = self.sums[-1] / (len(self.sums) - 1)
        return totals

    def support(
        self, positions: npt.NDArray[np.intp], begins: npt.NDArray[np.intp], ends: npt.NDArray[np.intp]
    ) -> npt.NDArray[np.float32]:
        """The share of each stretch of a line that is an edge."""
        first = np.minimum(begins // ALONG, len(self.sums) - 2)
        last = np.maximum(np.minimum(-(-ends // ALONG), len(self.sums) - 1), first + 1)
        share: npt.NDArray[np.float32] = (self.sums[last, positions] - self.sums[first, positions]) / (last - first)
        return share


def find_edges(luma: Luma) -> tuple[Edges, Edges]:
    """The vertical and the horizontal edges of a picture."""
    vertical, horizontal = _native.line_edges(luma)
    height, width = luma.shape
    return Edges(height, vertical), Edges(width, horizontal)
