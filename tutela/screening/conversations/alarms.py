"""Alarms: what is brought before people, as values. No text is in one, and no word about what anybody is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from tutela.screening.conversations.levels import Level


@dataclass(frozen=True, slots=True)
class AlarmReason:
    """One thing that an account did, counted. It changes something: without it the score is lower."""

    code: str
    count: int
    people: int
    """Accounts that it was done to."""
    first_at: float
    last_at: float
    """Seconds since the epoch."""
    share: float
    """By how much of its height the score falls without it, 0 to 1."""
    references: tuple[str, ...] = ()
    """The platform's opaque names of the events, latest first."""
    known: str = ""
    """How the ages in it are known, where all are known alike: declared, estimated, assured."""

    def document(self) -> dict[str, Any]:
        """As it is written down."""
        return {
            "code": self.code, "count": self.count, "people": self.people, "first_at": self.first_at,
            "last_at": self.last_at, "share": round(self.share, 3), "references": list(self.references),
            "known": self.known,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of what an account wrote could be read at all: silence about the rest says nothing."""

    messages: int = 0
    """Whose text was scored."""
    not_covered: int = 0
    """Of those, in a language that no scorer reads."""

    def document(self) -> dict[str, int]:
        """As it is answered and written down."""
        return {"messages": self.messages, "language_not_covered": self.not_covered}


@dataclass(frozen=True, slots=True)
class RiskAlarm:
    """An account that came to a level."""

    account: str
    """The platform's opaque name."""
    pseudonym: int
    position: int
    """Of the event that brought it there, in the ledger."""
    at: float
    level: Level
    rules: tuple[str, ...]
    reasons: tuple[AlarmReason, ...]
    features: Mapping[str, float]
    versions: Mapping[str, str]
    """Of the policy and of each scorer."""
    others: tuple[str, ...] = ()
    """Opaque names of who it was done to: for help, never as suspects."""
    lines: tuple[str, ...] = field(default=())
    """Opaque names of the messages with most evidence: the first that are asked for, when a case is open."""
    coverage: Coverage = Coverage()
    event: int = 0
    """The number of that event's id."""

    @property
    def key(self) -> str:
        """The alarm's own name: the same however often, and in whichever shard, its event is judged again."""
        return f"{self.pseudonym:016x}/{self.event or self.position:016x}"

    def document(self) -> dict[str, Any]:
        """As it is written down beside the case; the account's name is only in what is sealed."""
        return {
            "level": self.level.word, "at": self.at, "rules": list(self.rules),
            "reasons": [reason.document() for reason in self.reasons], "features": dict(self.features),
            "versions": dict(self.versions), "lines": list(self.lines), "coverage": self.coverage.document(),
        }  # fmt: skip


class AlarmSink(Protocol):
    """Brings alarms before people: `tutela.casework.cases.contacts.ContactCases`."""

    def sound(self, alarm: RiskAlarm) -> bool:
        """Write an alarm down with its case, audit rows and messages, in one transaction; return when it is durable.

        False where it was written down before. MUST NOT raise for one that was. Raises StoreError, EvidenceError.
        """
        ...

    def offer(self, child: str, notice_id: str) -> None:
        """Have a child shown what an alarm would have it shown, though there is none; once for each notice."""
        ...

    def withdraw(self, notice_ids: str) -> None:
        """Forget the notices that were offered whose ids begin so."""
        ...

    def warn(self, event: str, key: str, facts: Mapping[str, float | str]) -> None:
        """Tell whoever runs the deployment of something that is no account's doing: `risk.drift`, `risk.delayed`.

        Told once for each key.
        """
        ...

    def level_of(self, account: int) -> Level:
        """The highest level that was raised for an account and not cleared."""
        ...

    def to_clear(self) -> Sequence[tuple[str, int]]:
        """Alarms that people decided there was nothing to, with the number of the account; until `cleared`."""
        ...

    def to_restore(self) -> Sequence[tuple[str, int]]:
        """Alarms that were cleared, and whose case was opened again; until `restored`."""
        ...

    def restored(self, alarm_ids: Sequence[str]) -> None:
        """What was counted of those accounts counts again, durably."""
        ...

    def cleared(self, alarm_ids: Sequence[str]) -> None:
        """What was counted of those accounts counts no more, durably."""
        ...
