"""TMK+PDQF: a whole video as one long vector, as hash lists of videos carry it. Stored and compared, not computed here.

A value is the coarse part of a `.tmk` file, the mean of the frames' PDQF features: 256 numbers. Two videos whose means
have a cosine of at least 0.7 are near by the method's own first level. The second level takes the order of frames into
account and needs the whole of both files: `tmk_file.py` has it.

Source: "The TMK+PDQF Video-Hashing Algorithm and the PDQ Image-Hashing Algorithm" (Facebook, 2019).
"""

import base64
import binascii
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tutela.content.signals.base import SignalKind
from tutela.content.signals.tmk_file import FEATURES, read_tmk
from tutela.errors import InvalidSignalError

SCALE = 1000
"""Distances are thousandths of what the cosine is below 1."""


@dataclass(frozen=True, slots=True)
class Tmk:
    """The TMK+PDQF signal type, without a hasher."""

    name: str = "tmk"
    kind: SignalKind = SignalKind.VECTOR
    width: int = 4 * FEATURES
    default_threshold: int = 300
    """A cosine of 0.7, which the method's paper recommends."""
    max_threshold: int = 2 * SCALE

    def parse(self, text: str) -> bytes:
        """The value of a base64 text: of a whole `.tmk` file, or of the 256 numbers themselves."""
        try:
            data = base64.b64decode(text.strip(), validate=True)
        except (binascii.Error, ValueError):
            raise InvalidSignalError("tmk needs base64 of a .tmk file or of its 256 mean features") from None
        mean = np.frombuffer(data, "<f4") if len(data) == self.width else read_tmk(data).mean
        if not np.isfinite(mean).all():
            raise InvalidSignalError("tmk features are finite numbers")
        return mean.astype("<f4").tobytes()

    def format(self, value: bytes) -> str:
        """Base64 of the 256 numbers, little-endian and of 32 bits each."""
        return base64.b64encode(value).decode("ascii")

    def distance(self, a: bytes, b: bytes) -> int:
        """Thousandths of 1 minus the cosine: 0 for the same direction, 1000 for a right angle."""
        return 0 if a == b else int(self.distances(np.frombuffer(a, np.uint8)[np.newaxis], b)[0])

    def distances(self, values: npt.NDArray[np.uint8], value: bytes) -> npt.NDArray[np.int64]:
        """Distances of one value to each row of a (n, 1024) array."""
        rows = np.ascontiguousarray(values).view("<f4").reshape(len(values), FEATURES).astype(np.float64)
        query = np.frombuffer(value, "<f4").astype(np.float64)
        lengths = np.linalg.norm(rows, axis=1) * np.linalg.norm(query)
        cosines = np.divide(rows @ query, lengths, out=np.zeros(len(rows)), where=lengths > 0)
        distances: npt.NDArray[np.int64] = np.ceil((1 - np.clip(cosines, -1, 1)) * SCALE - 1e-6).astype(np.int64)
        return distances


TMK = Tmk()
