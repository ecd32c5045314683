"""`embedding`: the operator's own encoder, with a linear head and a memory over its vectors. It is asked only of texts
that cheaper scorers find among the unusual, and of equal ones once. None are shipped.
"""

import secrets
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tutela.screening.conversations.evidence import Scores
from tutela.screening.conversations.records import Pseudonyms
from tutela.screening.conversations.vectors import FOLDER, MEMORY, Encoder, VectorModel, plain

MOST_REMEMBERED = 100_000
"""Scores of texts that are kept for when they come again."""


class EmbeddingScorer:
    """The scorer of vectors. Thread-safe."""

    name = "embedding"

    def __init__(self, encoder: Encoder | None = None, model: VectorModel | None = None) -> None:
        self._encoder = encoder
        self._model = model
        self.version = "none" if model is None else model.version
        self._keys = Pseudonyms(secrets.token_bytes(16))
        self._lock = threading.Lock()
        self._known: dict[int, float] = {}
        """By a keyed number of the text, which is in no memory: its evidence."""

    @property
    def is_costly(self) -> bool:
        """With an encoder it is."""
        return self._encoder is not None

    def of(self, home: Path, secret: bytes) -> "EmbeddingScorer":
        """With the encoder and the sealed model that the home holds. Raises InputError."""
        memory = home / MEMORY
        if not memory.exists():
            return self
        return EmbeddingScorer(Encoder(home / FOLDER), VectorModel.opened(memory.read_bytes(), secret))

    def score(self, texts: Sequence[str]) -> Scores:
        """The evidence in each text; none without a model."""
        scores = Scores.nothing(len(texts))
        if self._encoder is None or self._model is None or not texts:
            return scores
        keys = [int(key) for key in self._keys.all([plain(text) for text in texts])]
        with self._lock:
            found = {key: self._known[key] for key in keys if key in self._known}
        new = {key: text for key, text in zip(keys, texts, strict=True) if key not in found}
        if new:
            trust = self._model.score(self._encoder.encode([*new.values()])).trust
            found |= zip(new, map(float, trust), strict=True)
            self._remember({key: found[key] for key in new})
        scores.trust[:] = np.array([found[key] for key in keys], np.float32)
        return scores

    def _remember(self, found: dict[int, float]) -> None:
        with self._lock:
            if len(self._known) + len(found) > MOST_REMEMBERED:
                self._known.clear()
            self._known |= found


EMBEDDING = EmbeddingScorer()
