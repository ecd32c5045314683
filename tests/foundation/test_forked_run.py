"""What is loaded and collected once is run and counted as pytest runs and counts it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.preloaded import ROOT
from tests.support.waiting import PATIENCE_S

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="nothing is forked elsewhere")

_TESTS = """
import os, random, sys, pytest

LOADED_BY = os.getpid()

@pytest.mark.parametrize("number", range(20))
def test_many(number):
    assert number != 7

def test_it_is_forked_from_what_loaded_it():
    assert LOADED_BY != os.getpid()
    assert os.environ["PYTEST_XDIST_WORKER"].startswith("gw")
    assert os.environ["OF_THE_CALLER"] == "a value"

def test_it_takes_the_process_with_it():
    os._exit(3)

def test_skipped():
    pytest.skip("for a reason")
"""


def test_every_test_is_counted_and_nothing_goes_on_running(tmp_path: Path) -> None:
    (tmp_path / "test_some.py").write_text(_TESTS)
    (tmp_path / "test_wrong.py").write_text("import nothing_that_is_there")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    environment |= {"OF_THE_CALLER": "a value", "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-m", "tests.support.forked_run", "2", "-q", "-p", "no:cacheprovider"]
    options = ["--rootdir", str(tmp_path), "-c", os.devnull, "--continue-on-collection-errors", str(tmp_path)]
    ran = subprocess.run(
        [*command, *options], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=PATIENCE_S
    )
    assert ran.returncode == 1
    assert "ModuleNotFoundError: No module named 'nothing_that_is_there'" in ran.stdout
    counted = re.search(r"(\d+) failed, (\d+) passed, (\d+) skipped.* (\d+) error", ran.stdout)
    assert counted is not None, ran.stdout
    assert counted.groups() == ("2", "20", "1", "1")
    assert not [process for process in Path("/proc").glob("[0-9]*") if str(tmp_path) in _command_of(process)]


def _command_of(process: Path) -> str:
    try:
        return (process / "cmdline").read_bytes().decode(errors="replace")
    except OSError:  # it has ended
        return ""
