"""The tables of files on the pages of rooms: each row is a file and the first sentence of its docstring.

A marker names files of the repository: `<!-- files: tutela/lists/*.py -tutela/lists/rebuild.py -->`; `**` goes down,
`-` leaves out. Every file of the package is on exactly one page.
"""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from pages.page import DOCS, ROOT, Page, PageError, table, with_made_parts

_PLACES = ("tutela", "native")
_KINDS = {".py", ".cpp", ".hpp"}
_UNLISTED = re.compile(r"store/migrations/|native/(tests|fuzz)/")
"""Folders whose files go without a row each: the page says what the folder is."""


def pages() -> Iterator[Page]:
    """Every page with a table of files. Raises PageError for a file on no page or on two, or without a docstring."""
    listed: defaultdict[Path, list[str]] = defaultdict(list)

    def files(page: Path, marker: str) -> str:
        found = _files(marker)
        if not found:
            raise PageError(f"{page.relative_to(ROOT)}: there are no files {marker!r}")
        for file in found:
            listed[file].append(page.name)
        return table(("file", "what it is"), _rows(found))

    for page in sorted((DOCS / "rooms").glob("*.md")):
        yield with_made_parts(page, "files", lambda marker, page=page: files(page, marker))
    everything = {file for place in _PLACES for file in (ROOT / place).rglob("*") if _has_row(file)}
    lost = [f"{file.relative_to(ROOT)} is on no page of docs/rooms" for file in sorted(everything - listed.keys())]
    twice = [f"{file.relative_to(ROOT)} is on several pages: {on}" for file, on in listed.items() if len(on) > 1]
    if lost or twice:
        raise PageError("\n".join(lost + twice))


def _files(marker: str) -> list[Path]:
    words = marker.split()
    left_out = {file for word in words if word.startswith("-") for file in ROOT.glob(word[1:])}
    found = {file for word in words if not word.startswith("-") for file in ROOT.glob(word)}
    return sorted(file for file in found - left_out if _has_row(file))


def _has_row(file: Path) -> bool:
    if file.suffix not in _KINDS or _UNLISTED.search(file.as_posix()):
        return False
    return file.name != "__init__.py"


def _rows(files: list[Path]) -> Iterator[tuple[str, str]]:
    """A row for each file; the header and the source of a native pair share one."""
    above = Path(*_common_parts([file.parent for file in files]))
    by_name: defaultdict[Path, list[Path]] = defaultdict(list)
    for file in files:
        by_name[file.with_suffix("") if file.suffix != ".py" else file].append(file)
    for same in by_name.values():
        first, *others = sorted(same, key=lambda file: file.suffix != ".hpp")
        names = [f"`{first.relative_to(above)}`", *(f"`{other.suffix}`" for other in others)]
        yield ", ".join(names), _sentence(first)


def _common_parts(folders: list[Path]) -> tuple[str, ...]:
    parts = folders[0].parts
    for folder in folders:
        while folder.parts[: len(parts)] != parts:
            parts = parts[:-1]
    return parts


def _sentence(file: Path) -> str:
    """The first sentence of a file's docstring or first comment. Raises PageError where there is none."""
    text = file.read_text()
    said = ast.get_docstring(ast.parse(text)) if file.suffix == ".py" else _comment(text)
    if not said:
        raise PageError(f"{file.relative_to(ROOT)} does not begin by saying what it is for")
    paragraph = " ".join(said.partition("\n\n")[0].split())
    sentence = re.match(r"(.+?(?<!e\.g)(?<!i\.e))\.(?= [A-Z`]|$)", paragraph)
    return (sentence[1] if sentence else paragraph).rstrip(".")


def _comment(text: str) -> str:
    lines = [line.removeprefix("//").strip() for line in re.match(r"(?://.*\n)*", text)[0].splitlines()]  # type: ignore[index]
    return "\n".join(lines)
