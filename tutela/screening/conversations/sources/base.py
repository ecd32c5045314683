"""What a source of events is: a broker's topic in partitions, each of which one process reads at a time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

Begin = Callable[[int], int | None]
"""Takes a partition's shard over; where its source goes on, None while another process still has the shard."""
End = Callable[[int], None]
"""Lets go of a partition's shard."""


@dataclass(frozen=True, slots=True)
class Portion:
    """Messages of one partition, in their order."""

    partition: int
    messages: Sequence[bytes]
    following: int
    """Where the source goes on behind them; what a shard keeps, and gives back when it is taken over."""


class Source(Protocol):
    """Where events come from. To add one: a file here, an extra in pyproject.toml, a line in `sources/__init__.py`.

    Which process reads a partition is the broker's to say; that no two judge it is the shard's lock's. Where reading
    begins is what the shard has durably, never what the broker thinks was read.
    """

    @property
    def partitions(self) -> int:
        """How many there are. Raises InputError, StoreError where the broker cannot be asked."""
        ...

    def join(self, begin: Begin, end: End) -> None:
        """Take part from here on."""
        ...

    def poll(self, timeout_s: float) -> Sequence[Portion]:
        """What has come, at most a thousand messages a partition; calls `begin` and `end` as partitions move.

        Raises StoreError where the broker does not answer.
        """
        ...

    def taken(self, portion: Portion) -> None:
        """A portion is durable in its shard: the broker may know it, and forget it."""
        ...

    def close(self) -> None:
        """Leave; partitions move at once. Calls `end` for each."""
        ...
