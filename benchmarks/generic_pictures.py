"""Generic pictures, drawn: what people upload by the million and what looks alike though it is not the same.

Skies, portraits, products on white, pages, logos and the like have little detail, and it lies where it lies in all of
their kind; among them even the plain hash has false matches that can be counted. A family and a seed give one picture.
Sizes are shares of the picture's, so that a small drawing stands for a large one.
"""

import math
import random
from collections.abc import Callable, Mapping

from PIL import Image, ImageDraw, ImageFilter, ImageFont

from tutela.cli.demo import draw_scene

Colour = tuple[int, int, int]
Size = tuple[int, int]
Box = tuple[float, float, float, float]
"""Left, top, right, bottom in shares of the width and the height."""

SHAPES: tuple[Size, ...] = ((480, 360), (360, 480), (480, 480), (480, 270))
WORDS = (
    "new",
    "open",
    "home",
    "day",
    "best",
    "sale",
    "part",
    "one",
    "our",
    "world",
    "live",
    "music",
    "north",
    "star",
    "blue",
    "union",
    "green",
    "data",
    "studio",
    "art",
)


def draw_generic(family: str, seed: int, scale: float = 1.0) -> Image.Image:
    """The picture of a family, one of `FAMILIES`, and a seed; its longer side has 480 pixels times the scale."""
    source = random.Random(f"{family}/{seed}")
    width, height = source.choice(SHAPES)
    return FAMILIES[family](source, (round(width * scale), round(height * scale)))


class _Paper:
    """A picture that is drawn on in shares of its width and height."""

    def __init__(self, picture: Image.Image) -> None:
        self.picture = picture
        self._draw = ImageDraw.Draw(picture)

    def disc(self, x: float, y: float, radius: float, fill: Colour, flat: float = 1.0) -> None:
        """A disc, its radius a share of the shorter side; an ellipse where `flat` is not 1."""
        short = min(self.picture.size)
        x, y, across, down = x * self.picture.width, y * self.picture.height, radius * short, radius * short * flat
        self._draw.ellipse((x - across, y - down, x + across, y + down), fill=fill)

    def box(self, box: Box, fill: Colour, round_by: float = 0.0) -> None:
        """A rectangle, its corners rounded by a share of the shorter side."""
        left, top, right, bottom = self._places(*box)
        corners = (min(left, right), min(top, bottom), max(left, right), max(top, bottom))
        if round_by:
            self._draw.rounded_rectangle(corners, round_by * min(self.picture.size), fill=fill)
        else:
            self._draw.rectangle(corners, fill=fill)

    def shape(self, points: list[tuple[float, float]], fill: Colour) -> None:
        """A polygon."""
        self._draw.polygon([(x * self.picture.width, y * self.picture.height) for x, y in points], fill=fill)

    def text(self, x: float, y: float, text: str, height: float, fill: Colour) -> None:
        """A line of text around a place, its height a share of the picture's."""
        font = ImageFont.load_default(max(6.0, height * self.picture.height))
        self._draw.text((x * self.picture.width, y * self.picture.height), text, fill, font, anchor="mm")

    def lines(self, source: random.Random, box: Box, height: float, fill: Colour) -> None:
        """Paragraphs, each word a bar: so small, letters are grey."""
        left, top, right, bottom = box
        y = top
        while y + height < bottom:
            x = left
            end = right if source.random() < 0.85 else left + (right - left) * source.uniform(0.2, 0.9)
            while x < end:
                word = source.uniform(0.02, 0.1) * (right - left)
                self.box((x, y, min(x + word, end), y + 0.55 * height), fill)
                x += word + 0.012 * (right - left)
            y += height * (1.0 if end == right else 1.7)

    def _places(self, *shares: float) -> list[float]:
        return [share * self.picture.size[i % 2] for i, share in enumerate(shares)]


def _colour(source: random.Random, low: int = 0, high: int = 255) -> Colour:
    return source.randint(low, high), source.randint(low, high), source.randint(low, high)


