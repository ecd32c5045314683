"""The table of decisions, docs/decisions/index.md: number, title, date and status, as each page says them."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from pages.page import DOCS, Page, PageError, table, with_made_parts

_FOLDER = DOCS / "decisions"
_HEAD = re.compile(r"# (\d+)\. (.+)\n\nDate: (\d{4}-\d\d-\d\d)\. Status: ([^.\n]+)\.")


def pages() -> Iterator[Page]:
    """The page of the table. Raises PageError for a decision without a head, and for two of one number."""
    rows = [_row(path) for path in sorted(_FOLDER.glob("[0-9]*.md"))]
    twice = [number for number, times in Counter(row[0] for row in rows).items() if times > 1]
    if twice:
        raise PageError(f"docs/decisions: two decisions are number {', '.join(twice)}")
    yield with_made_parts(
        _FOLDER / "index.md", "decisions", lambda _: table(("number", "decision", "date", "status"), rows)
    )


def _row(path: Path) -> tuple[str, str, str, str]:
    head = _HEAD.match(path.read_text())
    if head is None or int(head[1]) != int(path.name[:4]):
        raise PageError(
            f"docs/decisions/{path.name} does not begin with '# NUMBER. Title', an empty line, and "
            "'Date: YYYY-MM-DD. Status: accepted.'; its number is that of the file's name"
        )
    return head[1], f"[{head[2]}]({path.name})", head[3], head[4]
