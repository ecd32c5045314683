"""How long the library takes to import and the command line to answer, beside the `threatexchange` package's."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.report import Scale, Table, duration, in_turns

_COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "import numpy": [sys.executable, "-c", "import numpy"],
    "import tutela": [sys.executable, "-c", "import tutela"],
    "import threatexchange's PDQ": [sys.executable, "-c", "import threatexchange.signal_type.pdq.signal"],
    "tutela --help": [sys.executable, "-m", "tutela", "--help"],
    "threatexchange --help": [str(Path(sys.executable).with_name("threatexchange")), "--help"],
}


def run(scale: Scale) -> Iterator[Table]:
    """One table: commands by their time."""
    table = Table("Import and command line", ("command", "whole process"), "Median; the bare interpreter is included.")
    rounds = {Scale.TINY: 1, Scale.USUAL: 7, Scale.FULL: 21}[scale]
    functions = [
        lambda command=command: subprocess.run(command, check=True, capture_output=True)
        for command in _COMMANDS.values()
    ]
    for name, seconds in zip(_COMMANDS, in_turns(functions, rounds), strict=True):
        table.add(name, duration(seconds))
    yield table
