"""Pictures over formats, colour models, profiles, alpha, orientation and tone, as a browser may be given them."""

import random
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from tests.support import hostile_pictures as hostile
from tests.support.pictures import draw_scene, file_of, photos

SIZE = (160, 120)
_MODES = {
    "JPEG": ("RGB", "L", "CMYK", "RGB 4:2:0", "RGB progressive", "L progressive"),
    "PNG": (
        "RGB",
        "RGBA",
        "L",
        "LA",
        "P",
        "P with a key",
        "L with a key",
        "RGB with a key",
        "1",
        "L16",
        "RGB16",
        "LA16",
        "RGBA16",
    ),
    "WEBP": ("RGB", "RGBA", "RGB lossless", "RGBA lossless"),
    "AVIF": ("RGB", "RGBA", "L"),
    "GIF": ("P", "P with a key"),
    "BMP": ("RGB", "L", "P", "RGBA"),
}
_ALPHAS = ("two faces", "seen through", "ramp", "half", "none at all")
Curve = Callable[[float], float]
_CURVES: dict[str, Curve] = {
    "of sRGB": lambda x: x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4,
    "inverse": hostile.inverse,
    "linear": lambda x: x,
    "of gamma 1.8": lambda x: x**1.8,
    "of gamma 5": lambda x: x**5,
    "folded": lambda x: abs(2 * x - 1) ** 2.2,
}
_ODDITIES: tuple[dict[str, Any], ...] = (
    *({},) * 4,
    {"version": 0x04300000},
    {"version": 0x05000000},
    {"more": 64},
    {"kind": b"abst"},
    {"kind": b"scnr"},
    {"twice": True},
    {"tags": 120},
)
_TONED = ("none", "none", "gAMA", "gAMA and cHRM", "cHRM", "sRGB and gAMA", "cICP", "iCCP and gAMA")


@dataclass(frozen=True, slots=True)
class Kind:
    """A picture to be shown, and in words what it is."""

    name: str
    media_type: str
    data: bytes


def kind_of(seed: int) -> Kind:
    """The picture of a number: everything about it is drawn by chance."""
    rng = random.Random(seed)
    form = rng.choice(["JPEG", "PNG", "PNG", "WEBP", "AVIF", "GIF", "BMP"])
    model = rng.choice(_MODES[form])
    words = [form, model]
    first, second = (picture.resize(SIZE) for picture in rng.sample([*photos(), draw_scene(seed % 7)], 2))
    picture = _alpha(rng, first, second, words) if "A" in model else first
    options: dict[str, Any] = {}
    if form in ("JPEG", "PNG", "WEBP", "AVIF") and rng.random() < 0.5:
        options["icc_profile"] = _profile(rng, words)
    if form in ("JPEG", "PNG", "WEBP", "AVIF") and rng.random() < 0.3:
        exif = Image.Exif()
        exif[0x0112] = rng.randrange(1, 9)
        options["exif"] = exif
        words.append(f"orientation {exif[0x0112]}")
    chunks = _tone(rng, words) if form == "PNG" else []
    if chunks and ("16" not in model) and rng.random() < 0.3:
        picture = hostile.squeezed(first, second, 0.05) if picture.mode == "RGB" else picture
    data = _encoded(form, model, picture, options, chunks)
    return Kind(", ".join(words), f"image/{form.lower()}", data)


def _alpha(rng: random.Random, first: Image.Image, second: Image.Image, words: list[str]) -> Image.Image:
    kind = rng.choice(_ALPHAS)
    words.append(kind)
    match kind:
        case "two faces":
            return hostile.two_faced(first, second).convert("RGBA")
        case "seen through":
            return hostile.seen_through(first)
    alpha = {"half": 128, "none at all": 255}.get(kind)
    picture = first.convert("RGBA")
    ramp = Image.linear_gradient("L").resize(SIZE)
    picture.putalpha(ramp if alpha is None else alpha)
    return picture


def _profile(rng: random.Random, words: list[str]) -> bytes:
    name, oddity = rng.choice(list(_CURVES)), rng.choice(_ODDITIES)
    space = rng.choice((b"RGB ", b"RGB ", b"GRAY"))
    words.append(f"{space.decode().strip()} profile {name} {oddity or ''}".strip())
    return hostile.profile(_CURVES[name], space, **oddity)


def _tone(rng: random.Random, words: list[str]) -> list[tuple[bytes, bytes]]:
    kind = rng.choice(_TONED)
    if kind == "none":
        return []
    words.append(kind)
    chunks = []
    if "gAMA" in kind:
        gamma = rng.choice((2000, 10000, 45455, 55556, 100000, 180000))
        words.append(str(gamma))
        chunks.append((b"gAMA", struct.pack(">I", gamma)))
    if "cHRM" in kind:
        points = rng.choice(
            (
                (31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000),
                (31270, 32900, 15000, 6000, 30000, 60000, 64000, 33000),
            )
        )
        chunks.append((b"cHRM", struct.pack(">8I", *points)))
    if "sRGB" in kind:
        chunks.append((b"sRGB", b"\0"))
    if "cICP" in kind:
        code = rng.choice(((9, 16), (1, 13), (12, 13), (9, 18), (1, 8)))
        words.append(str(code))
        chunks.append((b"cICP", bytes([*code, 0, 1])))
    return chunks


def _encoded(
    form: str, model: str, picture: Image.Image, options: dict[str, Any], chunks: list[tuple[bytes, bytes]]
) -> bytes:
    mode = model.split()[0]
    match form:
        case "JPEG":
            options |= {"quality": 90, "progressive": "progressive" in model}
            return file_of(picture.convert(mode), "JPEG", **options)
        case "PNG" if mode.endswith("16"):
            return _deep(mode.removesuffix("16"), picture, chunks)
        case "PNG":
            if "key" in model:
                shown = picture.convert("1").convert("L").point(lambda value: value // 255)
                key: Any = (1, 1, 1) if mode == "RGB" else 1
                if mode == "P":
                    shown.putpalette([0, 0, 0, 250, 250, 250] + [9] * 762)
                return hostile.png_chunks_before_pixels(
                    shown.convert(mode) if mode != "P" else shown, *chunks, transparency=key, **options
                )
            shown = picture.convert("RGB").quantize(200) if mode == "P" else picture.convert(mode)
            return hostile.png_chunks_before_pixels(shown, *chunks, **options)
        case "WEBP":
            return file_of(
                picture.convert(mode), "WEBP", lossless="lossless" in model, exact=True, quality=90, **options
            )
        case "AVIF":
            return file_of(picture.convert(mode), "AVIF", quality=90, **options)
        case "GIF" if "key" in model:
            shown = picture.convert("RGB").quantize(64)
            return file_of(shown, "GIF", transparency=int(np.asarray(shown)[60, 80]))
        case "GIF":
            return file_of(picture.convert("RGB").quantize(200), "GIF")
        case _:
            shown = picture.convert("RGB").quantize(200) if mode == "P" else picture.convert(mode)
            return file_of(shown, "BMP")


def _deep(mode: str, picture: Image.Image, chunks: list[tuple[bytes, bytes]]) -> bytes:
    values = np.asarray(picture.convert(mode), np.uint16) * 257
    return hostile.png_of_sixteen_bits(values[..., None] if values.ndim == 2 else values, *chunks)
