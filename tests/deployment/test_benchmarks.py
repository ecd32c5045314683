"""Every benchmark runs, at its smallest: a benchmark that has rotted shows no figures when they are wanted."""

import os
import subprocess
import sys

import pytest

from benchmarks.__main__ import NAMES

QUICK = {"index_speed", "words"}
"""What takes a second or two."""


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in NAMES]
)
def test_it_runs_and_prints_its_table(name):
    environment = {key: value for key, value in os.environ.items() if not key.startswith("HMA_")}
    finished = subprocess.run(
        [sys.executable, "-m", "benchmarks", name, "--scale", "tiny"],
        capture_output=True,
        text=True,
        env=environment,
    )
    assert finished.returncode == 0, finished.stderr[-3000:]
    rows = [line for line in finished.stdout.splitlines() if line.startswith("| ")]
    assert len(rows) >= 3  # the heads, the rule, at least one figure
    assert all(line.count("|") == rows[0].count("|") for line in rows[:3])


def test_an_unknown_name_is_refused():
    finished = subprocess.run([sys.executable, "-m", "benchmarks", "no-such"], capture_output=True, text=True)
    assert finished.returncode == 2
    assert "no-such" in finished.stderr
