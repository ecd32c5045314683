"""A signal type in one file: the 256-bit average hash, one bit for each cell of a 16 x 16 grid: over the mean?

It is a `SignalType` (read, print, compare) and a `Computable` (from decoded content, in an isolated worker). Being
256 bits compared by Hamming distance, it is served by the same exact index as PDQ.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tutela.plugins.signals import Content, InvalidSignalError, Sample, SignalKind

GRID = 16


@dataclass(frozen=True, slots=True)
class AverageHash:
    """The average hash; text form: 64 hexadecimal digits."""

    name: str = "averagehash"
    kind: SignalKind = SignalKind.HAMMING
    width: int = GRID * GRID // 8
    default_threshold: int = 16
    max_threshold: int = 64

    def parse(self, text: str) -> bytes:
        try:
            value = bytes.fromhex(text)
        except ValueError:
            value = b""
        if len(value) != self.width:
            sentence = "averagehash needs {digits} hexadecimal digits, got {text!r}"
            raise InvalidSignalError(sentence, digits=2 * self.width, text=text[:80])
        return value

    def format(self, value: bytes) -> str:
        return value.hex()

    def distance(self, a: bytes, b: bytes) -> int:
        return (int.from_bytes(a) ^ int.from_bytes(b)).bit_count()

    def compute(self, content: Content) -> Sequence[Sample]:
        pixels = content.picture.pixels
        luma = pixels.mean(axis=2) if pixels.ndim == 3 else pixels
        rows = np.array_split(luma, GRID, axis=0)
        cells = np.array(
            [[cell.mean() if cell.size else 0 for cell in np.array_split(row, GRID, axis=1)] for row in rows]
        )
        quality = int(min(100, cells.std() * 2))
        return (Sample(self.name, np.packbits(cells > cells.mean()).tobytes(), quality=quality),)


AVERAGE_HASH = AverageHash()
