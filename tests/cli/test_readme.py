"""The README's first commands, run as they are printed."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.service import free_port

ROOT = Path(__file__).parents[2]
_BLOCK = re.compile(r"^```\w*\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.mark.shown
def test_the_readmes_commands_work_as_printed(tmp_path):
    """All but `pip install`; on a port that is free, and with one worker."""
    blocks = _BLOCK.findall((ROOT / "README.md").read_text())
    (screening,) = [block for block in blocks if "list.csv" in block]
    (serving,) = [block for block in blocks if "curl" in block]
    port = free_port()
    assert "serve --port 8080 --workers 4 &" in serving
    screening = screening.replace("pip install", ": pip install")
    serving = serving.replace("8080", str(port)).replace("--workers 4", "--workers 1")
    serving = serving.replace("curl ", "curl --silent --retry 60 --retry-delay 1 --retry-all-errors ")
    script = f"{screening}\necho status $?\n{serving}\nkill %1; wait %1"
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    told = os.environ | {"TUTELA_HOME": str(tmp_path / "home"), "PATH": path, "TUTELA_DECODERS": "1"}
    done = subprocess.run(["bash", "-c", script], cwd=ROOT, env=told, capture_output=True, text=True, timeout=300)
    assert "2 lines: 1 listed" in done.stdout, done.stdout + done.stderr
    assert "status 1" in done.stdout, done.stdout + done.stderr
    assert '"decision":"block"' in done.stdout, done.stdout + done.stderr
