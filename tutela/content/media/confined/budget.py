"""What looking into one piece of content may cost: bytes, parts, depth and time, over everything nested in it.

A bomb is recognised by what has come out of it so far, not by what it claims.
"""

import contextlib
import time
from collections.abc import Iterator

from tutela.content.media.content import Shortcoming
from tutela.content.media.limits import Limits
from tutela.errors import UnscreenableError

FREE_BYTES = 64 * 1024 * 1024
"""So much may come out of any content, whatever the ratio."""
_SHARE_OF_TIME = 0.8
"""Looking ends before the worker's own time does, so that what was found is still answered."""


class BudgetSpentError(UnscreenableError):
    """Nothing more of the whole content is looked at. What was found until then counts."""

    code = "budget-spent"


class Budget:
    """Counts down. Every method raises BudgetSpentError once its limit is passed."""

    def __init__(self, limits: Limits, byte_length: int) -> None:
        """A budget for content of so many bytes; its time begins now."""
        self.limits = limits
        self._bytes = min(limits.max_expanded_bytes, max(FREE_BYTES, limits.max_ratio * byte_length))
        self._parts = limits.max_parts
        self._depth = 0
        self._deadline = time.process_time() + limits.timeout_s * _SHARE_OF_TIME

    @property
    def bytes_left(self) -> int:
        """How many bytes may still come out of containers."""
        return self._bytes

    def spend_bytes(self, count: int) -> None:
        """So many bytes came out of a container."""
        self._bytes -= count
        if self._bytes < 0:
            raise BudgetSpentError(
                Shortcoming.EXPANDS_TOO_FAR, "more bytes come out of the content than the limits allow"
            )
        self.check_time()

    def spend_part(self) -> None:
        """One more file, page or frame is looked at."""
        self._parts -= 1
        if self._parts < 0:
            raise BudgetSpentError(
                Shortcoming.TOO_MANY_PARTS,
                "only the first {max_parts:,} parts were looked at",
                max_parts=self.limits.max_parts,
            )
        self.check_time()

    def check_time(self) -> None:
        """Whether there is time left."""
        if time.process_time() > self._deadline:
            raise BudgetSpentError(
                Shortcoming.TIMEOUT,
                "only a part could be looked at within {timeout_s:g} s",
                timeout_s=self.limits.timeout_s,
            )

    @contextlib.contextmanager
    def deeper(self) -> Iterator[None]:
        """One level down. Raises UnscreenableError where that is too deep: this part ends, the others go on."""
        if self._depth >= self.limits.max_depth:
            raise UnscreenableError(
                Shortcoming.TOO_DEEP,
                "it lies deeper than {max_depth} containers in each other",
                max_depth=self.limits.max_depth,
            )
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1
