"""A page of a PDF as it is shown, and the regions of it that are pictures, drawn once more at their own size.

A region is what touches: a picture cut in strips, a mosaic of coloured fields, a picture under a mask or a blend mode.
"""

import ctypes
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from tutela.content.media.confined.containers import letter_blocks
from tutela.content.media.content import Mode, Picture

if TYPE_CHECKING:
    from pypdfium2 import PdfPage

SHORT_SIDE = 512
"""Pixels of a page that is drawn, and at most of a region."""
LONG_SIDE = 2048
TEXT_SIDE = 320
"""Pixels of a page of nothing but ordinary text."""
_SMALLEST = 64
"""Pixels across below which no picture is told from another."""
_VECTOR_SIDE = 384
_LETTERS_SIDE = 256
"""Pixels across a block of letters; with more it is no nearer to the picture that they make."""
_NEARLY = 4.0
"""Times as fine as a page was drawn: fewer than that, and a block is taken out of it. Of sixty photos in letters 40
were matched so, and 41 where those twice as fine were drawn anew."""
MAX_REGIONS = 48
"""Of one page, the largest first; each picture file is looked at by itself beside that."""
_MAX_PIECES = 20_000
_MAX_NESTING = 16
_DRAWN_SEGMENTS = 256
"""A drawing of fewer lines shows no more than a diagram's frame, a rule or a letter."""
_NOTE_WEIGHT = 4
_LARGE_LETTER = 72.0
_MANY_COLOURS = 8
_WHOLE_PAGE = 0.8
_FIELD = 16
_DARK = 150.0
_FEW = 0.005
_WIDEST_GAP = 6.0

Box = npt.NDArray[np.float64]
"""left, bottom, right, top in points."""


@dataclass(frozen=True, slots=True)
class Traits:
    """What a look at a page's objects does not tell: it is asked of the whole document."""

    letters_that_draw: bool
    """Type 3 fonts: their letters are drawings."""
    patterns: bool
    """Patterns and shadings: a rectangle may be filled with a picture."""
    annotations: bool
    """Something lies upon a page: a stamp, a field, a note."""

    def any(self) -> bool:
        """Whether one of them is there."""
        return self.letters_that_draw or self.patterns or self.annotations


@dataclass(frozen=True, slots=True)
class Piece:
    """One thing that a page paints."""

    box: tuple[float, float, float, float]
    weight: int
    """How many lines or letters draw it; 0 for a picture."""
    pixels_a_point: float = 0.0
    """How finely a picture is stored; 0 for a drawing."""


@dataclass(slots=True)
class Painted:
    """What a page paints, as far as it can be a picture."""

    pieces: list[Piece] = field(default_factory=list)
    letters: list[Piece] = field(default_factory=list)
    colours: set[tuple[int, int, int]] = field(default_factory=set)
    large_letters: bool = False
    cut_short: bool = False
    """There are more pieces than are gone through."""

    def is_text(self) -> bool:
        """Whether there are only letters and rules."""
        lines = sum(piece.weight for piece in self.pieces)
        pictures = any(piece.weight == 0 for piece in self.pieces)
        return not (pictures or self.cut_short or self.drawn_by_letters()) and lines < _DRAWN_SEGMENTS

    def drawn_by_letters(self) -> bool:
        """Whether letters may be what draws: very large ones, or of many colours."""
        return self.large_letters or len(self.colours) > _MANY_COLOURS


@dataclass(frozen=True, slots=True)
class PageRegion:
    """A part of a page, in points, and how many pixels a point is drawn with."""

    box: tuple[float, float, float, float]
    scale: float


def draw_page(page: "PdfPage", short_side: int, mode: Mode) -> Picture:
    """The whole page."""
    width, height = page.get_size()
    scale = min(short_side / max(1.0, min(width, height)), LONG_SIDE / max(1.0, width, height))
    return draw(page, (0.0, 0.0, width, height), scale, mode)


def draw_region(page: "PdfPage", region: PageRegion, mode: Mode) -> Picture:
    """One region, in the page's own coordinates."""
    return draw(page, _shown_box(page, region.box), region.scale, mode)


