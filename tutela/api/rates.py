"""How often something may happen: counts in fixed windows of time, by whoever does it.

The memory of the `limits` package starts a thread for every few requests to forget what is over; here what is over is
forgotten as new windows open, which costs a request a microsecond.
"""

import time

from limits import RateLimitItem

_FORGET_EVERY = 1000


class Windows:
    """Counts of one process. Used by one event loop, not by several threads."""

    def __init__(self) -> None:
        self._windows: dict[tuple[str, str], tuple[float, int]] = {}
        """By what is counted: when the window ends, and how much happened in it."""
        self._opened = 0

    def hit(self, rate: RateLimitItem, what: str, who: str) -> bool:
        """Count one more; False when the rate does not allow it."""
        now = time.monotonic()
        end, count = self._windows.get((what, who), (0.0, 0))
        if now >= end:
            end, count = now + rate.get_expiry(), 0
            self._forget(now)
        self._windows[what, who] = (end, count + 1)
        return count < rate.amount

    def _forget(self, now: float) -> None:
        self._opened += 1
        if self._opened % _FORGET_EVERY == 0:
            self._windows = {key: window for key, window in self._windows.items() if window[0] > now}
