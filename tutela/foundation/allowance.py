"""An allowance of what is short, places or bytes of memory: a request for too much is refused at once.

The last quarter is for those who have little, so that one who takes all he can keeps no other out. Thread-safe.
"""

import threading
from types import TracebackType

from tutela.errors import BusyError


class Allowance:
    """So much of something, taken by those who ask and given back by them."""

    def __init__(self, what: str, total: int) -> None:
        """`what` is said to whoever is turned away."""
        self._what = what
        self._total = total
        self._kept = total // 4
        self._lock = threading.Lock()
        self._taken: dict[str, int] = {}
        self._all = 0
        """What everybody has together."""

    def take(self, who: str, amount: int = 1) -> "Taken":
        """So much of it, until it is given back. Raises BusyError."""
        taken = Taken(self, who)
        if amount:
            taken.grow(amount)
        return taken

    @property
    def free(self) -> int:
        """How much nobody has."""
        with self._lock:
            return self._total - self._all

    def _grow(self, who: str, amount: int) -> None:
        with self._lock:
            taken, own = self._all + amount, self._taken.get(who, 0) + amount
            if taken > self._total or (taken > self._total - self._kept and own > self._kept):
                raise BusyError("{what}: ask again in a moment", what=self._what)
            self._taken[who], self._all = own, taken

    def _give_back(self, who: str, amount: int) -> None:
        with self._lock:
            left = self._taken.get(who, 0) - amount
            self._all -= amount
            if left > 0:
                self._taken[who] = left
            else:
                self._taken.pop(who, None)


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

    def shrink(self, amount: int) -> None:
        """Let others have so much of it."""
        self._amount -= amount
        self._allowance._give_back(self._who, amount)

    def give_back(self) -> None:
        """Let others have it all."""
        self.shrink(self._amount)

    def __enter__(self) -> "Taken":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.give_back()