def draw_letters(page: "PdfPage", region: PageRegion, drawn: Picture, mode: Mode) -> npt.NDArray[np.uint8]:
    """A region of letters, out of the page that was drawn where that is nearly as fine."""
    scale = drawn.width / page.get_size()[0]
    left, top, right, bottom = (round(edge * scale) for edge in _shown_box(page, region.box))
    shown = drawn.pixels[top:bottom, left:right]
    if region.scale > scale * _NEARLY or not shown.size:
        return draw_region(page, region, mode).pixels
    return np.ascontiguousarray(shown)


def draw(page: "PdfPage", box: tuple[float, float, float, float], scale: float, mode: Mode) -> Picture:
    """A part of a page, given as left, top, right and bottom of what is shown, in points from its upper left."""
    from pypdfium2 import raw

    page_width, page_height = page.get_size()
    left, top, right, bottom = (round(edge * scale) for edge in box)
    width, height = max(1, right - left), max(1, bottom - top)
    pixels = np.full((height, width, 4), 255, np.uint8)
    bitmap = raw.FPDFBitmap_CreateEx(
        width, height, raw.FPDFBitmap_BGRx, pixels.ctypes.data_as(ctypes.c_void_p), pixels.strides[0]
    )
    if not bitmap:
        raise MemoryError
    try:
        size = max(1, round(page_width * scale)), max(1, round(page_height * scale))
        flags = raw.FPDF_ANNOT | raw.FPDF_REVERSE_BYTE_ORDER
        raw.FPDF_RenderPageBitmap(bitmap, page, -left, -top, *size, 0, flags)
        if page.formenv:
            raw.FPDF_FFLDraw(page.formenv, bitmap, page, -left, -top, *size, 0, flags)
    finally:
        raw.FPDFBitmap_Destroy(bitmap)
    image = Image.frombuffer("RGB", (width, height), pixels, "raw", "RGBX", 0, 1)
    shown = np.asarray(image if mode is Mode.EXACT else image.convert("L"))
    return Picture(np.ascontiguousarray(shown), width, height)


