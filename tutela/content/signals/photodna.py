"""PhotoDNA values: stored and compared here, computed only by an operator's licensed hasher (a plug-in).

A value is 144 bytes, one per gradient cell. Lists carry it as base64 (192 characters), as 288 hexadecimal digits or as
144 comma-separated numbers; all are read, base64 is written. The distance is the sum of squared differences, as
PhotoDNA's published descriptions compare values. Equal values match; a licensee sets a bank's threshold as the licence
says.
"""

import base64
import binascii
import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tutela.content.signals.base import SignalKind
from tutela.errors import InvalidSignalError

_HEXADECIMAL = re.compile("[0-9A-Fa-f]{288}")


@dataclass(frozen=True, slots=True)
class PhotoDNA:
    """The PhotoDNA signal type, without a hasher."""

    name: str = "photodna"
    kind: SignalKind = SignalKind.VECTOR
    width: int = 144
    default_threshold: int = 0
    max_threshold: int = 144 * 255 * 255

    def parse(self, text: str) -> bytes:
        """The value of a base64 text, of 288 hexadecimal digits, or of 144 comma-separated numbers 0-255."""
        stripped = text.strip()
        if _HEXADECIMAL.fullmatch(stripped):
            return bytes.fromhex(stripped)
        value = self._from_numbers(stripped) if "," in stripped else self._from_base64(stripped)
        if len(value) != self.width:
            raise InvalidSignalError("photodna needs {width} values, got {value}", width=self.width, value=len(value))
        return value

    def format(self, value: bytes) -> str:
        """Standard base64."""
        return base64.b64encode(value).decode("ascii")

    def distance(self, a: bytes, b: bytes) -> int:
        """The sum of squared differences."""
        return int(self.distances(np.frombuffer(a, np.uint8)[np.newaxis], b)[0])

    def distances(self, values: npt.NDArray[np.uint8], value: bytes) -> npt.NDArray[np.int64]:
        """Distances of one value to each row of a (n, 144) array."""
        difference = values.astype(np.int32) - np.frombuffer(value, np.uint8).astype(np.int32)
        distances: npt.NDArray[np.int64] = np.einsum("ij,ij->i", difference, difference, dtype=np.int64)
        return distances

    def _from_numbers(self, text: str) -> bytes:
        try:
            return bytes(int(number) for number in text.split(","))
        except ValueError:
            raise InvalidSignalError("photodna numbers must be whole and within 0-255") from None

    def _from_base64(self, text: str) -> bytes:
        try:
            return base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            raise InvalidSignalError(
                "photodna needs base64, 288 hexadecimal digits or 144 comma-separated numbers"
            ) from None


PHOTODNA = PhotoDNA()
