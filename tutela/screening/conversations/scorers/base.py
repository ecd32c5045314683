"""What a scorer is. To add one: write a class with one of the three protocols below, make one object of it, and name
that object in the entry point group `tutela.scorers`.

A scorer of texts is asked for each batch of messages whose content may be scored, and answers numbers: how much more
likely such a text is where somebody is approached than in ordinary talk, as a logarithm, standardised, never under 0.
One that covers tells which texts are in a language that the others read: "not covered" is said, never guessed.
A scorer of contacts says how much each counter of an account is worth; it sees no text.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from tutela.screening.conversations.evidence import Scores


@runtime_checkable
class TextScorer(Protocol):
    """Scores texts. Pure: the same text gets the same numbers from the same version."""

    @property
    def name(self) -> str:
        """Of the entry point."""
        ...

    @property
    def version(self) -> str:
        """Written into every alarm."""
        ...

    def score(self, texts: Sequence[str]) -> Scores:
        """The evidence in each text. MUST NOT keep any of them."""
        ...


@runtime_checkable
class Costly(TextScorer, Protocol):
    """A scorer that takes so long that it is asked only of texts which a ranking scorer finds among the unusual."""

    @property
    def is_costly(self) -> bool:
        """Whether it is."""
        ...


@runtime_checkable
class Ranking(TextScorer, Protocol):
    """A scorer that also tells, at next to no cost, which texts are unusual enough to be looked at closer."""

    def unusual(self, texts: Sequence[str], evident: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_] | None:
        """True for about one ordinary text of ten; None where it cannot tell, and all are looked at.

        `evident` says of each text whether there is evidence of its sender already: of those it may be true for more.
        """
        ...


@runtime_checkable
class Covering(Protocol):
    """A scorer that gives no evidence: it tells which texts the others can read at all, so that silence is no guess."""

    @property
    def name(self) -> str:
        """Of the entry point."""
        ...

    @property
    def version(self) -> str:
        """Written into every alarm."""
        ...

    def covers(self, texts: Sequence[str]) -> npt.NDArray[np.bool_]:
        """Whether each text is in a language that is read. MUST NOT keep any of them."""
        ...


@runtime_checkable
class OfHome(Protocol):
    """A scorer of texts that is made from files of the operator's home."""

    def of(self, home: Path, secret: bytes) -> TextScorer | Covering:
        """With what is in the home; `secret` opens what is sealed there. Raises InputError for a file that is wrong."""
        ...


@runtime_checkable
class ContactScorer(Protocol):
    """Weighs the counters of an account, which need no content."""

    @property
    def name(self) -> str:
        """Of the entry point."""
        ...

    @property
    def version(self) -> str:
        """Written into every alarm."""
        ...

    @property
    def scales(self) -> Mapping[str, float]:
        """By counter: from which count on its evidence is full."""
        ...

    @property
    def weights(self) -> Mapping[str, float]:
        """By counter: its evidence where it is full."""
        ...
