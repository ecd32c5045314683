"""The PyPI package `vpdq` in a Python of its own: hashes files and prints the frames as JSON, with the seconds it took.

It is built from source: `apt-get install libavcodec-dev libavformat-dev libswscale-dev libavdevice-dev libavfilter-dev
pkg-config cmake`, then `python -m venv peer && peer/bin/pip install vpdq`, and
TUTELA_BENCHMARK_VPDQ_PYTHON=peer/bin/python.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

MISSING = "_the package `vpdq` is not there: set TUTELA_BENCHMARK_VPDQ_PYTHON, see benchmarks/peer_vpdq.py_"


@dataclass(frozen=True)
class Hashed:
    """What the package made of one file."""

    frames: list[tuple[bytes, int, float]]
    """(hash, quality, seconds)."""
    seconds: float
    """Processor time that it took."""


def peer_python() -> str | None:
    """The Python that has the package."""
    return os.environ.get("TUTELA_BENCHMARK_VPDQ_PYTHON")


def hash_files(paths: Sequence[Path], seconds_per_hash: float = 1.0) -> list[Hashed]:
    """The package's hashes of files, on one core with one hashing thread."""
    python = peer_python()
    assert python is not None
    finished = subprocess.run(
        [python, __file__, str(seconds_per_hash), *map(str, paths)], stdout=subprocess.PIPE, check=True, text=True
    )
    return [
        Hashed([(bytes.fromhex(value), quality, at) for value, quality, at in document["frames"]], document["seconds"])
        for document in map(json.loads, finished.stdout.splitlines())
    ]


def _main() -> None:
    import vpdq  # type: ignore[import-not-found]

    for path in sys.argv[2:]:
        started = time.process_time()
        frames = vpdq.computeHash(path, seconds_per_hash=float(sys.argv[1]), thread_count=1)
        seconds = time.process_time() - started
        rows = [(frame.hex, frame.quality, frame.timestamp) for frame in frames]
        print(json.dumps({"frames": rows, "seconds": seconds}))


if __name__ == "__main__":
    _main()
