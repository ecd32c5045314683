"""Attacks that put the picture into another: borders, letterboxes, screenshots, memes, collages."""

from PIL import Image, ImageDraw, ImageFilter, ImageFont

from tutela.screening.evaluation.attacks.base import Attack, Picture, Scene, colour, noise

WORDS = [
    "see",
    "more",
    "of",
    "this",
    "today",
    "with",
    "everyone",
    "who",
    "was",
    "there",
    "last",
    "summer",
    "and",
    "likes",
    "it",
]


def _on(background: Picture, scene: Scene, left: int, top: int) -> Picture:
    background.paste(scene.picture, (left, top))
    return background


def _grown(scene: Scene, percent: float) -> tuple[tuple[int, int], int, int]:
    """The size with a border of so many per cent of the short side all round, and where the picture lies."""
    width, height = scene.picture.size
    border = max(2, round(min(width, height) * percent / 100))
    return (width + 2 * border, height + 2 * border), border, border


def _border(scene: Scene, percent: float) -> Picture:
    size, left, top = _grown(scene, percent)
    return _on(Image.new("RGB", size, colour(scene)), scene, left, top)


def _border_gradient(scene: Scene, percent: float) -> Picture:
    size, left, top = _grown(scene, percent)
    shade = Image.linear_gradient("L").rotate(scene.random.choice((0, 90, 180, 270))).resize(size)
    return _on(Image.composite(Image.new("RGB", size, colour(scene)), Image.new("RGB", size, colour(scene)), shade),
               scene, left, top)  # fmt: skip


def _border_noisy(scene: Scene, percent: float) -> Picture:
    size, left, top = _grown(scene, percent)
    return _on(noise(scene, size, scene.random.randrange(15, 60)), scene, left, top)


def _framed(scene: Scene, aspect: float) -> tuple[tuple[int, int], int, int]:
    """The smallest frame of an aspect that holds the picture, and where the picture lies in its middle."""
    width, height = scene.picture.size
    size = (max(width, round(height * aspect)), max(height, round(width / aspect)))
    return size, (size[0] - width) // 2, (size[1] - height) // 2


def _letterbox(scene: Scene, aspect: float) -> Picture:
    size, left, top = _framed(scene, aspect)
    return _on(Image.new("RGB", size, colour(scene)), scene, left, top)


def _blurred_fill(scene: Scene, aspect: float) -> Picture:
    size, left, top = _framed(scene, aspect)
    scale = max(size[0] / scene.picture.width, size[1] / scene.picture.height)
    large = scene.picture.resize((round(scene.picture.width * scale) + 1, round(scene.picture.height * scale) + 1))
    x, y = (large.width - size[0]) // 2, (large.height - size[1]) // 2
    background = large.crop((x, y, x + size[0], y + size[1])).filter(ImageFilter.GaussianBlur(min(size) / 25))
    return _on(background.point(lambda value: int(value * 0.8)), scene, left, top)


def _lines(draw: ImageDraw.ImageDraw, scene: Scene, box: tuple[int, int, int, int], size: int, ink: str) -> None:
    left, top, right, bottom = box
    font = ImageFont.load_default(size)
    for y in range(top, bottom - size, round(size * 1.4)):
        words = " ".join(scene.random.choice(WORDS) for _ in range(scene.random.randrange(3, 9)))
        while words and draw.textlength(words, font) > right - left:
            words = words.rpartition(" ")[0]
        draw.text((left, y), words, fill=ink, font=font)


