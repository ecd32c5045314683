"""How many views of a picture are looked up: one name for each amount of work."""

from enum import StrEnum


class ViewSet(StrEnum):
    """How many views of a picture are looked up."""

    PLAIN = "plain"
    """The picture as it is displayed and, where that is another, as it is stored."""
    STANDARD = "standard"
    """Its turns, too, and what is found inside it: within borders, in screenshots and collages, around landmarks."""
    THOROUGH = "thorough"
    """More of each, and turns of what is found inside."""
    LISTED = "listed"
    """Not for uploads: what a bank lists of a picture that the curator holds, so that crops of it match."""