def _shown_box(page: "PdfPage", box: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    """A box of the page's coordinates as it lies in what is shown: turned, and counted from the upper left."""
    from pypdfium2 import raw

    width, height = page.get_size()
    fine = 1 << 20  # PDFium says where a point lies in whole pixels
    xs, ys = [], []
    for x in (box[0], box[2]):
        for y in (box[1], box[3]):
            across, down = ctypes.c_int(), ctypes.c_int()
            raw.FPDF_PageToDevice(page, 0, 0, fine, fine, 0, x, y, across, down)
            xs.append(across.value / fine * width)
            ys.append(down.value / fine * height)
    return max(0.0, min(xs)), max(0.0, min(ys)), min(width, max(xs)), min(height, max(ys))


def has_dark_fields(picture: Picture) -> bool:
    """Whether letters stand so close anywhere that they may draw something: those of a text leave more white."""
    grey = picture.pixels if picture.pixels.ndim == 2 else picture.pixels.mean(axis=2)
    height, width = grey.shape[0] // _FIELD * _FIELD, grey.shape[1] // _FIELD * _FIELD
    fields = grey[:height, :width].reshape(height // _FIELD, _FIELD, width // _FIELD, _FIELD).mean(axis=(1, 3))
    return bool((fields < _DARK).mean() > _FEW)


def painted(page: "PdfPage") -> Painted:
    """Everything that the page and the forms in it paint."""
    from pypdfium2 import raw

    result = Painted()
    _gather(raw.FPDFPage_CountObjects(page), partial(raw.FPDFPage_GetObject, page), None, result, 0)
    _gather_notes(page, result)
    return result


def _gather_notes(page: "PdfPage", result: Painted) -> None:
    """What lies upon the page: fields and figures, which viewers draw even where the document does not say how."""
    from pypdfium2 import raw

    for number in range(raw.FPDFPage_GetAnnotCount(page)):
        if len(result.pieces) >= _MAX_PIECES:
            result.cut_short = True
            return
        note = raw.FPDFPage_GetAnnot(page, number)
        if not note:
            continue
        edges = raw.FS_RECTF()
        if raw.FPDFAnnot_GetSubtype(note) not in (raw.FPDF_ANNOT_LINK, raw.FPDF_ANNOT_POPUP) and raw.FPDFAnnot_GetRect(
            note, edges
        ):
            left, right = sorted((edges.left, edges.right))
            bottom, top = sorted((edges.bottom, edges.top))
            result.pieces.append(Piece((left, bottom, right, top), _NOTE_WEIGHT))
        raw.FPDFPage_CloseAnnot(note)


def _gather(count: int, get: Callable[[int], Any], matrix: Box | None, result: Painted, depth: int) -> None:
    from pypdfium2 import raw

    edges = [ctypes.c_float() for _ in range(4)]
    colour = [ctypes.c_uint() for _ in range(4)]
    for number in range(max(0, count)):
        if len(result.pieces) + len(result.letters) >= _MAX_PIECES:
            result.cut_short = True
            return
        item = get(number)
        kind = raw.FPDFPageObj_GetType(item)
        if kind == raw.FPDF_PAGEOBJ_FORM:
            if depth >= _MAX_NESTING:
                result.cut_short = True
                continue
            inner = _matrix(item) if matrix is None else _matrix(item) @ matrix
            inside = partial(raw.FPDFFormObj_GetObject, item)
            _gather(raw.FPDFFormObj_CountObjects(item), inside, inner, result, depth + 1)
            continue
        if not raw.FPDFPageObj_GetBounds(item, *edges):
            continue
        box = _moved([edge.value for edge in edges], matrix)
        match kind:
            case raw.FPDF_PAGEOBJ_IMAGE:
                result.pieces.append(Piece(box, 0, _density(item, box)))
            case raw.FPDF_PAGEOBJ_TEXT:
                result.letters.append(Piece(box, 8))
                raw.FPDFPageObj_GetFillColor(item, *colour)
                result.colours.add((colour[0].value, colour[1].value, colour[2].value))
                result.large_letters |= min(box[2] - box[0], box[3] - box[1]) > _LARGE_LETTER
            case raw.FPDF_PAGEOBJ_PATH:
                result.pieces.append(Piece(box, max(1, raw.FPDFPath_CountSegments(item))))
            case _:  # a shading
                result.pieces.append(Piece(box, _DRAWN_SEGMENTS))


def _matrix(item: Any) -> Box:
    from pypdfium2 import raw

    values = raw.FS_MATRIX()
    if not raw.FPDFPageObj_GetMatrix(item, values):
        return np.eye(3)
    return np.array([[values.a, values.b, 0], [values.c, values.d, 0], [values.e, values.f, 1]])


def _moved(box: Sequence[float], matrix: Box | None) -> tuple[float, float, float, float]:
    left, bottom, right, top = box
    if matrix is None:
        return left, bottom, right, top
    corners = np.array([[x, y, 1] for x in (left, right) for y in (bottom, top)]) @ matrix
    (x0, y0), (x1, y1) = corners[:, :2].min(axis=0), corners[:, :2].max(axis=0)
    return float(x0), float(y0), float(x1), float(y1)


def _density(item: Any, box: tuple[float, float, float, float]) -> float:
    """Pixels a point; without end where a mask or a mode of mixing may show more than the picture has."""
    from pypdfium2 import raw

    if raw.FPDFPageObj_HasTransparency(item):
        return np.inf
    width, height = ctypes.c_uint(), ctypes.c_uint()
    if not raw.FPDFImageObj_GetImagePixelSize(item, width, height):
        return 1.0
    return max(width.value, height.value) / max(1e-3, box[2] - box[0], box[3] - box[1])


def regions(found: Painted, page_size: tuple[float, float], traits: Traits) -> list[PageRegion]:
    """What is to be drawn at its own size, the largest first. Where there are patterns, what few lines draw may be
    filled with a picture."""
    letters = found.letters if traits.letters_that_draw or found.drawn_by_letters() else ()
    pieces = [*found.pieces, *letters]
    if not pieces:
        return []
    boxes = np.array([piece.box for piece in pieces])
    weights = np.array([piece.weight for piece in pieces])
    fineness = np.array([piece.pixels_a_point for piece in pieces])
    ground = _grounds(boxes)
    result = []
    alone = [[int(number)] for number in np.flatnonzero(ground & (weights == 0))]
    for members in [*_touching(boxes, ~ground), *alone]:
        chosen = boxes[members]
        left, bottom = chosen[:, :2].min(axis=0)
        right, top = chosen[:, 2:].max(axis=0)
        width, height = min(right - left, page_size[0]), min(top - bottom, page_size[1])
        whole = width * height >= _WHOLE_PAGE * page_size[0] * page_size[1]
        pictures = bool((weights[members] == 0).any())
        enough = pictures or traits.patterns or weights[members].sum() >= _DRAWN_SEGMENTS
        short = max(1e-3, min(width, height))
        scale = SHORT_SIDE / short
        if pictures and weights[members].sum() < _DRAWN_SEGMENTS:
            scale = min(scale, float(fineness[members].max()))
        elif not pictures:
            scale = _VECTOR_SIDE / short
        scale = min(scale, LONG_SIDE / max(width, height, 1e-3))
        if enough and not whole and short * scale >= _SMALLEST:
            result.append(PageRegion((float(left), float(bottom), float(right), float(top)), scale))
    return sorted(result, key=_area, reverse=True)


def letter_regions(found: Painted) -> list[PageRegion]:
    """The blocks of letters of a page, which are pictures in one colour where the letters are set so."""
    boxes = np.array([piece.box for piece in found.letters]).reshape(-1, 4)
    result = []
    for left, bottom, right, top in dict.fromkeys(letter_blocks.blocks(boxes)):
        width, height = right - left, top - bottom
        scale = min(_LETTERS_SIDE / max(1e-3, min(width, height)), LONG_SIDE / max(1e-3, width, height))
        result.append(PageRegion((left, bottom, right, top), scale))
    return result


def _area(region: PageRegion) -> float:
    return (region.box[2] - region.box[0]) * (region.box[3] - region.box[1])


def _grounds(boxes: Box) -> npt.NDArray[np.bool_]:
    """Which pieces others lie on: each has the middle of a much smaller one within it."""
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    middles = (boxes[:, :2] + boxes[:, 2:]) / 2
    result = np.zeros(len(boxes), bool)
    for number in np.argsort(-areas)[:200]:
        left, bottom, right, top = boxes[number]
        inside = (middles[:, 0] > left) & (middles[:, 0] < right) & (middles[:, 1] > bottom) & (middles[:, 1] < top)
        result[number] = (inside & (areas * 4 < areas[number])).any()
    return result


def _touching(boxes: Box, taken: npt.NDArray[np.bool_]) -> Iterator[list[int]]:
    """Groups of boxes that touch, or nearly, each by its numbers."""
    sides = np.minimum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1])
    gaps = np.clip(sides * 0.1, 0.5, _WIDEST_GAP)
    wide = boxes + np.stack([-gaps, -gaps, gaps, gaps], axis=1) / 2
    parents = list(range(len(boxes)))

    def root(number: int) -> int:
        while parents[number] != number:
            parents[number] = parents[parents[number]]
            number = parents[number]
        return number

    order = [int(number) for number in np.argsort(wide[:, 0]) if taken[number]]
    open_ = np.empty(0, np.int64)
    for number in order:
        open_ = open_[wide[open_, 2] >= wide[number, 0]]
        near = open_[(wide[open_, 1] <= wide[number, 3]) & (wide[open_, 3] >= wide[number, 1])]
        for other in near:
            parents[root(int(other))] = root(number)
        open_ = np.append(open_, number)
    groups: dict[int, list[int]] = {}
    for number in order:
        groups.setdefault(root(number), []).append(number)
    yield from groups.values()
