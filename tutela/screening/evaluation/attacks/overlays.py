"""Attacks that cover a part of the picture: text, smileys, logos, stickers."""

import math

from PIL import Image, ImageDraw, ImageFont

from tutela.screening.evaluation.attacks.base import Attack, Picture, Scene, colour
from tutela.screening.evaluation.attacks.layouts import WORDS


def _box(scene: Scene, percent: float, aspect: float) -> tuple[int, int, int, int]:
    """A box of so many per cent of the area and an aspect, anywhere inside."""
    width, height = scene.picture.size
    area = width * height * percent / 100
    across = min(width, round(math.sqrt(area * aspect)))
    down = min(height, round(area / across))
    across = min(width, round(area / down))
    left, top = scene.random.randrange(width - across + 1), scene.random.randrange(height - down + 1)
    return left, top, left + across, top + down


def _sticker(scene: Scene, percent: float) -> Picture:
    """An unrelated picture."""
    left, top, right, bottom = _box(scene, percent, scene.random.uniform(0.7, 1.5))
    out = scene.picture.copy()
    out.paste(scene.random.choice(scene.others).resize((right - left, bottom - top)), (left, top))
    return out


def _smiley(scene: Scene, percent: float) -> Picture:
    out = scene.picture.copy()
    draw = ImageDraw.Draw(out)
    left, top, right, bottom = _box(scene, percent * 4 / math.pi, 1.0)
    size = min(right - left, bottom - top)
    line = max(2, size // 30)
    draw.ellipse((left, top, left + size, top + size), fill="#ffd233", outline="#a06000", width=line)
    for x in (0.3, 0.62):
        draw.ellipse((left + x * size, top + 0.28 * size, left + (x + 0.09) * size, top + 0.45 * size), fill="#402000")
    draw.arc((left + 0.22 * size, top + 0.3 * size, left + 0.78 * size, top + 0.8 * size), 20, 160, "#402000", 2 * line)
    return out


def _text(scene: Scene, percent: float) -> Picture:
    """Words on a filled box, as captions are laid over pictures."""
    left, top, right, bottom = _box(scene, percent, scene.random.uniform(2, 6))
    out = scene.picture.copy()
    draw = ImageDraw.Draw(out)
    paper = colour(scene)
    draw.rectangle((left, top, right, bottom), fill=paper)
    size = max(8, round((bottom - top) * 0.5))
    ink = "black" if sum(paper) > 380 else "white"
    draw.text((left + 4, top + (bottom - top) // 6), " ".join(scene.random.choices(WORDS, k=6)), fill=ink,
              font=ImageFont.load_default(size))  # fmt: skip
    out.paste(scene.picture.crop((right, top, out.width, bottom + 1)), (right, top))
    return out


def _logo(scene: Scene, percent: float) -> Picture:
    """A half see-through mark."""
    left, top, right, bottom = _box(scene, percent, 1.6)
    layer = Image.new("RGBA", scene.picture.size, (0, 0, 0, 0))
    draw = ImageDraw.Draw(layer)
    red, green, blue = colour(scene)
    draw.rounded_rectangle((left, top, right, bottom), radius=(bottom - top) // 4, fill=(red, green, blue, 150))
    size = max(8, round((bottom - top) * 0.5))
    draw.text((left + 6, top + (bottom - top) // 5), "LOGO", fill=(255 - red, 255 - green, 255 - blue, 230),
              font=ImageFont.load_default(size))  # fmt: skip
    return Image.alpha_composite(scene.picture.convert("RGBA"), layer).convert("RGB")


_AREA = "% of the area"

OVERLAYS = (
    Attack("text", "overlay", _AREA, (2, 5, 10, 20, 30), _text),
    Attack("smiley", "overlay", _AREA, (2, 5, 10, 20, 30), _smiley),
    Attack("logo", "overlay", _AREA, (2, 5, 10, 20, 30), _logo),
    Attack("sticker", "overlay", _AREA, (2, 5, 10, 20, 30), _sticker),
)
