"""Levels: what an account's risk asks of people, never of the account."""

from enum import IntEnum


class Level(IntEnum):
    """A level opens a case, or shows a child help; it is never a penalty."""

    NONE = 0
    NOTICE = 1
    """The child is shown neutral safety words and help; nobody is named, no case is opened."""
    REVIEW = 2
    """A case for people who are trained for it."""
    URGENT = 3
    """The same, and now: help for the child goes first."""

    @property
    def word(self) -> str:
        """As files and answers write it."""
        return self.name.lower()
