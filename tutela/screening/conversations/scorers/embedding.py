"""`embedding`: the operator's own encoder, with a linear head and a memory over its vectors. It is asked only of texts
that cheaper scorers find among the unusual. None are shipped."""

from collections.abc import Sequence
from pathlib import Path

from tutela.screening.conversations.evidence import Scores
from tutela.screening.conversations.vectors import FOLDER, MEMORY, Encoder, VectorModel


class EmbeddingScorer:
    """The scorer of vectors. Thread-safe."""

    name = "embedding"
    is_costly = True

    def __init__(self, encoder: Encoder | None = None, model: VectorModel | None = None) -> None:
        self._encoder = encoder
        self._model = model
        self.version = "none" if model is None else model.version

    def of(self, home: Path, secret: bytes) -> "EmbeddingScorer":
        """With the encoder and the sealed model that the home holds. Raises InputError."""
        memory = home / MEMORY
        if not memory.exists():
            return self
        return EmbeddingScorer(Encoder(home / FOLDER), VectorModel.opened(memory.read_bytes(), secret))

    def score(self, texts: Sequence[str]) -> Scores:
        """The evidence in each text; none without a model."""
        if self._encoder is None or self._model is None or not texts:
            return Scores.nothing(len(texts))
        return self._model.score(self._encoder.encode(texts))


EMBEDDING = EmbeddingScorer()
