"""`phrases`: the operator's own list of phrases, each with the stage that it speaks of, found in one native pass
however they are written. None are shipped."""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tutela import _native
from tutela.content.words import KEYWORD, counts_in, fold, folding
from tutela.errors import InputError, InvalidSignalError
from tutela.screening.conversations.events import ConversationStage
from tutela.screening.conversations.evidence import CAP, Scores

FILE = "phrases.toml"


@dataclass(frozen=True, slots=True)
class Phrase:
    """One phrase of the list."""

    value: bytes
    stage: ConversationStage
    weight: float


class Phrases:
    """The scorer of an operator's phrases. Thread-safe."""

    name = "phrases"

    def __init__(self, phrases: Sequence[Phrase] = ()) -> None:
        self._phrases = {phrase.value: phrase for phrase in phrases}
        values = np.frombuffer(b"".join(self._phrases), np.uint8).reshape(len(self._phrases), KEYWORD.width)
        self._patterns = None
        if self._phrases:
            built = _native.build_patterns(values, np.arange(len(self._phrases), dtype=np.uint64))
            self._patterns = _native.Patterns(np.frombuffer(built, np.uint8))
        self.version = f"{len(self._phrases)}-{_native.sha256(values.tobytes()).hex()[:12]}"

    def of(self, home: Path, secret: bytes) -> "Phrases":
        """With the list that the home holds. Raises InputError."""
        return read_phrases(home / FILE)

    def score(self, texts: Sequence[str]) -> Scores:
        """The weightiest phrase of each text."""
        scores = Scores.nothing(len(texts))
        if self._patterns is None:
            return scores
        for place, text in enumerate(texts):
            for value, _, _ in self._patterns.find(text.encode("utf-8", "replace"), folding()):
                phrase = self._phrases[value]
                if not counts_in(value, fold(text)):
                    continue
                kind = scores.coercion if phrase.stage is ConversationStage.THREAT else scores.trust
                if phrase.weight > kind[place]:
                    kind[place], scores.stage[place] = phrase.weight, phrase.stage.value
        return scores


def read_phrases(path: Path) -> Phrases:
    """The list in a file of `[[phrase]] text, stage, weight`; an empty one where there is none. Raises InputError."""
    if not path.exists():
        return Phrases()
    try:
        items = tomllib.loads(path.read_text(encoding="utf-8")).get("phrase", [])
        return Phrases([_phrase(item) for item in items])
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, TypeError, KeyError, AttributeError) as error:
        raise InputError(
            "{path} is not a file of phrases ([[phrase]] text, stage, weight): {error}", path=path, error=error
        ) from None


def _phrase(item: dict[str, object]) -> Phrase:
    stage, weight = str(item["stage"]), float(str(item.get("weight", 1.0)))
    if stage.upper() not in ConversationStage.__members__:
        raise InputError(
            "{stage!r} is not a stage; there are {name}",
            stage=stage,
            name=", ".join(name.lower() for name in ConversationStage.__members__),
        )
    if not 0 < weight <= CAP:
        raise InputError("a phrase's weight is over 0 and at most {cap:g}", cap=CAP)
    try:
        return Phrase(KEYWORD.parse(str(item["text"])), ConversationStage[stage.upper()], weight)
    except InvalidSignalError as error:
        raise InputError("a phrase cannot be used: {error}", error=error) from None


PHRASES = Phrases()
