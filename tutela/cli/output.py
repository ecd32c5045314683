"""What the commands print: tables for people, JSON lines for programs, complaints on standard error."""

import json
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from tutela.errors import Statement

if TYPE_CHECKING:
    from rich.progress import Progress


class _Console(Console):
    """A console that says by BrokenPipeError that its reader is gone."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


out = _Console(soft_wrap=True)
err = Console(stderr=True)
_WIDTH_OF_FILES = 10_000

_COLOUR = {"allow": "green", "hold": "yellow", "block": "red", "ok": "green", "warn": "yellow", "fail": "red"}


def visible(text: str) -> str:
    """A text from outside on one line: what a terminal would obey, hide or refuse is written as an escape."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode() for character in text
    )


def complain(message: str) -> None:
    """One red line on standard error."""
    err.print(f"[red]tutela:[/red] {escape(visible(message))}", soft_wrap=True)


def print_json(document: Any) -> None:
    """One JSON line. A statement of an error is told as the sentence that it is."""
    sys.stdout.write(json.dumps(document, default=_told) + "\n")
    sys.stdout.flush()


def _told(value: object) -> str:
    if isinstance(value, Statement):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no form in JSON")


def coloured(word: str) -> str:
    """A decision or a state in its colour."""
    return f"[{_COLOUR.get(word, 'default')}]{escape(word)}[/]"


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]], title: str | None = None) -> None:
    """A table; cells are rich markup, so escape what comes from outside. Nothing in it is cut short."""
    # What is to be copied into the next command stays in one piece.
    headers = [Column(name, overflow="fold", no_wrap=name == "id") for name in columns]
    table = Table(*headers, title=title, title_justify="left", show_edge=False, pad_edge=False)
    for row in rows:
        table.add_row(*map(visible, row))
    # A file or a pipe has no width: a row is a line there.
    console = out if out.is_terminal else _Console(width=_WIDTH_OF_FILES)
    console.print(table, soft_wrap=False)


def progress_bar() -> "Progress":
    """A progress bar on standard error, silent where that is no terminal."""
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        console=err,
        transient=True,
        disable=not err.is_terminal,
    )


def verdict_row(name: str, verdict: dict[str, Any]) -> list[str]:
    """One line of the table of verdicts."""
    matches = [match for match in verdict["matches"] if match["suppressed_by"] is None]
    nearest = matches[0] if matches else None
    why = verdict["reasons"][0]["message"] if verdict["reasons"] else ""
    return [
        escape(name),
        coloured(str(verdict["decision"])),
        escape(f"{nearest['bank']} #{nearest['entry_id']}") if nearest else "",
        f"{nearest['signal']} {nearest['distance']}" if nearest else "",
        escape(_where(nearest) if nearest else why),
        f"{verdict['timings']['total_ms']:.1f}",
    ]


def _where(match: dict[str, Any]) -> str:
    """What a match says, and where: in a part, or at a character of a text."""
    if not match["part"]:
        return str(match["sentence"])
    return f"{match['sentence']}, {'at' if match['part'].startswith('character ') else 'in'} {match['part']}"


VERDICT_COLUMNS = ("picture", "verdict", "entry", "distance", "why", "ms")
