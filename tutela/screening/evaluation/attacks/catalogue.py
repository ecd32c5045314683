"""Every attack, and two or three of them one after the other."""

import io
from collections.abc import Mapping
from dataclasses import replace

from PIL import Image

from tutela.screening.evaluation.attacks.base import Attack, Encoding, Picture, Scene
from tutela.screening.evaluation.attacks.geometry import GEOMETRY
from tutela.screening.evaluation.attacks.layouts import LAYOUTS
from tutela.screening.evaluation.attacks.overlays import OVERLAYS
from tutela.screening.evaluation.attacks.tones import TONES

_MODERATE: Mapping[str, tuple[float, ...]] = {
    "jpeg": (20, 40),
    "scale": (0.5, 0.75),
    "gamma": (0.7, 1.4),
    "contrast": (0.75, 1.5),
    "blur": (0.6,),
    "noise": (15,),
    "crop-placed": (5, 10, 20),
    "crop-one-side": (10, 20),
    "turn": (1, 2, 90, 180, 270),
    "rotate-grown": (3, 7),
    "border": (5, 10, 20),
    "letterbox": (0.5625, 1.0, 1.778),
    "blurred-fill": (0.5625, 1.778),
    "screenshot": (100, 92, 80),
    "meme": (25,),
    "collage": (2, 3, 4),
    "text": (5, 10),
    "smiley": (5, 10),
    "logo": (10, 20),
    "sticker": (5, 10),
}
"""The attacks that are combined, and how strong they are then."""
_LAST = frozenset(("border", "letterbox", "blurred-fill", "screenshot", "meme", "collage", "rotate-grown"))
"""What puts the picture into another comes after what is done to the picture itself, and at most once."""


def _combined(scene: Scene, count: float) -> Picture:
    names = scene.random.sample(sorted(_MODERATE), int(count))
    while sum(name in _LAST for name in names) > 1 or sum(name.startswith("crop") for name in names) > 1:
        names = scene.random.sample(sorted(_MODERATE), int(count))
    for name in sorted(names, key=lambda name: name in _LAST):
        attack = _SINGLE[name]
        strength = scene.random.choice(_MODERATE[name])
        picture = attack.apply(scene, strength)
        scene = replace(scene, picture=opened(encoded(picture, attack.encoding(strength))))
    return scene.picture


_SINGLE = {attack.name: attack for attack in (*TONES, *GEOMETRY, *LAYOUTS, *OVERLAYS)}
ATTACKS: Mapping[str, Attack] = _SINGLE | {
    "combined": Attack("combined", "combined", "attacks", (2, 3), _combined),
}
"""By name."""


def encoded(picture: Picture, encoding: Encoding) -> bytes:
    """The picture as a file."""
    file = io.BytesIO()
    extra = {"speed": 9} if encoding.format == "AVIF" else {}
    picture.save(file, encoding.format, quality=encoding.quality, **extra)
    return file.getvalue()


def opened(data: bytes) -> Picture:
    """The picture in a file of ours."""
    return Image.open(io.BytesIO(data)).convert("RGB")
