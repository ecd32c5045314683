"""General notices: a few children are shown what an alarm has them shown, and nobody can tell the two apart."""

import json
import random
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Row, func, select

from tests.support.effort import effort
from tests.support.talk import MINOR, ON, START, Desk, opened
from tutela.casework.audit.log import AuditLog
from tutela.casework.cases.options import EvidenceOptions
from tutela.casework.evidence.seal import new_identity
from tutela.deployment.casework import Casework, CaseworkOptions, opened_casework
from tutela.deployment.conversations import open_conversations
from tutela.deployment.metrics import general_notices
from tutela.foundation.outbox.webhooks import Endpoint
from tutela.foundation.store.outbox_tables import outbox
from tutela.foundation.store.risk_tables import risk_alarm
from tutela.screening.conversations import AgeBand, ConversationOptions, Event, EventKind, Level
from tutela.screening.conversations.fleet import ConversationFleet
from tutela.screening.conversations.general_notices import PERIOD_S
from tutela.screening.conversations.options import SourceKind, SourceOptions
from tutela.screening.conversations.service import Conversations

NOTICES = replace(ON, notices=True)
PUBLIC = new_identity()[1]


class Clock:
    now_s = int(START)

    def __call__(self) -> int:
        return self.now_s


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr("tutela.screening.conversations.service.received_now_s", found)
    return found


def chats(pairs: int, messages: int, *, name: str = "", at: float = START) -> list[Event]:
    """Adults who write to a child whom they do not know, a few messages each: nothing that any rule asks for."""
    return [
        Event(
            f"{name}m{pair}-{number}", EventKind.MESSAGE, at + pair + number * 60, f"{name}adult{pair}",
            f"{name}child{pair}", band=AgeBand.ADULT, **MINOR,
        )
        for pair in range(pairs)
        for number in range(messages)
    ]  # fmt: skip


def pressure(name: str) -> list[Event]:
    """Abstract events of a fast pattern, which is urgent."""
    kinds = (EventKind.CONTACT_REQUEST, EventKind.MEDIA, EventKind.PAYMENT)
    return [
        Event(
            f"{name}-{place}", kind, START + 60 * place, name, f"{name}-kid", asked=place > 0,
            band=AgeBand.ADULT, **MINOR,
        )
        for place, kind in enumerate(kinds)
    ]  # fmt: skip


def offered(tmp_path: Path, events: Sequence[Event], options: ConversationOptions = NOTICES) -> list[str]:
    desk = Desk()
    talk = opened(tmp_path, desk, options)
    talk.observe(events)
    talk.drain()
    talk.close()
    assert desk.alarms == {}
    return sorted(desk.offered.values())


# --- who is shown them


def test_a_share_of_pairs_is_drawn_the_same_each_time_and_foreseeable_by_nobody(tmp_path: Path):
    pairs = effort(2_000, 10_000, least=2_000)
    events = chats(pairs, 20)
    found = offered(tmp_path / "one", events)
    assert 0.5 * 0.05 < len(found) / pairs < 0.05 + 3 * (0.05 / pairs) ** 0.5
    random.Random(1).shuffle(events)
    assert offered(tmp_path / "two", events) == found
    (tmp_path / "three").mkdir()
    desk = Desk()
    other = Conversations(tmp_path / "three", lambda name: name.encode().rjust(32, b"!")[:32], NOTICES, desk)
    other.observe(events)
    other.drain()
    other.close()
    both = {*found} & {*desk.offered.values()}
    assert len(both) < 0.2 * len(found)
    assert len(offered(tmp_path / "four", events, replace(NOTICES, general_notices=0.2))) > 2.5 * len(found)


def test_only_a_child_to_whom_an_adult_came_as_a_stranger_is_shown_them(tmp_path: Path):
    events = chats(200, 20)
    all_of_them = replace(NOTICES, general_notices=0.5)
    swapped = [
        replace(
            event, id=f"c{event.id}", sender=event.recipient, recipient=event.sender, at=event.at - 600,
            band=AgeBand.FROM_13, recipient_band=AgeBand.ADULT,
        )
        for event in events[::20]
    ]  # fmt: skip
    for place, others in enumerate(
        (
            [replace(event, band=AgeBand.FROM_16) for event in events],
            [replace(event, band=AgeBand.UNKNOWN) for event in events],
            [replace(event, recipient_band=AgeBand.ADULT) for event in events],
            [replace(event, recipient_band=AgeBand.UNKNOWN) for event in events],
            [replace(event, acquainted=True) for event in events],
            [replace(event, role=True) for event in events],
            [replace(event, group=True) for event in events],
            [*swapped, *events],  # the child wrote first
        )
    ):
        assert offered(tmp_path / str(place), others, all_of_them) == []
    assert len(offered(tmp_path / "strangers", events, all_of_them)) > 60
    assert offered(tmp_path / "off", events, replace(all_of_them, notices=False)) == []
    assert offered(tmp_path / "none", events, replace(NOTICES, general_notices=0.0)) == []


