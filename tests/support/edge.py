"""The edge library, built as an app builds it."""

import ctypes
import os
import subprocess
from pathlib import Path

import pytest

NATIVE = Path(__file__).parents[2] / "native"


PROCESSORS = {"avx2": "x86-64-v3", "avx512": "x86-64-v4"}
"""The processors that an app may be built for, by the core's name of their SIMD level."""


def built_edge_library(folder: Path, level: str = "baseline") -> Path:
    """The library, by its own build file's flags; skips the test where there is no compiler."""
    target = folder / "libtutela_edge.so"
    sources = [NATIVE / "edge" / "tutela_edge.cpp", NATIVE / "talk.cpp", NATIVE / "words.cpp"]
    # Of newer processors with -O3, which makes most of their vector instructions.
    optimised = ["-O2"] if level == "baseline" else ["-O3", f"-march={PROCESSORS[level]}"]
    flags = ["-std=c++20", *optimised, "-fPIC", "-shared", "-ffp-contract=off"]
    built = subprocess.run([os.environ.get("CXX", "c++"), *flags, *map(str, sources), "-o", str(target)], check=False)
    if built.returncode != 0:
        pytest.skip("there is no C++20 compiler")
    return target


def opened_edge_library(library: Path) -> ctypes.CDLL:
    """Its functions, with what they take and give."""
    edge = ctypes.CDLL(str(library))
    edge.tutela_edge_open.restype = ctypes.c_void_p
    edge.tutela_edge_score.restype = ctypes.c_float
    edge.tutela_edge_score.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_void_p]
    edge.tutela_edge_close.argtypes = [ctypes.c_void_p]
    return edge
