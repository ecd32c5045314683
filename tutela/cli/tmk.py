"""Comparing `.tmk` files from the command line."""

from collections.abc import Sequence
from pathlib import Path

from rich.markup import escape

from tutela.cli.output import print_json, print_table
from tutela.content.signals.tmk_file import MAX_FILE, TmkFile, compare, read_tmk
from tutela.errors import InputError


def compare_files(first: Path, others: Sequence[Path], *, as_json: bool) -> int:
    """Print how alike the first is to each of the others. Returns the exit code. Raises InputError for a bad file."""
    one, matched, rows = _read(first), False, []
    for path in others:
        likeness = compare(one, _read(path))
        matched |= likeness.matches
        if as_json:
            scores = {"level_1": round(likeness.level_1, 6), "level_2": round(likeness.level_2, 6)}
            print_json({"path": str(path), **scores, "matches": likeness.matches})
        else:
            verdict = "match" if likeness.matches else "no match"
            rows.append([escape(str(path)), f"{likeness.level_1:.6f}", f"{likeness.level_2:.6f}", verdict])
    if not as_json:
        print_table(("file", "level 1", "level 2", "both at 0.7"), rows)
    return int(matched)


def _read(path: Path) -> TmkFile:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE + 1)
    except OSError as error:
        raise InputError("{path} cannot be read: {why}", path=path, why=error.strerror) from error
    try:
        return read_tmk(data)
    except InputError as error:
        raise InputError("{path}: {error}", path=path, error=error) from error
