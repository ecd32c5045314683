"""What the platform must do: the answer of every screening, check and gateway in one word."""

from enum import StrEnum


class Decision(StrEnum):
    """What the platform must do with the content now."""

    ALLOW = "allow"
    HOLD = "hold"
    """Keep it from everybody until somebody decided."""
    BLOCK = "block"
    """Refuse it."""
