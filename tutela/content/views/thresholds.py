"""How near a view must come to match, and what it must show: the more views are asked about, the more each needs.

Chosen from the measured curves of false matches; see docs/views-measured.md.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from tutela._native import pdq_variety
from tutela.content.views.view import NEGATIVE, TURNS


class Need(NamedTuple):
    """What a view needs to match where nothing but it speaks for the match."""

    ceiling: int | None = None
    """The largest PDQ distance, whatever the bank's own threshold; None where only the bank's counts."""
    quality: int = 0
    """The least PDQ quality: a part with one edge in it looks like every such part."""
    variety: float = 0.0
    """The least variety (`pdq_variety`): a bar, a disc or a letter looks the same in every picture that has one."""
    filled: int = 0
    """How many of its 64 fields must show something: a shape on plain ground leaves most of them empty."""


_TURNED = Need(ceiling=31, variety=3.0)
_NEEDS: Mapping[str, Need] = {
    **dict.fromkeys(TURNS[1:], _TURNED),
    NEGATIVE: _TURNED,
    "piece": Need(31, variety=3.0),
    "rectangle": Need(31, quality=50, variety=3.0),
    "deskewed": Need(31, variety=3.5),
    "rotated": Need(31),
    "inset": Need(31),
    "trimmed": Need(27, quality=60, variety=4.5, filled=40),
    "anchored": Need(29, quality=60, variety=5.0, filled=36),
    "edge": Need(27, quality=50, variety=3.5),
}
"""By family."""


@lru_cache(1024)
def need(view: str) -> Need:
    """What a view of this name needs."""
    family, _, turn = view.partition("/")
    own = _NEEDS.get(family, Need())
    return own._replace(ceiling=_TURNED.ceiling) if turn and own.ceiling is None else own


def largest_distance(usual: int, *views: str) -> int:
    """The largest distance that matches between views of these names, where it is `usual` between whole pictures."""
    return min([usual, *(most for view in views if (most := need(view).ceiling) is not None)])


def able_quality(family: str, quality: int, filled: int) -> int:
    """The quality of a view of which so many of 64 fields are filled: too little to match alone where they are few."""
    needed = need(family)
    return quality if filled >= needed.filled else min(quality, needed.quality - 1)


def is_many_sided(view: str, value: bytes) -> bool:
    """Whether a view with this PDQ hash matches, where nothing but it speaks for the match."""
    least = need(view).variety
    return least == 0.0 or pdq_variety(value) >= least
