"""Any mode of picture to its colours, in eight bits, and its alpha: what every way to show it begins with."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageChops, ImageCms

_DEEP = ("I", "F", "I;16", "I;16L", "I;16B", "I;16N")


@dataclass(frozen=True, slots=True)
class Planes:
    """A picture's colours and its alpha."""

    colours: Image.Image
    """In mode L, RGB or CMYK."""
    alpha: Image.Image | None = None
    """In mode L; None where nothing shines through."""


def planes(image: Image.Image) -> Planes:
    """The planes of a loaded picture of any mode. Raises ValueError for a mode that has no known meaning."""
    if image.mode in _DEEP:
        values = np.asarray(image)
        return Planes(Image.fromarray(to_eight_bits(values)), _of_key(values, image.info.get("transparency")))
    if "transparency" in image.info and image.mode in ("1", "L", "P", "RGB"):
        return _parted(image.convert("RGBA"), image.convert("RGB") if image.mode != "L" else image)
    match image.mode:
        case "L" | "RGB" | "CMYK":
            return Planes(image)
        case "1":
            return Planes(image.convert("L"))
        case "LA" | "La":
            straight = image.convert("LA")
            return _parted(straight, straight.getchannel("L"))
        case "RGBA" | "PA" | "RGBa":
            straight = image.convert("RGBA")
            return _parted(straight, straight.convert("RGB"))
        case "LAB":
            return Planes(_lab_to_rgb(image))
        case _:
            return Planes(image.convert("RGB"))


def _parted(whole: Image.Image, colours: Image.Image) -> Planes:
    alpha = whole.getchannel("A")
    return Planes(colours, None if alpha.getextrema() == (255, 255) else alpha)


def _of_key(values: npt.NDArray[Any], key: Any) -> Image.Image | None:
    """Where a deep grey picture is not of the colour that is transparent (PNG 11.3.1.1)."""
    opaque = values != key
    if not isinstance(key, int) or opaque.all():
        return None
    return Image.fromarray(opaque.astype(np.uint8) * 255)


def on_ground(luma: Image.Image, alpha: Image.Image, ground: int) -> Image.Image:
    """A grey or coloured picture on a grey ground."""
    colour = ground if luma.mode == "L" else (ground,) * len(luma.getbands())
    return Image.composite(luma, Image.new(luma.mode, luma.size, colour), alpha)


def uninverted(image: Image.Image) -> Image.Image:
    """A CMYK picture for those who take its inks for the other way round."""
    return ImageChops.invert(image)


def _lab_to_rgb(image: Image.Image) -> Image.Image:
    transform = ImageCms.buildTransform(ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB"), "LAB", "RGB")
    return ImageCms.applyTransform(image, transform) or image


def to_eight_bits(values: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Deep greys to 0-255. Unsigned 16-bit by its whole range; others by the smallest usual range they fit."""
    if values.dtype == np.uint16:
        eight: npt.NDArray[np.uint8] = (values >> 8).astype(np.uint8)
        return eight
    numbers = np.nan_to_num(values.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    highest = float(numbers.max(initial=0.0))
    full = next((top for top in (1.0, 255.0, 65535.0) if highest <= top), highest)
    if values.dtype.kind == "i" and full == 1.0:
        full = 255.0
    scaled: npt.NDArray[np.uint8] = np.clip(numbers * (255.0 / full), 0, 255).astype(np.uint8)
    return scaled
