"""When an entry is suspended, and when an appeal that nobody answered is an alarm."""

from collections.abc import Collection
from datetime import timedelta

from tutela.casework.appeals.model import Sign

ANSWERED_WITHIN = timedelta(hours=24)
WARNINGS = (0.5, 0.75, 1.0)
"""Parts of its time after which an open appeal is an alarm; when it is late, again and again."""
LATE_AGAIN = timedelta(hours=1)
SIGNS_THAT_SUSPEND = 2


def suspends(signs: Collection[Sign]) -> bool:
    """Whether an appeal suspends what it is about. The appeal itself is no sign: anybody can write one."""
    return len(set(signs)) >= SIGNS_THAT_SUSPEND


def next_alarm(received: int, due: int, at: int) -> int:
    """When the next alarm about an open appeal is, in microseconds like the others."""
    coming = [when for part in WARNINGS if (when := received + int((due - received) * part)) > at]
    return coming[0] if coming else at + int(LATE_AGAIN.total_seconds() * 1e6)
