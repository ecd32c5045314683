"""How far the fast mode's hashes lie from the exact mode's and the exact mode's from `pdqhash`, and what that costs.

Pictures are cuts of photo tiles in several sizes, saved as JPEG at several qualities and chroma subsamplings.
"""

import io
import random
from collections import defaultdict
from collections.abc import Iterator

import numpy as np
import pdqhash
from PIL import Image, ImageEnhance

from benchmarks.pictures import SIZES, file_of, mosaic
from benchmarks.report import Scale, Table
from tutela.content.media.confined.opened import OpenedContent
from tutela.content.media.content import Mode
from tutela.content.media.limits import Limits
from tutela.content.signals.pdq import PDQ
from tutela.content.views.view_set import ViewSet

_PICTURES = {
    Scale.TINY: {"0.3 MP": 3},
    Scale.USUAL: {"0.3 MP": 500, "1 MP": 400, "3 MP": 120, "12 MP": 20},
    Scale.FULL: {"0.3 MP": 2000, "1 MP": 1500, "3 MP": 500, "12 MP": 100},
}
_MIN_QUALITY = 50


def run(scale: Scale) -> Iterator[Table]:
    """Two tables: distances by size, and the recall of altered copies in both modes."""
    rng = random.Random(1)
    reference: dict[str, list[int]] = defaultdict(list)
    fast_distances: dict[str, list[int]] = defaultdict(list)
    copies: list[tuple[int, int]] = []
    for size, count in _PICTURES[scale].items():
        for number in range(count):
            picture = _picture(SIZES[size], number, rng)
            data = _jpeg(picture, rng)
            exact, quality = _hash(data, Mode.EXACT)
            if quality < _MIN_QUALITY:
                continue
            reference[size].append(_distance(exact, _by_pdqhash(data)))
            fast_distances[size].append(_distance(exact, _hash(data, Mode.FAST)[0]))
            copy = _altered(picture, rng)
            copies.append((_distance(exact, _hash(copy, Mode.EXACT)[0]), _distance(exact, _hash(copy, Mode.FAST)[0])))

    table = Table(
        "Exact mode against pdqhash, fast mode against exact mode",
        ("size", "pictures", "exact = pdqhash", "exact, most", "fast, median", "fast, 99th percentile", "fast, most"),
        f"Bits of 256, pictures of quality {_MIN_QUALITY} and more.",
    )
    for name, sizes in [(size, [size]) for size in reference] + [("all", list(reference))]:
        exact_bits = np.concatenate([reference[size] for size in sizes])
        fast_bits = np.concatenate([fast_distances[size] for size in sizes])
        table.add(
            name,
            str(len(exact_bits)),
            f"{np.mean(exact_bits == 0):.2%}",
            str(exact_bits.max()),
            f"{np.median(fast_bits):.0f}",
            f"{np.percentile(fast_bits, 99):.0f}",
            str(fast_bits.max()),
        )
    yield table

    recall = Table(
        "Altered copies found at threshold 31",
        ("mode of the upload", "found", "mean distance"),
        f"{len(copies)} originals, listed by their exact hash; each copy scaled, saved anew, brighter or darker.",
    )
    for column, mode in enumerate(("exact", "fast")):
        bits = np.array([copy[column] for copy in copies])
        recall.add(mode, f"{np.mean(bits <= 31):.2%}", f"{bits.mean():.2f}")
    yield recall


def _picture(size: tuple[int, int], seed: int, rng: random.Random) -> Image.Image:
    """A cut from a mosaic, so that sizes are odd and edges fall anywhere."""
    width, height = size
    cut = (rng.randrange(17), rng.randrange(17), width - rng.randrange(17), height - rng.randrange(17))
    picture = mosaic(size, seed).crop(cut)
    return picture.transpose(Image.Transpose.TRANSPOSE) if rng.random() < 0.3 else picture


def _jpeg(picture: Image.Image, rng: random.Random) -> bytes:
    return file_of(picture, "JPEG", quality=rng.randrange(50, 96), subsampling=rng.randrange(3))


def _altered(picture: Image.Image, rng: random.Random) -> bytes:
    share = rng.uniform(0.35, 0.9)
    copy = picture.resize((round(picture.width * share), round(picture.height * share)), Image.Resampling.LANCZOS)
    copy = ImageEnhance.Brightness(copy).enhance(rng.uniform(0.8, 1.2))
    return file_of(copy, "JPEG", quality=rng.randrange(30, 90))


def _hash(data: bytes, mode: Mode) -> tuple[bytes, int]:
    sample = PDQ.compute(OpenedContent(data, mode, Limits(views=ViewSet.PLAIN)))[0]
    assert sample.quality is not None
    return sample.value, sample.quality


def _by_pdqhash(data: bytes) -> bytes:
    bits, _ = pdqhash.compute(np.asarray(Image.open(io.BytesIO(data)).convert("RGB")))
    return np.packbits(bits.astype(bool)).tobytes()


def _distance(a: bytes, b: bytes) -> int:
    return PDQ.distance(a, b)
