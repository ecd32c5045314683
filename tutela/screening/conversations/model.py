"""A model of what messages say: linear heads over hashed n-grams, how ordinary talk scores with them, and what they
were made from. One file, no text in it; equal texts in equal order make equal files.
"""

import hashlib
import hmac
import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tutela import _native
from tutela.content.words import folding
from tutela.errors import InputError
from tutela.screening.conversations.events import ConversationStage
from tutela.screening.conversations.evidence import CAP, Scores

FILE = "model.risk"
MAIN_BITS, OTHER_BITS, OTHERS, WORD_BITS = 20, 17, 16, 20
DRIFT_SHARE = 0.97
"""What this share of ordinary messages is under adds no evidence."""
GATE_SHARES = 0.91, 0.85
"""What the first share of ordinary messages is under gets no vector, and of a sender of whom there is evidence already
what the second is under: together a tenth of ordinary messages do."""
_MAGIC = b"TUTTALK3"
_LENGTH = struct.Struct("<8sI")
_STRANGE_ELSEWHERE = 0.8
"""The share of strange words in a related language; in another script all are."""
_FAR_LIKELIER = 100.0
"""How much likelier a text must be in another language to be called uncovered: ordinary talk is so in 4 of 1,000."""
_LEAST_WORDS, _LEAST_LETTERS = 3, 4
_SIGNATURE = 32


def _signature(data: bytes, secret: bytes) -> bytes:
    return hmac.digest(secret, data, "sha256")


def sums(head: npt.NDArray[np.int8], texts: Sequence[str], by_words: bool = False) -> npt.NDArray[np.float32]:
    """What a head comes to in each text; -1e9 for one without letters."""
    return _native.head_sums(list(texts), folding(), head, by_words)


