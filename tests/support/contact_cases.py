"""A contact case with an alarm and a benign conversation, for the tests of the console."""

from datetime import UTC, datetime, timedelta

from tests.support.console import Desk
from tutela.casework.cases.contacts import ContactCases, Line
from tutela.casework.cases.model import Queue
from tutela.screening.conversations.alarms import AlarmReason, RiskAlarm
from tutela.screening.conversations.levels import Level

START = datetime(2026, 11, 29, 20, tzinfo=UTC)


def raised(desk: Desk) -> str:
    """A contact case with an alarm, and a conversation of forty lines of which three carry most."""
    contacts = desk.console.casework.contacts
    assert isinstance(contacts, ContactCases)
    at = START.timestamp()
    reasons = (
        AlarmReason("minors-contacted", 17, 17, at, at + 90_000, 1.0, ("r1", "r2"), "declared"),
        AlarmReason("moved-elsewhere", 5, 5, at + 40_000, at + 80_000, 0.4, ("m1",)),
        AlarmReason("refused", 12, 12, at + 1_000, at + 70_000, 0.2, ("a1",)),
    )
    contacts.sound(
        RiskAlarm(
            "account-17", 17, 4, at, Level.REVIEW, ("many-strangers-and-more",), reasons, {"contact": 6.1},
            {"policy": "1"}, ("account-99",), ("m12", "m20", "m21"),
        )
    )  # fmt: skip
    (case,) = desk.cases.queue(queue=Queue.CONTACT)
    lines = [
        Line(f"m{i}", START + timedelta(minutes=i), i % 2 == 0, f"line {i}: write to me at kim@example.org or @kim_99")
        for i in range(40)
    ]
    contacts.add_words(case.id, lines, actor="key:1")
    return case.id
