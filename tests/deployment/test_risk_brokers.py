"""Events from a broker: three processes on its partitions, one killed, raise the alarms that one process raises.

Kafka is librdkafka's own cluster, which speaks the real protocol, and Apache's where `.ci/peers` has put it.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from tests.support.brokers import PARTITIONS, TOPIC, Broker, RedisServer, apache_kafka, mock_kafka, redis_server
from tests.support.talk import ON, Desk, sent, town
from tests.support.waiting import wait_until
from tutela.casework.cases.options import EvidenceOptions
from tutela.casework.evidence.seal import new_identity
from tutela.deployment.casework import CaseworkOptions, opened_casework
from tutela.deployment.conversations import open_conversations
from tutela.deployment.doctor.conversations import check_conversations
from tutela.deployment.settings import Settings
from tutela.foundation.store.database import Store
from tutela.foundation.store.risk_tables import risk_alarm
from tutela.screening.conversations import ConversationOptions, Event, EventKind
from tutela.screening.conversations.consumer import EventConsumer
from tutela.screening.conversations.fleet import ConversationFleet
from tutela.screening.conversations.options import SourceKind, SourceOptions
from tutela.screening.conversations.shards import shards_of
from tutela.screening.conversations.sources import open_source
from tutela.screening.conversations.sources.redis_streams import _name, _number, _readers

_, PUBLIC = new_identity()
PAGE = (Path(__file__).parents[2] / "docs" / "conversations.md").read_text()
ON_BROKER = ConversationOptions(enabled=True, source=SourceOptions(SourceKind.KAFKA, "none:1", partitions=PARTITIONS))
CASEWORK = CaseworkOptions(evidence=EvidenceOptions(recipients=(PUBLIC,)))


@pytest.fixture(params=["kafka", pytest.param("redis", marks=pytest.mark.peers)])
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Broker]:
    with ExitStack() as stack:
        if request.param == "redis":
            yield stack.enter_context(redis_server(tmp_path))
        elif request.param == "apache":
            yield stack.enter_context(apache_kafka(tmp_path))
        else:
            yield stack.enter_context(mock_kafka())


def source_of(broker: Broker, partitions: int = PARTITIONS) -> SourceOptions:
    """How an operator names it."""
    return SourceOptions(
        SourceKind(broker.kind),
        broker.address,
        partitions=partitions,
        silent_s=broker.silent_s,
        options=broker.options,
    )


@dataclass
class Consumer:
    """`tutela risk consume` in a process of its own."""

    process: subprocess.Popen[bytes]
    log: Path

    @classmethod
    def started(cls, home: Path, broker: Broker, name: str, **changed: str) -> "Consumer":
        variables = {
            "TUTELA_MEMORY": "clean",  # it starts twice as fast where freed memory is left as it is
            "TUTELA_CONVERSATIONS__ENABLED": "true",
            "TUTELA_CONVERSATIONS__SNAPSHOT_EVERY_S": "0.5",
            "TUTELA_EVIDENCE__RECIPIENTS": json.dumps([PUBLIC]),
            "TUTELA_CONVERSATIONS__SOURCE__KIND": broker.kind,
            "TUTELA_CONVERSATIONS__SOURCE__ADDRESS": broker.address,
            "TUTELA_CONVERSATIONS__SOURCE__PARTITIONS": str(PARTITIONS),
            "TUTELA_CONVERSATIONS__SOURCE__SILENT_S": str(broker.silent_s),
            "TUTELA_CONVERSATIONS__SOURCE__OPTIONS": json.dumps(broker.options),
        }
        log = home / f"{name}.log"
        with log.open("wb") as file:
            command = [sys.executable, "-m", "tutela", "--home", str(home), "risk", "consume"]
            process = subprocess.Popen(command, stdout=file, stderr=file, env=os.environ | variables | changed)
        return cls(process, log)

    @property
    def partitions(self) -> set[int]:
        """Those that it reads now, by what it says."""
        assert self.process.poll() in (None, -signal.SIGKILL), self.log.read_text()[-3000:]
        read: set[int] = set()
        for line in self.log.read_text().splitlines():
            if line.startswith("partition "):
                number, said = line.removeprefix("partition ").split(": ", 1)
                (read.add if said.startswith("from") else read.discard)(int(number))
        return read

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.wait(60)


def alarms(home: Path) -> list[tuple[object, ...]]:
    """What was brought before people."""
    store = Store.open(f"sqlite:///{home / 'tutela.db'}")
    with store.read() as connection:
        rows = connection.execute(select(risk_alarm).order_by(risk_alarm.c.key)).all()
    store.close()
    return [
        (row.key, row.level, row.at, row.document["rules"], row.document["features"],
         [(one["code"], one["count"], one["people"]) for one in row.document["reasons"]])
        for row in rows
    ]  # fmt: skip


def messages(events: Sequence[Event]) -> list[tuple[int, bytes]]:
    return [(number, sent(event)) for event in events for number in sorted(shards_of(event, PARTITIONS))]


@pytest.mark.peers
@pytest.mark.parametrize("broker", ["kafka", "redis", "apache"], indirect=True)
def test_three_processes_of_which_one_is_killed_raise_what_one_process_raises(broker: Broker, tmp_path: Path):
    home, alone = tmp_path / "home", tmp_path / "alone"
    with opened_casework(home, None, CASEWORK) as casework:
        open_conversations(home, casework, ON).close()  # makes the keys of the deployment
    alone.mkdir(mode=0o700)
    shutil.copy(home / "tutela.db", alone)  # the same keys, so the same names of alarms
    events = town(1, 30, time.time() - 20_000)
    first, second = events[: len(events) // 2], events[len(events) // 2 :]
    broker.send(messages(first))
    three = [Consumer.started(home, broker, f"c{number}") for number in range(3)]
    try:
        wait_until(lambda: set.union(*(one.partitions for one in three)) == set(range(PARTITIONS)), "all are read")
        broker.send(messages(second[: len(second) // 2]))
        victim = max(three, key=lambda one: len(one.partitions))
        lost = victim.partitions
        assert lost
        victim.process.send_signal(signal.SIGKILL)
        victim.process.wait()
        broker.send(messages(second[len(second) // 2 :]))
        rest = [one for one in three if one is not victim]
        wait_until(lambda: lost <= set.union(*(one.partitions for one in rest)), "its partitions moved")
        with opened_casework(alone, None, CASEWORK) as casework:
            one_process = open_conversations(alone, casework, ON)
            for begin in range(0, len(events), 500):
                one_process.observe(events[begin : begin + 500])
                one_process.drain()
            one_process.close()
        expected = alarms(alone)
        assert len(expected) >= 10
        wait_until(lambda: len(alarms(home)) >= len(expected), "every alarm is there")
        assert [one.stop() for one in rest] == [0, 0]
        assert alarms(home) == expected
    finally:
        for one in three:
            one.process.kill()
            one.process.wait()


def key_of(name: str) -> bytes:
    """The deployment's keys."""
    return name.encode().ljust(32, b".")[:32]


