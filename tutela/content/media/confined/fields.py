"""Pictures that a document's fields draw: cells of a sheet or a table, each in its colour (ECMA-376, ODF 1.3).

Each sheet with enough coloured cells becomes a picture, a few pixels a cell; so do the numbers under a rule that
colours cells by value. Drawings of hundreds of shapes are not drawn: they are held.
"""

import contextlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple
from xml.parsers import expat

import numpy as np

from tutela.content.media.content import Picture, Shortcoming
from tutela.content.media.plain import as_utf8
from tutela.errors import UnscreenableError

FEWEST_FIELDS = 200
"""Coloured cells that may draw a picture; a smaller grid shows less than PDQ looks at."""
_FEWEST_COLOURS = 4
_MOST_ACROSS = 4_096
_MOST_SHAPES = 400
_PIXELS = 512
_BLOCK, _FIRST_BLOCK = 64 * 1024, 4096
_TRUE = ("1", "true")
_SHAPE = re.compile(rb"<(?:[\w.-]+:)?(?:sp|wsp|dPt|custom-shape)[\s>/]")
"""Under whatever prefix: a document chooses its own."""
_STYLES = re.compile(rb"<(?:[\w.-]+:)?(?:cellXfs|fills)[\s>/]")
_COMMON = ("rect", "shape", "roundrect", "oval", "polyline", "polygon", "path", "ellipse")
_COMMON_SHAPE = re.compile(rb"<(?:[\w.-]+:)?(?:" + "|".join(_COMMON).encode() + rb")[\s>/]")
_OUTLINE = "custGeom"
_DRAWN = frozenset({"svg", "html", "vector", ""})
"""Roots of what has shapes of these names and is drawn elsewhere, or that cannot be read."""
_MOST_STYLES = 8
_MOST_PARENTS = 16
_MOST_SHADES = 400
_THICK = 24
"""Eighths of a point of a border that fills a cell."""
_THEME = (
    *(0xFFFFFF, 0x000000, 0xE7E6E6, 0x44546A, 0x4472C4, 0xED7D31),
    *(0xA5A5A5, 0xFFC000, 0x5B9BD5, 0x70AD47, 0x0563C1, 0x954F72),
)
"""The colours of an Office theme that says nothing else."""
_INDEXED = (
    *(0x000000, 0xFFFFFF, 0xFF0000, 0x00FF00, 0x0000FF, 0xFFFF00, 0xFF00FF, 0x00FFFF),
    *(0x800000, 0x008000, 0x000080, 0x808000, 0x800080, 0x008080, 0xC0C0C0, 0x808080),
    *(0x9999FF, 0x993366, 0xFFFFCC, 0xCCFFFF, 0x660066, 0xFF8080, 0x0066CC, 0xCCCCFF),
    *(0x000080, 0xFF00FF, 0xFFFF00, 0x00FFFF, 0x800080, 0x800000, 0x008080, 0x0000FF),
    *(0x00CCFF, 0xCCFFFF, 0xCCFFCC, 0xFFFF99, 0x99CCFF, 0xFF99CC, 0xCC99FF, 0xFFCC99),
    *(0x3366FF, 0x33CCCC, 0x99CC00, 0xFFCC00, 0xFF9900, 0xFF6600, 0x666699, 0x969696),
    *(0x003366, 0x339966, 0x003300, 0x333300, 0x993300, 0x993366, 0x333399, 0x333333),
)
"""ECMA-376, 18.8.27; the first eight come twice."""


@dataclass(slots=True)
class _Grid:
    """Colours, and numbers, by (row, column)."""

    colours: dict[tuple[int, int], int] = field(default_factory=dict)
    numbers: dict[tuple[int, int], float] = field(default_factory=dict)
    coloured_by_value: bool = False

    def pictures(self) -> Iterator[Picture]:
        if len(self.colours) >= FEWEST_FIELDS and len(set(self.colours.values())) >= _FEWEST_COLOURS:
            yield _picture({at: _luma(colour) for at, colour in self.colours.items()})
        if self.coloured_by_value and len(self.numbers) >= FEWEST_FIELDS:
            low, high = min(self.numbers.values()), max(self.numbers.values())
            spread = (high - low) or 1.0
            yield _picture({at: 255 * (number - low) / spread for at, number in self.numbers.items()})


