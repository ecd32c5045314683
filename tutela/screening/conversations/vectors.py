"""Vectors of messages: the operator's encoder, a linear head that reaches wordings nobody confirmed yet, and a memory
of those that people did. Vectors can be inverted into texts: at rest they are sealed, like what they were made from.
"""

import json
import secrets
import struct
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tutela.errors import InputError
from tutela.screening.conversations.evidence import CAP, Scores

FOLDER = "encoder"
MODEL, TOKENIZER, MEMORY = "model.onnx", "tokenizer.json", "memory.risk"
NEAREST = 5
MAX_TOKENS = 128
MOST_ENCODED = 20_000
"""Ordinary messages that are remembered at most."""
_BATCH = 16
_HELD_OUT = 5
_DRIFT_SHARE = 0.97
_RIDGE = 1.0
_SHARPNESS = 20.0
"""How much nearer counts more, in the mean over the nearest."""
_MAGIC = b"TUTVECT1"
_LENGTH = struct.Struct("<8sI")
_NONCE = 12
Vectors = npt.NDArray[np.float32]


def plain(text: str) -> str:
    """A text as encoders read it: in one case and width, with single spaces."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


class Encoder:
    """An ONNX model of sentences with its tokenizer: ids and mask in, unit vectors out. Thread-safe."""

    def __init__(self, folder: Path) -> None:
        """Raises InputError where a file is missing or wrong, or the extra `embeddings` is not installed."""
        try:
            import onnxruntime
            from tokenizers import Tokenizer
        except ImportError as error:
            raise InputError("an encoder needs the extra: pip install 'tutela[embeddings]'") from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        try:
            self._session = onnxruntime.InferenceSession(str(folder / MODEL), options)
            self._tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
        except Exception as error:  # both libraries raise errors of their own
            raise InputError("the encoder in {folder} cannot be read", folder=folder) from error
        self._tokenizer.enable_truncation(MAX_TOKENS)
        self._tokenizer.enable_padding()

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors, shape (texts, width); of texts that differ by case, width and spaces only, the same one."""
        said = [plain(text) for text in texts]
        order = sorted(set(said), key=lambda text: (len(text), text))
        found: list[Vectors] = []
        for begin in range(0, len(order), _BATCH):
            encoded = self._tokenizer.encode_batch(order[begin : begin + _BATCH])
            ids = np.array([one.ids for one in encoded], np.int64)
            mask = np.array([one.attention_mask for one in encoded], np.int64)
            found.append(self._session.run(None, {"input_ids": ids, "attention_mask": mask})[0])
        vectors = np.concatenate(found) if found else np.zeros((0, 1), np.float32)
        places = {text: place for place, text in enumerate(order)}
        return vectors[[places[text] for text in said]].astype(np.float32)


