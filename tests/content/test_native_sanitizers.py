"""The native core under AddressSanitizer and UndefinedBehaviorSanitizer: its own tests, and every fuzz target."""

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.effort import effort
from tests.support.pictures import file_of, photos

ROOT = Path(__file__).parents[2]
ROUNDS = effort(400, 100_000)


@pytest.fixture(scope="session")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sanitizer build of the native core: one for all the processes that run these tests, kept for the next run."""
    _need_sanitizers(tmp_path_factory.mktemp("probe"))
    folder = ROOT / "build" / "sanitizers"
    folder.mkdir(parents=True, exist_ok=True)
    tools = Path(sys.executable).parent
    path = f"{tools}{os.pathsep}{os.environ['PATH']}"
    cmake, ninja = shutil.which("cmake", path=path), shutil.which("ninja", path=path)
    assert cmake and ninja
    options = ("-G", "Ninja", f"-DCMAKE_MAKE_PROGRAM={ninja}", "-DTUTELA_SANITIZE=ON", "-DCMAKE_BUILD_TYPE=Release")
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        run(cmake, "-S", ROOT, "-B", folder, *options)
        run(cmake, "--build", folder)
    return folder / "native" / "tests"


def _need_sanitizers(folder: Path) -> None:
    probe = folder / "probe.cpp"
    probe.write_text("int main() { return 0; }\n")
    compiler = os.environ.get("CXX") or shutil.which("c++") or shutil.which("g++") or "c++"
    command = [compiler, "-fsanitize=address,undefined", str(probe), "-o", str(folder / "probe")]
    if subprocess.run(command, capture_output=True).returncode != 0:
        pytest.skip("this compiler has no sanitizer libraries")


def run(*command: str | Path) -> str:
    finished = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr[-4000:]
    return finished.stdout


def test_kernels_are_clean_and_agree_at_every_level(build: Path, tmp_path: Path) -> None:
    assert run(build / "native_tests", tmp_path / "seed.segment") == "ok\n"


def test_no_picture_makes_pdq_leave_its_bounds(build: Path) -> None:
    assert run(build / "fuzz_pdq", str(ROUNDS), "1") == f"{ROUNDS} rounds\n"


def test_no_file_makes_the_jpeg_decoder_leave_its_bounds(build: Path, tmp_path: Path) -> None:
    kinds = ({}, {"subsampling": 0}, {"restart_marker_blocks": 2}, {"optimize": True}, {"quality": 100})
    progressive = [{"progressive": True, **kind} for kind in kinds]
    for number, options in enumerate([*kinds, *progressive]):
        (tmp_path / f"{number}.jpg").write_bytes(file_of(photos()[0].resize((150, 110)), "JPEG", **options))
    (tmp_path / "long.jpg").write_bytes(file_of(photos()[0].resize((320, 240)), "JPEG", quality=98))
    assert run(build / "fuzz_jpeg", str(ROUNDS), "1", *sorted(tmp_path.glob("*.jpg"))) == f"{ROUNDS} rounds\n"


def test_no_picture_and_no_corners_make_views_leave_their_bounds(build: Path) -> None:
    rounds = ROUNDS // 3
    assert run(build / "fuzz_views", str(rounds), "1") == f"{rounds} rounds\n"


def test_no_file_makes_a_segment_leave_its_bounds(build: Path, tmp_path: Path) -> None:
    run(build / "native_tests", tmp_path / "seed.segment")
    assert run(build / "fuzz_segment", str(ROUNDS), "1") == f"{ROUNDS} rounds\n"
    rounds = ROUNDS // 5
    assert run(build / "fuzz_segment", str(rounds), "2", tmp_path / "seed.segment") == f"{rounds} rounds\n"


def test_no_list_makes_a_search_differ_from_reading_all(build: Path) -> None:
    rounds = ROUNDS // 3
    assert run(build / "fuzz_search", str(rounds), "1") == f"{rounds} rounds\n"


def test_no_bytes_make_the_digests_leave_their_bounds(build: Path) -> None:
    assert run(build / "fuzz_digests", str(ROUNDS), "1") == f"{ROUNDS} rounds\n"


def test_no_link_and_no_text_make_links_and_words_leave_their_bounds(build: Path) -> None:
    assert run(build / "fuzz_links", str(ROUNDS), "1") == f"{ROUNDS} rounds\n"
