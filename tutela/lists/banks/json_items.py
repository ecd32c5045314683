"""The records of a JSON list, each as soon as it is complete: of an array, or of a Project VIC set.

A set (VICS, OData JSON) is an object with its media in arrays called `Media`, or in `value` itself in earlier versions.
"""

import codecs
import json
import re
from collections.abc import Iterator
from typing import BinaryIO

from tutela.errors import InputError

_CHUNK = 1 << 20
_MEDIA = re.compile(r'(?<!\\)"Media"\s*:\s*\[', re.IGNORECASE)
_VALUE = re.compile(r'(?<!\\)"value"\s*:\s*\[', re.IGNORECASE)
_LONGEST_KEY = 64
_BLANK = re.compile(r"[ \t\r\n]*")


class _Text:
    """The file's text, as far as it was read; what is before `at` was used."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")()
        self.buffer = ""
        self.at = 0
        self.ended = False

    def more(self) -> bool:
        """Read on, and forget what was used; whether anything may have come."""
        if self.ended:
            return False
        raw = self._stream.read(_CHUNK)
        self.ended = not raw
        try:
            self.buffer, self.at = self.buffer[self.at :] + self._decoder.decode(raw, final=not raw), 0
        except UnicodeDecodeError:
            raise InputError("the file is not UTF-8") from None
        return True

    def first(self) -> str:
        """The next character that is not blank; empty at the end."""
        while True:
            at = _BLANK.match(self.buffer, self.at)
            self.at = at.end() if at else self.at
            if self.at < len(self.buffer) or not self.more():
                return self.buffer[self.at : self.at + 1]


def json_items(stream: BinaryIO) -> Iterator[object]:
    """The items. Raises InputError where the file as a whole is broken."""
    text = _Text(stream)
    match text.first():
        case "[":
            text.at += 1
            yield from _array(text)
            if text.first():
                raise InputError("something follows the JSON array")
        case "{":
            yield from _set(text)
        case "":
            return
        case _:
            raise InputError("the file is not a JSON array")


def _set(text: _Text) -> Iterator[object]:
    """The media of all cases of a set."""
    while len(text.buffer) < _CHUNK and text.more():
        pass
    beginning = _MEDIA if _MEDIA.search(text.buffer) else _VALUE
    found = False
    while True:
        if (beginning_at := beginning.search(text.buffer, text.at)) is not None:
            found, text.at = True, beginning_at.end()
            yield from _array(text)
            continue
        text.at = max(text.at, len(text.buffer) - _LONGEST_KEY)
        if not text.more():
            break
    if not found:
        raise InputError("the file is neither a JSON array nor a Project VIC set: it has no list of media")


def _array(text: _Text) -> Iterator[object]:
    """The items up to the end of an array whose beginning was read."""
    decoder = json.JSONDecoder()
    while True:
        match text.first():
            case "":
                raise InputError("the JSON array is cut short")
            case "]":
                text.at += 1
                return
            case ",":
                text.at += 1
                continue
        yield _item(text, decoder)


def _item(text: _Text, decoder: json.JSONDecoder) -> object:
    while True:
        try:
            item, end = decoder.raw_decode(text.buffer, text.at)
        except (json.JSONDecodeError, RecursionError) as error:
            if len(text.buffer) - text.at <= _CHUNK and text.more():
                continue
            raise InputError("the JSON array is broken: {error}", error=error) from None
        if end == len(text.buffer) and text.more():
            continue  # a number may go on in what was not read yet
        text.at = end
        return item
