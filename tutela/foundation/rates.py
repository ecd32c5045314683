"""Rate limits: counts in fixed windows of time, for each caller, in this process.

What is over is forgotten as new windows open, which costs a request a microsecond; the memory of the `limits` package
starts a thread for that every few requests.
"""

import threading
import time
from dataclasses import dataclass

from tutela.errors import InputError

_FORGET_EVERY = 1000
_PERIODS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400}


@dataclass(frozen=True, slots=True)
class Rate:
    """So many times in a period."""

    amount: int
    period_s: int

    @classmethod
    def read(cls, text: str) -> "Rate":
        """A rate such as 1000/second, 20/minute, 10/hour. Raises InputError."""
        amount, _, period = text.partition("/")
        if not (amount.isascii() and amount.isdecimal()) or int(amount) < 1 or period not in _PERIODS:
            raise InputError(
                "{text!r} is not a rate: use a number and a period, such as 1000/second or 10/hour", text=text[:40]
            )
        return cls(int(amount), _PERIODS[period])


class Windows:
    """Counts of one process. Thread-safe."""

    def __init__(self) -> None:
        self._windows: dict[tuple[str, str], tuple[float, int]] = {}
        """By what is counted: when the window ends, and how much happened in it."""
        self._opened = 0
        self._lock = threading.Lock()

    def hit(self, rate: Rate, what: str, who: str = "") -> bool:
        """Count one more; False when the rate does not allow it."""
        now = time.monotonic()
        with self._lock:
            end, count = self._windows.get((what, who), (0.0, 0))
            if now >= end:
                end, count = now + rate.period_s, 0
                self._forget(now)
            self._windows[what, who] = (end, count + 1)
        return count < rate.amount

    def full(self, rate: Rate, what: str, who: str = "") -> bool:
        """Whether one more would be too many; nothing is counted."""
        with self._lock:
            end, count = self._windows.get((what, who), (0.0, 0))
        return time.monotonic() < end and count >= rate.amount

    def _forget(self, now: float) -> None:
        self._opened += 1
        if self._opened % _FORGET_EVERY == 0:
            self._windows = {key: window for key, window in self._windows.items() if window[0] > now}
