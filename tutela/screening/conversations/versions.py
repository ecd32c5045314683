"""Versions: the files that training makes, put in place together, with those before beside them for a return."""

import os
from collections.abc import Mapping
from pathlib import Path

from tutela.errors import InputError
from tutela.screening.conversations.model import FILE
from tutela.screening.conversations.vectors import MEMORY

MADE = (FILE, MEMORY)
PREVIOUS = ".previous"


def put_in_place(home: Path, files: Mapping[str, bytes]) -> None:
    """Write what training made, each file whole; those of before, and those that stay, are kept for `take_back`."""
    for name in MADE:
        path, before = home / name, (home / name).with_suffix(PREVIOUS)
        before.unlink(missing_ok=True)
        if path.exists():
            os.link(path, before)
        if name in files:
            beside = path.with_suffix(".new")
            beside.write_bytes(files[name])
            beside.chmod(0o600)
            beside.replace(path)


def take_back(home: Path) -> None:
    """Put the files before the present ones in their place. Raises InputError where there are none."""
    if not (home / FILE).with_suffix(PREVIOUS).exists():
        raise InputError("there is no model before this one")
    for name in MADE:
        path, before = home / name, (home / name).with_suffix(PREVIOUS)
        if before.exists():
            before.replace(path)
        else:
            path.unlink(missing_ok=True)
