"""The scorers of this installation, found by entry point: ours and those that plug-ins bring."""

from importlib.metadata import entry_points
from pathlib import Path

from tutela.errors import TutelaError
from tutela.screening.conversations.scorers.base import ContactScorer, OfHome, TextScorer

GROUP = "tutela.scorers"


def text_scorers(home: Path, secret: bytes) -> list[TextScorer]:
    """The scorers of texts, with what the operator's home gives them. Raises InputError, TutelaError."""
    found: list[TextScorer] = []
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        scorer = point.load()
        if isinstance(scorer, OfHome):
            scorer = scorer.of(home, secret)
        if isinstance(scorer, TextScorer):
            found.append(scorer)
        elif not isinstance(scorer, ContactScorer):
            raise TutelaError("entry point {value!r} of group {group} is not a scorer", value=point.value, group=GROUP)
    return found
