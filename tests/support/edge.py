"""The edge library, built as an app builds it."""

import ctypes
import fcntl
import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NATIVE, BUILD = ROOT / "native", ROOT / "build" / "edge"


PROCESSORS = {"avx2": "x86-64-v3", "avx512": "x86-64-v4"}
"""The processors that an app may be built for, by the core's name of their SIMD level."""


def built_edge_library(level: str = "baseline") -> Path:
    """The library, by its own build file's flags; skips the test where there is no compiler.

    It takes five seconds: tests and their workers share what was made from the same sources with the same flags.
    """
    sources = [NATIVE / "edge" / "tutela_edge.cpp", NATIVE / "talk.cpp", NATIVE / "words.cpp"]
    # Of newer processors with -O3, which makes most of their vector instructions.
    optimised = ["-O2"] if level == "baseline" else ["-O3", f"-march={PROCESSORS[level]}"]
    flags = ["-std=c++20", *optimised, "-fPIC", "-shared", "-ffp-contract=off"]
    compiler = shutil.which(os.environ.get("CXX", "c++"))
    if compiler is None:
        pytest.skip("there is no C++20 compiler")
    command = [compiler, *flags, *map(str, sources)]
    version = subprocess.run([compiler, "--version"], capture_output=True, check=False).stdout
    read = [path.read_bytes() for path in sorted(NATIVE.rglob("*.[ch]*")) if path.is_file()]
    digest = hashlib.sha256(b"\0".join([" ".join(command).encode(), version, *read])).hexdigest()
    target = BUILD / f"{digest}.so"
    target.parent.mkdir(parents=True, exist_ok=True)
    with (BUILD / f"{digest}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.exists():
            made = target.with_suffix(".made")
            if subprocess.run([*command, "-o", str(made)], check=False).returncode != 0:
                pytest.skip("there is no C++20 compiler")
            made.replace(target)
    return target


def opened_edge_library(library: Path) -> ctypes.CDLL:
    """Its functions, with what they take and give."""
    edge = ctypes.CDLL(str(library))
    edge.tutela_edge_open.restype = ctypes.c_void_p
    edge.tutela_edge_score.restype = ctypes.c_float
    edge.tutela_edge_score.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_void_p]
    edge.tutela_edge_close.argtypes = [ctypes.c_void_p]
    return edge
