"""Shards: the part of a deployment's accounts that one process judges at a time. A partition of the source is a shard.

An event lies in the shard of each of its two accounts, and is judged in that of the account that it is about, so that
each shard knows all that concerns its own accounts: the same alarms come of many shards as of one state.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tutela.screening.conversations.events import Event, EventKind
from tutela.screening.conversations.hearing import Hearing


def shard_of(account: str, count: int) -> int:
    """The shard of an account: CRC-32 of its name in UTF-8, modulo `count`; librdkafka's partitioner `consistent`."""
    return zlib.crc32(account.encode("utf-8", "replace")) % count


def shards_of(event: Event, count: int) -> set[int]:
    """The shards that an event belongs in: those of its accounts; of an age every one."""
    if event.kind is EventKind.PROFILE:
        return set(range(count))
    return {shard_of(account, count) for account in (event.sender, event.recipient) if account}


@dataclass(frozen=True, slots=True)
class Shard:
    """One of so many."""

    number: int
    of: int

    @property
    def name(self) -> str:
        """Of its folder."""
        return f"{self.number:04d}"

    def owns(self, account: str) -> bool:
        """Whether the account is judged here."""
        return shard_of(account, self.of) == self.number


@dataclass(frozen=True, slots=True)
class ShardPlace:
    """What `Conversations` of one shard are given."""

    shard: Shard
    folders: Sequence[Path]
    """Of every shard, by its number."""
    hearing: Hearing
    """Shared by the shards of a process."""

    @property
    def folder(self) -> Path:
        """Its own."""
        return self.folders[self.shard.number]