@dataclass(frozen=True)
class TalkModel:
    """Heads and their standards."""

    main: npt.NDArray[np.int8]
    """Shape (2 ** 20,); by sound, as the others."""
    other: npt.NDArray[np.int8]
    """Shape (2 ** 17 * 16,): a head for each stage, side by side."""
    words: npt.NDArray[np.uint8]
    """The words and letters of ordinary messages, a bit for each of 2 ** 20 places."""
    strange: float
    """The share of words in other ordinary messages that are not among those."""
    centre: float
    """Of the main head's sums over ordinary messages: the mean …"""
    spread: float
    """… the standard deviation …"""
    drift: float
    """… and the 97th percentile."""
    gates: tuple[float, float] = (-np.inf, -np.inf)
    """Of the sums that rank: the percentiles of `GATE_SHARES`. What is under its gate is not looked at closer."""
    rank: npt.NDArray[np.int8] | None = None
    """Shape (2 ** 20,): the head by words that says what is looked at closer, where an encoder taught one; else the
    main one does."""
    made_from: Mapping[str, str] = field(default_factory=dict)
    """Counts and digests of what it was trained on."""

    @cached_property
    def heads(self) -> _native.TalkHeads:
        """The weights, in the native core."""
        return _native.TalkHeads(self.main, self.other)

    @cached_property
    def version(self) -> str:
        """Equal for equal models."""
        return hashlib.sha256(self.to_bytes()).hexdigest()[:12]

    def unusual(self, texts: Sequence[str], evident: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """Which texts are worth a closer look: about one ordinary one of ten, and more of senders of whom there is
        evidence already (`evident`, one a text)."""
        ranked = sums(self.main, texts) if self.rank is None else sums(self.rank, texts, by_words=True)
        found: npt.NDArray[np.bool_] = ranked >= np.where(evident, self.gates[1], self.gates[0])
        return found

    def score(self, texts: Sequence[str]) -> Scores:
        """The evidence in each text."""
        main, others = self.heads.score(list(texts), folding(), self.drift)
        found = np.clip((main - np.float32(self.drift)) / np.float32(self.spread), 0, CAP)
        stage = np.where(found > 0, others[:, : len(ConversationStage)].argmax(axis=1) + 1, 0).astype(np.uint8)
        threat = stage == ConversationStage.THREAT.value
        zero = np.zeros_like(found)
        return Scores(np.where(threat, zero, found), np.where(threat, found, zero), stage)

    def covers(self, texts: Sequence[str]) -> npt.NDArray[np.bool_]:
        """Whether each text is in a language that the model was made from; one too short to tell counts as covered.

        A text is not when its words are far likelier to be strange than those of ordinary talk (Wald's ratio of
        likelihoods), or, where words are not written apart, when most of its letters are.
        """
        counts = _native.familiarity(list(texts), folding(), self.words)
        words, strange, letters, strange_letters = counts.T.astype(np.float64)
        usual = min(max(self.strange, 1e-3), _STRANGE_ELSEWHERE / 2)
        ratio = strange * np.log(_STRANGE_ELSEWHERE / usual)
        ratio += (words - strange) * np.log((1 - _STRANGE_ELSEWHERE) / (1 - usual))
        by_words = (words >= _LEAST_WORDS) & (ratio > np.log(_FAR_LIKELIER))
        by_letters = (letters >= _LEAST_LETTERS) & (2 * strange_letters > letters)
        found: npt.NDArray[np.bool_] = ~(by_words | by_letters)
        return found

    def to_bytes(self) -> bytes:
        """The file."""
        head = json.dumps(
            {
                "centre": self.centre, "spread": self.spread, "drift": self.drift, "gates": self.gates,
                "strange": self.strange, "made_from": dict(self.made_from),
            },
            sort_keys=True,
        ).encode()  # fmt: skip
        arrays = [self.main, self.other, self.words] + ([] if self.rank is None else [self.rank])
        return _LENGTH.pack(_MAGIC, len(head)) + head + b"".join(one.tobytes() for one in arrays)

    @classmethod
    def from_bytes(cls, data: bytes) -> "TalkModel":
        """The model in a file. Raises InputError."""
        sizes = (1 << MAIN_BITS, (1 << OTHER_BITS) * OTHERS, 1 << (WORD_BITS - 3))
        try:
            magic, length = _LENGTH.unpack_from(data)
            body = data[_LENGTH.size + length :]
            end = sum(sizes)
            if magic != _MAGIC or len(body) not in (end, end + sizes[0]):
                raise ValueError("its length is not that of a model")
            head = json.loads(data[_LENGTH.size : _LENGTH.size + length])
            return cls(
                np.frombuffer(body, np.int8, sizes[0]), np.frombuffer(body, np.int8, sizes[1], sizes[0]),
                np.frombuffer(body, np.uint8, sizes[2], sizes[0] + sizes[1]), float(head["strange"]),
                float(head["centre"]), float(head["spread"]), float(head["drift"]), _gates(head),
                np.frombuffer(body, np.int8, sizes[0], end) if len(body) > end else None, dict(head["made_from"]),
            )  # fmt: skip
        except (struct.error, ValueError, KeyError, TypeError) as error:
            raise InputError("the file is not a model of messages: {error}", error=error) from None


def _gates(head: Mapping[str, Any]) -> tuple[float, float]:
    """The gates in a file's head; older files have one, for whoever sends."""
    first, second = head["gates"] if "gates" in head else (head["gate"], head["gate"])
    return float(first), float(second)


def read_model(path: Path, secret: bytes) -> TalkModel:
    """The model that this deployment made. Raises InputError for a file that it did not sign."""
    try:
        data = path.read_bytes()
        if not hmac.compare_digest(data[-_SIGNATURE:], _signature(data[:-_SIGNATURE], secret)):
            raise InputError("the model {path} was not made by this deployment, or is damaged", path=path)
        return TalkModel.from_bytes(data[:-_SIGNATURE])
    except OSError as error:
        raise InputError("the model {path} cannot be read: {why}", path=path, why=error.strerror) from None


def signed(model: TalkModel, secret: bytes) -> bytes:
    """The file of a model as `read_model` takes it."""
    data = model.to_bytes()
    return data + _signature(data, secret)