def drawn(documents: Sequence[tuple[str, bytes]]) -> Iterator[tuple[str, Picture | UnscreenableError]]:
    """What the XML files of one document draw by fields, with the file's name. `documents` are (name, XML).

    What a file is does not depend on its root alone, which may stand behind anything: each reader takes what it knows.
    """
    texts = [(name, as_utf8(data), data) for name, data in documents]
    sheets = [data for _, text, data in texts if _STYLES.search(text)]
    common = [data for _, text, data in texts if b"table-cell-properties" in text and b"document-content" not in text]
    if len(sheets) > _MOST_STYLES:
        reason = "it has more lists of styles than are read"
        yield texts[0][0], UnscreenableError(Shortcoming.TOO_MANY_PARTS, reason)
    for name, text, data in texts:
        try:
            for grid in _grids(text, data, sheets[:_MOST_STYLES], common):
                for picture in grid.pictures():
                    yield name, picture
        except UnscreenableError as error:
            yield name, error
        shapes = _shapes(text, data)
        if shapes > _MOST_SHAPES:
            yield (
                name,
                UnscreenableError(
                    Shortcoming.NOT_RENDERED, "it draws {shapes:,} shapes, and is not drawn here", shapes=shapes
                ),
            )


def _shapes(text: bytes, data: bytes) -> int:
    """How many a document draws with. The outline of a shape of DrawingML has elements of the common names, too."""
    shapes, common = (sum(1 for _ in pattern.finditer(text)) for pattern in (_SHAPE, _COMMON_SHAPE))
    if not common or shapes + common <= _MOST_SHAPES or _root(data) in _DRAWN:
        return shapes
    within = 0
    for event in _events(data):
        if event.tag == _OUTLINE:
            within += 1 if event.begins else -1
        elif event.begins and not within and event.tag in _COMMON:
            shapes += 1
    return shapes


def _grids(text: bytes, data: bytes, styles: Sequence[bytes], common: Sequence[bytes]) -> Iterator[_Grid]:
    if b"sheetData" in text:
        for fills in [_fills(each) for each in styles] or [[]]:
            yield _worksheet(data, fills, coloured_by_value=b"conditionalFormatting" in text)
    if b"table-cell" in text:
        yield from _open_document(data, common)
    if b"shd" in text or b"tcBorders" in text or b"tcPr" in text:
        yield from _tables(data)
    if b"Interior" in text:
        yield from _workbook(data)


def _root(data: bytes) -> str:
    return next((event.tag for event in _events(data)), "")


