"""Helplines are data: the operator's own first, then the public ones that come with Tutela."""

import tomllib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import BinaryIO

from tutela.errors import InputError


@dataclass(frozen=True, slots=True)
class Helpline:
    """Somebody to talk to."""

    name: str
    reach: str
    note: str


def helplines(home: Path | None) -> Sequence[Helpline]:
    """The helplines of an installation. Raises InputError naming what is wrong with the operator's file."""
    own = home / "helplines.toml" if home else None
    found = _read(own.read_text(encoding="utf-8")) if own is not None and own.exists() else []
    return [*found, *_read((files("tutela.console") / "helplines.toml").read_text(encoding="utf-8"))]


def messages(
    file: BinaryIO, keywords: Collection[str], tags: Collection[str], options: object
) -> Iterator[tuple[int, None, str, list[str]]]:
    """The names and notes of the helplines that come with Tutela, as Babel wants them."""
    for line in tomllib.load(file)["helpline"]:
        yield from ((1, None, line[name], []) for name in ("name", "note"))


def _read(text: str) -> list[Helpline]:
    try:
        listed = tomllib.loads(text)["helpline"]
        return [Helpline(str(item["name"]), str(item["reach"]), str(item.get("note", ""))) for item in listed]
    except (tomllib.TOMLDecodeError, KeyError, TypeError, AttributeError) as error:
        raise InputError("not a file of helplines ([[helpline]] name, reach, note): {error}", error=error) from None
