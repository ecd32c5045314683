"""Brokers for the tests of what comes from one: librdkafka's own cluster, which speaks the real protocol, and a real
Redis where one is installed.
"""

import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pytest
import redis
from confluent_kafka import Producer

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

    def send(self, messages: Sequence[tuple[int, bytes]]) -> None:
        """Messages into partitions, in their order; they are there when it returns."""
        ...


@dataclass
class Kafka:
    """Anything that speaks Kafka's protocol at an address."""

    address: str
    kind: str = "kafka"
    silent_s: float = 6.0

    def __post_init__(self) -> None:
        self._producer = Producer({"bootstrap.servers": self.address, "linger.ms": 5})

    def send(self, messages: Sequence[tuple[int, bytes]]) -> None:
        lost: list[object] = []
        for partition, value in messages:
            self._producer.produce(
                TOPIC, value, partition=partition, on_delivery=lambda error, _: lost.append(error) if error else None
            )
            self._producer.poll(0)
        self._producer.flush(30)
        assert lost == []


@contextmanager
def mock_kafka() -> Iterator[Kafka]:
    """librdkafka's own cluster of one broker, in this process; a topic has four partitions."""
    cluster = Producer({"test.mock.num.brokers": 1, "bootstrap.servers": "none:1"})
    (broker,) = cluster.list_topics(timeout=10).brokers.values()
    yield Kafka(f"{broker.host}:{broker.port}")
    del cluster


@dataclass
class RedisServer:
    """A Redis that runs."""

    address: str
    kind: str = "redis"
    silent_s: float = 1.0

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
