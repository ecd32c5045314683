"""Links in documents and messages: in their text as it stands and without its markup, and behind what is clicked in a
PDF.

Runs inside an isolated worker. Nothing is ever fetched.
"""

import html
import io
import re
from collections.abc import Iterator

from tutela.content.links.finder import MAX_LINKS, find_links
from tutela.content.media.content import Content
from tutela.content.media.sniff import MediaType

MAX_LETTERS = 2_000_000
"""Of all texts of one piece of content together."""
_TAG = re.compile(r"<[^<>]{0,4096}>")
_MAY_HOLD = re.compile(rb"[:./\\]|dot|%2e|&#", re.IGNORECASE)


class Hyperlinks:
    """Collects the links of one piece of content, part by part; each once."""

    def __init__(self) -> None:
        self._found: dict[str, str] = {}
        self._told = 0
        self._letters = 0
        self.complete = True
        """Whether all text was looked at, and all links are there."""

    def add(self, content: Content, path: str) -> None:
        """What is in one part."""
        for text in self._texts(content):
            room = MAX_LETTERS - self._letters
            if len(text) > room:
                self.complete = False
                text = text[:room]
            self._letters += len(text)
            for link in find_links(text):
                if len(self._found) >= MAX_LINKS:
                    self.complete = False
                    return
                self._found.setdefault(link.url, path)

    def take(self) -> list[tuple[str, str]]:
        """The links since the last call, each with the part that it lies in."""
        found = list(self._found.items())
        new, self._told = found[self._told :], len(found)
        return new

    def _texts(self, content: Content) -> Iterator[str]:
        if content.media_type is MediaType.PDF:
            yield from _in_pdf(content.data)
        elif content.data and content.is_text:
            raw = content.text
            if not _MAY_HOLD.search(raw):
                return
            text = raw.decode("utf-8", "replace")
            yield text
            shown = html.unescape(_TAG.sub("", text)) if "<" in text or "&" in text else text
            if shown != text:
                yield shown  # a link may be written over several tags, or in character references


def _in_pdf(data: bytes | memoryview) -> Iterator[str]:
    """The addresses of a PDF's actions (ISO 32000, 12.6.4.8), and the text of its pages."""
    import pikepdf
    import pypdfium2

    with pikepdf.open(io.BytesIO(bytes(data))) as document:
        for item in document.objects:
            if isinstance(item, pikepdf.Dictionary):
                yield from _addresses(item, 0)
    reading = pypdfium2.PdfDocument(bytes(data))
    try:
        for page in reading:
            yield page.get_textpage().get_text_bounded()
    finally:
        reading.close()


def _addresses(item: "object", depth: int) -> Iterator[str]:
    import pikepdf

    if depth > 8:
        return
    if isinstance(item, pikepdf.Dictionary):
        for key, value in item.items():
            if key in ("/URI", "/F", "/UF") and isinstance(value, pikepdf.String):
                yield str(value)
            elif not getattr(value, "is_indirect", False):
                yield from _addresses(value, depth + 1)
    elif isinstance(item, pikepdf.Array):
        for value in item:
            if not getattr(value, "is_indirect", False):
                yield from _addresses(value, depth + 1)
