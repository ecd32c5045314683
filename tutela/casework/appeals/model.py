"""Appeals as values: which entry each is about, what points to an error, and when it must be answered."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class AppealState(StrEnum):
    """Whether an appeal is still to be answered."""

    OPEN = "open"
    LIFTED = "lifted"
    """The entry was an error, and counts no more."""
    UPHELD = "upheld"
    """The entry stays."""


class Sign(StrEnum):
    """What points to an error, whoever appeals. Nobody outside can make two of them by writing appeals."""

    SHARED_HOST = "shared-host"
    """The host belongs to many, and no two curators confirmed the entry."""
    SURGE = "surge"
    """It is asked for far more often than others of its list: known material is not."""
    ALLOW_LIST = "allow-list"
    """An allow list has the same value."""
    GIVEN_UP = "given-up"
    """Another source that listed the same value took it back, or a person set it aside."""


@dataclass(frozen=True, slots=True)
class AppealReceipt:
    """What whoever appealed is given."""

    id: str
    due_at: datetime


@dataclass(frozen=True, slots=True)
class Appeal:
    """One appeal."""

    id: str
    reference: str
    entry_id: int
    case_id: str
    state: AppealState
    signs: tuple[Sign, ...]
    suspended: tuple[int, ...]
    """The entries that count for nothing until it is answered."""
    received_at: datetime
    due_at: datetime
    alarms: int
    wants_answer: bool
    """Whether the sealed words have an address to answer to."""
    answered_at: datetime | None
    answered_by: str | None

    @property
    def late(self) -> bool:
        """Whether it was answered after its time."""
        return self.answered_at is not None and self.answered_at > self.due_at
