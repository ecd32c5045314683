"""Hearing: the text of messages becomes numbers, where the operator may score content at all; then it is dropped."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tutela.content.words import fold
from tutela.screening.conversations.events import Event, EventKind
from tutela.screening.conversations.evidence import Scores
from tutela.screening.conversations.options import ConversationOptions
from tutela.screening.conversations.records import Heard, Pseudonyms
from tutela.screening.conversations.scorers.base import Costly, Ranking, TextScorer
from tutela.screening.conversations.scorers.registry import OfTexts, text_scorers

MIN_OPENING = 20
"""Letters that a first message has at least to be compared with others."""


Evident = Callable[[npt.NDArray[np.uint64]], npt.NDArray[np.bool_]]
"""Of accounts, by the numbers of their names: whether there is evidence of each already."""


def nobody(accounts: npt.NDArray[np.uint64]) -> npt.NDArray[np.bool_]:
    """Where nothing is known of accounts, there is evidence of none."""
    return np.zeros(len(accounts), bool)


def _is_costly(scorer: TextScorer) -> bool:
    return isinstance(scorer, Costly) and scorer.is_costly


class Hearing:
    """The scorers of texts of a deployment, in their order. Thread-safe."""

    def __init__(self, home: Path, options: ConversationOptions, names: Pseudonyms, secret: bytes) -> None:
        """`secret` opens what is sealed in the home. Raises InputError for a scorer's file that is wrong."""
        self._names = names
        found = text_scorers(home, secret) if options.content else OfTexts()
        self._scorers, self._covering = found.scorers, found.covering
        self.versions: Mapping[str, str] = found.versions
        """Of each scorer."""

    def hear(self, events: Sequence[Event], evident: Evident = nobody) -> Heard:
        """The evidence in a batch of events; nothing where content is not scored."""
        heard = Heard.nothing(len(events))
        rows = [row for row, event in enumerate(events) if event.text and event.kind is EventKind.MESSAGE]
        if not rows or not self._scorers:
            return heard
        texts = [events[row].text for row in rows]
        strongest = np.zeros(len(rows), np.float32)
        closer = self._closer(texts, [events[row].sender for row in rows], evident)
        for bit, scorer in enumerate(self._scorers):
            scores = self._score(scorer, texts, closer)
            heard.trust[rows] += scores.trust
            heard.coercion[rows] = np.maximum(heard.coercion[rows], scores.coercion)
            both = np.maximum(scores.trust, scores.coercion)
            staged = (both > strongest) & (scores.stage != 0)
            heard.stage[np.array(rows)[staged]] = scores.stage[staged]
            strongest = np.maximum(strongest, both)
            heard.scorers[rows] |= (both > 0).astype(np.uint8) << bit
        heard.read[rows] = True
        if self._covering:
            heard.uncovered[rows] = ~np.logical_or.reduce([one.covers(texts) for one in self._covering])
        heard.opening[rows] = [self._opening(text) for text in texts]
        return heard

    def _closer(self, texts: Sequence[str], senders: Sequence[str], evident: Evident) -> npt.NDArray[np.bool_]:
        """Which texts costly scorers are asked of: those that any ranking scorer finds unusual, or all."""
        if not any(_is_costly(one) for one in self._scorers):
            return np.zeros(len(texts), bool)
        known = evident(self._names.all(senders))
        ranking = [one.unusual(texts, known) for one in self._scorers if isinstance(one, Ranking)]
        told = [found for found in ranking if found is not None]
        return np.logical_or.reduce(told) if told else np.ones(len(texts), bool)

    @staticmethod
    def _score(scorer: TextScorer, texts: Sequence[str], closer: npt.NDArray[np.bool_]) -> Scores:
        if not _is_costly(scorer):
            return scorer.score(texts)
        rows = np.flatnonzero(closer)
        some, scores = scorer.score([texts[int(row)] for row in rows]), Scores.nothing(len(texts))
        scores.trust[rows], scores.coercion[rows], scores.stage[rows] = some.trust, some.coercion, some.stage
        return scores

    def _opening(self, text: str) -> int:
        """What stands for a long text, the same for equal ones; it is compared for a day at most."""
        folded = fold(text)
        return self._names.of(folded) & 0xFFFFFFFF if len(folded) >= MIN_OPENING else 0
