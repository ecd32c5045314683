"""Blocks of letters: what lies together in lines, on a page that was drawn or in a text, may be a picture of letters.

Whatever is written in them: photos of two tones are known again from some hundreds of letters, of any alphabet.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from PIL import Image

from tutela.content.media.content import Picture

Boxes = npt.NDArray[np.float64]
"""left, bottom, right, top of each line, or of parts of it, in any unit."""
Members = npt.NDArray[np.int64]

LINES = 20
"""Fewer lines are no picture."""
_WIDTH = 12
"""Heights of a letter across: some twenty letters."""
_LONGEST = 5
"""Times as long as wide: columns of a text go on."""
_GAPS = (2.0, 1.0)
"""Heights of a letter between two blocks. Lines of a text have less than one between them, paragraphs often more; of
letters in a grid some are far apart."""
_MOST_TURNS = 24
"""Pages lie in each other a few times; what is made to go on is taken as it is then."""
_FIELDS, _SIDE = 32, 64
"""Of a block that is seen from afar, each way, and its pixels then. PDQ takes 64 samples each way: of sixty lines, or
of thirty with white between them, it makes waves that the picture does not have."""


def blocks(boxes: Boxes) -> Iterator[tuple[float, float, float, float]]:
    """The edges of each block that has so many lines as a picture needs, for each width of the gaps once."""
    if len(boxes) < LINES:
        return
    sides = np.minimum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1])
    least = np.maximum(sides, np.median(sides))  # dots and dashes lie in lines that are as high as others
    found = [np.arange(len(boxes))]
    for gap in _GAPS:
        around = (least * gap / 2)[:, None]
        lower, upper = boxes[:, :2] - around, boxes[:, 2:] + around
        found = [block for whole in found for block in _apart(lower, upper, whole)]
        for block in found:
            left, bottom = boxes[block, :2].min(axis=0)
            right, top = boxes[block, 2:].max(axis=0)
            short, long = sorted((right - left, top - bottom))
            letter = np.median(sides[block])
            if short >= _WIDTH * letter and LINES * letter <= long <= _LONGEST * short:
                yield float(left), float(bottom), float(right), float(top)


def _apart(lower: Boxes, upper: Boxes, members: Members) -> Iterator[Members]:
    """The groups of boxes between which a white band goes from edge to edge, down and across by turns."""
    waiting = [(members, 0, False)]
    while waiting:
        group, turn, was_whole = waiting.pop()
        axis = (turn + 1) % 2
        order = group[np.argsort(lower[group, axis], kind="stable")]
        ends = np.maximum.accumulate(upper[order, axis])
        cuts = np.flatnonzero(lower[order[1:], axis] > ends[:-1]) + 1
        is_whole = not cuts.size
        if (is_whole and was_whole) or turn == _MOST_TURNS:
            yield group
            continue
        parts = np.split(order, cuts)
        waiting += [(part, turn + 1, is_whole) for part in parts if len(part) >= LINES]


def from_afar(block: npt.NDArray[np.uint8]) -> Picture:
    """A block as a picture, without the lines and letters that it is made of."""
    fields = Image.fromarray(block).resize((_FIELDS, _FIELDS), Image.Resampling.BICUBIC, reducing_gap=2.0)
    return Picture(np.asarray(fields.resize((_SIDE, _SIDE), Image.Resampling.BICUBIC)), _SIDE, _SIDE)
