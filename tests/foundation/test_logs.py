"""The logs of a service: JSON lines of one form, whoever writes them."""

import json
import subprocess
import sys

WRITING = """
import logging, structlog
from tutela.foundation.logs import configure_logs
configure_logs()
structlog.get_logger("tutela.access").info("request", status=200)
structlog.get_logger("tutela.access").debug("nobody needs this")
logging.getLogger("library").warning("something is %s", "odd")
try:
    1 / 0
except ZeroDivisionError:
    structlog.get_logger("tutela.api").exception("it failed")
    logging.getLogger("library").exception("it failed")
"""


def test_lines_of_ours_and_of_libraries_have_one_form():
    written = subprocess.run([sys.executable, "-c", WRITING], check=True, capture_output=True, text=True)
    assert written.stdout == ""
    lines = [json.loads(line) for line in written.stderr.splitlines()]
    assert all(line.pop("timestamp").endswith("Z") for line in lines)
    failures = [line.pop("exception") for line in lines if "exception" in line]
    assert [failure.splitlines()[-1] for failure in failures] == ["ZeroDivisionError: division by zero"] * 2
    assert lines == [
        {"event": "request", "status": 200, "level": "info", "logger": "tutela.access"},
        {"event": "something is odd", "level": "warning", "logger": "library"},
        {"event": "it failed", "level": "error", "logger": "tutela.api"},
        {"event": "it failed", "level": "error", "logger": "library"},
    ]


UNREADABLE = """
import os, sys, structlog
from tutela.foundation.logs import configure_logs
reader, writer = os.pipe()
os.dup2(writer, 2)
os.close(writer), os.close(reader)
configure_logs()
for _ in range(3):
    structlog.get_logger("tutela.access").info("request")
print("goes on", flush=True)
os._exit(0)
"""


def test_nobody_reading_the_log_stops_nothing():
    answer = subprocess.run([sys.executable, "-c", UNREADABLE], capture_output=True, text=True)
    assert (answer.returncode, answer.stdout) == (0, "goes on\n")
