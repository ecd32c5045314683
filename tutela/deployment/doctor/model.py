"""What the doctor says of one thing."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One line of the examination."""

    state: str
    """ok, warn or fail."""
    what: str
    detail: str
