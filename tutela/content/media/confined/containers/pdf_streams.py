"""Every stream of a PDF, whoever names it: files, films, pictures of stamps, patterns and masks, earlier revisions.

qpdf lists the streams. A JPEG in plain colours is given out as the file it is; any other picture, and a drawing that no
page paints by itself, becomes a `Sheet`: it is drawn on a page of its own, so that masks, `/Decode`, CMYK and colour
spaces are as a page shows them.
"""

import contextlib
import io
import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import xxhash

from tutela.content.media.confined import icc
from tutela.content.media.confined.budget import Budget, BudgetSpentError
from tutela.content.media.confined.carver import carve
from tutela.content.media.confined.containers.pdf_pages import Traits
from tutela.content.media.confined.parts import InnerFile, Part, Unread, encrypted, unreadable
from tutela.content.media.content import Shortcoming
from tutela.content.media.plain import is_text
from tutela.content.media.sniff import sniff
from tutela.errors import UnscreenableError

try:
    import pikepdf
except ImportError:  # without the extra a PDF is held
    pikepdf = None  # type: ignore[assignment]

_MAX_REVISIONS = 16
_MAX_NESTING = 16
_PDF_HEAD = 5
_SHOWS_NOTHING = 1024
"""Bytes of commands that draw no picture."""
_IN_LINE = re.compile(rb"(?<!\S)BI\s.{4,4000}?\sID\s", re.DOTALL)
_PAINTED = re.compile(rb"/([^\s/\[\]<>(){}%]+)\s+Do(?!\S)")
_LETTER_BOX = re.compile(rb"\s+".join([rb"[-+.\d]+"] * 2 + [rb"([-+.\d]+)"] * 4) + rb"\s+d1")
_STREAM = re.compile(rb"stream(?<![A-Za-z]stream)(?:\r\n|\n|\r)")
"""Begins with what it is found by: a look back first would be taken at every byte of the document."""
_MARKUP = re.compile(rb"\s*(?:\xef\xbb\xbf)?<")
_DEVICES = frozenset({"/DeviceRGB", "/DeviceGray", "/CalRGB", "/CalGray"})
_STRUCTURE = frozenset({"/XRef", "/ObjStm"})
_MODES = {1: "L", 3: "RGB", 4: "CMYK"}


@dataclass(frozen=True, slots=True)
class Sheet:
    """A page of its own for one picture or drawing."""

    name: str
    within: str
    width: float
    height: float
    is_picture: bool
    """Its size is in pixels, not in points."""


