"""Attacks on a file and its colours: encodings, size, tones, blur, noise. What a perceptual hash is made to survive."""

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter

from tutela.screening.evaluation.attacks.base import Attack, Encoding, Picture, Scene


def _same(scene: Scene, strength: float) -> Picture:
    return scene.picture


def _scaled(scene: Scene, factor: float) -> Picture:
    width, height = scene.picture.size
    size = (max(8, round(width * factor)), max(8, round(height * factor)))
    return scene.picture.resize(size, Image.Resampling.BICUBIC)


def _aspect(scene: Scene, factor: float) -> Picture:
    width, height = scene.picture.size
    return scene.picture.resize((max(8, round(width * factor)), height), Image.Resampling.BICUBIC)


def _grey(scene: Scene, strength: float) -> Picture:
    return scene.picture.convert("L").convert("RGB")


def _gamma(scene: Scene, power: float) -> Picture:
    table = [round(255 * (value / 255) ** power) for value in range(256)]
    return scene.picture.point(table * 3)


def _blurred(scene: Scene, percent: float) -> Picture:
    return scene.picture.filter(ImageFilter.GaussianBlur(min(scene.picture.size) * percent / 100))


def _sharpened(scene: Scene, percent: float) -> Picture:
    return scene.picture.filter(ImageFilter.UnsharpMask(2, int(percent), 0))


def _noisy(scene: Scene, deviation: float) -> Picture:
    source = np.random.default_rng(scene.random.getrandbits(32))
    pixels = np.asarray(scene.picture, np.float32)
    return Image.fromarray(np.clip(pixels + source.normal(0, deviation, pixels.shape), 0, 255).astype(np.uint8))


TONES = (
    Attack("jpeg", "re-encoding", "quality", (5, 10, 20, 40, 70, 95), _same, lambda q: Encoding("JPEG", int(q))),
    Attack("webp", "re-encoding", "quality", (5, 20, 50, 80, 95), _same, lambda q: Encoding("WEBP", int(q))),
    Attack("avif", "re-encoding", "quality", (5, 20, 50, 80), _same, lambda q: Encoding("AVIF", int(q))),
    Attack("scale", "scale", "factor", (0.1, 0.25, 0.5, 0.75, 1.5, 2, 4), _scaled),
    Attack("aspect", "aspect", "width factor", (0.6, 0.75, 0.9, 1.1, 1.33, 1.78), _aspect),
    Attack("grey", "colour", "", (1,), _grey),
    Attack("gamma", "colour", "power", (0.5, 0.7, 1.4, 2.0), _gamma),
    Attack(
        "brightness", "colour", "factor", (0.5, 0.75, 1.25, 1.5),
        lambda scene, factor: ImageEnhance.Brightness(scene.picture).enhance(factor),
    ),
    Attack(
        "contrast", "colour", "factor", (0.5, 0.75, 1.5, 2.0),
        lambda scene, factor: ImageEnhance.Contrast(scene.picture).enhance(factor),
    ),
    Attack(
        "saturation", "colour", "factor", (0.3, 1.5, 3.0),
        lambda scene, factor: ImageEnhance.Color(scene.picture).enhance(factor),
    ),
    Attack("blur", "blur and noise", "% of the short side", (0.3, 0.6, 1.2, 2.5), _blurred),
    Attack("sharpen", "blur and noise", "%", (100, 300), _sharpened),
    Attack("noise", "blur and noise", "standard deviation", (5, 15, 30), _noisy),
)  # fmt: skip
