"""How many words a decision takes, on a queue of made-up cases: alarms about a recruiter's lines hidden in benign
chats, and wrong alarms about benign chats. It says nothing about real grooming.
"""

import random
from collections.abc import Iterator
from itertools import count, islice
from pathlib import Path
from statistics import median

import pytest

from tests.support.console import Desk
from tests.support.effort import effort
from tests.support.recruiter import WORDING_A, Talk, plant
from tests.support.talk import MINOR
from tests.support.talk_world import World
from tutela.casework.cases.contacts import ContactCases, Line
from tutela.casework.cases.model import Queue
from tutela.casework.cases.outcomes import Outcome
from tutela.console.roles import Role
from tutela.foundation.store.database import moment, now
from tutela.screening.conversations import ConversationOptions, Event, EventKind
from tutela.screening.conversations.model import FILE, signed
from tutela.screening.conversations.service import Conversations

RIGHT_OF_100 = 55
"""At ten wrong alarms a million accounts, if 20 of a million are right and 12 of those are found."""
ENOUGH = 2
"""So many lines of the pattern, and the stand-in for a reviewer has seen enough."""
EVERY_S = 60
MESSAGE = EventKind.MESSAGE


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with Desk(tmp_path) as desk:
        yield desk


@pytest.mark.slow
def test_a_decision_takes_sixty_words_at_most_in_the_median(desk: Desk):
    world, chance, cases = World.made(), random.Random(4), effort(20, 100)
    right = cases * RIGHT_OF_100 // 100
    recruits = (plant(chance.choice(world.test), WORDING_A, chance.choice((0.25, 0.5)), chance) for _ in count())
    found = islice((talk for talk in recruits if world.height(talk) > world.threshold * 1.02), right)
    over = [talk for talk in world.calibration + world.test if world.height(talk) > world.threshold * 1.02]
    drawn = [*found, *(chance.choice(over) for _ in range(cases - right))]
    talks = [Talk(f"{place}-{talk.account}", talk.lines, talk.planted) for place, talk in enumerate(drawn)]
    raise_all(desk, world, talks, least=world.threshold)
    person, shown = desk.signed_in(Role.REVIEWER).person, desk.console.conversation_lines
    opened: dict[bool, list[int]] = {True: [], False: []}
    summaries = desk.cases.queue(queue=Queue.CONTACT, limit=2 * cases)
    assert len(summaries) == cases
    for summary in summaries:
        contacts = desk.console.casework.contacts
        (alarm, *_) = contacts.of_case(summary.id)
        talk = talks[int(alarm.document["lines"][0].partition("-")[0])]
        contacts.add_words(summary.id, lines_of(talk), actor="key:1")
        desk.cases.claim(summary.id, by=person.actor)
        words, planted = 0, dict(zip(talk.lines, talk.planted, strict=True))
        for step in (1, 2):
            lines = shown.show(person, summary.id, step)
            words += sum(len(line.text.split()) for line in lines)
            seen = sum(planted.get(line.text, False) for line in lines)
            if seen >= ENOUGH:
                break
        opened[any(talk.planted)].append(words)
        confirmed = seen >= ENOUGH
        outcome, label = (Outcome.CONFIRM, "enticement") if confirmed else (Outcome.REJECT, None)
        desk.cases.decide(summary.id, outcome, by=person.actor, reason="made up", label=label)
    threads = [sum(len(line.split()) for line in talk.lines) for talk in talks]
    assert shown.words_a_decision() == median(opened[True] + opened[False]) <= 60
    assert median(opened[True] + opened[False]) <= median(threads) / 4
    assert min(opened[False]) > min(opened[True])  # who finds nothing looks further


def raise_all(desk: Desk, world: World, talks: list[Talk], *, least: float) -> None:
    """An alarm about each of the talks, by the service itself, with this much evidence at least."""
    home = desk.home / "service"
    home.mkdir()
    contacts, secret = desk.console.casework.contacts, desk.store.secret
    assert isinstance(contacts, ContactCases)
    (home / FILE).write_bytes(signed(world.model, secret("conversations-memory")))
    rule = (
        f'[[rule]]\nname = "w"\nwhen = "trust >= {least:.3f}"\nlevel = "review"\nreason = "wording"\nstate = "live"\n'
    )
    (home / "risk.toml").write_text(f'author = "kim"\n{rule}')
    options = ConversationOptions(enabled=True, content=True, legal_basis="test", legal_basis_since="2026-11-30")
    conversations = Conversations(home, secret, options, contacts)
    conversations.approve("ada")
    conversations.close()
    conversations = Conversations(home, secret, options, contacts)
    begin = now() / 1e6 - 50_000
    for talk in talks:
        conversations.observe(
            [
                Event(
                    f"{talk.account}#{place}",
                    EventKind.MESSAGE,
                    begin + place * EVERY_S,
                    talk.account,
                    "x",
                    text=text,
                    **MINOR,
                )
                for place, text in enumerate(talk.lines)
            ]
        )
        conversations.drain()
    conversations.close()


def lines_of(talk: Talk) -> list[Line]:
    """What the platform gives: all that the account wrote."""
    at = now() - 50_000_000_000
    return [
        Line(f"{talk.account}#{place}", moment(at + place * EVERY_S * 1_000_000), True, text)
        for place, text in enumerate(talk.lines)
        if text
    ]