class PdfStreams:
    """The document as qpdf reads it."""

    def __init__(self, data: memoryview, budget: Budget) -> None:
        """Raises UnscreenableError where it opens only with a password, or the library is not there."""
        if pikepdf is None:
            raise UnscreenableError(Shortcoming.UNSUPPORTED_TYPE, "PDF needs the extra tutela[archives]")
        self._data = bytes(data)
        self._budget = budget
        self._seen: set[bytes] = set()
        self._places: dict[tuple[int, int], tuple[str, str]] = {}
        self._on_pages: set[tuple[int, int]] = set()
        self._revisions: list[pikepdf.Pdf] = []
        self._pdf = _open(self._data)
        self._laid_out = pikepdf.new()
        self.sheets: list[Sheet] = []
        """A page for each in `laid_out`, in this order; complete after `parts`."""

    def close(self) -> None:
        """Free the library's memory."""
        for pdf in (self._laid_out, *self._revisions, self._pdf):
            pdf.close()

    def laid_out(self) -> bytes:
        """A document with a page for each sheet."""
        file = io.BytesIO()
        self._laid_out.save(
            file,
            compress_streams=False,
            stream_decode_level=pikepdf.StreamDecodeLevel.none,
            object_stream_mode=pikepdf.ObjectStreamMode.disable,
            static_id=True,
        )
        return file.getvalue()

    def with_all_layers(self) -> bytes | None:
        """The document with every layer on; None where none is off at first (ISO 32000-1, 8.11.4.3)."""
        layers = self._pdf.Root.get("/OCProperties")
        if not isinstance(layers, pikepdf.Dictionary) or self._pdf.is_encrypted:
            return None
        first = layers.get("/D")
        hides = isinstance(first, pikepdf.Dictionary) and (first.get("/OFF") or first.get("/BaseState") == "/OFF")
        if not hides:
            return None
        file = io.BytesIO()
        with pikepdf.open(io.BytesIO(self._data)) as whole:
            del whole.Root["/OCProperties"]
            whole.save(file, static_id=True)
        return file.getvalue()

    def traits(self) -> Traits:
        """What the whole document has, on whichever page."""
        letters = patterns = annotations = False
        for item in self._pdf.objects:
            text = _dictionary_text(item)
            letters |= b"/Type3" in text
            patterns |= b"/PatternType" in text or b"/ShadingType" in text
            annotations |= b"/AP " in text
        return Traits(letters, patterns, annotations)

    def name_pictures(self) -> None:
        """Learn on which page each picture is shown first, for its path."""
        for number, page in enumerate(self._pdf.pages, start=1):
            self._budget.check_time()
            try:
                self._name(_content_of(page.obj, self._budget), page.obj.get("/Resources"), f"page {number}", [0], 0)
            except (BudgetSpentError, MemoryError):
                raise
            except Exception:  # noqa: S112 - only a name is missing; the stream itself is looked at and told
                continue

    def _name(self, content: bytes, resources: Any, page: str, counted: list[int], depth: int) -> None:
        named = resources.get("/XObject") if isinstance(resources, pikepdf.Dictionary) else None
        if not isinstance(named, pikepdf.Dictionary) or depth > _MAX_NESTING:
            return
        for match in _PAINTED.finditer(content):
            item = named.get("/" + match[1].decode("latin-1"))
            if not isinstance(item, pikepdf.Stream):
                continue
            if item.get("/Subtype") == "/Image":
                counted[0] += 1
                self._places.setdefault(item.objgen, (f"picture {counted[0]}", page))
            elif item.objgen not in self._on_pages:
                self._on_pages.add(item.objgen)
                inner = item.get("/Resources", resources)
                self._name(_unpacked(item, self._budget), inner, page, counted, depth + 1)

    def parts(self) -> Iterator[Part]:
        """Files, and JPEGs in plain colours. What is to be drawn is in `sheets` afterwards."""
        if self._pdf.is_encrypted:
            self._refuse_hidden()
        yield from self._parts_of(self._pdf)
        if self._pdf.is_encrypted:
            return
        yield from self._between()
        if any(self._unseen()):
            yield from self._earlier()
            for start, raw in self._unseen():
                yield from self._orphan(start, raw)

    def _between(self) -> Iterator[Part]:
        """Files that stand between the objects, in no stream."""
        at = 0
        for match in _STREAM.finditer(self._data):
            if match.start() < at:
                continue
            yield from carve(memoryview(self._data)[max(at, _PDF_HEAD) : match.start()], self._budget)
            end = self._data.find(b"endstream", match.end())
            at = end if end >= 0 else len(self._data)
        yield from carve(memoryview(self._data)[max(at, _PDF_HEAD) :], self._budget)

    def _earlier(self) -> Iterator[Part]:
        """What the last cross-reference no longer names: an earlier revision still does."""
        ends = [match.end() for match in re.finditer(rb"%%EOF", self._data)][:-1]
        if len(ends) > _MAX_REVISIONS:
            raise UnscreenableError(
                Shortcoming.TOO_MANY_PARTS, "the document has {ends} earlier revisions", ends=len(ends)
            )
        for number, end in enumerate(ends, start=1):
            self._budget.spend_part()
            try:
                earlier = _open(self._data[:end])
            except Exception:  # noqa: S112 - the first mark of a document made for the web ends no revision
                continue
            self._revisions.append(earlier)
            yield from self._parts_of(earlier, f"revision {number}")

    def _refuse_hidden(self) -> None:
        """In a document that is encrypted, streams of earlier revisions cannot be told from others but by their count.

        Raises UnscreenableError where there are more of them than the document names.
        """
        named = sum(isinstance(item, pikepdf.Stream) for item in self._pdf.objects)
        there = 0
        for match in _STREAM.finditer(self._data):
            begin = self._data.rfind(b"obj", 0, match.start())
            there += b"/XRef" not in self._data[max(0, begin) : match.start()]
        if there > named:
            raise encrypted()

    def _unseen(self) -> Iterator[tuple[int, bytes]]:
        """(where, bytes) of every stream in the file that was not come by."""
        for match in _STREAM.finditer(self._data):
            end = self._data.find(b"endstream", match.end())
            raw = self._data[match.end() : end if end >= 0 else len(self._data)]
            if raw.strip() and _digest(raw) not in self._seen:
                yield match.start(), raw

    def _orphan(self, start: int, raw: bytes) -> Iterator[Part]:
        """A stream that nothing names: unpacked where that is simple, and searched."""
        name = f"stream at byte {start:,}"
        data = _inflated(raw, self._budget) or raw
        self._budget.spend_bytes(len(data))
        if sniff(data) is not None:
            yield InnerFile(name, data, speculative=True)
            return
        for part in carve(memoryview(data), self._budget):
            yield InnerFile(part.name, part.data, within=name, speculative=True)

    def _parts_of(self, pdf: "pikepdf.Pdf", revision: str = "") -> Iterator[Part]:
        names = _attached_names(pdf)
        for item in pdf.objects:
            if not isinstance(item, pikepdf.Stream):
                continue
            self._budget.check_time()
            name, within = self._place(item, revision)
            try:
                raw = item.read_raw_bytes()
                digest = _digest(raw)
                if revision and digest in self._seen:
                    continue
                self._seen.add(digest)
                if _filters(item)[-1:] != ["/DCTDecode"]:
                    for part in carve(memoryview(raw), self._budget):
                        yield InnerFile(part.name, part.data, within=name, speculative=True)
                if item.get("/Subtype") == "/Image" or "/ImageMask" in item:
                    yield from self._picture(item, raw, name, within)
                elif item.get("/Type") not in _STRUCTURE:
                    yield from self._other(item, names.get(item.objgen), name, within)
            except (BudgetSpentError, MemoryError):
                raise
            except Exception as error:
                yield Unread(name, unreadable("the stream", error), within)
        self._lay_out_letters(pdf, revision)

    def _place(self, item: "pikepdf.Stream", revision: str) -> tuple[str, str]:
        if not revision and (place := self._places.get(item.objgen)):
            return place
        kind = "picture" if item.get("/Subtype") == "/Image" else "stream"
        return f"{kind} of object {item.objgen[0]}", revision

    def _picture(self, item: "pikepdf.Stream", raw: bytes, name: str, within: str) -> Iterator[Part]:
        filters = _filters(item)
        if filters[-1:] == ["/DCTDecode"]:
            data = raw if len(filters) == 1 else _without_last_filter(item, raw, self._budget)
            self._budget.spend_bytes(len(data))
            yield InnerFile(name, data, within)
            if _is_plain(item):
                return
        width, height = int(item.get("/Width", 0)), int(item.get("/Height", 0))
        if width * height > self._budget.limits.max_pixels:
            limit = f"{width:,} x {height:,} pixels are over the limit of {self._budget.limits.max_pixels:,}"
            raise UnscreenableError(Shortcoming.TOO_MANY_PIXELS, limit)
        if width > 0 and height > 0:  # else no viewer shows it
            across, down = _with_masks(item, width, height, self._budget.limits.max_pixels)
            self._lay_out(Sheet(name, within, across, down, is_picture=True), item, f"{across} 0 0 {down} 0 0")
            if "/SMask" in item or "/Mask" in item:
                whole = self._laid_out.copy_foreign(item)
                bare = pikepdf.Stream(self._laid_out, raw)
                for key in whole.keys() - {"/SMask", "/Mask", "/Length"}:
                    bare[key] = whole[key]
                sheet = Sheet(f"{name} without its mask", within, width, height, is_picture=True)
                self._lay_out(sheet, bare, f"{width} 0 0 {height} 0 0")

    def _lay_out_letters(self, pdf: "pikepdf.Pdf", within: str) -> None:
        """Letters of Type 3 fonts: each is a drawing."""
        for font in [found for item in pdf.objects for found in _dictionaries(item, b"/Type3")]:
            letters = font.get("/CharProcs")
            if font.get("/Subtype") != "/Type3" or not isinstance(letters, pikepdf.Dictionary):
                continue
            for name, letter in letters.items():
                data = _unpacked(letter, self._budget) if isinstance(letter, pikepdf.Stream) else b""
                if not _may_draw(data):
                    continue
                left, bottom, right, top = _letter_box(font, data)
                drawing = pikepdf.Stream(pdf, data, BBox=pikepdf.Array([left, bottom, right, top]))
                if "/Resources" in font:
                    drawing["/Resources"] = font["/Resources"]
                sheet = Sheet(f"letter {name[1:]}", within, right - left, top - bottom, is_picture=False)
                self._lay_out(sheet, pdf.make_indirect(drawing), f"1 0 0 1 {-left:f} {-bottom:f}")

    def _other(self, item: "pikepdf.Stream", file_name: str | None, name: str, within: str) -> Iterator[Part]:
        data = _unpacked(item, self._budget)
        self._budget.spend_bytes(len(data))
        if file_name is not None or item.get("/Type") == "/EmbeddedFile":
            yield InnerFile(file_name or name, data, within)
            return
        if item.get("/Type") == "/3D":
            yield Unread(name, UnscreenableError(Shortcoming.NOT_RENDERED, "a body in three dimensions is not drawn"))
        if sniff(data) is not None or _MARKUP.match(data):
            yield InnerFile(name, data, within)
            return
        if not is_text(data[:4096]):
            for part in carve(memoryview(data), self._budget):
                yield InnerFile(part.name, part.data, within=name, speculative=True)
        if self._draws_apart(item) and _may_draw(data):
            left, bottom, right, top = (float(edge) for edge in item["/BBox"])
            sheet = Sheet(name, within, abs(right - left), abs(top - bottom), is_picture=False)
            if sheet.width > 0 and sheet.height > 0:
                self._lay_out(sheet, item, f"1 0 0 1 {-min(left, right):f} {-min(bottom, top):f}")

    def _draws_apart(self, item: "pikepdf.Stream") -> bool:
        """Whether it is a drawing that no page paints by itself: a pattern, a stamp's looks, a mask."""
        return "/BBox" in item and item.objgen not in self._on_pages

    def _lay_out(self, sheet: Sheet, item: "pikepdf.Stream", matrix: str) -> None:
        """A page of the sheet's size with the item on it."""
        self._budget.spend_part()
        own = item if item.is_owned_by(self._laid_out) else self._laid_out.copy_foreign(item)
        if not sheet.is_picture:
            own["/Subtype"] = pikepdf.Name.Form
            for key in ("/Matrix", "/PatternType", "/Type"):
                if key in own:
                    del own[key]
        page = self._laid_out.add_blank_page(page_size=(max(1.0, sheet.width), max(1.0, sheet.height)))
        page.obj["/Resources"] = pikepdf.Dictionary(XObject=pikepdf.Dictionary(I=own))
        page.obj["/Contents"] = pikepdf.Stream(self._laid_out, f"q {matrix} cm /I Do Q".encode())
        self.sheets.append(sheet)


