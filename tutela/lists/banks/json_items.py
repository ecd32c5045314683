"""The records of a JSON list, each as soon as it is complete: of an array, or of a Project VIC set.

A set (VICS, OData JSON) is an object with its media in arrays called `Media`, or in `value` itself in earlier versions.
"""

import codecs
import json
import re
from collections.abc import Iterator
from typing import BinaryIO

from tutela.errors import InputError
from tutela.lists.banks.columns import has_hashes

_CHUNK = 1 << 20
_DEEPEST = 64
_HOLDS_MORE = re.compile(r'"media"\s*:|"value"\s*:\s*\[', re.IGNORECASE)
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
    """The media of all cases of a set, and the records that are media themselves."""
    walk = _Walk(text)
    while text.first() == "{":  # some sets are several, one behind the other
        yield from walk.inside()
    if text.first():
        raise InputError("something follows the JSON set")
    if not walk.found:
        raise InputError("the file is neither a JSON array nor a Project VIC set: it has no list of media")


class _Walk:
    """Through an object whose lists may be longer than memory: its media as they come."""

    def __init__(self, text: _Text) -> None:
        self._text = text
        self._decoder = json.JSONDecoder()
        self.found = False
        """Whether there was a list of media, were it empty."""

    def inside(self, depth: int = 0, *, is_record: bool = False) -> Iterator[object]:
        """The media in it; a record itself, too, unless it is but what its media stand in."""
        if depth > _DEEPEST:
            raise InputError("the JSON set is too deeply nested")
        own: dict[str, object] = {}
        is_case = False
        for key in self._keys():
            name, first = key.lower(), self._text.first()
            is_case = is_case or name == "media"
            if first == "[" and name == "media":
                self.found = True
                self._text.at += 1
                yield from _array(self._text)
            elif first == "[" and name == "value" and not is_record:
                self.found = True
                yield from self._each(depth, are_records=True)
            elif first == "[" and not (is_record and has_hashes(key)):
                yield from self._each(depth)
            elif first == "{" and not (is_record and has_hashes(key)):
                yield from self.inside(depth + 1)
            else:
                own[key] = _item(self._text, self._decoder)
        if is_record and (not is_case or any(value and has_hashes(key) for key, value in own.items())):
            yield own

    def _keys(self) -> Iterator[str]:
        """Each key of the object that begins here, when its value is next."""
        text = self._text
        text.at += 1
        while (first := text.first()) != "}":
            if first == ",":
                text.at += 1
                continue
            if first != '"':
                raise InputError("the JSON set is cut short or broken")
            key = _item(text, self._decoder)
            if text.first() != ":":
                raise InputError("the JSON set is cut short or broken")
            text.at += 1
            yield str(key)
        text.at += 1

    def _each(self, depth: int, *, are_records: bool = False) -> Iterator[object]:
        """What is in the objects of the array that begins here."""
        self._text.at += 1
        while (first := self._text.first()) != "]":
            if first == "":
                raise InputError("the JSON array is cut short")
            if first == ",":
                self._text.at += 1
            elif first == "{" and are_records and (item := self._at_once()) is not None:
                yield item
            elif first == "{":
                yield from self.inside(depth + 1, is_record=are_records)
            elif first == "[":
                yield from self._nested(depth)
            else:
                item = _item(self._text, self._decoder)
                if are_records:
                    yield item
        self._text.at += 1

    def _at_once(self) -> object:
        """The record that begins here, where it is here to its end and no list of media is in it."""
        text = self._text
        try:
            item, end = self._decoder.raw_decode(text.buffer, text.at)
        except (json.JSONDecodeError, RecursionError):
            return None
        if _HOLDS_MORE.search(text.buffer, text.at, end):
            return None
        text.at = end
        return item

    def _nested(self, depth: int) -> Iterator[object]:
        if depth > _DEEPEST:
            raise InputError("the JSON set is too deeply nested")
        yield from self._each(depth + 1)


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
