"""Reading JSON answers of other services: every field is checked where it is read."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from tutela.foundation.http import Answer, HttpError
from tutela.lists.exchanges.base import ExchangeError, Listing, MalformedError

Document = Mapping[str, object]
Record = TypeVar("Record")
MAX_UNREADABLE_NAMED = 20
"""Of one page; the others are only counted."""


@dataclass(frozen=True, slots=True)
class Readable:
    """What could be read of a page's records."""

    listings: list[Listing]
    rejected: int
    unreadable: tuple[str, ...]
    """As `Page.unreadable`."""


def read_each(records: Iterable[Record], read: Callable[[Record], Listing], page: str) -> Readable:
    """The listings of a page's records. One that is not of the list's form never stops the others.

    `page` names the page for a person. `read` raises MalformedError for a record that it cannot read.
    """
    listings: list[Listing] = []
    unreadable: list[str] = []
    rejected = 0
    for number, record in enumerate(records, start=1):
        try:
            listings.append(read(record))
        except (MalformedError, ValueError, OverflowError) as error:
            rejected += 1
            if len(unreadable) < MAX_UNREADABLE_NAMED:
                unreadable.append(f"{page}, record {number}: {error}")
    return Readable(listings, rejected, tuple(unreadable))


def document(answer: Answer, service: str) -> Document:
    """The JSON object of an answer. Raises HttpError when it is cut short: asking again may help."""
    try:
        found = json.loads(answer.body)
    except (ValueError, RecursionError):
        raise HttpError("{service}'s answer is cut short or no JSON", service=service) from None
    if not isinstance(found, dict):
        raise ExchangeError("{service}'s answer is no JSON object", service=service)
    return found


def records(source: Document, name: str, service: str) -> list[object]:
    """The records of an array that the answer must have, whatever they are."""
    items = source.get(name)
    if not isinstance(items, list):
        raise ExchangeError("{service}'s answer has no list {name!r}", service=service, name=name)
    return items


def fields(record: object) -> Document:
    """The fields of a record. Raises MalformedError where it is no object."""
    if not isinstance(record, dict):
        raise MalformedError("it is no object")
    return record


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