def _picture(values: Mapping[tuple[int, int], float]) -> Picture:
    """One field of pixels a cell, on white. Raises UnscreenableError where the cells lie too far apart."""
    rows, columns = sorted({row for row, _ in values}), sorted({column for _, column in values})
    height, width = rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1
    if max(height, width) > _MOST_ACROSS:
        raise UnscreenableError(Shortcoming.NOT_RENDERED, "its coloured cells lie too far apart to be drawn")
    cells = np.full((height, width), 255, np.uint8)
    for (row, column), value in values.items():
        cells[row - rows[0], column - columns[0]] = round(value)
    factor = max(1, _PIXELS // max(height, width))
    pixels = np.ascontiguousarray(np.kron(cells, np.ones((factor, factor), np.uint8)))
    return Picture(pixels, pixels.shape[1], pixels.shape[0])


def _luma(colour: int) -> float:
    return 0.299 * (colour >> 16) + 0.587 * (colour >> 8 & 255) + 0.114 * (colour & 255)


class _Event(NamedTuple):
    """An element begins or ends. Names are local ones: a prefix means nothing here."""

    begins: bool
    tag: str
    said: Mapping[str, str] = {}
    text: str = ""


def _events(data: bytes) -> Iterator[_Event]:
    """The elements of an XML file, as far as it can be read: what comes before it breaks is shown by some."""
    waiting: list[_Event] = []
    text: list[str] = []

    def begin(tag: str, said: dict[str, str]) -> None:
        text.clear()
        waiting.append(_Event(True, _local(tag), {_local(key): value for key, value in said.items()}))

    def end(tag: str) -> None:
        waiting.append(_Event(False, _local(tag), text="".join(text)))
        text.clear()

    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler = begin, end
    parser.CharacterDataHandler = text.append
    with contextlib.suppress(expat.ExpatError):
        for at in (0, *range(_FIRST_BLOCK, len(data), _BLOCK)):
            until = at + _BLOCK if at else _FIRST_BLOCK
            parser.Parse(data[at:until], until >= len(data))
            yield from waiting
            waiting.clear()
    yield from waiting


def _local(name: str) -> str:
    return name.rpartition(":")[2]


def _fills(styles: bytes) -> list[int | None]:
    """The colour that each format of a cell fills it with, in the order of `cellXfs`, or of the fills without them."""
    colours: list[int | None] = []
    formats: list[int | None] = []
    within: set[str] = set()
    for event in _events(styles):
        (within.add if event.begins else within.discard)(event.tag)
        if not event.begins:
            continue
        if event.tag == "fill" and "fills" in within:
            colours.append(None)
        elif event.tag in ("fgColor", "color") and "fills" in within and colours and colours[-1] is None:
            colours[-1] = _colour(event.said)
        elif event.tag == "xf" and "cellXfs" in within:
            number = int(event.said.get("fillId", "0"))
            formats.append(colours[number] if number < len(colours) else None)
    return formats or colours


def _colour(said: Mapping[str, str]) -> int | None:
    try:
        if "rgb" in said:
            colour = int(said["rgb"][-6:], 16)
        elif "theme" in said:
            colour = _THEME[int(said["theme"])]
        elif "indexed" in said:
            colour = _INDEXED[int(said["indexed"]) - 8 if int(said["indexed"]) >= 8 else int(said["indexed"])]
        else:
            return None
        tint = float(said.get("tint", "0"))
    except (ValueError, IndexError):
        return None
    parts = (colour >> 16, colour >> 8 & 255, colour & 255)
    tinted = [round(part * (1 + tint) if tint < 0 else part + (255 - part) * tint) for part in parts]
    return tinted[0] << 16 | tinted[1] << 8 | tinted[2]


def _worksheet(data: bytes, fills: Sequence[int | None], *, coloured_by_value: bool) -> _Grid:
    grid = _Grid(coloured_by_value=coloured_by_value)
    hidden: set[int] = set()
    row = column = -1
    cell: Mapping[str, str] = {}
    shown = True
    for event in _events(data):
        match event:
            case _Event(True, "col", said) if said.get("hidden") in _TRUE:
                hidden.update(range(int(said.get("min", "1")) - 1, min(int(said.get("max", "1")), 16_384)))
            case _Event(True, "row", said):
                row, column = int(said.get("r", row + 2)) - 1, -1
                shown = said.get("hidden") not in _TRUE
            case _Event(True, "c", said):
                cell, column = said, _column(said.get("r", ""), row, column)
                number = int(said.get("s", "0"))
                colour = fills[number] if number < len(fills) else None
                if colour is not None and shown and column not in hidden:
                    grid.colours[row, column] = colour
            case _Event(False, "v") if grid.coloured_by_value and cell.get("t", "n") == "n":
                if shown and column not in hidden:
                    with contextlib.suppress(ValueError):
                        grid.numbers[row, column] = float(event.text)
    return grid


def _column(reference: str, row: int, before: int) -> int:
    """The column that a cell says it is in, where it is behind the one before it and in this row; else the next."""
    letters = reference.rstrip("0123456789")
    column = 0
    for letter in letters.upper():
        column = column * 26 + ord(letter) - 64
    fits = reference[len(letters) :] == str(row + 1) and column - 1 > before
    return column - 1 if letters and fits else before + 1


def _open_document(data: bytes, common: Sequence[bytes]) -> Iterator[_Grid]:
    """The tables of an OpenDocument file, whose styles may stand in others, and be based upon each other."""
    styles = _Styles()
    for each in common:
        for event in _events(each):
            styles.read(event)
    grid = _Grid()
    row = column = 0
    rows = 1
    default = ""
    columns: list[tuple[int, str]] = []
    for event in _events(data):
        styles.read(event)
        match event:
            case _Event(True, "table"):
                grid, row, rows, columns = _Grid(), -1, 1, []
            case _Event(True, "table-column", said):
                columns.append((_repeated(said, "number-columns-repeated"), said.get("default-cell-style-name", "")))
            case _Event(True, "table-row", said):
                row, column, rows = row + 1, 0, _repeated(said, "number-rows-repeated")
                default = said.get("default-cell-style-name", "")
            case _Event(False, "table-row"):
                row += rows - 1
            case _Event(True, "table-cell" | "covered-table-cell", said):
                times = _repeated(said, "number-columns-repeated")
                own = said.get("style-name") or default
                for begin, end, name in [(column, column + times, own)] if own else _spans(columns, column, times):
                    if (colour := styles.colour(name)) is not None:
                        reached = range(begin, min(end, column + _MOST_ACROSS))
                        grid.colours.update(((row, at), colour) for at in reached)
                column += times
            case _Event(False, "table"):
                yield grid


def _spans(columns: Sequence[tuple[int, str]], begin: int, count: int) -> Iterator[tuple[int, int, str]]:
    """(begin, end, style) of the columns in that range, as many at once as have one style."""
    at = 0
    for times, name in columns:
        if at < begin + count and at + times > begin:
            yield max(at, begin), min(at + times, begin + count), name
        at += times


@dataclass(slots=True)
class _Styles:
    """The grounds of cells by the names of their styles."""

    colours: dict[str, int] = field(default_factory=dict)
    parents: dict[str, str] = field(default_factory=dict)
    name: str = ""

    def read(self, event: _Event) -> None:
        said = event.said
        if event.begins and event.tag == "style":
            self.name = said.get("name", "")
            self.parents[self.name] = said.get("parent-style-name", "")
        elif event.begins and event.tag == "table-cell-properties":
            colour = _hexadecimal(said.get("background-color", "").removeprefix("#"))
            self.colours |= {} if colour is None else {self.name: colour}

    def colour(self, name: str) -> int | None:
        for _ in range(_MOST_PARENTS):
            if not name or name in self.colours:
                break
            name = self.parents.get(name, "")
        return self.colours.get(name)


def _workbook(data: bytes) -> Iterator[_Grid]:
    """The sheets of an XML Spreadsheet of 2003."""
    styles: dict[str, int] = {}
    name = ""
    grid = _Grid()
    row = column = 0
    of_row = ""
    for event in _events(data):
        match event:
            case _Event(True, "Style", said):
                name = said.get("ID", "")
            case _Event(True, "Interior", said) if re.fullmatch("#[0-9a-fA-F]{6}", said.get("Color", "")):
                styles[name] = int(said["Color"][1:], 16)
            case _Event(True, "Table"):
                grid, row = _Grid(), 0
            case _Event(True, "Row", said):
                row, column, of_row = int(said.get("Index", row + 1)), 0, said.get("StyleID", "")
            case _Event(True, "Cell", said):
                column = int(said.get("Index", column + 1))
                if (colour := styles.get(said.get("StyleID", of_row))) is not None:
                    grid.colours[row, column] = colour
            case _Event(False, "Table"):
                yield grid


def _repeated(said: Mapping[str, str], key: str) -> int:
    return max(1, int(said.get(key, "1")))


def _tables(data: bytes) -> Iterator[_Grid]:
    """The tables of a text or a slide, by the shades of their cells, or by borders that fill them. Raises
    UnscreenableError where letters have as many shades as a picture has fields."""
    grids: list[tuple[_Grid, list[int]]] = []
    shades: list[int] = []
    within_letters = within_cell = within_borders = False
    for event in _events(data):
        match event:
            case _Event(True, "tbl"):
                grids.append((_Grid(), [-1, -1]))
            case _Event(False, "tbl") if grids:
                yield grids.pop()[0]
            case _Event(True, "tr") if grids:
                grids[-1][1][:] = [grids[-1][1][0] + 1, -1]
            case _Event(True, "tc") if grids:
                grids[-1][1][1] += 1
            case _Event(True, "gridSpan", said) if grids:
                grids[-1][1][1] += max(1, int(said.get("val", "1"))) - 1
            case _Event(begins, "rPr"):
                within_letters = begins
            case _Event(begins, "tcPr"):
                within_cell = begins
            case _Event(begins, "tcBorders"):
                within_borders = begins
            case _Event(True, "srgbClr", said) if within_cell and grids:
                if (shade := _hexadecimal(said.get("val", ""))) is not None:
                    row, column = grids[-1][1]
                    grids[-1][0].colours[row, column] = shade
            case _Event(True, _, said) if within_borders and grids:
                border = _hexadecimal(said.get("color", ""))
                if border is not None and int(said.get("sz", "0")) >= _THICK:
                    row, column = grids[-1][1]
                    grids[-1][0].colours.setdefault((row, column), border)
            case _Event(True, "shd", said) if (shade := _shade(said)) is not None:
                if within_letters:
                    shades.append(shade)
                elif grids:
                    row, column = grids[-1][1]
                    grids[-1][0].colours[row, column] = shade
    if len(shades) > _MOST_SHADES and len(set(shades)) >= _FEWEST_COLOURS:
        raise UnscreenableError(Shortcoming.NOT_RENDERED, "it draws with the shades of letters, and is not drawn here")


def _shade(said: Mapping[str, str]) -> int | None:
    """The colour of a shade: its ground, with so much of its pattern on it (ECMA-376, 17.3.5)."""
    ground = _hexadecimal(said.get("fill", ""))
    theme = next((said[key] for key in ("themeFillShade", "themeFillTint") if key in said), "")
    if ground is None and "themeFill" in said:
        ground = 0x010101 * int(theme or "80", 16) if re.fullmatch("[0-9a-fA-F]{0,2}", theme) else None
    pattern = re.fullmatch(r"pct(\d{1,2})", said.get("val", ""))
    if pattern is None:
        return 0 if said.get("val") == "solid" and ground is None else ground
    ink, paper, share = (
        _hexadecimal(said.get("color", "")) or 0,
        0xFFFFFF if ground is None else ground,
        int(pattern[1]),
    )
    parts = [((paper >> at & 255) * (100 - share) + (ink >> at & 255) * share) // 100 for at in (16, 8, 0)]
    return parts[0] << 16 | parts[1] << 8 | parts[2]


def _hexadecimal(colour: str) -> int | None:
    return int(colour, 16) if re.fullmatch("[0-9a-fA-F]{6}", colour) else None
