"""Where an account is in a finished file of the ledger: a sorted table beside the file, made when it is first asked
for, so that nobody's reasons cost a reading of all that happened in a month.
"""

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt

ROW = np.dtype("<u8")
"""The lower half of an account's number, and behind it where a batch with it begins. Whoever looks there looks for the
whole number."""
_HALF = 0xFFFFFFFF


class LedgerIndex:
    """The tables of a folder's files. What is written under a file's lock stands for the file as it is."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def offsets(self, file: Path, account: int) -> list[int] | None:
        """Where the batches begin that may have an account in them, in order; None where there is no table yet."""
        path = self._path(file)
        if not path.exists():
            return None
        rows = np.memmap(path, ROW, "r") if path.stat().st_size else np.zeros(0, ROW)
        first = (account & _HALF) << 32
        begin, end = np.searchsorted(rows, np.array([first, first | _HALF], ROW))
        return [int(row) & _HALF for row in rows[begin:end]]

    def write(self, file: Path, batches: Iterable[tuple[int, npt.NDArray[np.uint64]]]) -> None:
        """The table of a file's batches, each by where it begins, with the accounts in it."""
        parts = [accounts << np.uint64(32) | np.uint64(offset) for offset, accounts in batches]
        rows = np.sort(np.concatenate(parts)) if parts else np.zeros(0, ROW)
        rows = rows[np.diff(rows, prepend=ROW.type(0)) > 0]
        path = self._path(file)
        beside = path.with_suffix(".new")
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as target:
            target.write(rows.tobytes())
        beside.replace(path)

    def drop(self, file: Path) -> None:
        """Remove the tables of a file that goes, or is written anew."""
        for path in self._folder.glob(f"{file.stem}.*"):
            if path != file:
                path.unlink(missing_ok=True)

    def _path(self, file: Path) -> Path:
        """Of the file as it is: another one of that name has another table."""
        known = file.stat()
        return self._folder / f"{file.stem}.{known.st_ino}-{known.st_mtime_ns}.index"
