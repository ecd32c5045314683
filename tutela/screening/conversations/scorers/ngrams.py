"""`ngrams`: the operator's own model over hashed n-grams, behind the native normal form. A deployment ships none."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tutela.screening.conversations.evidence import Scores
from tutela.screening.conversations.model import FILE, TalkModel, read_model


class Ngrams:
    """The scorer of a model. Thread-safe."""

    name = "ngrams"

    def __init__(self, model: TalkModel | None = None) -> None:
        self._model = model
        self.version = "none" if model is None else model.version

    def of(self, home: Path, secret: bytes) -> "Ngrams":
        """With the model that the home holds. Raises InputError."""
        path = home / FILE
        return Ngrams(read_model(path, secret)) if path.exists() else self

    def unusual(self, texts: Sequence[str], evident: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_] | None:
        """The tenth of texts that are most worth a closer look; None without a model."""
        return None if self._model is None else self._model.unusual(texts, evident)

    def score(self, texts: Sequence[str]) -> Scores:
        """The evidence in each text; none without a model."""
        return Scores.nothing(len(texts)) if self._model is None else self._model.score(texts)


NGRAMS = Ngrams()
