"""Shards: the same alarms as of one process on the same events, whatever moves and whoever is killed."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.effort import effort
from tests.support.talk import START, Desk, opened, town
from tutela.errors import InputError, NotFoundError
from tutela.screening.conversations import ConversationOptions, Event, EventKind, Level
from tutela.screening.conversations.fleet import ConversationFleet
from tutela.screening.conversations.options import SourceKind, SourceOptions
from tutela.screening.conversations.shards import shard_of, shards_of
from tutela.screening.conversations.strata import Grouping


@contextmanager
def clock_at(now_s: float) -> Iterator[None]:
    """The ledger takes everything then."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tutela.screening.conversations.service.received_now_s", lambda: int(now_s))
        yield


@contextmanager
def sharded(home: Path, desk: Desk, partitions: int = 4) -> Iterator[ConversationFleet]:
    home.mkdir(exist_ok=True)
    options = ConversationOptions(enabled=True, source=SourceOptions(SourceKind.KAFKA, "none:1", partitions=partitions))
    conversations = ConversationFleet(home, secret, options, desk)
    yield conversations
    conversations.close()


def secret(name: str) -> bytes:
    return name.encode().ljust(32, b".")[:32]


def raised(desk: Desk) -> dict[str, object]:
    """What was brought before people, without where it stood in which ledger."""
    return {
        key: (alarm.account, alarm.level, alarm.rules, alarm.features, alarm.others,
              [(reason.code, reason.count, reason.people, reason.references) for reason in alarm.reasons])
        for key, alarm in desk.alarms.items()
    }  # fmt: skip


def of_one_process(home: Path, events: Sequence[Event]) -> dict[str, object]:
    desk = Desk()
    whole = opened(home, desk)
    for begin in range(0, len(events), 500):
        whole.observe(events[begin : begin + 500])
        whole.drain()
    whole.close()
    assert {Level.NOTICE, Level.REVIEW, Level.URGENT} <= {alarm.level for alarm in desk.alarms.values()}
    return raised(desk)


def portions(events: Sequence[Event], of: int) -> dict[int, list[Event]]:
    found: dict[int, list[Event]] = {number: [] for number in range(of)}
    for event in events:
        for number in shards_of(event, of):
            found[number].append(event)
    return found


# --- which shard


def test_an_event_is_in_the_shards_of_its_two_accounts_and_an_age_in_all():
    said = Event("m", EventKind.MESSAGE, 1.0, "a", "b")
    assert shards_of(said, 7) == {shard_of("a", 7), shard_of("b", 7)}
    assert shards_of(Event("age", EventKind.PROFILE, 1.0, "a"), 7) == set(range(7))
    assert [Event("x", kind, 1.0, "a", "b").about for kind in EventKind] == [
        "b" if kind in (EventKind.CONTACT_ANSWER, EventKind.BLOCK, EventKind.REPORT) else "a" for kind in EventKind
    ]
    # CRC-32 of "123456789" is the check value of its catalogue.
    assert shard_of("123456789", 1 << 32) == 0xCBF43926


@pytest.mark.parametrize("seed", range(effort(2, 20)))
def test_many_shards_raise_what_one_state_raises(tmp_path: Path, seed: int):
    events, desk = town(seed, 30, START), Desk()
    with clock_at(START + 10_000), sharded(tmp_path / "many", desk) as fleet:
        for number, mine in portions(events, 4).items():
            assert fleet.begin(number) == 0
            for begin in range(0, len(mine), 300):
                fleet.take(number, mine[begin : begin + 300], following=begin + 300)
                fleet.drain()
        assert raised(desk) == of_one_process(tmp_path / "one", events)
        for account in (f"p{seed}-0", f"p{seed}-2", f"p{seed}-3"):
            assert fleet.risk(account).level is not Level.NONE