class Turned:
    """A consumer in this process, a turn at a time."""

    def __init__(self, home: Path, broker: Broker, desk: Desk) -> None:
        home.mkdir(exist_ok=True)
        source = source_of(broker)
        options = ConversationOptions(enabled=True, source=source)
        self.source = open_source(source)
        self.fleet = ConversationFleet(home, key_of, options, desk)
        self.consumer = EventConsumer(self.source, self.fleet)
        self.source.join(self.consumer._begin, self.consumer._end)

    def until(self, events: int) -> None:
        """Until so many were taken."""

        def taken() -> bool:
            self.consumer.turn()
            return self.consumer.counted.events + self.consumer.counted.unreadable >= events

        wait_until(taken, f"{events} were taken")

    def close(self) -> None:
        self.source.close()
        self.fleet.close()


def send_as_shown(broker: Broker, events: Sequence[Event]) -> None:
    """With the lines of docs/conversations.md."""
    documents = [json.loads(sent(event)) for event in events]
    if isinstance(broker, RedisServer):
        (line,) = re.findall(r"`(redis\.xadd\(.*?\))`", PAGE)
        for event, document in zip(events, documents, strict=True):
            for partition in shards_of(event, PARTITIONS):
                exec(line, {"redis": broker.client, "json": json, "partition": partition, "event": document})
        return
    (block,) = [block for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) if "confluent_kafka" in block]
    names: dict[str, Any] = {}
    block = block.replace('"kafka-1:9092,kafka-2:9092"', f'"{broker.address}", **{broker.options!r}')
    exec(block.replace("PARTITIONS = 12", "PARTITIONS = 4"), names)
    for document in documents:
        names["send"](document)
    assert names["producer"].flush(30) == 0


def test_the_doctor_says_whether_every_partition_is_read(broker: Broker, tmp_path: Path):
    broker.send([(number, b"{}") for number in range(PARTITIONS)])

    def said(partitions: int) -> tuple[str, str]:
        options = ConversationOptions(enabled=True, source=source_of(broker, partitions))
        settings = Settings(home=tmp_path / "home", conversations=options, evidence=EvidenceOptions((PUBLIC,)))
        (found,) = check_conversations(settings)
        return found.state, found.detail

    assert said(PARTITIONS) == (
        "warn",
        f"{broker.kind}, 0 of 4 partitions are read; run tutela risk consume for the others",
    )
    with ConversationFleet(tmp_path / "home", lambda _: bytes(32), ON_BROKER, Desk()) as fleet:
        assert [fleet.begin(number) for number in range(PARTITIONS)] == [0, 0, 0, 0]
        assert said(PARTITIONS) == ("ok", f"{broker.kind}, 4 of 4 partitions are read")
    assert said(5)[0] == "fail"


