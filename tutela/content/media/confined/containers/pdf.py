"""PDF (ISO 32000): every page as it is shown, its regions at their own size, and every stream, whoever names it.

PDFium draws, qpdf lists what there is: what one of the two does not see of a document, the other does.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import xxhash

from tutela.content.media.confined.budget import Budget, BudgetSpentError
from tutela.content.media.confined.containers.letter_blocks import from_afar
from tutela.content.media.confined.containers.pdf_pages import (
    MAX_REGIONS,
    SHORT_SIDE,
    TEXT_SIDE,
    PageRegion,
    draw,
    draw_letters,
    draw_page,
    draw_region,
    has_dark_fields,
    letter_regions,
    painted,
    regions,
)
from tutela.content.media.confined.containers.pdf_streams import PdfStreams, Sheet
from tutela.content.media.confined.parts import (
    InnerFile,
    InnerPicture,
    Part,
    Unread,
    encrypted,
    file_over,
    unreadable,
)
from tutela.content.media.content import Content, Mode, Picture, Shortcoming
from tutela.errors import UnscreenableError

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument, PdfPage

_IN_MEMORY = 64 * 1024 * 1024
_LONGEST_SHEET = 4096


class Pdf:
    """Page by page; then every stream; then the pictures that are drawn one by one."""

    def parts(self, content: Content, budget: Budget) -> Iterator[Part]:
        data = memoryview(content.data)
        document = _open(data)
        streams = None
        try:
            streams = PdfStreams(data, budget)
            yield from _Reading(document, streams, content.mode, budget).parts()
            if (layered := streams.with_all_layers()) is not None:
                budget.spend_bytes(len(layered))
                yield InnerFile("all layers", layered)
        finally:
            if streams is not None:
                streams.close()
            document.close()


class _Reading:
    def __init__(self, document: "PdfDocument", streams: PdfStreams, mode: Mode, budget: Budget) -> None:
        self._document = document
        self._streams = streams
        self._mode = mode
        self._budget = budget
        self._traits = streams.traits()
        self._shown: set[bytes] = set()

    def parts(self) -> Iterator[Part]:
        self._streams.name_pictures()
        for number in range(len(self._document)):
            yield from self._page(number)
        for part in self._streams.parts():
            if not isinstance(part, InnerFile) or self._is_new(part.data):
                yield part
        if self._streams.sheets:
            yield from self._sheets()

    def _page(self, number: int) -> Iterator[Part]:
        name = f"page {number + 1}"
        self._budget.spend_part()
        try:
            page = self._document[number]
        except Exception as error:
            yield Unread(name, unreadable("the page", error))
            return
        try:
            yield from self._drawn(page, name)
        except (BudgetSpentError, MemoryError):
            raise
        except Exception as error:
            yield Unread(name, unreadable("the page", error))
        finally:
            page.close()

    def _drawn(self, page: "PdfPage", name: str) -> Iterator[Part]:
        found = painted(page)
        is_text = found.is_text() and not self._traits.any()
        picture = draw_page(page, TEXT_SIDE if is_text else SHORT_SIDE, self._mode)
        yield InnerPicture(name, picture, only_letters=is_text and not has_dark_fields(picture))
        for count, region in enumerate(letter_regions(found), start=1):
            self._budget.check_time()
            letters = from_afar(draw_letters(page, region, picture, self._mode))
            yield InnerPicture(f"letters {count}", letters, within=name, only_letters=True)
        if is_text:
            return
        if found.cut_short:
            yield Unread(
                name, UnscreenableError(Shortcoming.TOO_MANY_PARTS, "the page paints more than is gone through")
            )
        wanted = regions(found, page.get_size(), self._traits)
        for count, region in enumerate(wanted[:MAX_REGIONS], start=1):
            yield from self._region(page, region, name, count)
        if len(wanted) > MAX_REGIONS:
            only = f"only the {MAX_REGIONS} largest of {len(wanted):,} pictures in it were drawn by themselves"
            yield Unread(name, UnscreenableError(Shortcoming.PARTLY_SCREENED, only))

    def _region(self, page: "PdfPage", region: PageRegion, within: str, count: int) -> Iterator[Part]:
        self._budget.spend_part()
        picture = draw_region(page, region, self._mode)
        if self._is_new(picture.pixels.data):
            yield InnerPicture(f"region {count}", picture, within=within)

    def _sheets(self) -> Iterator[Part]:
        import pypdfium2

        document = pypdfium2.PdfDocument(self._streams.laid_out())
        try:
            for number, sheet in enumerate(self._streams.sheets):
                try:
                    picture = self._sheet(document, number, sheet)
                except (BudgetSpentError, MemoryError):
                    raise
                except Exception as error:
                    yield Unread(sheet.name, unreadable("the picture", error), sheet.within)
                    continue
                if self._is_new(picture.pixels.data):
                    yield InnerPicture(sheet.name, picture, within=sheet.within)
        finally:
            document.close()

    def _sheet(self, document: "PdfDocument", number: int, sheet: Sheet) -> Picture:
        page = document[number]
        try:
            scale = min(1.0, _LONGEST_SHEET / max(sheet.width, sheet.height))
            if not sheet.is_picture:
                scale = min(
                    SHORT_SIDE / min(sheet.width, sheet.height), _LONGEST_SHEET / max(sheet.width, sheet.height)
                )
            self._budget.spend_bytes(int(sheet.width * scale * sheet.height * scale))
            return draw(page, (0.0, 0.0, sheet.width, sheet.height), scale, self._mode)
        finally:
            page.close()

    def _is_new(self, data: bytes | memoryview) -> bool:
        digest = xxhash.xxh3_128_digest(data)
        new = digest not in self._shown
        self._shown.add(digest)
        return new


def _open(data: memoryview) -> "PdfDocument":
    try:
        import pypdfium2
    except ImportError:
        raise UnscreenableError(Shortcoming.UNSUPPORTED_TYPE, "PDF needs the extra tutela[archives]") from None
    try:
        document = pypdfium2.PdfDocument(bytes(data) if len(data) <= _IN_MEMORY else file_over(data))
        document.init_forms()  # fields of forms are drawn as viewers draw them; nothing in them is run
        return document
    except pypdfium2.PdfiumError as error:
        if error.err_code == pypdfium2.raw.FPDF_ERR_PASSWORD:
            raise encrypted() from None
        raise
