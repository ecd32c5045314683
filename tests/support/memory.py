"""What is in the memory of a process, as whoever is root on its machine reads it."""

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can read the memory of a process that forbids it")


_PAGE = os.sysconf("SC_PAGE_SIZE")
_IN_MEMORY_OR_SWAPPED = np.uint64(3 << 62)


def memory_of(process: int, access: Literal["r", "rw"] = "rw") -> Iterator[bytes]:
    """Every stretch of a process's memory that it can write to, and so can have left something in; or read. Without the
    pages that nothing was ever written to, which are half of it."""
    with Path(f"/proc/{process}/mem").open("rb", 0) as memory:
        for line in Path(f"/proc/{process}/maps").read_text().splitlines():
            found = re.match(rf"(\w+)-(\w+) {access}", line)
            if found is None or line.endswith(("[vvar]", "[vsyscall]")):
                continue
            for begin, end in _pages(process, int(found[1], 16), int(found[2], 16)):
                memory.seek(begin)
                try:
                    yield memory.read(end - begin)
                except OSError:
                    continue


def _pages(process: int, begin: int, end: int) -> Iterator[tuple[int, int]]:
    """Where pages that the process has begin and end, those beside each other together (proc_pid_pagemap(5))."""
    with Path(f"/proc/{process}/pagemap").open("rb", 0) as file:
        file.seek(begin // _PAGE * 8)
        has = np.frombuffer(file.read((end - begin) // _PAGE * 8), np.uint64) & _IN_MEMORY_OR_SWAPPED > 0
    edges = np.flatnonzero(np.diff(np.concatenate([[False], has, [False]]).astype(np.int8)))
    for first, last in edges.reshape(-1, 2).tolist():
        yield begin + first * _PAGE, begin + last * _PAGE


def children_of(process: int) -> list[int]:
    """The processes that a process started, and theirs."""
    tasks = Path(f"/proc/{process}/task").iterdir()
    started = [int(child) for task in tasks for child in (task / "children").read_text().split()]
    return [*started, *(further for child in started for further in children_of(child))]


def stretches(data: bytes, count: int = 2, length: int = 32) -> list[bytes]:
    """A few short stretches of some bytes that chance would not repeat, all from its second half."""
    found = [
        data[begin : begin + length] for begin in range(len(data) // 8, len(data) - length, max(1, len(data) // 40))
    ]
    varied = [stretch for stretch in found if len(set(stretch)) > length // 3]
    return varied[:: max(1, len(varied) // count)][:count]


def traces(process: int, searched: Iterable[bytes]) -> list[bytes]:
    """Which of some stretches are in the memory of a process."""
    left, found = list(searched), []
    for memory in memory_of(process):
        found += [stretch for stretch in left if stretch in memory]
        left = [stretch for stretch in left if stretch not in found]
    return found
