"""Attacks that move pixels: crops, turns, mirrors, small rotations, a photographed screen."""

import math

import numpy as np
from PIL import Image, ImageFilter

from tutela.screening.evaluation.attacks.base import Attack, Picture, Scene, colour


def _crop(scene: Scene, percent: float, across: float, down: float) -> Picture:
    """Cut so many per cent of the area away, the shape kept; `across` and `down` place what is left, 0-1."""
    width, height = scene.picture.size
    side = math.sqrt(1 - percent / 100)
    left, top = width * (1 - side) * across, height * (1 - side) * down
    return scene.picture.crop((round(left), round(top), round(left + width * side), round(top + height * side)))


def _crop_centred(scene: Scene, percent: float) -> Picture:
    return _crop(scene, percent, 0.5, 0.5)


def _crop_placed(scene: Scene, percent: float) -> Picture:
    return _crop(scene, percent, scene.random.random(), scene.random.random())


def _crop_one_side(scene: Scene, percent: float) -> Picture:
    width, height = scene.picture.size
    keep = 1 - percent / 100
    boxes = (
        (0, 0, round(width * keep), height),
        (width - round(width * keep), 0, width, height),
        (0, 0, width, round(height * keep)),
        (0, height - round(height * keep), width, height),
    )
    return scene.picture.crop(scene.random.choice(boxes))


_TURNS = {
    90: Image.Transpose.ROTATE_90,
    180: Image.Transpose.ROTATE_180,
    270: Image.Transpose.ROTATE_270,
    1: Image.Transpose.FLIP_LEFT_RIGHT,
    2: Image.Transpose.FLIP_TOP_BOTTOM,
    3: Image.Transpose.TRANSPOSE,
    4: Image.Transpose.TRANSVERSE,
}


def _turned(scene: Scene, turn: float) -> Picture:
    return scene.picture.transpose(_TURNS[int(turn)])


def _signed(scene: Scene, degrees: float) -> float:
    return degrees if scene.random.random() < 0.5 else -degrees


def _rotated_grown(scene: Scene, degrees: float) -> Picture:
    return scene.picture.rotate(_signed(scene, degrees), Image.Resampling.BICUBIC, True, fillcolor=colour(scene))


def _rotated_same_frame(scene: Scene, degrees: float) -> Picture:
    return scene.picture.rotate(_signed(scene, degrees), Image.Resampling.BICUBIC, False, fillcolor=colour(scene))


def _rotated_cropped(scene: Scene, degrees: float) -> Picture:
    """Rotated, and cut to the largest upright rectangle of the same shape without empty corners."""
    width, height = scene.picture.size
    angle = math.radians(degrees)
    share = 1 / (math.cos(angle) + math.sin(angle) * max(width / height, height / width))
    turned = scene.picture.rotate(_signed(scene, degrees), Image.Resampling.BICUBIC)
    left, top = width * (1 - share) / 2, height * (1 - share) / 2
    return turned.crop((math.ceil(left), math.ceil(top), int(left + width * share), int(top + height * share)))


def _photographed(scene: Scene, percent: float) -> Picture:
    """On a screen in a darker room: in perspective, a little soft, a pattern of pixels, light falling off."""
    width, height = scene.picture.size
    margin = 0.12
    frame = (round(width * (1 + 2 * margin)), round(height * (1 + 2 * margin)))
    shift = percent / 100 * min(width, height)
    corners = [
        (x + scene.random.uniform(-shift, shift), y + scene.random.uniform(-shift, shift))
        for x, y in (
            (width * margin, height * margin),
            (width * (1 + margin), height * margin),
            (width * (1 + margin), height * (1 + margin)),
            (width * margin, height * (1 + margin)),
        )
    ]
    room = tuple(scene.random.randrange(10, 60) for _ in range(3))
    warp = _perspective(corners, [(0, 0), (width, 0), (width, height), (0, height)])
    screen = scene.picture.transform(frame, Image.Transform.PERSPECTIVE, warp, Image.Resampling.BICUBIC, fillcolor=room)
    pixels = np.asarray(screen.filter(ImageFilter.GaussianBlur(0.8)), np.float32)
    rows, columns = np.mgrid[0 : frame[1], 0 : frame[0]]
    period = scene.random.uniform(2.5, 7)
    pattern = 1 + 0.04 * np.sin(2 * np.pi * (columns + 0.3 * rows) / period)
    light = 1 - 0.3 * scene.random.random() * columns / frame[0] - 0.2 * scene.random.random() * rows / frame[1]
    return Image.fromarray(np.clip(pixels * (pattern * light)[..., None], 0, 255).astype(np.uint8))


def _perspective(there: list[tuple[float, float]], here: list[tuple[float, float]]) -> list[float]:
    """Pillow's eight numbers that take points of the result back to points of the source."""
    rows = []
    for (x, y), (u, v) in zip(there, here, strict=True):
        rows.append([x, y, 1, 0, 0, 0, -u * x, -u * y])
        rows.append([0, 0, 0, x, y, 1, -v * x, -v * y])
    numbers: list[float] = np.linalg.solve(np.array(rows), np.array(here, np.float64).reshape(8)).tolist()
    return numbers


_AREA = "% of the area cut"
_DEGREES = "degrees"

GEOMETRY = (
    Attack("crop-centred", "crop", _AREA, (1, 5, 10, 20, 30, 40, 50), _crop_centred),
    Attack("crop-placed", "crop", _AREA, (1, 5, 10, 20, 30, 40, 50), _crop_placed),
    Attack("crop-one-side", "crop of one side", _AREA, (5, 10, 20, 30, 40), _crop_one_side),
    Attack("turn", "dihedral", "turn or mirror", tuple(_TURNS), _turned),
    Attack("rotate-grown", "rotation", _DEGREES, (1, 2, 3, 5, 7, 10, 15, 20, 30), _rotated_grown),
    Attack("rotate-same-frame", "rotation", _DEGREES, (1, 2, 3, 5, 7, 10, 15, 20, 30), _rotated_same_frame),
    Attack("rotate-cropped", "rotation, cropped", _DEGREES, (1, 2, 3, 5, 7, 10), _rotated_cropped),
    Attack("photographed-screen", "photographed screen", "% of corner shift", (1, 3, 6, 10), _photographed),
)
