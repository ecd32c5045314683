"""Files that a peer names by their path, where an operator allows it: only below configured roots, no link followed.

Each step is opened beneath the one before it, so that nobody who can rename a folder meanwhile leads us elsewhere.
"""

import errno
import os
import stat
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY | os.O_CLOEXEC
_MAX_DEPTH = 64


@dataclass(frozen=True, slots=True)
class FoundBeneath:
    """A file, or what cannot be opened."""

    path: str
    descriptor: int | None
    """Open to read until the next one is asked for. None where it cannot be opened, or is a link or no file."""


class Roots:
    """The folders below which paths are read."""

    def __init__(self, folders: Sequence[str]) -> None:
        self._folders = [PurePosixPath(os.path.realpath(folder)) for folder in folders]

    def files(self, path: str) -> Generator[FoundBeneath, None, None]:
        """The file of that path, or every file below that folder.

        Raises FileNotFoundError, PermissionError where it lies below no root.
        """
        asked = PurePosixPath(path)
        if not asked.is_absolute() or ".." in asked.parts or "\x00" in path:
            raise FileNotFoundError(errno.ENOENT, "not an absolute path")
        root = next((folder for folder in self._folders if asked.is_relative_to(folder)), None)
        if root is None:
            raise PermissionError(errno.EACCES, "below no root")
        parent = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            steps = asked.relative_to(root).parts
            for step in steps[:-1]:
                child = os.open(step, _FOLDER, dir_fd=parent)
                os.close(parent)
                parent = child
            yield from _below(parent, steps[-1] if steps else ".", path, 0)
        finally:
            os.close(parent)


def _below(parent: int, name: str, path: str, depth: int) -> Generator[FoundBeneath, None, None]:
    kind = os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode
    if not stat.S_ISDIR(kind):
        descriptor = _opened(parent, name) if stat.S_ISREG(kind) else None
        try:
            yield FoundBeneath(path, descriptor)
        finally:
            if descriptor is not None:
                os.close(descriptor)
        return
    if depth >= _MAX_DEPTH:
        yield FoundBeneath(path, None)
        return
    try:
        folder = os.open(name, _FOLDER, dir_fd=parent)
    except OSError:
        yield FoundBeneath(path, None)
        return
    try:
        for child in sorted(os.listdir(folder)):  # noqa: PTH208  # of an open folder, which has no path
            try:
                yield from _below(folder, child, f"{path.rstrip('/')}/{child}", depth + 1)
            except FileNotFoundError:
                continue  # it went away meanwhile
    finally:
        os.close(folder)


def _opened(parent: int, name: str) -> int | None:
    try:
        return os.open(name, _FILE, dir_fd=parent)
    except OSError:
        return None