@pytest.mark.slow
def test_what_is_no_event_is_told_without_its_words_and_stops_nothing(broker: Broker, tmp_path: Path):
    desk, events = Desk(), town(1, 12, time.time() - 20_000)
    sent_ones = messages(events)
    broker.send([*sent_ones[:50], (2, b'{"id": "m", "type": "message", "text": "a blue canary"}'), (3, b"\xff")])
    broker.send(sent_ones[50:])
    first = Turned(tmp_path / "home", broker, desk)
    first.until(len(sent_ones) + 2)
    assert first.consumer.counted.unreadable == 2
    assert sorted(name for name, _ in desk.warnings) == ["risk.unreadable"] * 2
    assert "canary" not in str(desk.warnings)
    assert desk.alarms
    first.close()
    again = Turned(tmp_path / "home", broker, desk)  # it goes on where the shards are, whatever the broker thinks
    late = town(2, 6, time.time() - 20_000)
    send_as_shown(broker, late)
    again.until(len(messages(late)))
    assert again.consumer.counted.events == len(messages(late))
    again.close()


@pytest.mark.peers
@pytest.mark.parametrize("broker", ["kafka", "redis", "apache"], indirect=True)
def test_a_partition_waits_while_another_process_still_judges_it(broker: Broker, tmp_path: Path):
    """Whoever only seemed to be dead keeps its shards until it lets go of them; nothing is lost meanwhile."""
    home, events = tmp_path / "home", town(3, 6, time.time() - 20_000)
    home.mkdir()
    sent_ones = messages(events)
    held = sum(partition == 1 for partition, _ in sent_ones)
    with ConversationFleet(home, key_of, ON_BROKER, Desk()) as sleeping:
        assert sleeping.begin(1) == 0
        broker.send(sent_ones)
        consumer = Turned(home, broker, Desk())
        consumer.until(len(sent_ones) - held)
        for _ in range(3):
            consumer.consumer.turn()
        assert consumer.consumer.counted.events == len(sent_ones) - held
    consumer.until(len(sent_ones))
    assert consumer.consumer.counted.events == len(sent_ones)
    consumer.close()


@pytest.mark.parametrize("broker", ["redis"], indirect=True)
@pytest.mark.peers
def test_what_was_taken_is_no_longer_in_redis(broker: Broker, tmp_path: Path):
    assert isinstance(broker, RedisServer)
    broker.send([(0, sent(Event("m", EventKind.MESSAGE, time.time(), "a", "b", text="a blue canary")))])
    assert broker.client.xlen(f"{TOPIC}:0") == 1
    consumer = Turned(tmp_path / "home", broker, Desk())
    consumer.until(1)
    assert broker.client.xlen(f"{TOPIC}:0") == 0
    consumer.close()
    # Killed between the two, a process leaves what is durable to whoever comes next.
    broker.send([(0, sent(Event("n", EventKind.MESSAGE, time.time(), "a", "b", text="a blue canary")))])
    (entry, _), *_ = broker.client.xrange(f"{TOPIC}:0")
    with ConversationFleet(tmp_path / "home", key_of, ON_BROKER, Desk()) as killed:
        killed.begin(0)
        killed.take(0, [], following=_number(entry))
    again = Turned(tmp_path / "home", broker, Desk())
    while broker.client.xlen(f"{TOPIC}:0"):
        again.consumer.turn()
    assert again.consumer.counted.events == 0
    again.close()


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_partitions_are_shared_evenly_and_few_move_when_somebody_goes(count: int):
    members = [f"m{number}" for number in range(count)]
    before = _readers(60, members)
    assert set(Counter(before.values()).values()) == {60 // count}
    after = _readers(60, [*members, "another"])
    moved = sum(after[partition] != reader for partition, reader in before.items())
    assert max(Counter(after.values()).values()) <= -(-60 // (count + 1))
    assert moved <= 2 * 60 // (count + 1)


def test_the_place_in_redis_is_one_number_in_the_same_order():
    entries = ["0-0", "1-0", "1-1", "1796086481976-0", "1796086481976-7", "1796086481977-0"]
    numbers = [_number(entry) for entry in entries]
    assert numbers == sorted(set(numbers))
    assert [_name(number) for number in numbers] == entries
    assert numbers[-1] < 1 << 63
