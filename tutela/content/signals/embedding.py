"""A second signal: what a picture is of, by an embedding model that the operator brings. It only ever holds for review.

The model is an ONNX file named by TUTELA_EMBEDDING_MODEL, run by ONNX Runtime inside the isolated worker on the picture
in grey. Nothing is downloaded. A value is the model's mark (8 bytes) and the vector as signed bytes, scaled to its
largest component and padded with zeros; distances are thousandths of 1 - cosine. Values of two models never match.
"""

import base64
import binascii
import contextlib
import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from PIL import Image

from tutela.content.media.content import Content, Picture
from tutela.content.signals.base import Sample, SignalKind
from tutela.errors import InvalidSignalError, TutelaError

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

MODEL_VARIABLE = "TUTELA_EMBEDDING_MODEL"
MARK_BYTES = 8
MAX_COMPONENTS = 1024
FARTHEST = 2000
"""Opposite directions, and any two values of different models."""
USUAL_SIDE = 224
"""Pixels of a model's picture where the model leaves it open."""


@dataclass(frozen=True, slots=True)
class Model:
    """A model that is loaded, and how a picture is put to it."""

    session: "InferenceSession"
    mark: bytes
    """Tells values of this file and these settings from those of any other."""
    input_name: str
    channels: int
    height: int
    width: int
    mean: float
    deviation: float

    def embed(self, luma: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """The vector of a picture in grey. Raises TutelaError when the model's output is none."""
        resized = Image.fromarray(luma).resize((self.width, self.height), Image.Resampling.BILINEAR, reducing_gap=3.0)
        grey = (np.asarray(resized, np.float32) / 255 - self.mean) / self.deviation
        pixels = np.broadcast_to(grey, (1, self.channels, self.height, self.width))
        output = self.session.run(None, {self.input_name: np.ascontiguousarray(pixels)})[0]
        vector = np.asarray(output, np.float32).ravel()
        if not 2 <= len(vector) <= MAX_COMPONENTS or not np.isfinite(vector).all():
            raise TutelaError(
                "the embedding model must give 2 to {max_components} finite numbers, gave {vector}",
                max_components=MAX_COMPONENTS,
                vector=len(vector),
            )
        return vector


@dataclass(frozen=True, slots=True)
class Embedding:
    """The embedding signal type."""

    name: str = "embedding"
    kind: SignalKind = SignalKind.VECTOR
    width: int = MARK_BYTES + MAX_COMPONENTS
    default_threshold: int = 100
    max_threshold: int = 1000
    only_holds: bool = True
    """Whatever a bank's policy says: likeness is for people to judge."""

    def parse(self, text: str) -> bytes:
        """The value of a base64 text; the zeros at its end may be left out."""
        try:
            value = base64.b64decode(text.strip(), validate=True)
        except (binascii.Error, ValueError):
            raise InvalidSignalError("embedding needs base64") from None
        if not MARK_BYTES + 2 <= len(value) <= self.width:
            raise InvalidSignalError(
                "embedding needs {mark_bytes} to {width} bytes, got {value}",
                mark_bytes=MARK_BYTES + 2,
                width=self.width,
                value=len(value),
            )
        return value.ljust(self.width, b"\0")

    def format(self, value: bytes) -> str:
        """Standard base64, without the zeros at the end."""
        return base64.b64encode(value.rstrip(b"\0").ljust(MARK_BYTES + 2, b"\0")).decode("ascii")

    def distance(self, a: bytes, b: bytes) -> int:
        """Thousandths of 1 - cosine, 0 to 2000; 2000 for values of different models."""
        return int(self.distances(np.frombuffer(a, np.uint8)[np.newaxis], b)[0])

    def distances(self, values: npt.NDArray[np.uint8], value: bytes) -> npt.NDArray[np.int64]:
        """Distances of one value to each row of a (n, width) array."""
        query = np.frombuffer(value, np.uint8)
        vectors = values[:, MARK_BYTES:].view(np.int8).astype(np.float32)
        vector = query[MARK_BYTES:].view(np.int8).astype(np.float32)
        lengths = np.sqrt(np.einsum("ij,ij->i", vectors, vectors)) * np.sqrt(np.einsum("i,i->", vector, vector))
        with np.errstate(divide="ignore", invalid="ignore"):
            cosines = np.where(lengths > 0, np.einsum("ij,j->i", vectors, vector) / lengths, -1.0)
        same_model = (values[:, :MARK_BYTES] == query[:MARK_BYTES]).all(axis=1)
        distances = np.where(same_model, np.rint(1000 * (1 - cosines)), FARTHEST)
        return np.clip(distances, 0, FARTHEST).astype(np.int64)

    @property
    def ready(self) -> bool:
        """Whether a model is named."""
        return bool(os.environ.get(MODEL_VARIABLE))

    def compute(self, content: Content) -> Sequence[Sample]:
        """The picture's embedding; nothing where no model is named. Raises TutelaError when it cannot be run."""
        path = os.environ.get(MODEL_VARIABLE)
        if not path:
            return ()
        model = _loaded(path)
        if isinstance(model, TutelaError):
            raise model
        return self.of_picture(content.picture, model)

    def prepare(self) -> None:
        """Load the model and run it once, before the worker confines itself: later no file can be opened."""
        path = os.environ.get(MODEL_VARIABLE)
        model = _loaded(path) if path else None
        if isinstance(model, Model):
            with contextlib.suppress(TutelaError):  # content is then held with that reason
                model.embed(np.zeros((8, 8), np.uint8))

    def of_picture(self, picture: Picture, model: Model) -> list[Sample]:
        """The embedding of a decoded picture as it is displayed."""
        pixels, _ = picture.displayed()
        luma = pixels if pixels.ndim == 2 else np.asarray(Image.fromarray(pixels).convert("L"))
        vector = model.embed(luma)
        largest = float(np.abs(vector).max())
        if largest == 0:
            return []
        components = np.rint(vector / largest * 127).astype(np.int8).tobytes()
        return [Sample(self.name, (model.mark + components).ljust(self.width, b"\0"))]


@lru_cache(maxsize=1)
def _loaded(path: str) -> Model | TutelaError:
    """The model in a file, or what is wrong with it, read once."""
    try:
        return load_model(path)
    except TutelaError as error:
        return error


@lru_cache(maxsize=1)
def load_model(path: str) -> Model:
    """The model in a file, with the settings beside it. Raises TutelaError naming what is wrong.

    `MODEL.onnx.json` may give `mean` and `deviation` of brightness from 0 to 1, as the model was trained.
    """
    try:
        import onnxruntime
    except ImportError:
        raise TutelaError(
            "{model_variable} is set, but running a model needs the extra tutela[embeddings]",
            model_variable=MODEL_VARIABLE,
        ) from None
    try:
        data = Path(path).read_bytes()
        beside = Path(f"{path}.json")
        settings = json.loads(beside.read_text(encoding="utf-8")) if beside.exists() else {}
        mean, deviation = float(settings.get("mean", 0.449)), float(settings.get("deviation", 0.226))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime raises types of its own
        raise TutelaError("the embedding model {path} cannot be loaded: {error}", path=path, error=error) from error
    if len(session.get_inputs()) != 1 or len(session.get_inputs()[0].shape) != 4:
        raise TutelaError(
            "the embedding model {path} must take one array of shape (1, channels, height, width)", path=path
        )
    shape = session.get_inputs()[0].shape
    channels, height, width = (
        side if isinstance(side, int) else usual
        for side, usual in zip(shape[1:], (3, USUAL_SIDE, USUAL_SIDE), strict=True)
    )
    mark = hashlib.sha256(data + f"{mean},{deviation}".encode()).digest()[:MARK_BYTES]
    return Model(session, mark, session.get_inputs()[0].name, channels, height, width, mean, deviation)


EMBEDDING = Embedding()