def _gradient(source: random.Random, size: Size, low: int = 0, high: int = 255) -> Image.Image:
    """One colour passing into another, downwards, sideways or both."""
    begin, end = _colour(source, low, high), _colour(source, low, high)
    corners = source.choice(([begin, begin, end, end], [begin, end, begin, end], [begin, end, end, _colour(source)]))
    small = Image.new("RGB", (2, 2))
    small.putdata(corners)
    return small.resize(size, Image.Resampling.BILINEAR)


def _photographed(source: random.Random, picture: Image.Image, blur: float = 0.003) -> Image.Image:
    """A little out of focus, with a sensor's noise."""
    soft = picture.filter(ImageFilter.GaussianBlur(blur * max(picture.size)))
    noise = Image.frombytes("L", picture.size, source.randbytes(picture.width * picture.height)).convert("RGB")
    return Image.blend(soft, noise, source.uniform(0.01, 0.05))


def _word(source: random.Random) -> str:
    return source.choice(WORDS).upper() if source.random() < 0.5 else source.choice(WORDS).title()


def _sky(source: random.Random, size: Size) -> Image.Image:
    """Sky, a horizon that may have hills, ground or sea; perhaps a sun, perhaps clouds."""
    paper = _Paper(_gradient(source, size, 90, 255))
    if source.random() < 0.5:
        paper.disc(source.random(), source.uniform(0.05, 0.5), source.uniform(0.02, 0.12), _colour(source, 220))
    for _ in range(source.choice((0, 0, 2, 5, 9))):
        x, y, white = source.random(), source.uniform(0, 0.5), _colour(source, 215)
        for _ in range(4):
            place = (x + source.uniform(-0.1, 0.1), y + source.uniform(-0.03, 0.03))
            paper.disc(*place, source.uniform(0.04, 0.12), white, flat=0.4)
    horizon, hills = source.uniform(0.3, 0.8), source.choice((0.0, 0.02, 0.06, 0.15))
    steps = source.randint(3, 12)
    ridge = [(i / steps, horizon + source.uniform(-hills, hills)) for i in range(steps + 1)]
    paper.shape([(0, 1), *ridge, (1, 1)], _colour(source, 20, 150))
    return _photographed(source, paper.picture)


def _thing(source: random.Random, size: Size) -> Image.Image:
    """A gradient with one thing in the middle."""
    paper = _Paper(_gradient(source, size))
    x, y, fill = source.uniform(0.35, 0.65), source.uniform(0.35, 0.65), _colour(source)
    radius, kind = source.uniform(0.12, 0.38), source.randrange(3)
    if kind == 0:
        paper.disc(x, y, radius, fill, source.uniform(0.5, 1.5))
    elif kind == 1:
        paper.box((x - radius, y - radius, x + radius, y + radius * source.uniform(0.5, 1.2)), fill, 0.04)
    else:
        _star(paper, x, y, radius, source.randint(3, 8), source.uniform(0.4, 1.0), fill)
    return _photographed(source, paper.picture, source.uniform(0.002, 0.02))


def _star(paper: _Paper, x: float, y: float, radius: float, rays: int, inner: float, fill: Colour) -> None:
    wide = min(paper.picture.size) / paper.picture.width
    high = min(paper.picture.size) / paper.picture.height
    points = []
    for i in range(2 * rays):
        angle, length = math.pi * i / rays - math.pi / 2, radius * (inner if i % 2 else 1.0)
        points.append((x + math.cos(angle) * length * wide, y + math.sin(angle) * length * high))
    paper.shape(points, fill)


