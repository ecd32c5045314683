"""Waiting for what must come, however slow the machine is: no test may pass or fail by a machine's speed."""

import time
from collections.abc import Callable

PATIENCE_S = 180.0
"""How long a test waits for what must come; it fails after that."""


def wait_until(condition: Callable[[], object], what: str) -> None:
    """Return once the condition holds; fail saying what was waited for."""
    deadline, pause_s = time.monotonic() + PATIENCE_S, 0.005
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain: {what}"
        time.sleep(pause_s)
        pause_s = min(1.2 * pause_s, 0.05)
