"""Shortened links: which services shorten them, and what is known of where one leads."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from tutela.content.links.link import parse_link

TOTAL_S = 3.0
"""A link is followed for so long."""


@dataclass(frozen=True, slots=True)
class Led:
    """Where a shortened link leads."""

    links: tuple[str, ...] = ()
    """Each hop, the last being where it ends; that one was not asked."""
    complete: bool = True
    """Whether the last is no shortened link any more."""


@cache
def shorteners() -> frozenset[str]:
    """The hosts that are asked."""
    lines = (files("tutela.screening.check") / "shorteners.txt").read_text(encoding="utf-8").splitlines()
    return frozenset(line for line in lines if line and not line.startswith("#"))


def is_shortened(url: str, hosts: Iterable[str] | None = None) -> bool:
    """Whether a link is one of a shortener's."""
    link = parse_link(url)
    known = shorteners() if hosts is None else hosts
    return link is not None and link.host.removeprefix("www.") in known and link.page != f"{link.host}/"