@dataclass(frozen=True)
class Standard:
    """How ordinary messages score: the mean, the standard deviation, and what 97 % are under."""

    spread: float
    drift: float

    @classmethod
    def of(cls, scores: npt.NDArray[np.float32]) -> "Standard":
        """Of scores of ordinary messages."""
        return cls(float(scores.std()) or 1.0, float(np.quantile(scores, _DRIFT_SHARE)))

    def evidence(self, scores: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """From 0 to `CAP`."""
        found: npt.NDArray[np.float32] = np.clip((scores - self.drift) / self.spread, 0, CAP).astype(np.float32)
        return found


@dataclass(frozen=True)
class VectorModel:
    """A linear head and a memory, with their standards."""

    head: Vectors
    """Shape (width + 1,): weights and a constant."""
    positive: Vectors
    ordinary: Vectors
    of_head: Standard
    of_memory: Standard

    @cached_property
    def version(self) -> str:
        """Equal for equal models."""
        import hashlib

        return hashlib.sha256(self.head.tobytes() + self.positive.tobytes()).hexdigest()[:12]

    def score(self, vectors: Vectors) -> Scores:
        """The evidence of head and memory together, each capped."""
        scores = Scores.nothing(len(vectors))
        trust = self.of_head.evidence(self.heads(vectors)) + self.of_memory.evidence(self.memories(vectors))
        return Scores(trust, scores.coercion, scores.stage)

    def nearness(self, vectors: Vectors) -> npt.NDArray[np.float32]:
        """How near what was confirmed, in standard deviations of ordinary messages, by head and memory together."""
        return self.heads(vectors) / self.of_head.spread + self.memories(vectors) / self.of_memory.spread

    def heads(self, vectors: Vectors) -> npt.NDArray[np.float32]:
        """The head's scores."""
        found: npt.NDArray[np.float32] = vectors @ self.head[:-1] + self.head[-1]
        return found

    def memories(self, vectors: Vectors) -> npt.NDArray[np.float32]:
        """How much nearer the nearest confirmed messages are than the nearest ordinary ones."""
        return _nearness(vectors, self.positive) - _nearness(vectors, self.ordinary)

    def remembering(self, vectors: Vectors) -> "VectorModel":
        """With further confirmed messages in memory; nothing is trained."""
        return VectorModel(
            self.head, np.concatenate([self.positive, vectors]), self.ordinary, self.of_head, self.of_memory
        )

    def sealed(self, secret: bytes) -> bytes:
        """The file: nothing in it can be read without the deployment's secret."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        arrays = (self.head, self.positive, self.ordinary)
        head = json.dumps(
            {
                "shapes": [list(one.shape) for one in arrays],
                "standards": [[one.spread, one.drift] for one in (self.of_head, self.of_memory)],
            }
        ).encode()
        body = _LENGTH.pack(_MAGIC, len(head)) + head + b"".join(one.tobytes() for one in arrays)
        nonce = secrets.token_bytes(_NONCE)
        return nonce + AESGCM(secret).encrypt(nonce, body, _MAGIC)

    @classmethod
    def opened(cls, data: bytes, secret: bytes) -> "VectorModel":
        """The model in a file. Raises InputError where it is not this deployment's."""
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        try:
            body = AESGCM(secret).decrypt(data[:_NONCE], data[_NONCE:], _MAGIC)
        except InvalidTag:
            raise InputError("the memory of vectors was sealed by another deployment, or is damaged") from None
        _, length = _LENGTH.unpack_from(body)
        head = json.loads(body[_LENGTH.size : _LENGTH.size + length])
        at, arrays = _LENGTH.size + length, []
        for shape in head["shapes"]:
            count = int(np.prod(shape))
            arrays.append(np.frombuffer(body, np.float32, count, at).reshape(shape))
            at += 4 * count
        standards = [Standard(*one) for one in head["standards"]]
        return cls(arrays[0], arrays[1], arrays[2], standards[0], standards[1])


def learn(positive: Vectors, ordinary: Vectors) -> VectorModel:
    """A model of vectors; every fifth ordinary one is not learnt from, but tells how ordinary talk scores."""
    learnt, usual = ordinary[np.arange(len(ordinary)) % _HELD_OUT > 0], held_out(ordinary)
    head = _logistic(positive, learnt)
    bare = VectorModel(head, positive, learnt, Standard(1.0, 0.0), Standard(1.0, 0.0))
    of_head = Standard.of(bare.heads(usual))
    of_memory = Standard.of(bare.memories(usual))
    return VectorModel(head, positive, learnt, of_head, of_memory)


def held_out(ordinary: Vectors) -> Vectors:
    """The ordinary messages that `learn` does not learn from."""
    return ordinary[::_HELD_OUT]


def _nearness(vectors: Vectors, known: Vectors) -> npt.NDArray[np.float32]:
    """The soft maximum of the cosines to the nearest few."""
    count = min(NEAREST, len(known))
    found = np.empty(len(vectors), np.float32)
    for begin in range(0, len(vectors), 512):
        cosines = vectors[begin : begin + 512] @ known.T
        best = np.partition(cosines, -count, axis=1)[:, -count:]
        found[begin : begin + 512] = np.log(np.exp(_SHARPNESS * best).mean(axis=1)) / _SHARPNESS
    return found


def _logistic(positive: Vectors, ordinary: Vectors) -> Vectors:
    """Ridge logistic regression with both sides weighing the same, by Newton's method: deterministic, in float64."""
    x = np.concatenate([positive, ordinary]).astype(np.float64)
    x = np.concatenate([x, np.ones((len(x), 1))], axis=1)
    y = np.concatenate([np.ones(len(positive)), np.zeros(len(ordinary))])
    weight = np.where(y == 1, len(ordinary) / max(1, len(positive)), 1.0)
    solution = np.zeros(x.shape[1])
    ridge = np.full(x.shape[1], _RIDGE * len(ordinary) / 100)
    ridge[-1] = 1e-6
    for _ in range(12):
        shares = 1 / (1 + np.exp(-np.clip(x @ solution, -30, 30)))
        slope = x.T @ (weight * (shares - y)) + ridge * solution
        curve = (x * (weight * shares * (1 - shares))[:, None]).T @ x + np.diag(ridge)
        step = np.linalg.solve(curve, slope)
        solution -= step
        if np.abs(step).max() < 1e-8:
            break
    return solution.astype(np.float32)
