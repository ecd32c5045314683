"""How near a view must come to match: the more views are asked about, the nearer each must be.

Chosen from the measured curve of false matches against distance; see docs/views-measured.md.
"""

from collections.abc import Mapping
from functools import lru_cache

from tutela._native import pdq_variety
from tutela.views.view import TURNS

CEILINGS: Mapping[str, int] = {
    "piece": 31,
    "rectangle": 31,
    "deskewed": 31,
    "rotated": 31,
    "inset": 31,
    "anchored": 29,
    "edge": 27,
    "trimmed": 27,
}
"""By family, the largest PDQ distance that matches, whatever the bank's own threshold."""
LEAST_QUALITY: Mapping[str, int] = {"rectangle": 50, "edge": 50, "anchored": 60, "trimmed": 60}
"""By family, the quality that a view needs to match alone: a part with one edge in it looks like every such part."""
LEAST_VARIETY: Mapping[str, float] = {
    **dict.fromkeys(TURNS[1:], 3.0),
    **dict.fromkeys(("piece", "rectangle"), 3.0),
    **dict.fromkeys(("deskewed", "edge"), 3.5),
    "trimmed": 4.5,
    "anchored": 5.0,
}
"""By family, the variety (`pdq_variety`) that a view needs to match alone: a bar, a disc or a letter looks the same in
every picture that has one, however much detail it is."""
LEAST_FILLED: Mapping[str, int] = {"anchored": 36, "trimmed": 40}
"""By family, how many of a view's 64 fields must show something: a shape on plain ground leaves most of them empty."""
TURNED = 31
"""The largest distance of a turned view."""


def largest_distance(usual: int, *views: str) -> int:
    """The largest distance that matches between views of these names, where it is `usual` between whole pictures."""
    return min([usual, *(most for view in views if (most := ceiling(view)) is not None)])


@lru_cache(1024)
def ceiling(view: str) -> int | None:
    """The largest distance at which a view matches; None where only the bank's threshold counts."""
    family, _, turn = view.partition("/")
    if turn or family in TURNS:
        return min(TURNED, CEILINGS.get(family, TURNED))
    return CEILINGS.get(family)


def least_quality(view: str) -> int:
    """The quality from which on a view matches, where nothing but it speaks for the match."""
    return LEAST_QUALITY.get(view.partition("/")[0], 0)


def able_quality(family: str, quality: int, filled: int) -> int:
    """The quality of a view of which so many of 64 fields are filled: too little to match alone where they are few."""
    return quality if filled >= LEAST_FILLED.get(family, 0) else min(quality, least_quality(family) - 1)


def is_many_sided(view: str, value: bytes) -> bool:
    """Whether a view with this PDQ hash matches, where nothing but it speaks for the match."""
    least = LEAST_VARIETY.get(view.partition("/")[0])
    return least is None or pdq_variety(value) >= least
