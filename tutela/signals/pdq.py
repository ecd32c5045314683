"""PDQ: the 256-bit perceptual hash that hash lists of pictures carry. Text form: 64 hexadecimal digits.

Source: "The TMK+PDQF Video-Hashing Algorithm and the PDQ Image-Hashing Algorithm" (Facebook, 2019).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from tutela import _native
from tutela.media.content import Content
from tutela.signals.base import WHOLE, Kind, Sample
from tutela.signals.hexadecimal import parse_hexadecimal

STORED = "stored"
"""The view of the picture as its file stores it, where EXIF says that it is to be shown turned."""


@dataclass(frozen=True, slots=True)
class Pdq:
    """The PDQ signal type."""

    name: str = "pdq"
    kind: Kind = Kind.HAMMING
    width: int = 32
    default_threshold: int = 31
    max_threshold: int = 64

    def parse(self, text: str) -> bytes:
        """The value of 64 hexadecimal digits, in either case."""
        return parse_hexadecimal(self.name, text, self.width)

    def format(self, value: bytes) -> str:
        """Lower-case hexadecimal."""
        return value.hex()

    def distance(self, a: bytes, b: bytes) -> int:
        """The number of bits in which the two differ."""
        return (int.from_bytes(a) ^ int.from_bytes(b)).bit_count()

    def compute(self, content: Content) -> Sequence[Sample]:
        """The hash of the picture as displayed, and as stored where that is another.

        Lists are made by tools that do not turn pictures by EXIF, so both views are asked about.
        """
        picture = content.picture
        stored, quality = _native.pdq(picture.pixels, picture.source)
        if picture.orientation == 1:
            return (Sample(self.name, stored, WHOLE, quality),)
        displayed, displayed_quality = _native.pdq(*picture.displayed())
        return (
            Sample(self.name, displayed, WHOLE, displayed_quality),
            Sample(self.name, stored, STORED, quality),
        )


PDQ = Pdq()
