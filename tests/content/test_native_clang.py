"""The native core by Clang, which makes the wheels for macOS: it compiles, and computes the same as GCC's."""

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CLANG = "ziglang==0.17.1"
"""Clang with all that it needs, as a wheel."""
TESTS = ("test_jpeg", "test_letters", "test_links", "test_pdq", "test_views", "test_words")
"""What it computes, beside other libraries, files of known hashes, and patterns."""


@pytest.fixture(scope="session")
def build() -> Path:
    """The module, built once for all the processes that run these tests, and kept for the next run."""
    folder = ROOT / "build" / "clang"
    folder.mkdir(parents=True, exist_ok=True)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    cmake, ninja = shutil.which("cmake", path=path), shutil.which("ninja", path=path)
    assert cmake and ninja
    zig = folder / "zig" / "ziglang" / "zig"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not zig.exists():
            run(
                ROOT / ".ci" / "uv",
                "pip",
                "install",
                "--quiet",
                "--python",
                sys.executable,
                "--target",
                zig.parents[1],
                CLANG,
            )
        core = folder / "core"
        options = ("-G", "Ninja", f"-DCMAKE_MAKE_PROGRAM={ninja}", "-DCMAKE_BUILD_TYPE=Release")
        python = f"-DPython_EXECUTABLE={sys.executable}"
        run(cmake, "-S", ROOT, "-B", core, *options, python, CXX=f"{zig} c++ -mcpu=baseline")
        run(cmake, "--build", core)
    (module,) = core.rglob("_native*.so")
    return module


def run(*command: str | Path, **environment: str) -> str:
    finished = subprocess.run(list(map(str, command)), capture_output=True, text=True, env=os.environ | environment)
    assert finished.returncode == 0, (finished.stdout + finished.stderr)[-4000:]
    return finished.stdout


def test_what_clang_makes_of_the_core_computes_the_same(build: Path) -> None:
    files = [f"tests/content/{name}.py" for name in TESTS]
    pytest_ = (sys.executable, "-m", "pytest", "-q", "-p", "tests.support.other_native", "-m", "not slow", *files)
    said = run(*pytest_, NATIVE_CORE=str(build), TUTELA_TEST_EFFORT="quick", PYTHONPATH=str(ROOT))
    assert " passed" in said
    assert " failed" not in said