def test_one_child_is_shown_one_in_ninety_days_whoever_writes(tmp_path: Path, clock: Clock):
    desk = Desk()
    talk = opened(tmp_path, desk, replace(NOTICES, general_notices=0.5))
    days = 400
    for day in range(0, days, 5):
        clock.now_s = int(START) + day * 86_400
        strangers = chats(60, 1, name=f"d{day}", at=clock.now_s)
        talk.observe([replace(one, recipient=f"kid{number % 10}") for number, one in enumerate(strangers)])
        talk.drain()
    talk.close()
    times = Counter(desk.offered.values())
    assert len(times) == 10
    assert max(times.values()) <= days * 86_400 // PERIOD_S + 2
    assert min(times.values()) >= 2


def test_many_shards_offer_what_one_state_offers(tmp_path: Path):
    events, desk = chats(600, 20), Desk()
    options = replace(NOTICES, source=SourceOptions(SourceKind.KAFKA, "none:1", partitions=4))
    (tmp_path / "many").mkdir()
    with ConversationFleet(tmp_path / "many", lambda name: name.encode().ljust(32, b".")[:32], options, desk) as fleet:
        fleet.observe(events)
        for number in range(4):
            fleet.begin(number)
    found = sorted(desk.offered.values())
    assert found == offered(tmp_path / "one", events)
    assert len(found) > 10


def test_what_a_state_that_is_lost_reads_again_is_offered_to_nobody(tmp_path: Path, clock: Clock):
    assert len(offered(tmp_path, chats(1_000, 20))) > 5
    (tmp_path / "conversations" / "state").unlink()
    clock.now_s += 86_400
    assert offered(tmp_path, []) == []


# --- what they are


@pytest.fixture
def house(tmp_path: Path) -> Iterator[tuple[Casework, Conversations]]:
    options = CaseworkOptions(
        EvidenceOptions((PUBLIC,)), webhooks=(Endpoint("platform", "http://127.0.0.1:9/", (bytes(32),)),)
    )
    with opened_casework(tmp_path, None, options) as casework:
        talk = open_conversations(tmp_path, casework, replace(NOTICES, general_notices=0.5))
        assert isinstance(talk, Conversations)
        yield casework, talk
        talk.close()


def asked(casework: Casework, after: int = 0) -> list[Row[Any]]:
    """The notices that the outbox holds, behind a row of it."""
    with casework.store.read() as connection:
        rows = connection.execute(select(outbox).where(outbox.c.id > after).order_by(outbox.c.id)).all()
    return [row for row in rows if row.payload["type"] == "protection.asked"]


def alarms(casework: Casework) -> int:
    with casework.store.read() as connection:
        return connection.execute(select(func.count()).select_from(risk_alarm)).scalar_one()


@pytest.mark.slow
def test_a_general_notice_and_an_alarms_are_alike_in_all_but_whom_they_reach(house: tuple[Casework, Conversations]):
    casework, talk = house
    chance, last, sounded = random.Random(5), 0, 0
    counted = general_notices._value.get()
    general: list[Row[Any]] = []
    caused: list[Row[Any]] = []
    for world in range(effort(25, 250)):
        parts = [pressure(f"w{world}-{number}") for number in range(2)]
        parts += [chats(1, 12, name=f"w{world}-{number}-") for number in range(3)]
        order = [part for part in parts for _ in part]
        chance.shuffle(order)
        for part in order:
            event = part.pop(0)
            talk.observe([event])
            talk.drain()
            for row in asked(casework, last):
                # Each is written while the event that causes it is judged.
                assert row.payload["data"]["to"] == [event.recipient]
                now_sounded = alarms(casework)
                (caused if now_sounded > sounded else general).append(row)
                last, sounded = row.id, now_sounded
    assert len(caused) == alarms(casework) > 40
    assert len(general) > 10
    for kind in (caused, general):
        # Each is due at once, by the same topic, and says the same to whoever it reaches.
        assert {(row.topic, row.lane, row.state, row.next_at - row.created_at) for row in kind} == {
            ("webhook", None, "pending", 0)
        }
        assert all(re.fullmatch(r"protection\.asked/notice-recipient/[0-9a-f]{32}/platform", row.key) for row in kind)
        assert {row.payload["type"] for row in kind} == {"protection.asked"}
        assert {frozenset(row.payload) for row in kind} == {frozenset({"endpoint", "type", "timestamp", "data"})}
    assert len({json.dumps(row.payload["data"] | {"to": 0}) for row in caused + general}) == 1
    # Nobody is a suspect for a general one, in any record; they are counted without a name.
    audit = [row for row in AuditLog(casework.store).rows() if row.action == "protection.offered"]
    assert {(row.subject, str(row.detail)) for row in audit} == {("conversations", "{}")}
    assert len(audit) == len(general) == general_notices._value.get() - counted
    for child in {row.payload["data"]["to"][0] for row in general} - {row.payload["data"]["to"][0] for row in caused}:
        assert talk.risk(child.replace("child", "adult")).level is Level.NONE


def test_a_child_that_is_forgotten_is_in_no_general_notice(house: tuple[Casework, Conversations]):
    casework, talk = house
    talk.observe(chats(100, 20))
    talk.drain()
    shown = [row.payload["data"]["to"][0] for row in asked(casework)]
    assert len(shown) > 10
    talk.forget(shown[0])
    assert [row.payload["data"]["to"][0] for row in asked(casework)] == shown[1:]
    talk.drain()
    assert len(asked(casework)) == len(shown) - 1
