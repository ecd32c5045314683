"""Waiting for what must come, however slow the machine is: no test may pass or fail by a machine's speed."""

import socket
import time
from collections.abc import Callable
from pathlib import Path

PATIENCE_S = 180.0
"""How long a test waits for what must come; it fails after that."""


def is_read(connection: socket.socket) -> bool:
    """Whether a program on this machine has read all that was sent to it over TCP."""
    ours, theirs = (f":{place[1]:04X}" for place in (connection.getsockname(), connection.getpeername()))
    for line in Path("/proc/self/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[1].endswith(theirs) and fields[2].endswith(ours):
            return fields[4].endswith(":00000000")
    return False


def wait_until(condition: Callable[[], object], what: str) -> None:
    """Return once the condition holds; fail saying what was waited for."""
    deadline, pause_s = time.monotonic() + PATIENCE_S, 0.005
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain: {what}"
        time.sleep(pause_s)
        pause_s = min(1.2 * pause_s, 0.05)
