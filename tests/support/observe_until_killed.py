"""A process that takes and judges events until it is killed. It prints the number behind each batch that was
answered for; snapshots fall between them, and its alarms stand in a file.
"""

import os
from pathlib import Path

from tests.support.talk import MINOR, Desk, opened
from tutela.screening.conversations import Event, EventKind
from tutela.screening.conversations.alarms import RiskAlarm

BATCH, BETWEEN_SNAPSHOTS, BETWEEN_PRESSURE = 500, 10_000, 5_000
START_S = 1_790_000_000.0


class WrittenDesk(Desk):
    """Writes each alarm down, durably, before it says so; knows those of the processes before it."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def sound(self, alarm: RiskAlarm) -> bool:
        known = self._path.read_text().split() if self._path.exists() else []
        if alarm.key in known:
            return False
        with self._path.open("a") as file:
            file.write(f"{alarm.key}\n")
            file.flush()
            os.fsync(file.fileno())
        return super().sound(alarm)


def event(number: int) -> Event:
    """Talk, and now and then an account that puts pressure on a child: one alarm each."""
    at, place = START_S + number, number % BETWEEN_PRESSURE
    if place >= 3:
        return Event(f"e{number}", EventKind.MESSAGE, at, f"u{number % 500}", f"v{number % 700}")
    kinds = (EventKind.CONTACT_REQUEST, EventKind.MEDIA, EventKind.PAYMENT)
    pressing = f"p{number // BETWEEN_PRESSURE}"
    return Event(f"e{number}", kinds[place], at, pressing, f"{pressing}-kid", asked=place > 0, **MINOR)


def observe(home: Path, number: int) -> None:
    """Never returns."""
    conversations = opened(home, WrittenDesk(home / "alarms"))
    while True:
        conversations.observe([event(one) for one in range(number, number + BATCH)])
        number += BATCH
        print(number, flush=True)
        conversations.drain()
        if number % BETWEEN_SNAPSHOTS == 0:
            conversations._save()
