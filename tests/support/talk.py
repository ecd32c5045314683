"""Made-up talk for the tests of conversations: an adult *recruiter* who wants adults for a job of his own, in benign
words, and accounts that do what coaches, teachers and newcomers do. None of it says anything about real grooming.
"""

import json
import random
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
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
        self.offered: dict[str, str] = {}

    def sound(self, alarm: RiskAlarm) -> bool:
        if self.broken:
            raise OSError("nothing can be written")
        return self.alarms.setdefault(alarm.key, alarm) is alarm

    def offer(self, child: str, notice_id: str) -> None:
        self.offered.setdefault(notice_id, child)

    def withdraw(self, notice_ids: str) -> None:
        self.offered = {one: child for one, child in self.offered.items() if not one.startswith(notice_ids)}

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


def town(seed: int, people: int, start: float) -> list[Event]:
    """What many accounts do to each other, in the order of time: some of it leads to each level, most to nothing."""
    chance, events = random.Random(seed), []
    for number in range(people):
        name, at = f"p{seed}-{number}", int(start) + chance.randrange(3_000)
        match number % 6:
            case 0:
                events += requests(
                    name, 25, accepted=chance.randint(2, 7), moves=chance.randint(0, 6), at=at, every_s=60
                )
            case 1:
                events += group_leader(name, 12, at=at)
            case 2:
                kid = f"{name}-kid"
                events += [
                    Event(f"{name}-1", EventKind.CONTACT_REQUEST, at, name, kid, **MINOR),
                    Event(f"{name}-2", EventKind.MEDIA, at + 60, name, kid, asked=True),
                    Event(f"{name}-3", EventKind.PAYMENT, at + 400, name, kid, asked=True),
                ]
            case 3:  # ages are told once, and those who are met block
                events.append(
                    Event(f"{name}-age", EventKind.PROFILE, at, name, band=AgeBand.ADULT, known=AgeSource.DECLARED)
                )
                for other in range(5):
                    kid = f"{name}-k{other}"
                    events += [
                        Event(f"{kid}-age", EventKind.PROFILE, at, kid, band=AgeBand.FROM_13, known=AgeSource.DECLARED),
                        Event(f"{kid}-m", EventKind.MESSAGE, at + 60 + other, name, kid),
                        Event(f"{kid}-b", EventKind.BLOCK, at + 90 + other, kid, name),
                    ]
            case 4:  # whoever was written to first only answers
                for other in range(15):
                    kid = f"{name}-q{other}"
                    events += [
                        Event(f"{kid}-q", EventKind.MESSAGE, at + other, kid, name, band=AgeBand.FROM_13),
                        Event(f"{kid}-s", EventKind.MESSAGE, at + 30 + other, name, kid, band=AgeBand.ADULT),
                    ]
            case _:
                events.append(Event(f"{name}-m", EventKind.MESSAGE, at, name, f"p{seed}-{chance.randrange(people)}-x"))
    return sorted(events, key=lambda event: event.at)


def sent(event: Event) -> bytes:
    """An event as a service sends it."""
    document: dict[str, object] = {
        "id": event.id, "type": event.kind.value, "at": datetime.fromtimestamp(event.at, UTC).isoformat(),
        "from": event.sender, "from_age": _AGES[event.band], "from_age_known": event.known.name.lower(),
        "to_age": _AGES[event.recipient_band], "to_age_known": event.recipient_known.name.lower(),
    }  # fmt: skip
    document |= {"to": event.recipient} if event.recipient else {}
    document |= {"text": event.text} if event.text else {}
    document |= {name: True for name in ("asked", "acquainted", "group", "moves", "role") if getattr(event, name)}
    return json.dumps(document).encode()


_AGES = {
    AgeBand.UNKNOWN: "unknown",
    AgeBand.UNDER_13: "under-13",
    AgeBand.FROM_13: "13-15",
    AgeBand.FROM_16: "16-17",
    AgeBand.ADULT: "adult",
}