def _screenshot(scene: Scene, percent: float) -> Picture:
    """In an app's frame on a phone: a bar above, a name, the picture over so many per cent of the width, text below."""
    picture = scene.picture
    width = round(picture.width / (percent / 100))
    height = max(round(width * scene.random.uniform(1.5, 2.1)), round(picture.height * 1.35))
    dark = scene.random.random() < 0.5
    paper, ink = ("#121212", "#e8e8e8") if dark else ("#ffffff", "#202020")
    page = Image.new("RGB", (width, height), paper)
    draw = ImageDraw.Draw(page)
    unit = max(8, width // 28)
    draw.rectangle((0, 0, width, 2 * unit), fill="#1f4e79" if scene.random.random() < 0.5 else paper)
    draw.text((unit, unit // 2), "12:04   Photos", fill=ink if dark else "#303030", font=ImageFont.load_default(unit))
    top = scene.random.randrange(5 * unit, max(5 * unit + 1, (height - picture.height) // 2 + 2 * unit))
    draw.ellipse((unit, top - 2 * unit - unit // 2, 3 * unit, top - unit // 2), fill="#c06030")
    draw.text((4 * unit, top - 2 * unit), scene.random.choice(WORDS), fill=ink, font=ImageFont.load_default(unit))
    left = (width - picture.width) // 2
    page.paste(picture, (left, top))
    _lines(draw, scene, (unit, top + picture.height + unit, width - unit, height - 2 * unit), unit, ink)
    return page


def _meme(scene: Scene, percent: float) -> Picture:
    """A caption on a plain bar above, sometimes one below too."""
    width, height = scene.picture.size
    bar = max(24, round(height * percent / 100))
    below = bar if scene.random.random() < 0.4 else 0
    page = Image.new("RGB", (width, height + bar + below), "white")
    draw = ImageDraw.Draw(page)
    size = max(10, min(bar // 3, width // 14))
    _lines(draw, scene, (width // 20, bar // 6, width, bar - 2), size, "black")
    if below:
        _lines(draw, scene, (width // 20, bar + height + bar // 6, width, height + bar + below - 2), size, "black")
    page.paste(scene.picture, (0, bar))
    return page


_GRIDS = {2: ((1, 2), (2, 1)), 3: ((1, 3), (3, 1)), 4: ((2, 2), (4, 1)), 5: ((2, 3),), 6: ((2, 3), (3, 2)),
          7: ((3, 3), (2, 4)), 8: ((2, 4), (4, 2)), 9: ((3, 3),)}  # fmt: skip
"""Rows and columns for so many pictures; cells that are left over make the last row's wider."""


def _collage(scene: Scene, count: float) -> Picture:
    """So many pictures side by side, each stretched into its cell; cells may be unequal, gutters missing."""
    cells = _cells(scene, int(count))
    target = scene.random.randrange(len(cells))
    width = round(max(cell[2] for cell in cells)) if cells else 1
    height = round(max(cell[3] for cell in cells))
    gutter = scene.random.choice((0, 0, 4, 8, 14))
    page = Image.new("RGB", (width, height), colour(scene))
    for i, (left, top, right, bottom) in enumerate(cells):
        picture = scene.picture if i == target else scene.random.choice(scene.others)
        box = (round(left + gutter / 2), round(top + gutter / 2), round(right - gutter / 2), round(bottom - gutter / 2))
        page.paste(picture.resize((max(8, box[2] - box[0]), max(8, box[3] - box[1]))), box[:2])
    return page


def _cells(scene: Scene, count: int) -> list[tuple[float, float, float, float]]:
    rows, columns = scene.random.choice(_GRIDS[count])
    side = scene.picture.width, scene.picture.height
    shrink = max(0.35, 1.3 / max(rows, columns))
    heights = [side[1] * shrink * scene.random.choice((1, 1, 0.8, 1.25)) for _ in range(rows)]
    total = side[0] * shrink * columns
    shares = [scene.random.choice((1, 1, 0.8, 1.25)) for _ in range(columns)]
    cells, top, left_over = [], 0.0, count
    for row, height in enumerate(heights):
        here = min(columns, left_over - (rows - row - 1)) if row < rows - 1 else left_over
        here = max(1, min(columns, here))
        widths = shares[:here] if here == columns else [1.0] * here
        left = 0.0
        for share in widths:
            right = left + total * share / sum(widths)
            cells.append((left, top, right, top + height))
            left = right
        top, left_over = top + height, left_over - here
    return cells


def _comic(scene: Scene, count: float) -> Picture:
    """A strip of panels with black outlines on white paper, text above each."""
    width, height = scene.picture.size
    gap = max(6, width // 30)
    page = Image.new("RGB", (width + 2 * gap, round(count) * (height + 4 * gap) + gap), "white")
    draw = ImageDraw.Draw(page)
    target, top = scene.random.randrange(round(count)), 0
    for i in range(round(count)):
        picture = scene.picture if i == target else scene.random.choice(scene.others).resize((width, height))
        _lines(draw, scene, (gap, top + gap // 2, width, top + 3 * gap), gap, "black")
        page.paste(picture, (gap, top + 4 * gap))
        draw.rectangle(
            (gap - 2, top + 4 * gap - 2, gap + width + 1, top + 4 * gap + height + 1), outline="black", width=2
        )
        top += height + 4 * gap
    return page


_SIDE = "% of the short side"
_ASPECTS = (0.5625, 1.0, 1.778, 2.35)

LAYOUTS = (
    Attack("border", "border", _SIDE, (2, 5, 10, 20, 35), _border),
    Attack("border-gradient", "border", _SIDE, (5, 10, 20, 35), _border_gradient),
    Attack("border-noisy", "border", _SIDE, (5, 10, 20, 35), _border_noisy),
    Attack("letterbox", "letterbox", "aspect", _ASPECTS, _letterbox),
    Attack("blurred-fill", "letterbox", "aspect", _ASPECTS, _blurred_fill),
    Attack("screenshot", "screenshot", "% of the width", (100, 92, 80, 65), _screenshot),
    Attack("meme", "screenshot", "% of the height", (12, 25, 40), _meme),
    Attack("collage", "collage", "pictures", (2, 3, 4, 5, 6, 7, 8, 9), _collage),
    Attack("comic", "collage", "panels", (2, 3, 4), _comic),
)
