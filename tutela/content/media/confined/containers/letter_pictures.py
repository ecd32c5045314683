"""Texts that are pictures to anyone who sees them from afar: each letter as dark as its ink, in lines and columns.

Terminals, editors and browsers show them so. Nothing is laid out for it: a letter is a field of a picture in grey.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from tutela.content.media.confined.containers.letter_blocks import LINES, Boxes, blocks, from_afar
from tutela.content.media.content import Picture

_BY_INK = " .`'-,:_^\";~!/\\|i()r*+l<>=?jt][}{1v7cLJTYsxzCfnuyIFVaoe2S3kZ4h5P6wdbqpXUAgKGOEDHN9m0R8Q$#&%MWB@"
"""ASCII, from the letter that leaves all white to the darkest."""
_BLANK = (*range(0x21), 0x7F, 0xA0, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F, 0x205F, 0x2800, 0x3000, 0x3164)
_HEIGHT, _LETTER = 2.0, 1.5
"""Of a line and of the ink in it, in widths of a letter."""
_WIDEST = 1_000
"""Letters of a line; what shows longer ones breaks them, each program at another place."""
_NO_WIDTH = (0xAD, *range(0x300, 0x370), *range(0x200B, 0x2010), *range(0x2060, 0x2070), *range(0xFE00, 0xFE10), 0xFEFF)


def _inks() -> npt.NDArray[np.uint8]:
    inks = np.full(0x10000, 160, np.uint8)
    for number, letter in enumerate(_BY_INK):
        inks[ord(letter)] = number * 255 // (len(_BY_INK) - 1)
    inks[[*_BLANK]] = 0
    return inks


_INKS = _inks()
"""How dark letters are, by their numbers; those beyond are as dark as most."""
_LIGHT, _HOLE = 40, 3
"""Ink of a light letter, and how many of them behind a dark one are a hole in a line. Words have one between them."""
HOLES, _NEAR = 32, 32
"""Holes of a picture at least, in so many lines of it. Few texts have them, and nothing more is done with others."""
_AT_ONCE, _AGAIN = 4 * 1024 * 1024, 256 * 1024
_TAKES_PLACE = ~np.isin(np.arange(len(_INKS)), _NO_WIDTH)
_IN_INK = _INKS[:256].tobytes()


def letter_pictures(text: bytes) -> Iterator[Picture]:
    """Each block of lines as a picture, black on white and white on black."""
    for part in _parts(text) if text.count(b"\n") + 1 >= LINES else ():
        lines = _Lines(part.expandtabs() if b"\t" in part else part)
        for left, bottom, right, top in dict.fromkeys(blocks(lines.boxes())):
            block = slice(round(-top / _HEIGHT), round((-bottom - _LETTER) / _HEIGHT) + 1)
            if lines.holes[block].sum() >= HOLES:
                yield lines.picture(block, int(left), int(right))


def has_holes(text: bytes) -> bool:
    """Whether there are as many holes within lines as a picture needs, wherever the lines are broken."""
    return any(_Lines(part).holes.sum() >= HOLES for part in _parts(text))


def _parts(text: bytes) -> Iterator[bytes]:
    """The text in parts that take little memory, each with the beginning of the next."""
    for begin in range(0, max(1, len(text) - _AGAIN), _AT_ONCE):
        yield text[begin : begin + _AT_ONCE + _AGAIN]


class _Lines:
    """The lines of a text, and those of them that may be a picture."""

    def __init__(self, text: bytes) -> None:
        if text.isascii():
            breaks = np.frombuffer(text, np.uint8) == ord("\n")
            self._ink = np.frombuffer(text.translate(_IN_INK), np.uint8)
        else:
            letters = text.decode("utf-8", "replace").encode("utf-32-le")
            numbers = np.minimum(np.frombuffer(letters, np.uint32), len(_INKS) - 1)
            numbers = numbers[_TAKES_PLACE[numbers]]
            breaks = numbers == ord("\n")
            self._ink = _INKS[numbers]
        self._ends = np.append(np.flatnonzero(breaks), len(breaks))
        self._begins = np.append(0, self._ends[:-1] + 1)
        self._dark = self._ink >= _LIGHT
        self.holes = self._counted(~(self._dark | breaks))

    def boxes(self) -> Boxes:
        """The edges of what is dark in each line, in widths of a letter."""
        if self.holes.sum() < HOLES:
            return np.empty((0, 4))
        wanted = np.flatnonzero(_around((_around(self.holes) >= HOLES).astype(np.int64)))
        begins, ends = self._begins[wanted], self._ends[wanted]
        dark = np.flatnonzero(self._dark)
        first, behind = np.searchsorted(dark, begins), np.searchsorted(dark, ends)
        written = behind > first
        left = dark[first[written]] - begins[written]
        right = dark[behind[written] - 1] + 1 - begins[written]
        top = -_HEIGHT * wanted[written]
        boxes: Boxes = np.stack([left, top - _LETTER, right, top], axis=1)[right <= _WIDEST]
        return boxes

    def picture(self, block: slice, left: int, right: int) -> Picture:
        """A part of some lines, each letter as a field."""
        at = self._begins[block, None] + np.arange(left, right)
        written = at < self._ends[block, None]
        fields = np.where(written, self._ink.take(at, mode="clip"), 0).astype(np.uint8)
        picture = from_afar(255 - fields)
        return replace(picture, readings=(("on black", 255 - picture.pixels),))

    def _counted(self, light: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
        """How many holes each line has."""
        found = self._dark[: max(0, len(light) - _HOLE)].copy()
        for behind in range(_HOLE):
            found &= light[1 + behind : 1 + behind + len(found)]
        at = np.searchsorted(self._ends, np.flatnonzero(found))
        return np.bincount(at, minlength=len(self._ends))


def _around(counts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The sum of what is counted in each line and in those near to it."""
    return np.convolve(counts, np.ones(_NEAR, np.int64))[_NEAR // 2 :][: len(counts)]