def _silhouette(source: random.Random, size: Size) -> Image.Image:
    """Dark shapes of people, trees, houses and poles before a bright sky."""
    paper = _Paper(_gradient(source, size, 130, 255))
    dark = _colour(source, 0, 40)
    ground = source.uniform(0.65, 0.95)
    paper.box((0, ground, 1, 1), dark)
    for _ in range(source.randint(1, 6)):
        x, height = source.random(), source.uniform(0.1, 0.5)
        top, wide, kind = ground - height, height * source.uniform(0.1, 0.3), source.randrange(4)
        if kind == 0:
            paper.disc(x, top + 0.1 * height, 0.12 * height, dark)
            paper.box((x - wide / 2, top + 0.2 * height, x + wide / 2, ground), dark, 0.02)
        elif kind == 1:
            paper.box((x - 0.01, top, x + 0.01, ground), dark)
            for _ in range(5):
                place = (x + source.uniform(-wide, wide), top + source.uniform(-0.2, 0.3) * height)
                paper.disc(*place, height * source.uniform(0.1, 0.25), dark)
        elif kind == 2:
            paper.box((x - wide, top, x + wide, ground), dark)
        else:
            paper.box((x - 0.006, top, x + 0.006, ground), dark)
            paper.box((x - wide, top, x + wide, top + 0.015), dark)
    return _photographed(source, paper.picture)


def _portrait(source: random.Random, size: Size) -> Image.Image:
    """Head and shoulders before a plain, shaded ground."""
    paper = _Paper(_gradient(source, size, 40, 240))
    red = source.randint(90, 240)
    skin, hair, cloth = (red, int(red * 0.78), int(red * 0.64)), _colour(source, 10, 120), _colour(source)
    x, y, head = source.uniform(0.38, 0.62), source.uniform(0.3, 0.48), source.uniform(0.13, 0.24)
    paper.disc(x, y - 0.25 * head, head * source.uniform(1.05, 1.3), hair, source.uniform(1.0, 1.6))
    paper.disc(x, 1.0, head * source.uniform(1.7, 2.6), cloth, source.uniform(0.7, 1.1))
    paper.box((x - 0.4 * head, y, x + 0.4 * head, y + 1.6 * head), skin)
    paper.disc(x, y, head, skin, source.uniform(1.15, 1.4))
    eyes = y - source.uniform(0.0, 0.2) * head
    for side in (-0.38, 0.38):
        paper.disc(x + side * head, eyes, 0.1 * head, (30, 25, 25), 0.6)
    paper.disc(x, y + 0.65 * head, 0.32 * head, (170, 70, 70), source.uniform(0.15, 0.5))
    return _photographed(source, paper.picture, source.uniform(0.003, 0.01))


