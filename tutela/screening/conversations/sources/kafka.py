"""Kafka as the source of events, for many machines: its group moves partitions, the shard says where reading begins."""

import logging
import time
from collections.abc import Sequence

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from tutela.errors import InputError, StoreError
from tutela.screening.conversations.options import SourceOptions
from tutela.screening.conversations.sources.base import Begin, End, Portion

log = logging.getLogger(__name__)

MOST = 1_000
ASK_S = 10.0
"""How long an answer of the broker is waited for."""
AGAIN_S = 1.0
"""How often a shard that another process still has is asked for again."""


class KafkaSource:
    """A topic of Kafka. For one thread at a time."""

    def __init__(self, options: SourceOptions) -> None:
        """Raises InputError for options that librdkafka does not know."""
        self._topic, self._wanted = options.topic, options.partitions
        chosen: dict[str, str | int | bool] = {
            "bootstrap.servers": options.address,
            "group.id": options.group,
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "partition.assignment.strategy": "cooperative-sticky",
            "session.timeout.ms": int(options.silent_s * 1000),
            "heartbeat.interval.ms": max(100, int(options.silent_s * 1000 / 4)),
            "isolation.level": "read_committed",
            **options.connection(),
        }
        try:
            self._consumer = Consumer(chosen, logger=log)
        except (KafkaException, ValueError, TypeError) as error:
            raise InputError("conversations.source: {why}", why=error) from None
        self._begin: Begin | None = None
        self._end: End | None = None
        self._reading: dict[int, int] = {}
        """The offset that comes next, of each partition that is read."""
        self._waiting: set[int] = set()
        """Partitions that are ours and whose shard another process still has."""
        self._asked_at = 0.0
        self._fault: Exception | None = None

    @property
    def partitions(self) -> int:
        """How many the topic has. Raises StoreError, InputError."""
        try:
            found = self._consumer.list_topics(self._topic, timeout=ASK_S).topics[self._topic]
        except KafkaException as error:
            raise StoreError("Kafka does not answer: {why}", why=_why(error)) from error
        if found.error is not None:
            raise InputError("there is no topic {topic}: make it, with its partitions", topic=self._topic)
        return len(found.partitions)

    def join(self, begin: Begin, end: End) -> None:
        """Take part from here on."""
        self._begin, self._end = begin, end
        self._consumer.subscribe(
            [self._topic], on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._revoked
        )

    def poll(self, timeout_s: float) -> Sequence[Portion]:
        """What has come. Raises StoreError."""
        if self._fault is not None:  # of the last call, whose messages were given first
            fault, self._fault = self._fault, None
            raise fault
        if self._waiting and time.monotonic() - self._asked_at >= AGAIN_S:
            self._ask_again()
        try:
            found = self._consumer.consume(MOST, timeout_s)
        except KafkaException as error:
            self._go_back()
            raise StoreError("Kafka: {why}", why=_why(error)) from error
        by_partition: dict[int, list[Message]] = {}
        for message in found:
            if (wrong := message.error()) is None:
                by_partition.setdefault(message.partition() or 0, []).append(message)
            elif not wrong.retriable():
                self._fault = StoreError("Kafka: {why}", why=wrong.str())
        return self._portions(by_partition)

    def _go_back(self) -> None:
        """What a call that failed may have had in its hands is read once more."""
        for number, at in self._reading.items():
            self._consumer.seek(TopicPartition(self._topic, number, at))

    def _portions(self, by_partition: dict[int, list[Message]]) -> Sequence[Portion]:
        portions = []
        for partition, messages in by_partition.items():
            expected = self._reading.get(partition)
            if expected is None:
                continue  # it moved while they were on their way
            new = [message for message in messages if (message.offset() or 0) >= expected]
            if new:
                following = (new[-1].offset() or 0) + 1
                self._reading[partition] = following
                portions.append(Portion(partition, [message.value() or b"" for message in new], following))
        return portions

    def taken(self, portion: Portion) -> None:
        """Tell the broker how far the group is, for whoever looks at its lag; nothing is read by it."""
        done = [TopicPartition(self._topic, portion.partition, portion.following)]
        try:
            self._consumer.commit(offsets=done, asynchronous=True)
        except KafkaException as error:
            log.warning("the group's offset could not be told: %s", _why(error))

    def close(self) -> None:
        """Leave the group."""
        self._consumer.close()  # calls `_revoked`
        self._revoked(self._consumer, [TopicPartition(self._topic, one) for one in {*self._reading, *self._waiting}])

    # --- partitions move

    def _assigned(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """Called by `consume`, which what is raised here would end; it is raised by `poll`."""
        try:
            begun = [(one.partition, self._where(one.partition)) for one in partitions]
        except Exception as error:
            self._fault = error
            begun = [(one.partition, None) for one in partitions]
        consumer.incremental_assign([TopicPartition(self._topic, number, at or 0) for number, at in begun])
        for number, at in begun:
            if at is None:
                self._waiting.add(number)
                consumer.pause([TopicPartition(self._topic, number)])
            else:
                self._reading[number] = at

    def _revoked(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        for one in partitions:
            ours = one.partition in self._waiting or one.partition in self._reading
            self._waiting.discard(one.partition)
            self._reading.pop(one.partition, None)
            if ours and self._end is not None:
                self._end(one.partition)

    def _ask_again(self) -> None:
        self._asked_at = time.monotonic()
        for number in sorted(self._waiting):
            at = self._where(number)
            if at is not None:
                self._waiting.discard(number)
                self._reading[number] = at
                self._consumer.seek(TopicPartition(self._topic, number, at))
                self._consumer.resume([TopicPartition(self._topic, number)])

    def _where(self, partition: int) -> int | None:
        """Where reading goes on; None while another process has the shard. Raises InputError, StoreError."""
        assert self._begin is not None
        at = self._begin(partition)
        if at is None:
            return None
        low, high = self._consumer.get_watermark_offsets(TopicPartition(self._topic, partition), timeout=ASK_S)
        if at > high:
            raise InputError(
                "partition {partition} of {topic} ends at {high}, and {at} were taken: it is another topic",
                partition=partition, topic=self._topic, high=high, at=at,
            )  # fmt: skip
        if at < low and at > 0:
            log.error("events %d to %d of partition %d were gone before they were read", at, low - 1, partition)
        return max(at, low)


def _why(error: KafkaException) -> str:
    first = error.args[0] if error.args else error
    return first.str() if isinstance(first, KafkaError) else str(first)
