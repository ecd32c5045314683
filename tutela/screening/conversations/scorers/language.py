"""`language`: whether a message is in a language that the operator's model was made from. What is not is said to be not
covered, and is never taken for ordinary; what scorers find in it all the same counts, so that no spelling hides a text.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tutela.screening.conversations.model import FILE, TalkModel, read_model


class LanguageCoverage:
    """Tells coverage. Thread-safe."""

    name = "language"

    def __init__(self, model: TalkModel | None = None) -> None:
        self._model = model
        self.version = "none" if model is None else model.version

    def of(self, home: Path, secret: bytes) -> "LanguageCoverage":
        """With the model that the home holds. Raises InputError."""
        path = home / FILE
        return LanguageCoverage(read_model(path, secret)) if path.exists() else self

    def covers(self, texts: Sequence[str]) -> npt.NDArray[np.bool_]:
        """Whether each text is in a language of the model; without a model none is known to be."""
        return np.zeros(len(texts), bool) if self._model is None else self._model.covers(texts)


LANGUAGE = LanguageCoverage()
