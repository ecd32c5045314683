"""Photo-like pictures of any size, made of the photos that scikit-image and scikit-learn carry at their own resolution.

Scaling a photo up would thin out its detail, and a decoder's work with it; tiles keep both.
"""

import io
import random
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import numpy.typing as npt
import skimage.data
from PIL import Image, ImageOps

SIZES = {"0.3 MP": (640, 480), "1 MP": (1152, 864), "3 MP": (2048, 1536), "12 MP": (4000, 3000)}


@cache
def photos() -> tuple[npt.NDArray[np.uint8], ...]:
    """(height, width, 3) photos, about 0.2 MP each."""
    own = (skimage.data.astronaut(), skimage.data.chelsea(), skimage.data.coffee())
    return (*own, sample_photo("china"), sample_photo("flower"))


def sample_photo(name: str) -> npt.NDArray[np.uint8]:
    """(height, width, 3): `sklearn.datasets.load_sample_image`, without the two seconds that its import takes."""
    package = find_spec("sklearn")
    assert package is not None
    assert package.origin is not None
    with Image.open(Path(package.origin).parent / "datasets" / "images" / f"{name}.jpg") as photo:
        return np.asarray(photo)


def mosaic(size: tuple[int, int], seed: int = 0) -> Image.Image:
    """(width, height) of photo tiles, some of them mirrored, with soft light over the whole."""
    width, height = size
    rng = random.Random(seed)
    out = np.empty((height, width, 3), np.uint8)
    for top in range(0, height, 300):
        left = 0
        while left < width:
            tile = rng.choice(photos())
            tile = tile[:, ::-1] if rng.random() < 0.5 else tile
            tile = tile[: min(300, height - top), : width - left]
            out[top : top + tile.shape[0], left : left + tile.shape[1]] = tile
            left += tile.shape[1]
    light = 0.55 + 0.45 * np.sin(np.linspace(rng.random(), rng.random() + 2.5, width, dtype=np.float32))
    for top in range(0, height, 256):  # in bands, to need no float copy of the whole
        band = out[top : top + 256]
        band[:] = band * light[None, :, None]
    return Image.fromarray(out)


def single(size: tuple[int, int], number: int) -> Image.Image:
    """(width, height) of one of the photos, scaled and cut to the size."""
    photo = photos()[number % len(photos())]
    return ImageOps.fit(Image.fromarray(photo), size, Image.Resampling.BICUBIC)


def file_of(picture: Image.Image, form: str, **options: object) -> bytes:
    """The picture as a file."""
    file = io.BytesIO()
    picture.save(file, form, **options)
    return file.getvalue()
