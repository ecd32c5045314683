"""Pictures too plain to match: what is said when one is listed, by its quality or, where that is not known, its hash.

A blank page, a disc or a gradient has a PDQ hash that is far from its own copies and near to many other plain pictures.
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from tutela.content.signals.base import WHOLE, Sample
from tutela.content.signals.pdq import PDQ
from tutela.lists.banks.values import MIN_LISTED_QUALITY

Words = npt.NDArray[np.uint16]
"""(n, 16): the rows of PDQ hashes, or their columns."""
LOOKS_PLAIN = "the hash looks like that of a picture without detail, and may match by chance or not at all"
_ONES = (104, 152)
_DISTINCT = 12
_EDGES = 140
_LIKENESS = 22_000


class _Valued(Protocol):
    @property
    def signal(self) -> str: ...
    @property
    def value(self) -> bytes: ...


def plain_entries(entries: Sequence[_Valued]) -> list[bool]:
    """Which of them look like hashes of pictures without detail."""
    places = [place for place, entry in enumerate(entries) if entry.signal == PDQ.name]
    plain = [False] * len(entries)
    if places:
        hashes = np.frombuffer(b"".join(entries[place].value for place in places), np.uint8).reshape(-1, 32)
        for place, found in zip(places, low_detail(hashes), strict=True):
            plain[place] = bool(found)
    return plain


def too_plain(samples: Sequence[Sample]) -> str | None:
    """What is said of a picture that is listed and too plain to be found again; None where it is not."""
    whole = next((one for one in samples if one.signal == PDQ.name and one.view == WHOLE), None)
    if whole is None or whole.quality is None or whole.quality >= MIN_LISTED_QUALITY:
        return None
    return (
        f"the picture is too plain to match by what it shows: its quality is {whole.quality},"
        f" and {MIN_LISTED_QUALITY} is needed; only an equal file is found, by its digests"
    )


def low_detail(hashes: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    """Which of (n, 32) PDQ hashes have a regularity that those of pictures with detail do not have.

    A hash compares the 256 lowest frequencies of a picture with their median. Half of the bits are ones, unless many
    frequencies are equal, as in a blank picture. Rows and columns differ from each other, unless the picture changes in
    one direction only. And whole rows agree or disagree with each other only where the spectrum is nearly a function of
    the row times one of the column, as that of a rectangle, a disc or a radial gradient is.

    Linear gradients and noise are not found: the frequencies of the one are nought, so that its bits are those of
    rounding, and those of the other are as good as drawn by lot, which a photo's nearly are too.
    """
    rows: Words = hashes.view(">u2").astype(np.uint16)
    turned = np.packbits(np.unpackbits(hashes, axis=1).reshape(-1, 16, 16).transpose(0, 2, 1), axis=2)
    columns: Words = turned.reshape(-1, 32).view(">u2").astype(np.uint16)
    ones = _count(rows)
    distinct = np.minimum(_distinct(rows), _distinct(columns))
    edges = _count(rows[:, 1:] ^ rows[:, :-1]) + _count(columns[:, 1:] ^ columns[:, :-1])
    found: npt.NDArray[np.bool_] = (ones < _ONES[0]) | (ones > _ONES[1]) | (distinct < _DISTINCT) | (edges < _EDGES)
    return found | (_likeness(rows) > _LIKENESS)


def _count(words: Words) -> npt.NDArray[np.int64]:
    """How many ones each row of words has."""
    ones: npt.NDArray[np.int64] = np.bitwise_count(words).sum(axis=1, dtype=np.int64)
    return ones


def _distinct(rows: Words) -> npt.NDArray[np.int64]:
    """How many of the 16 rows of each hash are different."""
    ordered = np.sort(rows, axis=1)
    different: npt.NDArray[np.int64] = (ordered[:, 1:] != ordered[:, :-1]).sum(axis=1) + 1
    return different


def _likeness(rows: Words) -> npt.NDArray[np.int64]:
    """How much the 16 rows of each hash agree or disagree as wholes: about 8,000 by chance, 65,536 at most."""
    agreement = 16 - 2 * np.bitwise_count(rows[:, :, None] ^ rows[:, None, :]).astype(np.int16)
    alike: npt.NDArray[np.int64] = np.square(agreement).sum(axis=(1, 2), dtype=np.int64)
    return alike
