"""Made-up talk for the tests of conversations: an adult *recruiter* who wants adults for a job of his own, in benign
words, and accounts that do what coaches, teachers and newcomers do. None of it says anything about real grooming.
"""

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tutela.screening.conversations import AgeBand, AgeSource, ConversationOptions, Event, EventKind, Level
from tutela.screening.conversations.alarms import RiskAlarm
from tutela.screening.conversations.service import Conversations

ON = ConversationOptions(enabled=True)
START = 1_790_000_000.0
"""A moment before all of it."""
MINOR: Any = {"recipient_band": AgeBand.FROM_13, "recipient_known": AgeSource.DECLARED}


def requests(
    sender: str, count: int, *, accepted: int, at: float = START, every_s: float = 300.0, moves: int = 0
) -> list[Event]:
    """Contact requests of an adult to strangers under 18, each answered; some then get a handle of elsewhere."""
    events = []
    for number in range(count):
        then, other = at + number * every_s, f"{sender}-to-{number}"
        events.append(
            Event(f"{sender}-r{number}", EventKind.CONTACT_REQUEST, then, sender, other, band=AgeBand.ADULT, **MINOR)
        )
        answer = Event(
            f"{sender}-a{number}", EventKind.CONTACT_ANSWER, then + 20, other, sender, asked=number < accepted
        )
        events.append(answer)
        if number < moves:
            events.append(Event(f"{sender}-m{number}", EventKind.MESSAGE, then + 60, sender, other, moves=True))
    return events


def group_leader(sender: str, members: int, *, at: float = START) -> list[Event]:
    """Somebody who leads a group of young people, writes to all of it, and to some of them alone about it."""
    events = []
    for number in range(members):
        other, then = f"{sender}-member-{number}", at + number * 60
        events += [
            Event(
                f"{sender}-g{number}", EventKind.MESSAGE, then, sender, other, group=True, band=AgeBand.ADULT, **MINOR
            ),
            Event(f"{sender}-p{number}", EventKind.MESSAGE, then + 30, sender, other),
        ]
    return events


def shuffled(events: Sequence[Event], seed: int, within_s: float = 60.0) -> list[Event]:
    """The events as they come when each is late by up to so many seconds."""
    chance = random.Random(seed)
    return sorted(events, key=lambda event: event.at + chance.uniform(0, within_s))


class Desk:
    """Takes alarms, and decides of them when it is told to."""

    def __init__(self) -> None:
        self.alarms: dict[str, RiskAlarm] = {}
        self.clearing: list[tuple[str, int]] = []
        self.restoring: list[tuple[str, int]] = []
        self.warnings: list[tuple[str, dict[str, float | str]]] = []
        self.broken = False

    def sound(self, alarm: RiskAlarm) -> bool:
        if self.broken:
            raise OSError("nothing can be written")
        return self.alarms.setdefault(alarm.key, alarm) is alarm

    def level_of(self, account: int) -> Level:
        return max((one.level for one in self.alarms.values() if one.pseudonym == account), default=Level.NONE)

    def to_clear(self) -> Sequence[tuple[str, int]]:
        return self.clearing

    def cleared(self, alarm_ids: Sequence[str]) -> None:
        self.clearing = []

    def warn(self, event: str, key: str, facts: Mapping[str, float | str]) -> None:
        self.warnings.append((event, dict(facts)))

    def to_restore(self) -> Sequence[tuple[str, int]]:
        return self.restoring

    def restored(self, alarm_ids: Sequence[str]) -> None:
        self.restoring = []


def opened(home: Path, desk: Desk | None, options: ConversationOptions = ON) -> Conversations:
    home.mkdir(exist_ok=True)
    return Conversations(home, lambda name: name.encode().ljust(32, b".")[:32], options, desk)
