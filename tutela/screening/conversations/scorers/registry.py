"""The scorers of this installation, found by entry point: ours and those that plug-ins bring."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path

from tutela.errors import TutelaError
from tutela.screening.conversations.scorers.base import ContactScorer, Covering, OfHome, TextScorer

GROUP = "tutela.scorers"


@dataclass(frozen=True, slots=True)
class OfTexts:
    """The scorers of texts: what finds evidence, and what tells whether a text can be read at all."""

    scorers: Sequence[TextScorer] = ()
    covering: Sequence[Covering] = ()

    @property
    def versions(self) -> dict[str, str]:
        """Of each."""
        of_evidence = {scorer.name: scorer.version for scorer in self.scorers}
        return of_evidence | {scorer.name: scorer.version for scorer in self.covering}


def text_scorers(home: Path, secret: bytes) -> OfTexts:
    """The scorers of texts, with what the operator's home gives them. Raises InputError, TutelaError."""
    scorers: list[TextScorer] = []
    covering: list[Covering] = []
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        scorer = point.load()
        if isinstance(scorer, OfHome):
            scorer = scorer.of(home, secret)
        if isinstance(scorer, TextScorer):
            scorers.append(scorer)
        elif isinstance(scorer, Covering):
            covering.append(scorer)
        elif not isinstance(scorer, ContactScorer):
            raise TutelaError("entry point {value!r} of group {group} is not a scorer", value=point.value, group=GROUP)
    return OfTexts(scorers, covering)
