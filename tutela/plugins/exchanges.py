"""For exchanges, the entry points of the group `tutela.exchanges`: an `ExchangeKind` around an `Exchange`."""

from tutela.foundation.http import Http
from tutela.lists.exchanges.answers import document, fields, items, nested, read_each, records, text, whole
from tutela.lists.exchanges.base import (
    Exchange,
    ExchangeError,
    ExchangeKind,
    Feedback,
    Finding,
    Listing,
    MalformedError,
    Opinion,
    Option,
    Page,
    RestartError,
    Share,
)

__all__ = [
    "Exchange",
    "ExchangeError",
    "ExchangeKind",
    "Feedback",
    "Finding",
    "Http",
    "Listing",
    "MalformedError",
    "Opinion",
    "Option",
    "Page",
    "RestartError",
    "Share",
    "document",
    "fields",
    "items",
    "nested",
    "read_each",
    "records",
    "text",
    "whole",
]
