"""What text in a body carries: fields of forms, JSON, addresses. Each file in it is a piece, and so is the text itself:
a drawing, a mail or numbers in a row are text, and an application may keep them as a file.

Formats: RFC 8259, RFC 2397, RFC 4648, WHATWG URL 5.1.
"""

import base64
import binascii
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from tutela.content.media.plain import SMALLEST_PICTURE, is_text
from tutela.content.media.sniff import MediaType, sniff
from tutela.errors import InputError

MAX_TEXT = 16 * 1024 * 1024
"""The longest text that is read; what is longer is no form of a browser."""
MAX_FIELDS = 1_000
_MOST_PIECES = 4 * MAX_FIELDS
"""Each is screened by itself; a part that is a file may have more of them in its text."""
_BASE64 = re.compile(r"[A-Za-z0-9+/_\-\s]{128,}+={0,2}+\s*+")
_DATA = re.compile(r"\s*data:([^,]*),(.*)", re.DOTALL | re.IGNORECASE)
_EMBEDDED = re.compile(r";\s*+base64,([A-Za-z0-9+/=_%\-]++)", re.IGNORECASE)
_MOST_BEFORE = 205
_BEFORE_EMBEDDED = re.compile(r"data:[^,\"'<>]{0,200}+\Z", re.IGNORECASE)
"""What an address begins with. It is looked for from its end: from each beginning, spaces would be read again."""
_BEGINS_JSON = re.compile(r"\s*+[\[{\"]")
_URLENCODED = re.compile(r"[A-Za-z0-9*\-._~!'()+%&=]*")
"""What a form is made of that a browser or a library encoded."""
_MARKUP = (MediaType.HTML, MediaType.SVG)
_SHORT_MARKUP = 16 * 1024
"""Posts and mails are exported by thousands in one body: shorter ones are drawn where they stand, in one text."""
_END = object()
_DEEPEST = 4
"""So often JSON may lie in a text of JSON."""


class FormError(InputError):
    """A body cannot be read in the one way in which everybody reads it."""

    code = "form"


@dataclass(frozen=True, slots=True)
class CarriedText:
    """Text of a body. It is searched like any file, but nobody has to expect files of text to let it pass."""

    content: bytes


Piece = memoryview | bytes | CarriedText
Found = Piece | str
"""A piece, or text that is searched together with the other texts of the body."""


def with_words(found: Iterable[Found]) -> Iterator[Piece]:
    """The pieces, and at last all texts as one piece, unless they are too short to show anything. Raises FormError."""
    said: list[str] = []
    count = 0
    for each in found:
        if isinstance(each, str):
            said.append(each)
            continue
        count += 1
        if count > _MOST_PIECES:
            raise FormError("a body has too many files in it")
        yield each
    whole = "\n\n".join(said).encode("utf-8", "replace")
    if len(whole) >= SMALLEST_PICTURE:
        yield CarriedText(whole)


def text_of(content: memoryview | bytes) -> str:
    """Text that has to be UTF-8. Raises FormError."""
    if len(content) > MAX_TEXT:
        raise FormError("a form of text is too long")
    try:
        return bytes(content).decode()
    except UnicodeDecodeError as error:
        raise FormError("a form of text is not UTF-8") from error


def in_field(content: memoryview | bytes) -> Iterator[Found]:
    """What the value of a field carries; where it is no text, it is a file, whatever was said of it. Raises
    FormError."""
    try:
        text = bytes(content).decode() if len(content) <= MAX_TEXT else None
    except UnicodeDecodeError:
        text = None
    if text is not None and "\x00" not in text:
        yield from in_text(text)
    elif text is None and len(content) <= MAX_TEXT and sniff(content) is None and is_text(content):
        yield CarriedText(bytes(content))
    elif len(content):
        yield content


def in_urlencoded(text: str) -> Iterator[Found]:
    """What the fields carry, and the text as a whole where no browser encoded it so: it may be a file that only says
    that it is a form. Raises FormError."""
    if not _URLENCODED.fullmatch(text):
        yield from _itself(text)
    fields = text.split("&")
    if len(fields) > MAX_FIELDS:
        raise FormError("a form has too many fields")
    for field in fields:
        for said in field.partition("=")[::2]:
            yield from in_field(unquote_to_bytes(said.replace("+", " ")))


def in_json(text: str) -> Iterator[Found]:
    """What the strings in JSON carry, and its numbers. Raises FormError."""
    values = _parsed(text)
    if values is None:
        raise FormError("a body that says it is JSON is none")
    yield from _said_in(values, 0)


def in_text(text: str, depth: int = 0) -> Iterator[Found]:
    """What a text carries, and the text itself. Raises FormError."""
    values = _parsed(text) if depth < _DEEPEST and len(text) >= SMALLEST_PICTURE and _BEGINS_JSON.match(text) else None
    if values is not None:
        yield from _said_in(values, depth)
        return
    yield from _carried(text)
    yield from _itself(text)


def _said_in(values: list[object], depth: int) -> Iterator[Found]:
    """What the strings among values of JSON carry, in their order, and the numbers in a row: bytes, perhaps."""
    waiting = [iter(values)]
    numbers: list[str] = []
    while waiting:
        value = next(waiting[-1], _END)
        if value is _END:
            waiting.pop()
        elif isinstance(value, str):
            yield from in_text(value, depth + 1)
        elif isinstance(value, list):
            waiting.append(iter(value))
        elif isinstance(value, int | float) and -128 <= value < 256 and value == int(value):
            numbers.append(str(int(value)))
    yield ", ".join(numbers)


def _parsed(text: str) -> list[object] | None:
    """The values of JSON, objects as lists of names and values: a name may come twice. None of anything else."""
    try:
        return [json.loads(text, object_pairs_hook=lambda items: [part for item in items for part in item])]
    except (ValueError, RecursionError):
        return None


def _carried(text: str) -> Iterator[Piece]:
    """A file that a text carries: a `data:` address, or long base64."""
    if found := _DATA.fullmatch(text):
        kind, data = found.groups()
        content = _base64(data) if "base64" in kind.lower() else unquote_to_bytes(data)
        if content is None:
            raise FormError("the data of an address cannot be decoded")
        yield content
        return
    if _BASE64.fullmatch(text):
        content = _base64(text)
        if content is not None and sniff(content) is not None:  # else a token, a signature, a long word
            yield content
        return
    for found in _EMBEDDED.finditer(text):
        if not _BEFORE_EMBEDDED.search(text, max(0, found.start() - _MOST_BEFORE), found.start()):
            continue
        content = _base64(found[1])
        if content is None:
            raise FormError("the data of an address cannot be decoded")
        yield content


def _itself(text: str) -> Iterator[Found]:
    """A text as a file of its own, where it is one; as bytes, where each of its letters stands for one."""
    if len(text) < SMALLEST_PICTURE:
        yield text
        return
    content = text.encode("utf-8", "replace")
    kind = sniff(content)
    if kind in _MARKUP and len(content) < _SHORT_MARKUP:
        yield text
    elif kind is not None:
        yield CarriedText(content)
    elif (read := _as_bytes(text)) is not None and sniff(read) is not None:
        yield read
    elif is_text(content):
        yield text
    else:
        yield content


def _as_bytes(text: str) -> bytes | None:
    try:
        return None if text.isascii() else text.encode("latin-1")
    except UnicodeEncodeError:
        return None


def _base64(text: str) -> bytes | None:
    plain = re.sub(r"\s+", "", unquote_to_bytes(text).decode("ascii", "replace") if "%" in text else text)
    plain = plain.replace("-", "+").replace("_", "/").rstrip("=")
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None
