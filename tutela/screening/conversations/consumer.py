"""The consumer: events of a broker into the shards that are this process's, each exactly once, until it is stopped.

A portion and where its source goes on behind it are one write of the shard's ledger: whoever takes the shard over
begins there, whatever was killed. What cannot be read as an event is told, and never stops what follows.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from tutela.errors import StoreError, TutelaError
from tutela.screening.conversations.fleet import ConversationFleet
from tutela.screening.conversations.sources import Portion, Source
from tutela.screening.conversations.wire import UnreadableEventError, read_event

log = logging.getLogger(__name__)

WAIT_S = 0.5
"""How long a source is asked for more, and so how soon a stop is heard."""
AGAIN_S = 2.0
"""After a fault of the broker or of the database."""


@dataclass
class Consumed:
    """What one process has done."""

    events: int = 0
    unreadable: int = 0
    portions: int = 0


class EventConsumer:
    """Reads one source into a deployment's shards. For one thread."""

    def __init__(
        self, source: Source, conversations: ConversationFleet, *, said: Callable[[str], None] = lambda _: None
    ) -> None:
        """`said` hears, for people, which partitions come and go. Raises InputError where the topic has others."""
        self.counted = Consumed()
        self._pending: deque[Portion] = deque()
        self._source, self._conversations, self._said = source, conversations, said
        conversations.check_partitions(source.partitions)

    def run(self, stopping: threading.Event) -> None:
        """Until `stopping` is set. Raises InputError for what only people can mend."""
        self._source.join(self._begin, self._end)
        try:
            while not stopping.is_set():
                try:
                    self.turn()
                except StoreError as error:
                    log.error("events wait: %s", error)
                    stopping.wait(AGAIN_S)
        finally:
            self._source.close()

    def turn(self) -> None:
        """Take what has come, and judge it. Raises StoreError: what was not taken then is taken first the next time."""
        if not self._pending:
            self._pending.extend(self._source.poll(WAIT_S))
        while self._pending:
            self._take(self._pending[0])
            self._pending.popleft()
        self._conversations.drain()

    def _take(self, portion: Portion) -> None:
        events = []
        for message in portion.messages:
            try:
                events.append(read_event(message))
            except UnreadableEventError as error:
                self.counted.unreadable += 1
                log.error("a message of partition %d is no event: %s (%s)", portion.partition, error, error.at or "all")
                self._conversations.warn_unreadable(portion.partition, error.at)
        self._conversations.take(portion.partition, events, following=portion.following)
        self._source.taken(portion)
        self.counted.events += len(events)
        self.counted.portions += 1

    def _begin(self, partition: int) -> int | None:
        at = self._conversations.begin(partition)
        if at is not None:
            self._said(f"partition {partition}: from {at}")
        return at

    def _end(self, partition: int) -> None:
        try:
            self._conversations.end(partition)
        except TutelaError as error:  # its snapshot is older then; the ledger has everything
            log.error("partition %d was left without a snapshot: %s", partition, error)
        self._said(f"partition {partition}: left")
