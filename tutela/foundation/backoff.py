"""How long to leave alone what failed: ever longer, not all at the same moment, and as long as it asks for."""

import random
import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

MAX_ASKED_S = 86_400.0
"""A service may ask to be left alone for a day; what it asks beyond that is taken for a mistake."""
_MAX_DOUBLINGS = 30
_chance = random.SystemRandom()


@dataclass(frozen=True, slots=True)
class BackOff:
    """Waits that double with every failure in a row."""

    first_s: float
    longest_s: float

    def wait_s(self, failures: int, asked_s: float | None = None, *, chance: float | None = None) -> float:
        """Seconds to wait after so many failures in a row: doubled each time, then between half and one and a half.

        `asked_s` is what the other side asked for: it is waited at least that long, up to the longest wait. `chance`,
        from 0 to 1, stands for the dice.
        """
        doubled: float = min(self.longest_s, self.first_s * 2 ** min(max(failures, 1) - 1, _MAX_DOUBLINGS))
        wait_s = doubled * (0.5 + (_chance.random() if chance is None else chance))
        return wait_s if asked_s is None else max(wait_s, min(asked_s, self.longest_s))


def around(seconds: float, part: float = 0.2) -> float:
    """About so many seconds, up to that part more or less: whoever waits as long does not come back at once."""
    return seconds * _chance.uniform(1 - part, 1 + part)


def retry_after_s(text: str | None) -> float | None:
    """Seconds that a Retry-After header asks for: a number, or a date (RFC 9110, section 10.2.3). None where it has
    neither."""
    text = (text or "").strip()
    if text.isascii() and text.isdecimal():
        return min(float(text), MAX_ASKED_S)
    moment = http_date(text)
    return None if moment is None else min(max(0.0, moment - time.time()), MAX_ASKED_S)


def http_date(text: str | None) -> float | None:
    """Seconds since the epoch of a date as HTTP writes it (RFC 9110, section 5.6.7); None where it is not one."""
    try:
        return parsedate_to_datetime(text).timestamp() if text else None
    except (ValueError, TypeError, OverflowError):
        return None
