"""Files that text carries as text: `data:` addresses, base64, hexadecimal, uuencode; and drawings that stand in it."""

import re
from collections.abc import Iterator
from itertools import chain

from tutela.content.media.confined.budget import Budget
from tutela.content.media.confined.carver import carve
from tutela.content.media.confined.encodings import addresses_in, files_in, readings_of, runs_in
from tutela.content.media.confined.joined import files_through_blanks, joined, without_asides
from tutela.content.media.confined.paired import paired
from tutela.content.media.confined.parts import InnerFile, Part, Unread, encrypted
from tutela.content.media.content import Content
from tutela.content.media.sniff import MediaType

_DRAWING = re.compile(rb"<(?:[\w.\x80-\xff-]+:)?svg\b", re.IGNORECASE)
_DRAWING_END = re.compile(rb"</(?:[\w.\x80-\xff-]+:)?svg\s*>", re.IGNORECASE)
_LOCKED = re.compile(rb"-----BEGIN PGP MESSAGE-----|-----BEGIN AGE ENCRYPTED FILE-----")
_PICTURES = (b"image/", b"video/", b"application/")


class EncodedText:
    """Whatever is encoded in the text, as it stands and as a browser reads it."""

    def parts(self, content: Content, budget: Budget) -> Iterator[Part]:
        text = content.text
        for number, found in enumerate(_found(text, content.media_type, budget), start=1):
            name, data, speculative = found
            budget.spend_bytes(len(data))
            yield InnerFile(name or f"embedded {number}", data, speculative=speculative)
        if b"-" in text and _LOCKED.search(text):
            yield Unread("message", encrypted())
        # What is of no known type is known to be text; what is, begins like text and may go on otherwise.
        if content.media_type is not None and not content.is_text:
            yield from carve(memoryview(content.data), budget)


def _found(text: bytes, media_type: MediaType | None, budget: Budget) -> Iterator[tuple[str, bytes, bool]]:
    """(name, bytes, whether it is a guess) of everything in every reading of the text; the same bytes come once."""
    seen: set[tuple[int, bool]] = set()
    for name, data in files_in(text, budget):
        yield name, data, name == "escaped"
    for name, data, speculative in _in_readings(text, media_type, budget):
        digest = hash(data)
        if (digest, False) not in seen and (digest, speculative) not in seen:  # said to be a picture is more
            seen.add((digest, speculative))
            yield name, data, speculative


def _in_readings(text: bytes, media_type: MediaType | None, budget: Budget) -> Iterator[tuple[str, bytes, bool]]:
    plain = without_asides(text)
    strings = list(joined(plain))
    yield from (("", string, True) for string in strings if b"<" in string)  # a page, perhaps
    for reading in chain(readings_of(text), strings):
        yield from _carried_by(reading, budget)
        if media_type is not MediaType.SVG and b"<" in reading:
            for begin, end in paired(reading, _DRAWING.finditer(reading), _DRAWING_END):
                yield "", reading[begin.start() : end.end()], True
    if plain != text:  # drawings are read with their comments
        yield from _carried_by(plain, budget)


def _carried_by(text: bytes, budget: Budget) -> Iterator[tuple[str, bytes, bool]]:
    for said, data in addresses_in(text):
        yield "", data, not said.startswith(_PICTURES)
    for data in chain(runs_in(text, budget), files_through_blanks(text)):
        yield "", data, True
