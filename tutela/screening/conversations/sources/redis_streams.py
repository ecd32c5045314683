"""Redis Streams as the source of events, for a few processes: a stream a partition. Who reads which follows from who is
there; that no two judge one is the shard's lock's. What was taken is removed from the stream at once.
"""

import logging
import time
import uuid
from collections import Counter
from collections.abc import Sequence
from typing import Any

import redis
import xxhash

from tutela.errors import InputError, StoreError
from tutela.screening.conversations.options import SourceOptions
from tutela.screening.conversations.sources.base import Begin, End, Portion

log = logging.getLogger(__name__)

MOST = 1_000
FIELD = b"event"
_SEQUENCE_BITS = 22
"""An entry's id is a millisecond and a number within it."""


class RedisSource:
    """The streams TOPIC:0, TOPIC:1, … of a Redis. For one thread at a time."""

    def __init__(self, options: SourceOptions) -> None:
        """Raises InputError for an address that is none."""
        self._topic, self.partitions = options.topic, options.partitions
        self._group, self._silent_s = options.group, options.silent_s
        try:
            self._redis = redis.Redis.from_url(options.address, socket_timeout=10.0, **options.connection())
        except (ValueError, TypeError) as error:
            raise InputError("conversations.source: {why}", why=error) from None
        self._member = uuid.uuid4().hex
        self._begin: Begin | None = None
        self._end: End | None = None
        self._reading: dict[int, int] = {}
        """The last entry that was taken, of each partition that is read."""
        self._told_at = -1e9

    def join(self, begin: Begin, end: End) -> None:
        """Take part from here on."""
        self._begin, self._end = begin, end

    def poll(self, timeout_s: float) -> Sequence[Portion]:
        """What has come. Raises StoreError."""
        try:
            if time.monotonic() - self._told_at >= min(1.0, self._silent_s / 4):
                self._balance()
            if not self._reading:
                time.sleep(min(timeout_s, 0.2))
                return []
            streams: Any = {self._stream(number): _name(last) for number, last in self._reading.items()}
            found: Any = self._redis.xread(streams, count=MOST, block=max(1, int(timeout_s * 1000)))
        except redis.RedisError as error:
            raise StoreError("Redis: {why}", why=error) from error
        portions = []
        for stream, entries in found:
            number = int(stream.rpartition(b":")[2])
            last = _number(entries[-1][0])
            self._reading[number] = last
            portions.append(Portion(number, [fields.get(FIELD, b"") for _, fields in entries], last))
        return portions

    def taken(self, portion: Portion) -> None:
        """Remove what is durable in the shard: texts lie in Redis no longer than they must."""
        self._remove(portion.partition, portion.following)

    def _remove(self, number: int, last: int) -> None:
        try:
            self._redis.xtrim(self._stream(number), minid=_name(last + 1), approximate=False)
        except redis.RedisError as error:
            log.warning("what was taken could not be removed: %s", error)

    def close(self) -> None:
        """Leave."""
        for number in [*self._reading]:
            self._let_go(number)
        try:
            self._redis.zrem(self._members, self._member)
            self._redis.close()
        except redis.RedisError as error:
            log.warning("the others learn it in %.0f s only: %s", self._silent_s, error)

    # --- partitions move

    def _balance(self) -> None:
        """Say that we are there, see who else is, and read what falls to us."""
        seconds, micros = self._redis.time()
        now_s = seconds + micros / 1e6
        with self._redis.pipeline() as pipeline:
            pipeline.zadd(self._members, {self._member: now_s})
            pipeline.zremrangebyscore(self._members, 0, now_s - self._silent_s)
            pipeline.zrange(self._members, 0, -1)
            members = [name.decode() for name in pipeline.execute()[-1]]
        self._told_at = time.monotonic()
        ours = {number for number, member in _readers(self.partitions, members).items() if member == self._member}
        for number in [*self._reading.keys() - ours]:
            self._let_go(number)
        for number in sorted(ours - self._reading.keys()):
            self._take_over(number)

    def _take_over(self, number: int) -> None:
        assert self._begin is not None
        at = self._begin(number)
        if at is None:
            return
        self._reading[number] = at
        self._remove(number, at)  # whoever had it before may not have come to it

    def _let_go(self, number: int) -> None:
        del self._reading[number]
        assert self._end is not None
        self._end(number)

    @property
    def _members(self) -> str:
        return f"{self._topic}:{self._group}:members"

    def _stream(self, number: int) -> str:
        return f"{self._topic}:{number}"


def _readers(partitions: int, members: Sequence[str]) -> dict[int, str]:
    """Who reads which partition: whoever has the highest random weight for it, while none has more than its share."""
    most, found, of = -(-partitions // len(members)), {}, Counter[str]()
    for partition in range(partitions):
        free = [member for member in members if of[member] < most]
        found[partition] = max(free, key=lambda member: xxhash.xxh3_64_intdigest(f"{member}/{partition}".encode()))
        of[found[partition]] += 1
    return found


def _number(entry: bytes | str) -> int:
    """An entry's id as one number, in the same order. Raises StoreError."""
    text = entry.decode() if isinstance(entry, bytes) else entry
    millisecond, _, sequence = text.partition("-")
    if int(sequence) >= 1 << _SEQUENCE_BITS:
        raise StoreError("Redis: {entry} is the id of no entry that can be counted", entry=text)
    return int(millisecond) << _SEQUENCE_BITS | int(sequence)


def _name(number: int) -> str:
    return f"{number >> _SEQUENCE_BITS}-{number & (1 << _SEQUENCE_BITS) - 1}"