def _open(data: bytes) -> "pikepdf.Pdf":
    try:
        return pikepdf.open(io.BytesIO(data), suppress_warnings=True, inherit_page_attributes=True)
    except pikepdf.PasswordError:
        raise encrypted() from None


def _digest(raw: bytes) -> bytes:
    """Of a stream's bytes, whatever line ends stand around them."""
    return xxhash.xxh3_128_digest(raw.strip(b"\r\n"))


def _dictionary_text(item: Any) -> bytes:
    """The dictionary of an object as PDF writes it, with names in their plain form."""
    if isinstance(item, pikepdf.Stream):
        item = item.stream_dict
    return bytes(item.unparse(resolved=True)) if isinstance(item, pikepdf.Dictionary | pikepdf.Array) else b""


def _with_masks(item: "pikepdf.Stream", width: int, height: int, max_pixels: int) -> tuple[int, int]:
    """The size of a picture that shows all that its mask does."""
    for key in ("/SMask", "/Mask"):
        mask = item.get(key)
        if isinstance(mask, pikepdf.Stream):
            wider, taller = int(mask.get("/Width", 0)), int(mask.get("/Height", 0))
            if max(width, wider) * max(height, taller) <= max_pixels:
                width, height = max(width, wider), max(height, taller)
    return width, height


