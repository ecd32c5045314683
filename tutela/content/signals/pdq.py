"""PDQ: the 256-bit perceptual hash that hash lists of pictures carry. Text form: 64 hexadecimal digits.

Source: "The TMK+PDQF Video-Hashing Algorithm and the PDQ Image-Hashing Algorithm" (Facebook, 2019).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from tutela import _native
from tutela.content.media.content import Content, Mode, Picture
from tutela.content.signals.base import STORED, WHOLE, Region, Sample, SignalKind
from tutela.content.signals.hexadecimal import parse_hexadecimal
from tutela.content.views.finder import find_frames, reduced
from tutela.content.views.thresholds import able_quality, is_many_sided
from tutela.content.views.view import NEGATIVE, TURNS, Luma, bounds, placed, view_names
from tutela.content.views.view_set import ViewSet


@dataclass(frozen=True, slots=True)
class Pdq:
    """The PDQ signal type."""

    name: str = "pdq"
    kind: SignalKind = SignalKind.HAMMING
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
        """The hashes of the content's picture. In exact mode, for lists, the plain ones or what a bank lists."""
        views = ViewSet(content.limits.views)
        if content.mode is Mode.EXACT and views is not ViewSet.LISTED:
            views = ViewSet.PLAIN
        return self.of_picture(content.picture, views)

    def of_picture(self, picture: Picture, views: ViewSet) -> list[Sample]:
        """The hashes of a decoded picture, the whole as displayed first, then as stored where that is another.

        Lists are made by tools that do not turn pictures by EXIF, so both are always asked about.
        """
        pixels, source = picture.displayed()
        if views in (ViewSet.STANDARD, ViewSet.THOROUGH):
            (value, *turned), quality, turned_quality = _native.pdq_turned(pixels, source)
        else:
            turned, turned_quality = [], 0
            value, quality = _native.pdq(pixels, source)
        samples = [Sample(self.name, value, WHOLE, quality)]
        if picture.orientation != 1:
            stored, stored_quality = _native.pdq(picture.pixels, picture.source)
            samples.append(Sample(self.name, stored, STORED, stored_quality))
        samples += [
            Sample(self.name, value, turn, turned_quality) for turn, value in zip(TURNS[1:], turned, strict=False)
        ]
        if turned:
            samples.append(Sample(self.name, complement(samples[0].value), NEGATIVE, turned_quality))
        if views is not ViewSet.PLAIN:
            luma = pixels if pixels.ndim == 2 else np.asarray(Image.fromarray(pixels).convert("L"))
            samples += self._of_views(reduced(luma), views)
        return samples

    def _of_views(self, luma: Luma, views: ViewSet) -> Iterator[Sample]:
        for frame in find_frames(luma, views):
            families, corners, turns = frame.views.families, frame.views.corners, frame.views.turns
            hashes, qualities, filled = frame.canvas.hashes(corners, turns)
            values, at = hashes.tobytes(), 0
            regions = map(Region._make, bounds(placed(corners, frame.place)).tolist())
            known = zip(families, turns.tolist(), qualities.tolist(), filled.tolist(), regions, strict=True)
            for family, asked, quality, fields, region in known:
                able = able_quality(family, quality, fields)
                for name in view_names(family, asked):
                    yield Sample(self.name, values[at : at + self.width], name, able, region)
                    at += self.width


PDQ = Pdq()


def complement(value: bytes) -> bytes:
    """The hash of the picture's negative: each frequency changes its sign, and so does the median."""
    return bytes(octet ^ 0xFF for octet in value)


def shows_enough(sample: Sample) -> bool:
    """Whether a sample matches where nothing but it speaks for the match; of other types that is not known."""
    return sample.signal != PDQ.name or is_many_sided(sample.view, sample.value)
