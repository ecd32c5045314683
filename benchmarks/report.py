"""How the benchmarks measure and print: interleaved rounds, medians, Markdown tables."""

import platform
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from importlib.metadata import version
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tutela import _native


class Scale(StrEnum):
    """How much is measured."""

    TINY = "tiny"
    USUAL = "usual"
    FULL = "full"


@dataclass
class Table:
    """A Markdown table with a title and a note."""

    title: str
    columns: Sequence[str]
    note: str = ""
    rows: list[Sequence[str]] = field(default_factory=list)

    def add(self, *cells: str) -> None:
        """One more row."""
        if len(cells) != len(self.columns):
            raise ValueError(f"{len(cells)} cells for {len(self.columns)} columns")
        self.rows.append(cells)

    def __str__(self) -> str:
        lines = [self.columns, ["---"] * len(self.columns), *self.rows]
        table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
        return "\n\n".join(part for part in (f"### {self.title}", self.note, table) if part)


def in_turns(
    functions: Sequence[Callable[[], object]], rounds: int, clock: Callable[[], float] = time.perf_counter
) -> list[float]:
    """The median seconds of a call of each, called in turns, so that a noisy moment hits all alike."""
    for function in functions:
        function()
    seconds: list[list[float]] = [[] for _ in functions]
    for _ in range(rounds):
        for function, measured in zip(functions, seconds, strict=True):
            started = clock()
            function()
            measured.append(clock() - started)
    return [statistics.median(measured) for measured in seconds]


def each(function: Callable[[bytes], object], queries: Sequence[bytes]) -> npt.NDArray[np.float64]:
    """The seconds of one call for each query."""
    seconds = np.empty(len(queries))
    for number, query in enumerate(queries):
        started = time.perf_counter()
        function(query)
        seconds[number] = time.perf_counter() - started
    return seconds


def duration(seconds: float) -> str:
    """Three digits and a unit."""
    for unit, factor in (("s", 1.0), ("ms", 1e3), ("µs", 1e6)):
        if seconds * factor >= 1 or unit == "µs":
            return f"{seconds * factor:.3g} {unit}"
    raise AssertionError


def ratio(peer: float, ours: float) -> str:
    """How many times faster ours is."""
    return f"{peer / ours:.3g} ×"


def resident_bytes() -> int:
    """Memory of this process that is not a mapped file."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) * 1024


def machine() -> str:
    """What it is measured on."""
    cpu = next(
        (line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line),
        platform.processor(),
    )
    peers = ", ".join(f"{name} {version(name)}" for name in ("threatexchange", "faiss-cpu", "pdqhash", "simplejpeg"))
    return f"{cpu}, SIMD level {_native.simd()}, Python {platform.python_version()}, {peers}"
