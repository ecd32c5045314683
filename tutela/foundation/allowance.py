"""An allowance of what is short, places or bytes of memory: whoever would take too much is turned away at once.

Nobody takes more than a share of it, so that one who takes all he can keeps no other out. Thread-safe; nothing waits.
"""

import threading
from collections import Counter
from types import TracebackType

from tutela.errors import BusyError


class Allowance:
    """So much of something, taken by those who ask and given back by them."""

    def __init__(self, what: str, total: int, *, share: float = 0.5) -> None:
        """`what` is said to whoever is turned away; one asker has at most that share of the total, but always one."""
        self._what = what
        self._total = total
        self._most = max(1, int(total * share))
        self._lock = threading.Lock()
        self._taken: Counter[str] = Counter()

    def take(self, who: str, amount: int = 1) -> "Taken":
        """So much of it, until it is given back. Raises BusyError."""
        taken = Taken(self, who)
        taken.grow(amount)
        return taken

    @property
    def free(self) -> int:
        """How much nobody has."""
        with self._lock:
            return self._total - self._taken.total()

    def _grow(self, who: str, amount: int) -> None:
        with self._lock:
            if self._taken.total() + amount > self._total or self._taken[who] + amount > self._most:
                if not self._taken[who]:
                    del self._taken[who]
                raise BusyError(f"{self._what}: ask again in a moment")
            self._taken[who] += amount

    def _give_back(self, who: str, amount: int) -> None:
        with self._lock:
            self._taken[who] -= amount
            if not self._taken[who]:
                del self._taken[who]


class Taken:
    """What somebody has of an allowance. Use it as a context manager, or give it back."""

    def __init__(self, allowance: Allowance, who: str) -> None:
        self._allowance = allowance
        self._who = who
        self._amount = 0

    def grow(self, amount: int) -> None:
        """Take more. Raises BusyError, and what was taken stays taken."""
        self._allowance._grow(self._who, amount)
        self._amount += amount

    def give_back(self) -> None:
        """Let others have it."""
        amount, self._amount = self._amount, 0
        self._allowance._give_back(self._who, amount)

    def __enter__(self) -> "Taken":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.give_back()
