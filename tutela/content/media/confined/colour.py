"""Any mode of picture to the RGB that a viewer shows: alpha on white, profiles applied where they matter."""

import io
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms

_MATERIAL = 6.0
"""A profile that moves no colour's luma by more than this many of 255 steps is not worth applying."""


def as_displayed(image: Image.Image) -> Image.Image:
    """A loaded picture of any mode as RGB. Raises ValueError for a mode that has no known meaning."""
    match image.mode:
        case "RGB" | "RGBX":
            return _profiled(image.convert("RGB"), image)
        case "L" | "1" | "YCbCr" | "HSV":
            return image.convert("RGB")
        case "RGBA" | "LA" | "PA" | "P" | "RGBa" | "La":
            return _on_white(image)
        case "CMYK":
            return _profiled(image, image).convert("RGB")
        case "LAB":
            return _lab_to_rgb(image)
        case "I" | "F" | "I;16" | "I;16L" | "I;16B" | "I;16N":
            return Image.fromarray(_to_eight_bits(np.asarray(image))).convert("RGB")
        case _:
            return image.convert("RGB")


def profile_matters(image: Image.Image) -> bool:
    """Whether the picture carries a colour profile that visibly changes its luma."""
    profile = image.info.get("icc_profile")
    return bool(profile) and image.mode in ("RGB", "RGBX", "CMYK") and _transform(profile, image.mode) is not None


def _profiled(image: Image.Image, source: Image.Image) -> Image.Image:
    profile = source.info.get("icc_profile")
    transform = _transform(profile, image.mode) if profile else None
    return image if transform is None else ImageCms.applyTransform(image, transform) or image


@lru_cache(maxsize=256)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """The transform to sRGB; None where the profile is broken (as in a browser) or next to sRGB."""
    try:
        transform = ImageCms.buildTransform(
            ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB"), mode, "RGB"
        )
        if mode == "CMYK":
            return transform
        grid = _colour_grid()
        shown = ImageCms.applyTransform(grid, transform)
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None
    before, after = (np.asarray(picture.convert("L"), np.int16) for picture in (grid, shown or grid))
    return transform if np.abs(before - after).max() > _MATERIAL else None


def _colour_grid() -> Image.Image:
    steps = np.linspace(0, 255, 9).astype(np.uint8)
    grid = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1)
    return Image.fromarray(grid.reshape(27, 27, 3))


def _on_white(image: Image.Image) -> Image.Image:
    rgba = image.convert("RGBA")
    flat = Image.new("RGBA", rgba.size, "white")
    flat.alpha_composite(rgba)
    return _profiled(flat.convert("RGB"), image)


def _lab_to_rgb(image: Image.Image) -> Image.Image:
    transform = ImageCms.buildTransform(ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB"), "LAB", "RGB")
    return ImageCms.applyTransform(image, transform) or image


def _to_eight_bits(values: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
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
