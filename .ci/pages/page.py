"""A page as it should be, and the parts of a page that are made: between `<!-- NAME: … -->` and `<!-- /NAME -->`."""

import difflib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


class PageError(Exception):
    """The source and the pages cannot be brought together without a person."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page and the text that it should have."""

    path: Path
    text: str

    def is_stale(self) -> bool:
        """Whether the page has another text."""
        return self.difference() != ""

    def difference(self) -> str:
        """What would change, as a unified diff."""
        now = self.path.read_text() if self.path.exists() else ""
        lines = difflib.unified_diff(now.splitlines(), self.text.splitlines(), "now", "as it should be", "", "", 1, "")
        return "\n".join(lines)


def with_made_parts(path: Path, name: str, make: Callable[[str], str]) -> Page:
    """The page with what stands between its markers NAME made anew; `make` gets what the opening marker says."""
    pattern = re.compile(rf"(<!-- {name}: (.*?) -->\n\n).*?(<!-- /{name} -->)", re.DOTALL)
    return Page(path, pattern.sub(lambda found: f"{found[1]}{make(found[2]).strip()}\n\n{found[3]}", path.read_text()))


def table(columns: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """A Markdown table."""
    lines = [columns, ("---",) * len(columns), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)
