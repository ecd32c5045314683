"""PDF (ISO 32000) through PDFium: every page as it is shown, the pictures in it as they are stored, attached files."""

import ctypes
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import xxhash

from tutela.content.media.confined.budget import Budget, BudgetSpentError
from tutela.content.media.confined.carver import carve
from tutela.content.media.confined.containers.base import (
    InnerFile,
    InnerPicture,
    Part,
    Unread,
    encrypted,
    file_over,
    unreadable,
)
from tutela.content.media.content import Content, Mode, Picture, Shortcoming
from tutela.content.media.sniff import MediaType, sniff
from tutela.errors import UnscreenableError

if TYPE_CHECKING:
    from pypdfium2 import PdfBitmap, PdfDocument, PdfImage, PdfPage

SHORT_SIDE = 512
"""Pixels of a page that is drawn."""
LONG_SIDE = 2048
_IN_MEMORY = 64 * 1024 * 1024
_MAX_NESTING = 8


class Pdf:
    """Page by page; then what is attached; then pictures that no page shows."""

    def parts(self, content: Content, budget: Budget) -> Iterator[Part]:
        document = _open(memoryview(content.data))
        try:
            seen: set[bytes] = set()
            for number in range(len(document)):
                yield from _page(document, number, content.mode, budget, seen)
            yield from _attachments(document, budget)
        finally:
            document.close()
        for part in carve(memoryview(content.data)):
            if sniff(part.data) is MediaType.JPEG:
                yield part


def _open(data: memoryview) -> "PdfDocument":
    try:
        import pypdfium2
    except ImportError:
        raise UnscreenableError(Shortcoming.UNSUPPORTED_TYPE, "PDF needs the extra tutela[archives]") from None
    try:
        return pypdfium2.PdfDocument(bytes(data) if len(data) <= _IN_MEMORY else file_over(data))
    except pypdfium2.PdfiumError as error:
        if error.err_code == pypdfium2.raw.FPDF_ERR_PASSWORD:
            raise encrypted() from None
        raise


def _page(document: "PdfDocument", number: int, mode: Mode, budget: Budget, seen: set[bytes]) -> Iterator[Part]:
    name = f"page {number + 1}"
    budget.spend_part()
    try:
        page = document[number]
    except Exception as error:
        yield Unread(name, unreadable("the page", error))
        return
    try:
        yield InnerPicture(name, _drawn(page, mode))
        yield from _pictures(page, name, mode, budget, seen)
    except BudgetSpentError:
        raise
    except Exception as error:
        yield Unread(name, unreadable("the page", error))
    finally:
        page.close()


def _drawn(page: "PdfPage", mode: Mode) -> Picture:
    width, height = page.get_size()
    scale = SHORT_SIDE / max(1.0, min(width, height))
    scale = min(scale, LONG_SIDE / max(1.0, width, height))
    return _picture(page.render(scale=scale, draw_annots=True), mode)


def _pictures(page: "PdfPage", within: str, mode: Mode, budget: Budget, seen: set[bytes]) -> Iterator[Part]:
    from pypdfium2.raw import FPDF_PAGEOBJ_IMAGE

    for number, image in enumerate(page.get_objects([FPDF_PAGEOBJ_IMAGE], max_depth=_MAX_NESTING), start=1):
        name = f"picture {number}"
        budget.check_time()
        try:
            part = _stored(image, name, within, mode, budget)
        except BudgetSpentError:
            raise
        except Exception as error:
            yield Unread(name, unreadable("the picture", error), within)
            continue
        shown = part.picture.pixels.data if isinstance(part, InnerPicture) else part.data
        if (digest := xxhash.xxh3_128_digest(shown)) not in seen:
            seen.add(digest)
            yield part


def _stored(image: "PdfImage", name: str, within: str, mode: Mode, budget: Budget) -> InnerFile | InnerPicture:
    """A JPEG as the file that was put into the document, so that its digest is known too; another decoded."""
    if image.get_filters(skip_simple=True) == ["DCTDecode"]:
        data = bytes(image.get_data(decode_simple=True))
        budget.spend_bytes(len(data))
        return InnerFile(name, data, within)
    width, height = image.get_px_size()
    if width * height > budget.limits.max_pixels:
        raise UnscreenableError(
            Shortcoming.TOO_MANY_PIXELS,
            f"{width:,} x {height:,} pixels are over the limit of {budget.limits.max_pixels:,}",
        )
    budget.spend_part()
    budget.spend_bytes(width * height)
    return InnerPicture(name, _picture(image.get_bitmap(), mode), within=within)


def _picture(bitmap: "PdfBitmap", mode: Mode) -> Picture:
    try:
        image = bitmap.to_pil().convert("RGB" if mode is Mode.EXACT else "L")
    finally:
        bitmap.close()
    return Picture(np.ascontiguousarray(np.asarray(image)), image.width, image.height)


def _attachments(document: "PdfDocument", budget: Budget) -> Iterator[Part]:
    for number in range(document.count_attachments()):
        name = f"attachment {number + 1}"
        try:
            attachment = document.get_attachment(number)
            name = attachment.get_name() or name
            data = ctypes.string_at(buffer := attachment.get_data(), len(buffer))
        except Exception as error:
            yield Unread(name, unreadable("the attached file", error))
            continue
        budget.spend_bytes(len(data))
        yield InnerFile(name, data)
