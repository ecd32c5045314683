"""Reading JSON answers of other services: every field is checked where it is read."""

import json
from collections.abc import Iterator, Mapping

from tutela.foundation.http import Answer, HttpError
from tutela.lists.exchanges.base import ExchangeError

Document = Mapping[str, object]


def document(answer: Answer, service: str) -> Document:
    """The JSON object of an answer. Raises HttpError when it is cut short: asking again may help."""
    try:
        found = json.loads(answer.body)
    except (ValueError, RecursionError):
        raise HttpError(f"{service}'s answer is cut short or no JSON") from None
    if not isinstance(found, dict):
        raise ExchangeError(f"{service}'s answer is no JSON object")
    return found


def objects(source: Document, name: str, service: str) -> Iterator[Document]:
    """The objects of an array that the answer must have."""
    items = source.get(name)
    if not isinstance(items, list):
        raise ExchangeError(f"{service}'s answer has no list {name!r}")
    for item in items:
        if not isinstance(item, dict):
            raise ExchangeError(f"{service}'s list {name!r} holds something that is no object")
        yield item


def nested(source: Document, name: str) -> Document:
    """An object within, empty where there is none."""
    found = source.get(name)
    return found if isinstance(found, dict) else {}


def items(source: Document, name: str) -> list[Document]:
    """The objects of an array that may be missing."""
    found = source.get(name)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def text(source: Document, name: str) -> str:
    """A field as text, "" where it is missing."""
    found = source.get(name)
    return "" if found is None or isinstance(found, dict | list) else str(found)


def whole(source: Document, name: str) -> int:
    """A field as a whole number, 0 where it is none."""
    try:
        return int(str(source.get(name)))
    except ValueError:
        return 0
