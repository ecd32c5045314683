"""What the index gets from the lists, changes in the order of their commits, and what it answers: hits."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class ListChange:
    """The current state of one listed value that changed."""

    sequence: int
    key: int
    """The value's name in the store; a key always stands for the same value."""
    value: bytes
    active: bool
    """Whether any entry lists the value now."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A listed value within the radius asked for."""

    key: int
    distance: int


class ChangeFeed(Protocol):
    """Where changes come from: `tutela.lists.banks.service.Banks`."""

    def head(self, signal: str) -> int:
        """The sequence number of the last committed change of that signal type, 0 when there is none."""

    def changes(self, signal: str, after: int, limit: int) -> Sequence[ListChange]:
        """Values changed after that sequence number, by sequence, each at most once and as it is now."""

    def mark(self, name: str) -> None:
        """Write a name down, so that it is in every later state of the lists, and in none that is restored from before.

        Sequence numbers alone cannot tell: lists that were restored from a backup give the same numbers out again.
        """

    def marked(self, name: str) -> bool:
        """Whether the name is written down."""

    def unmark(self, name: str) -> None:
        """Forget a name that nobody asks for any more."""