def _attached_names(pdf: "pikepdf.Pdf") -> dict[tuple[int, int], str]:
    """The name of every file that anything in the document attaches, by its stream."""
    names: dict[tuple[int, int], str] = {}
    for item in pdf.objects:
        for found in _dictionaries(item, b"/EF"):
            files = found.get("/EF")
            if isinstance(files, pikepdf.Dictionary):
                for stream in files.values():
                    if isinstance(stream, pikepdf.Stream):
                        names[stream.objgen] = str(found.get("/UF", found.get("/F", "")))
    return names


def _dictionaries(item: Any, word: bytes, depth: int = 0) -> Iterator[Any]:
    """The dictionaries of an object, those in it too, where the word is in one of them."""
    if depth == 0 and word not in _dictionary_text(item):
        return
    if isinstance(item, pikepdf.Stream):
        item = item.stream_dict
    values: Iterable[Any] = ()
    if isinstance(item, pikepdf.Dictionary):
        yield item
        values = item.values()
    elif isinstance(item, pikepdf.Array):
        values = item
    for value in values:
        if depth < _MAX_NESTING and isinstance(value, pikepdf.Dictionary | pikepdf.Array) and not value.is_indirect:
            yield from _dictionaries(value, word, depth + 1)


def _may_draw(data: bytes) -> bool:
    """Whether commands are long enough for a picture, or have one in them."""
    return len(data) > _SHOWS_NOTHING or _IN_LINE.search(data) is not None


