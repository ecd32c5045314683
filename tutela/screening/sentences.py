"""A match in a sentence for people, who never read the code name of a view.

`The same picture as ncmec #30: whole, distance 4 of 31`. The texts are English and the messages that the console's
catalogues translate.
"""

from collections.abc import Callable, Mapping
from typing import Protocol

from tutela.content.signals.base import SignalKind
from tutela.content.signals.registry import composite_type, signal_type
from tutela.errors import message


class ListedMatch(Protocol):
    """What of a match is said: a `Match` of a verdict is one."""

    @property
    def bank(self) -> str: ...
    @property
    def entry_id(self) -> int: ...
    @property
    def source(self) -> str: ...
    @property
    def reference(self) -> str: ...
    @property
    def signal(self) -> str: ...
    @property
    def view(self) -> str: ...
    @property
    def distance(self) -> int: ...
    @property
    def threshold(self) -> int: ...


VIEWS: Mapping[str, str] = {
    "whole": message("whole"),
    "stored": message("whole, as the file stores it"),
    "negative": message("whole, as a negative"),
    "piece": message("in a part of this one"),
    "rectangle": message("in a rectangle of this one"),
    "deskewed": message("in a tilted part of this one"),
    "rotated": message("whole, turned back by some degrees"),
    "inset": message("without its margins"),
    "trimmed": message("without the ground around it"),
    "anchored": message("a section of it"),
    "edge": message("a section at its edge"),
}
"""By family: which part of the content looks like the entry."""
TURNS: Mapping[str, str] = {
    "turned-90": message("turned by 90°"),
    "turned-180": message("turned by 180°"),
    "turned-270": message("turned by 270°"),
    "flipped": message("turned upside down and mirrored"),
    "mirrored": message("mirrored"),
    "transposed": message("turned by 90° and mirrored"),
    "anti-transposed": message("turned by 270° and mirrored"),
}
OTHER_VIEW = message("a part of it")
SAME_FILE = message("The same file as {entry}, by {signal}")
SAME_PICTURE = message("The same picture as {entry}: {view}, distance {distance} of {threshold}")
SAME_FRAMES = message("The same video as {entry}: {view}, distance {distance} of {threshold}")
LISTED = message("Listed as {entry}, by {signal}")
LIKE = message("Like {entry} by {signal}: {view}, distance {distance} of {threshold}")
_PICTURES = frozenset({"pdq", "photodna"})
_BY_KIND = {SignalKind.EXACT: SAME_FILE, SignalKind.PREFIXES: LISTED, SignalKind.PATTERN: LISTED}
"""What is equal to an entry, or has it in it, is at no distance; links and words are of no view."""


def entry_of(match: ListedMatch) -> str:
    """What a match names: `ncmec #30`."""
    return f"{match.bank} #{match.entry_id}"


def listed_by(match: ListedMatch) -> str:
    """Who listed the entry, under which name of theirs: `exchange:ncmec 4711`, or the company itself."""
    source = "the company itself" if match.source in ("", "operator") else match.source
    return f"{source}, reference {match.reference}" if match.reference else source


def view_in_words(view: str, translate: Callable[[str], str] = str) -> str:
    """Which part of the content it is, and how it is turned."""
    family, _, turn = view.partition("/")
    if family in TURNS:
        family, turn = "whole", family
    words = translate(VIEWS.get(family, OTHER_VIEW))
    return f"{words}, {translate(TURNS[turn])}" if turn in TURNS else words


def sentence(match: ListedMatch, translate: Callable[[str], str] = str) -> str:
    """What a match says, in words. `translate` gives a text in the reader's language."""
    if composite_type(match.signal) is not None:
        template = SAME_FRAMES
    elif match.signal in _PICTURES:
        template = SAME_PICTURE
    else:
        template = _BY_KIND.get(signal_type(match.signal).kind, LIKE)
    return translate(template).format(
        entry=entry_of(match),
        signal=match.signal,
        view=view_in_words(match.view, translate),
        distance=match.distance,
        threshold=match.threshold,
    )
