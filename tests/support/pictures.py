"""Benign pictures for the tests: drawn scenes, photos that scikit-image carries, and files of every format."""

import io
import random
from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
import pillow_heif
import skimage.data
from PIL import Image

from tutela.cli.demo import draw_scene

pillow_heif.register_heif_opener()

__all__ = ["draw_scene", "every_format", "file_of", "mutations", "photos"]


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


def every_format(picture: Image.Image) -> dict[str, bytes]:
    """The picture in every format that is decoded, some in several flavours."""
    grey = picture.convert("L")
    deep = Image.fromarray(np.asarray(grey, np.uint16) * 257)
    return {
        "jpeg": file_of(picture, "JPEG", quality=90),
        "jpeg-progressive": file_of(picture, "JPEG", quality=90, progressive=True),
        "jpeg-444": file_of(picture, "JPEG", quality=95, subsampling=0),
        "jpeg-grey": file_of(grey, "JPEG", quality=90),
        "jpeg-cmyk": file_of(picture.convert("CMYK"), "JPEG", quality=90),
        "png": file_of(picture, "PNG"),
        "png-rgba": file_of(picture.convert("RGBA"), "PNG"),
        "png-grey-alpha": file_of(picture.convert("LA"), "PNG"),
        "png-palette": file_of(picture.quantize(200), "PNG"),
        "png-16-bit": file_of(deep, "PNG"),
        "gif": file_of(picture.quantize(200), "GIF"),
        "webp": file_of(picture, "WEBP", quality=90),
        "webp-lossless": file_of(picture, "WEBP", lossless=True),
        "bmp": file_of(picture, "BMP"),
        "tiff": file_of(picture, "TIFF"),
        "tiff-lzw": file_of(picture, "TIFF", compression="tiff_lzw"),
        "tiff-jpeg": file_of(picture, "TIFF", compression="jpeg"),
        "tiff-16-bit": file_of(deep, "TIFF"),
        "tiff-float": file_of(Image.fromarray(np.asarray(grey, np.float32) / 255), "TIFF"),
        "tiff-cmyk": file_of(picture.convert("CMYK"), "TIFF"),
        "avif": file_of(picture, "AVIF", quality=85),
        "heic": file_of(picture, "HEIF", quality=85),
    }


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