def _product(source: random.Random, size: Size) -> Image.Image:
    """A bottle, a box or a round thing on white, with its shadow and a label."""
    white = source.randint(235, 255)
    paper = _Paper(Image.new("RGB", size, (white, white, white)))
    x, wide, top, foot = 0.5, source.uniform(0.1, 0.33), source.uniform(0.1, 0.35), source.uniform(0.75, 0.92)
    paper.disc(x, foot, wide * 1.3, (white - 40,) * 3, 0.15)
    fill, label = _colour(source, 0, 230), _colour(source, 60)
    kind = source.randrange(3)
    if kind == 0:
        paper.box((x - wide / 3, top - 0.07, x + wide / 3, top + 0.1), _colour(source))
        paper.box((x - wide, top, x + wide, foot), fill, 0.08)
    elif kind == 1:
        side = [(x + wide, top), (x + wide * 1.3, top - 0.05), (x + wide * 1.3, foot - 0.08), (x + wide, foot)]
        paper.shape(side, (fill[0] // 2, fill[1] // 2, fill[2] // 2))
        paper.box((x - wide, top, x + wide, foot), fill)
    else:
        paper.disc(x, (top + foot) / 2, wide * 1.2, fill, source.uniform(0.6, 1.1))
    middle = source.uniform(0.4, 0.65)
    paper.box((x - 0.8 * wide, middle, x + 0.8 * wide, middle + source.uniform(0.05, 0.2)), label)
    paper.text(x, middle + 0.04, _word(source), 0.05, _colour(source, 0, 120))
    return _photographed(source, paper.picture)


def _logo(source: random.Random, size: Size) -> Image.Image:
    """A simple mark and a word on plain ground."""
    ground = source.choice(((255, 255, 255), (255, 255, 255), (0, 0, 0), _colour(source)))
    paper, fill, radius = _Paper(Image.new("RGB", size, ground)), _colour(source), source.uniform(0.1, 0.28)
    x, y = source.uniform(0.45, 0.55), source.uniform(0.35, 0.5)
    kind = source.randrange(5)
    if kind == 0:
        paper.disc(x, y, radius, fill)
        paper.disc(x, y, radius * source.uniform(0.3, 0.85), ground)
    elif kind == 1:
        _star(paper, x, y, radius, source.randint(3, 9), source.uniform(0.3, 0.9), fill)
    elif kind == 2:
        for i in range(source.randint(2, 5)):
            left = x - radius + 0.4 * i * radius
            paper.box((left, y + radius * source.uniform(-1, 0.5), left + 0.28 * radius, y + radius), fill)
    elif kind == 3:
        paper.box((x - radius, y - radius, x + radius, y + radius), fill, source.uniform(0, 0.1))
        paper.text(x, y, _word(source)[0], 1.5 * radius, ground)
    else:
        paper.disc(x - 0.4 * radius, y, 0.7 * radius, fill)
        paper.disc(x + 0.4 * radius, y, 0.7 * radius, _colour(source))
    if source.random() < 0.8:
        paper.text(x, y + radius + source.uniform(0.08, 0.15), _word(source), source.uniform(0.07, 0.15), fill)
    return paper.picture


def _page(source: random.Random, size: Size) -> Image.Image:
    """A page of a document: a heading, paragraphs, perhaps a picture or two columns."""
    white = source.randint(240, 255)
    paper, ink = _Paper(Image.new("RGB", size, (white, white, white))), _colour(source, 0, 70)
    side, top, height = source.uniform(0.06, 0.15), source.uniform(0.05, 0.14), source.uniform(0.018, 0.04)
    if source.random() < 0.7:
        paper.text(0.5 if source.random() < 0.5 else 0.35, top, f"{_word(source)} {_word(source)}", 2 * height, ink)
        top += 3 * height
    columns = source.choice((1, 1, 2))
    each = (1 - 2 * side) / columns
    for column in range(columns):
        left = side + column * each
        paper.lines(source, (left, top, left + each * 0.94, source.uniform(0.6, 0.95)), height, ink)
    if source.random() < 0.4:
        left, upper = source.uniform(side, 0.5), source.uniform(top, 0.6)
        paper.box((left, upper, left + source.uniform(0.2, 0.45), upper + source.uniform(0.12, 0.3)), _colour(source))
    return paper.picture


def _slide(source: random.Random, size: Size) -> Image.Image:
    """A slide: a heading, points, perhaps a chart."""
    dark = source.random() < 0.3
    ground, ink = (
        (_colour(source, 0, 80), _colour(source, 190)) if dark else (_colour(source, 225), _colour(source, 0, 90))
    )
    paper, band = _Paper(Image.new("RGB", size, ground)), _colour(source)
    if source.random() < 0.6:
        paper.box((0, 0, 1, source.uniform(0.1, 0.22)), band)
    paper.text(source.choice((0.3, 0.5)), 0.1, f"{_word(source)} {_word(source)}", source.uniform(0.06, 0.1), ink)
    chart = source.random() < 0.5
    for i in range(source.randint(2, 6)):
        y = 0.3 + 0.11 * i
        paper.disc(0.08, y, 0.012, ink)
        paper.box((0.11, y - 0.015, source.uniform(0.25, 0.5 if chart else 0.92), y + 0.015), ink)
    if chart:
        for i in range(source.randint(3, 6)):
            left = 0.57 + 0.065 * i
            paper.box((left, source.uniform(0.3, 0.8), left + 0.045, 0.85), band)
    return paper.picture


def _title(source: random.Random, size: Size) -> Image.Image:
    """A title card: one to three lines in the middle of dark ground."""
    ground = source.choice(((0, 0, 0), _colour(source, 0, 60), _colour(source, 200)))
    ink = _colour(source, 190) if sum(ground) < 400 else _colour(source, 0, 60)
    paper, lines = _Paper(Image.new("RGB", size, ground)), source.randint(1, 3)
    height, y = source.uniform(0.07, 0.16), source.uniform(0.4, 0.6) - 0.1 * (lines - 1)
    for i in range(lines):
        words = " ".join(_word(source) for _ in range(source.randint(1, 3)))
        paper.text(0.5, y + 0.2 * i, words, height * (1.0 if i == 0 else 0.6), ink)
    if source.random() < 0.4:
        paper.box((source.uniform(0.1, 0.4), y + 0.1, source.uniform(0.6, 0.9), y + 0.108), ink)
    return paper.picture


def _night(source: random.Random, size: Size) -> Image.Image:
    """A dark picture with lights."""
    paper = _Paper(_gradient(source, size, 0, 45))
    for _ in range(source.randint(2, 40)):
        x, y, radius, light = source.random(), source.random(), source.uniform(0.004, 0.03), _colour(source, 120)
        paper.disc(x, y, 2.5 * radius, (light[0] // 3, light[1] // 3, light[2] // 3))
        paper.disc(x, y, radius, light)
    return _photographed(source, paper.picture, source.uniform(0.003, 0.015))


def _blurred(source: random.Random, size: Size) -> Image.Image:
    """A background far out of focus."""
    small = (size[0] // 8, size[1] // 8)
    paper = _Paper(_gradient(source, small))
    for _ in range(source.randint(3, 10)):
        paper.disc(
            source.random(), source.random(), source.uniform(0.1, 0.4), _colour(source), source.uniform(0.5, 1.5)
        )
    soft = paper.picture.filter(ImageFilter.GaussianBlur(source.uniform(0.02, 0.1) * max(small)))
    return _photographed(source, soft.resize(size, Image.Resampling.BICUBIC), 0.0)


def _icon(source: random.Random, size: Size) -> Image.Image:
    """A house, a heart, a cross, an arrow, a letter or a magnifier, on plain ground or a disc."""
    ground, fill = source.choice(((255, 255, 255), _colour(source))), _colour(source)
    paper, r = _Paper(Image.new("RGB", size, ground)), source.uniform(0.15, 0.32)
    if source.random() < 0.4:
        back = _colour(source)
        paper.disc(0.5, 0.5, 1.45 * r, back)
        ground = back
    thin, kind = r * source.uniform(0.2, 0.5), source.randrange(6)
    if kind == 0:
        paper.shape([(0.5 - r, 0.5), (0.5, 0.5 - r), (0.5 + r, 0.5)], fill)
        paper.box((0.5 - 0.75 * r, 0.5, 0.5 + 0.75 * r, 0.5 + r), fill)
        paper.box((0.5 - thin / 2, 0.5 + 0.4 * r, 0.5 + thin / 2, 0.5 + r), ground)
    elif kind == 1:
        paper.disc(0.5 - 0.45 * r, 0.5 - 0.3 * r, 0.52 * r, fill)
        paper.disc(0.5 + 0.45 * r, 0.5 - 0.3 * r, 0.52 * r, fill)
        paper.shape([(0.5 - 0.9 * r, 0.5), (0.5 + 0.9 * r, 0.5), (0.5, 0.5 + r)], fill)
    elif kind == 2:
        paper.box((0.5 - r, 0.5 - thin / 2, 0.5 + r, 0.5 + thin / 2), fill)
        paper.box((0.5 - thin / 2, 0.5 - r, 0.5 + thin / 2, 0.5 + r), fill)
    elif kind == 3:
        paper.box((0.5 - r, 0.5 - thin / 2, 0.5 + 0.2 * r, 0.5 + thin / 2), fill)
        paper.shape([(0.5 + r, 0.5), (0.5, 0.5 - 0.7 * r), (0.5, 0.5 + 0.7 * r)], fill)
    elif kind == 4:
        paper.box((0.5 - r, 0.5 - 0.65 * r, 0.5 + r, 0.5 + 0.65 * r), fill, 0.02)
        paper.shape([(0.5 - 0.9 * r, 0.5 - 0.55 * r), (0.5 + 0.9 * r, 0.5 - 0.55 * r), (0.5, 0.5 + 0.15 * r)], ground)
    else:
        paper.shape([(0.5 + 0.2 * r, 0.5 + 0.4 * r), (0.5 + 0.4 * r, 0.5 + 0.2 * r), (0.5 + r, 0.5 + 0.8 * r)], fill)
        paper.disc(0.5 - 0.2 * r, 0.5 - 0.2 * r, 0.7 * r, fill)
        paper.disc(0.5 - 0.2 * r, 0.5 - 0.2 * r, 0.7 * r - thin / 2, ground)
    return paper.picture


def _app(source: random.Random, size: Size) -> Image.Image:
    """A page of an app: a bar, a list of rows with a disc and lines of text."""
    dark = source.random() < 0.4
    ground, ink = ((18, 18, 20), (200, 200, 205)) if dark else ((250, 250, 250), (60, 60, 65))
    paper, bar = _Paper(Image.new("RGB", size, ground)), _colour(source)
    top, row = source.uniform(0.06, 0.12), source.uniform(0.08, 0.16)
    paper.box((0, 0, 1, top), bar)
    paper.text(0.3, top / 2, _word(source), 0.5 * top, ink)
    y = top + 0.02
    while y + row < source.uniform(0.85, 1.0):
        paper.disc(0.09, y + row / 2, 0.3 * row, _colour(source))
        paper.box((0.18, y + 0.25 * row, source.uniform(0.3, 0.7), y + 0.4 * row), ink)
        paper.box((0.18, y + 0.55 * row, source.uniform(0.4, 0.95), y + 0.65 * row), (140, 140, 140))
        y += row
    return paper.picture


def _code(source: random.Random, size: Size) -> Image.Image:
    """A square code of random modules with its three finder marks, on white."""
    modules, quiet = source.choice((21, 25, 29, 33, 37, 41)), 4
    code = Image.new("1", (modules + 2 * quiet,) * 2, 1)
    row_bytes = (modules + 7) // 8
    code.paste(Image.frombytes("1", (modules, modules), source.randbytes(row_bytes * modules)), (quiet, quiet))
    draw = ImageDraw.Draw(code)
    for x, y in ((quiet, quiet), (quiet + modules - 7, quiet), (quiet, quiet + modules - 7)):
        for inset in range(4):
            fill = 0 if inset != 1 else 1
            draw.rectangle((x + inset, y + inset, x + 6 - inset, y + 6 - inset), fill=fill)
    side = round(min(size) * source.uniform(0.5, 1.0))
    picture = Image.new("RGB", size, (255, 255, 255))
    picture.paste(code.resize((side, side)).convert("RGB"), ((size[0] - side) // 2, (size[1] - side) // 2))
    return picture


def _grid(source: random.Random, size: Size) -> Image.Image:
    """A grid of lines."""
    ground, ink = source.choice((((255, 255, 255), _colour(source, 0, 150)), ((20, 20, 20), _colour(source, 120))))
    paper = _Paper(Image.new("RGB", size, ground))
    across, down = source.uniform(0.03, 0.2), source.uniform(0.03, 0.2)
    wide, x, y = source.uniform(0.003, 0.02), source.uniform(0, across), source.uniform(0, down)
    while x < 1:
        paper.box((x, 0, x + wide, 1), ink)
        x += across
    while y < 1:
        paper.box((0, y, 1, y + wide), ink)
        y += down
    return paper.picture


def _scene(source: random.Random, size: Size) -> Image.Image:
    """A landscape with much detail."""
    return draw_scene(source.getrandbits(48), size)


FAMILIES: Mapping[str, Callable[[random.Random, Size], Image.Image]] = {
    "scene": _scene,
    "sky": _sky,
    "thing": _thing,
    "silhouette": _silhouette,
    "portrait": _portrait,
    "product": _product,
    "logo": _logo,
    "page": _page,
    "slide": _slide,
    "title": _title,
    "night": _night,
    "blurred": _blurred,
    "icon": _icon,
    "app": _app,
    "code": _code,
    "grid": _grid,
}
