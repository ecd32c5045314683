"""Benign pictures for the tests: drawn scenes, photos that scikit-image carries, and files of every format."""

import io
import random
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

import numpy as np
import pillow_heif
import skimage.data
from PIL import Image

from tutela.cli.demo import draw_scene

pillow_heif.register_heif_opener()

__all__ = ["FORMATS", "draw_scene", "every_format", "file_of", "mutations", "photos"]


@cache
def photos() -> tuple[Image.Image, ...]:
    """Photos that scikit-image carries, as RGB."""
    names = ("astronaut", "chelsea", "coffee", "camera")
    arrays = (getattr(skimage.data, name)() for name in names)
    return tuple(Image.fromarray(array).convert("RGB") for array in arrays)


def file_of(picture: Image.Image, form: str, **options: Any) -> bytes:
    """A picture as a file's bytes."""
    file = io.BytesIO()
    picture.save(file, form, **options)
    return file.getvalue()


def _deep(picture: Image.Image) -> Image.Image:
    return Image.fromarray(np.asarray(picture.convert("L"), np.uint16) * 257)


_WRITTEN: Mapping[str, Callable[[Image.Image], bytes]] = {
    "jpeg": lambda of: file_of(of, "JPEG", quality=90),
    "jpeg-progressive": lambda of: file_of(of, "JPEG", quality=90, progressive=True),
    "jpeg-444": lambda of: file_of(of, "JPEG", quality=95, subsampling=0),
    "jpeg-grey": lambda of: file_of(of.convert("L"), "JPEG", quality=90),
    "jpeg-cmyk": lambda of: file_of(of.convert("CMYK"), "JPEG", quality=90),
    "png": lambda of: file_of(of, "PNG"),
    "png-rgba": lambda of: file_of(of.convert("RGBA"), "PNG"),
    "png-grey-alpha": lambda of: file_of(of.convert("LA"), "PNG"),
    "png-palette": lambda of: file_of(of.quantize(200), "PNG"),
    "png-16-bit": lambda of: file_of(_deep(of), "PNG"),
    "gif": lambda of: file_of(of.quantize(200), "GIF"),
    "webp": lambda of: file_of(of, "WEBP", quality=90),
    "webp-lossless": lambda of: file_of(of, "WEBP", lossless=True),
    "bmp": lambda of: file_of(of, "BMP"),
    "tiff": lambda of: file_of(of, "TIFF"),
    "tiff-lzw": lambda of: file_of(of, "TIFF", compression="tiff_lzw"),
    "tiff-jpeg": lambda of: file_of(of, "TIFF", compression="jpeg"),
    "tiff-16-bit": lambda of: file_of(_deep(of), "TIFF"),
    "tiff-float": lambda of: file_of(Image.fromarray(np.asarray(of.convert("L"), np.float32) / 255), "TIFF"),
    "tiff-cmyk": lambda of: file_of(of.convert("CMYK"), "TIFF"),
    "avif": lambda of: file_of(of, "AVIF", quality=85),
    "heic": lambda of: file_of(of, "HEIF", quality=85),
}
FORMATS = tuple(_WRITTEN)
"""Every format that is decoded, some in several flavours."""


def every_format(picture: Image.Image) -> dict[str, bytes]:
    """The picture in each of `FORMATS`."""
    return {name: write(picture) for name, write in _WRITTEN.items()}


def mutations(seeds: list[bytes], count: int, seed: int) -> Iterator[bytes]:
    """Broken copies of files: bits flipped, cut short, spliced, blown up, lengths falsified."""
    rng = random.Random(seed)
    for _ in range(count):
        data = bytearray(rng.choice(seeds))
        for _ in range(rng.choice((1, 1, 2, 4, 16))):
            if not data:
                break
            # Half of the damage goes to the first bytes, where structure lies.
            at = rng.randrange(min(len(data), 64) if rng.random() < 0.5 else len(data))
            match rng.randrange(7):
                case 0:
                    data[at] ^= 1 << rng.randrange(8)
                case 1:
                    data[at] = rng.choice((0, 1, 0x7F, 0x80, 0xFF))
                case 2:
                    del data[at : at + rng.randrange(1, 64)]
                case 3:
                    data[at:at] = rng.randbytes(rng.randrange(1, 64))
                case 4:
                    other = rng.choice(seeds)
                    data[at:] = other[rng.randrange(len(other)) :]
                case 5:
                    data[at : at + 4] = rng.choice((b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\0\0\0"))
                case 6:
                    data = data[:at]
        yield bytes(data)
