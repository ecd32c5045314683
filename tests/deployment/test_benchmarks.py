"""Every benchmark runs, at its smallest: a benchmark that has rotted shows no figures when they are wanted."""

import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from benchmarks.__main__ import NAMES
from benchmarks.http_screening import processor_s
from tests.support.preloaded import ROOT, start_python
from tutela.deployment.settings.service import OTHER_PREFIXES

QUICK = {"index_speed"}
"""What takes a second."""
ABOUT_STARTS = {"import_time", "service_start"}
"""In these commands are started; in any other they are forked from what has loaded them."""
_STARTING = "from benchmarks.__main__ import main; raise SystemExit(main())"
_FORKING = f"from tests.support.preloaded import commands_are_forked; commands_are_forked(); {_STARTING}"


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.shown) for name in NAMES]
)
def test_it_runs_and_prints_its_table(name):
    environment = {key: value for key, value in os.environ.items() if not key.startswith("HMA_")}
    running = start_python(
        _STARTING if name in ABOUT_STARTS else _FORKING,
        *(name, "--scale", "tiny"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        cwd=ROOT,
    )
    printed, complaints = running.communicate()
    assert running.returncode == 0, complaints[-3000:]
    rows = [line for line in printed.splitlines() if line.startswith("| ")]
    assert len(rows) >= 3  # the heads, the rule, at least one figure
    assert all(line.count("|") == rows[0].count("|") for line in rows[:3])


def test_an_unknown_name_is_refused():
    finished = subprocess.run([sys.executable, "-m", "benchmarks", "no-such"], capture_output=True, text=True)
    assert finished.returncode == 2
    assert "no-such" in finished.stderr


def test_what_a_benchmark_reads_from_its_surroundings_starts_every_service():
    """The services that it starts inherit its variables, and refuse those that they do not know."""
    files = (Path(__file__).parents[2] / "benchmarks").glob("*.py")
    read = {name for file in files for name in re.findall(r'environ[^\n"]*"(TUTELA_\w+)"[\])]', file.read_text())}
    assert len(read) >= 4
    assert {name for name in read if not name.startswith(OTHER_PREFIXES)} == set()


def test_processor_time_never_goes_back_when_a_process_or_a_thread_ends():
    """A worker that is replaced in mid-measurement takes its time with it, and the figure was below 0."""
    figures = [processor_s(os.getpid())]
    child = subprocess.Popen(
        [sys.executable, "-c", "sum(range(5_000_000)); print(flush=True); input()"],
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert child.stdout is not None
    child.stdout.readline()
    figures.append(processor_s(os.getpid()))
    child.communicate("")
    figures.append(processor_s(os.getpid()))
    thread = threading.Thread(target=lambda: sum(range(2_000_000)))
    thread.start()
    thread.join()
    figures.append(processor_s(os.getpid()))
    child_s = figures[1] - figures[0]
    assert child_s > 0.02
    assert figures[2] > figures[1] - 0.02, "counted in ticks of 0.01 s once it has ended"
    assert figures[3] > figures[2]