def test_a_shard_that_is_taken_over_goes_on_where_it_was_durable(tmp_path: Path):
    events, desk = town(1, 30, START), Desk()
    mine = portions(events, 4)[1]
    with clock_at(START + 10_000), sharded(tmp_path / "home", desk) as dying, sharded(tmp_path / "home", desk) as heir:
        assert dying.begin(1) == 0
        dying.take(1, mine[:200], following=200)
        dying.drain()
        dying.stop()  # a snapshot
        dying.take(1, mine[200:250], following=250)
        assert heir.begin(1) is None
        os.close(dying._shards.pop(1)._owned)  # as the system does for whoever is killed
        assert heir.begin(1) == 250
        heir.take(1, mine[250:], following=len(mine))
        heir.end(1)
        assert heir.begin(1) == len(mine)
        digest = heir._shards[1].digest()
    with clock_at(START + 10_000), sharded(tmp_path / "other", Desk()) as whole:
        whole.begin(1)
        for begin, end in ((0, 200), (200, 250), (250, len(mine))):
            whole.take(1, mine[begin:end], following=end)
        whole.drain()
        assert whole._shards[1].digest() == digest


def test_other_partitions_than_before_are_refused(tmp_path: Path):
    with sharded(tmp_path / "home", Desk(), 4) as fleet, pytest.raises(InputError, match="has 5 partitions"):
        fleet.check_partitions(5)
    with pytest.raises(InputError, match="begin anew"), sharded(tmp_path / "home", Desk(), 5):
        pass


def test_what_people_decided_and_what_is_to_be_forgotten_reaches_every_shard(tmp_path: Path):
    events, desk = town(2, 30, START), Desk()
    with clock_at(START + 10_000), sharded(tmp_path / "home", desk) as fleet:
        for number, mine in portions(events, 4).items():
            fleet.begin(number)
            fleet.take(number, mine, following=1)
        fleet.drain()
        accounts = sorted({(alarm.account, alarm.pseudonym) for alarm in desk.alarms.values()})
        desk.clearing = [(str(place), pseudonym) for place, (_, pseudonym) in enumerate(accounts)]
        fleet.drain()
        assert all(fleet.risk(account).features["contact"] == 0 for account, _ in accounts)
        account, pseudonym = next(one for one in accounts if one[0] == "p2-0")
        desk.restoring = [("0", pseudonym)]
        fleet.drain()
        fleet.drain()
        assert fleet.risk(account).features["contact"] > 0
        before = fleet.replay()
        assert fleet.forget(account) > 0
        fleet.drain()
        assert fleet.replay().accounts < before.accounts
        with pytest.raises(NotFoundError):
            fleet.risk(account)


def test_a_replay_of_all_shards_is_that_of_one_ledger(tmp_path: Path):
    events = town(3, 30, START)
    with clock_at(START + 10_000), sharded(tmp_path / "many", Desk()) as fleet:
        fleet.observe(events)
        whole = opened(tmp_path / "one", Desk())
        whole.observe(events)
        grouping = Grouping([f"p3-{number}" for number in range(30)], {"language": ["de", "fr", "fr"] * 10})
        one, many = whole.replay(grouping=grouping), fleet.replay(grouping=grouping)
        assert (many.accounts, many.events, many.levels) == (one.accounts, one.events, one.levels)
        assert (many.by_age, many.by_group) == (one.by_age, one.by_group)
        assert many.by_group["language"]["fr"].alarmed > 0
        assert fleet.calibrate("contact", 200_000) == whole.calibrate("contact", 200_000)
        whole.close()


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"address": "redis://:secret@127.0.0.1/0"}, "has a password in it"),
        ({"address": "127.0.0.1:6379"}, "must begin with redis://"),
        ({"options": {"ssl_password": "x"}}, "must not have secrets in it"),
        ({"partitions": 0}, "from 1 to 1000"),
        ({"silent_s": 0.5}, "at least 1"),
        ({"address": " "}, "must be given"),
    ],
)
def test_a_source_that_cannot_be_or_shows_a_secret_is_refused(changed: dict[str, Any], why: str):
    options: dict[str, Any] = {"kind": SourceKind.REDIS, "address": "redis://127.0.0.1/0"}
    with pytest.raises(InputError, match=why):
        SourceOptions(**(options | changed))
    with pytest.raises(InputError, match="enabled"):
        ConversationOptions(source=SourceOptions(**options))