def _letter_box(font: Any, data: bytes) -> tuple[float, float, float, float]:
    """What a letter covers: as it says itself, as its font says, or the whole of the font's square."""
    boxes = [[float(edge) for edge in font.get("/FontBBox", ())]]
    if said := _LETTER_BOX.search(data[:256]):
        boxes.insert(0, [float(edge) for edge in said.groups()])
    for box in boxes:
        if len(box) == 4 and box[2] - box[0] > 0 and box[3] - box[1] > 0:
            return box[0], box[1], box[2], box[3]
    unit = abs(float(font["/FontMatrix"][0])) or 1.0
    return 0.0, 0.0, 1 / unit, 1 / unit


def _content_of(page: Any, budget: Budget) -> bytes:
    contents = page.get("/Contents")
    if isinstance(contents, pikepdf.Stream):
        return _unpacked(contents, budget)
    if isinstance(contents, pikepdf.Array):
        return b"\n".join(_unpacked(part, budget) for part in contents if isinstance(part, pikepdf.Stream))
    return b""


def _filters(item: "pikepdf.Stream") -> list[str]:
    named = item.get("/Filter", ())
    return [str(named)] if isinstance(named, pikepdf.Name) else [str(name) for name in named]


def _unpacked(item: "pikepdf.Stream", budget: Budget) -> bytes:
    """A stream's bytes as they are before its filters. Raises BudgetSpentError before much more comes out."""
    if _filters(item) == ["/FlateDecode"] and "/DecodeParms" not in item:
        return _inflated(item.read_raw_bytes(), budget)
    return bytes(item.read_bytes())


def _inflated(raw: bytes, budget: Budget) -> bytes:
    """What comes of a stream of Flate, as far as it goes; nothing where it is none."""
    try:
        data = zlib.decompressobj().decompress(raw.lstrip(b"\r\n"), budget.bytes_left + 1)
    except zlib.error:
        return _salvaged(raw)
    return data


def _salvaged(raw: bytes) -> bytes:
    """What comes of a damaged stream until it breaks."""
    decompressor = zlib.decompressobj()
    come = bytearray()
    with contextlib.suppress(zlib.error):
        for at in range(0, len(raw), 256):
            come += decompressor.decompress(raw[at : at + 256], 1024 * 1024)
    return bytes(come)


def _without_last_filter(item: "pikepdf.Stream", raw: bytes, budget: Budget) -> bytes:
    """The JPEG in a stream that packs it once more."""
    with pikepdf.new() as scratch:
        packed = pikepdf.Stream(scratch, raw)
        packed.write(raw, filter=pikepdf.Array([pikepdf.Name(name) for name in _filters(item)[:-1]]))
        return _unpacked(packed, budget)


def _is_plain(item: "pikepdf.Stream") -> bool:
    """Whether a page shows a JPEG as the file by itself is shown."""
    if any(key in item for key in ("/Decode", "/SMask", "/Mask", "/DecodeParms", "/ImageMask")):
        return False
    space = item.get("/ColorSpace")
    if space is None or isinstance(space, pikepdf.Name):
        return space is None or str(space) in _DEVICES
    if isinstance(space, pikepdf.Array) and len(space) == 2 and space[0] == "/ICCBased":
        return int(space[1].get("/N", 0)) == 3 and not icc.transforms(bytes(space[1].read_bytes()), "RGB")
    return False
