"""What is done to copies of films in the robustness benchmark."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageOps

from benchmarks.films import Frames, film, film_count


@dataclass(frozen=True, slots=True)
class Attack:
    """What is done to a copy."""

    name: str
    change: Callable[[Frames], Frames]
    bit_rate: int | None = None


def _each(change: Callable[[Image.Image], Image.Image]) -> Callable[[Frames], Frames]:
    return lambda frames: [np.asarray(change(Image.fromarray(frame))) for frame in frames]


def _scaled(height: int) -> Callable[[Image.Image], Image.Image]:
    return lambda frame: frame.resize((round(frame.width * height / frame.height) // 2 * 2, height))


def _cropped(left: float, top: float, right: float, bottom: float) -> Callable[[Image.Image], Image.Image]:
    def crop(frame: Image.Image) -> Image.Image:
        width, height = frame.size
        box = (round(left * width), round(top * height), round(right * width), round(bottom * height))
        inner = frame.crop(box)
        return inner.resize((inner.width // 2 * 2, inner.height // 2 * 2))

    return crop


def _letterboxed(frame: Image.Image) -> Image.Image:
    return ImageOps.expand(frame, (0, round(frame.height * 0.165) // 2 * 2), "black")


def _with_logo(frame: Image.Image) -> Image.Image:
    frame = frame.copy()
    draw = ImageDraw.Draw(frame)
    width, height = frame.size
    draw.rectangle((width * 0.74, height * 0.05, width * 0.97, height * 0.2), "white")
    draw.text((width * 0.76, height * 0.08), "BENIGN TV", "red", font_size=height * 0.08)
    return frame


def _filmed(frame: Image.Image) -> Image.Image:
    """A screen filmed by hand: a little askew, with its surroundings, darker to one side, soft and noisy."""
    width, height = frame.size
    corners = (-0.05 * width, -0.07 * height, -0.04 * width, 1.06 * height, 1.05 * width, 1.04 * height)
    filmed = frame.transform(
        frame.size, Image.Transform.QUAD, (*corners, 1.06 * width, -0.04 * height), Image.Resampling.BILINEAR
    )
    filmed = ImageEnhance.Contrast(filmed.filter(ImageFilter.GaussianBlur(0.8))).enhance(0.8)
    pixels = np.asarray(filmed, np.float32) * np.linspace(0.75, 1.0, width, dtype=np.float32)[None, :, None]
    noise = np.random.default_rng(0).normal(0, 5, pixels.shape)
    return Image.fromarray(np.clip(pixels + noise, 0, 255).astype(np.uint8))


def _at_speed(speed: float) -> Callable[[Frames], Frames]:
    return lambda frames: [frames[min(len(frames) - 1, int(i * speed))] for i in range(round(len(frames) / speed))]


def _trimmed(frames: Frames) -> Frames:
    return frames[round(0.3 * len(frames)) : round(0.8 * len(frames))]


def _with_still(frames: Frames) -> Frames:
    """One frame held for half of the copy's time, then the rest."""
    middle = len(frames) // 2
    return [*frames[:middle], *([frames[middle]] * len(frames)), *frames[middle:]]


def _over(frames: Frames) -> Frames:
    """Picture in picture: at 60 % over another film."""
    height, width = frames[0].shape[:2]
    behind = film(film_count() - 1)
    small = (round(0.6 * width), round(0.6 * height))
    shown = []
    for i, frame in enumerate(frames):
        ground = Image.fromarray(behind[i % len(behind)]).resize((width, height))
        ground.paste(Image.fromarray(frame).resize(small), (round(0.35 * width), round(0.08 * height)))
        shown.append(np.asarray(ground))
    return shown


ATTACKS = (
    Attack("the same, encoded again", lambda frames: frames),
    Attack("100 kbit/s", lambda frames: frames, 100_000),
    Attack("30 kbit/s", lambda frames: frames, 30_000),
    Attack("15 kbit/s", lambda frames: frames, 15_000),
    Attack("240 lines", _each(_scaled(240))),
    Attack("72 lines", _each(_scaled(72))),
    Attack("crop to the middle 80 % x 80 %", _each(_cropped(0.1, 0.1, 0.9, 0.9))),
    Attack("crop of 20 % at one side", _each(_cropped(0.2, 0.0, 1.0, 1.0))),
    Attack("letterbox", _each(_letterboxed)),
    Attack("mirrored", _each(ImageOps.mirror)),
    Attack("logo", _each(_with_logo)),
    Attack("half speed", _at_speed(0.5)),
    Attack("speed 1.5", _at_speed(1.5)),
    Attack("speed 1.9", _at_speed(1.9)),
    Attack("double speed", _at_speed(2.0)),
    Attack("double speed, trimmed to the middle half", lambda frames: _trimmed(_at_speed(2.0)(frames))),
    Attack("backwards", lambda frames: frames[::-1]),
    Attack("trimmed to the middle half", _trimmed),
    Attack("a still held for half of it", _with_still),
    Attack("picture in picture, 60 %", _over),
    Attack("camcorder", _each(_filmed)),
)
