"""State: what the ledger comes to. The native table with its snapshot on disk, which says up to where it has read.

A snapshot is there whole or not at all; state is always the snapshot and the ledger from its position on.
"""

import os
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import xxhash

from tutela import _native
from tutela.screening.conversations.ledger import sync_folder
from tutela.screening.conversations.records import Records, source_of

FEATURES: tuple[str, ...] = tuple(_native.risk_feature_names())
"""What rules can ask of an account, in the native order."""
COUNTERS = FEATURES[:15]
ACCOUNT = np.dtype(
    [
        ("key", "<u8"), ("first_s", "<u4"), ("last_s", "<u4"), ("band", "u1"), ("known", "u1"), ("level", "u1"),
        ("stages", "u1"), ("level_s", "<u4"), ("counters", "<f4", 15), ("coercion", "<f4"),
        ("strongest", [("recipient", "<u8"), ("trust", "<f4"), ("at_s", "<u4")], 3), ("opening", "<u4"),
        ("spare", "<u4"),
    ]
)  # fmt: skip
PAIR = np.dtype(
    [
        ("sender", "<u8"), ("recipient", "<u8"), ("first_s", "<u4"), ("last_s", "<u4"), ("trust", "<f4"),
        ("coercion", "<f4"), ("flags", "<u2"), ("padding", "V6"),
    ]
)  # fmt: skip
EVIDENT = 1.0
"""The feature `trust` from which on there is evidence of an account: of one message that is clearly unusual."""
FORGET_S = 30 * 86_400
_HEADER = struct.Struct("<8s9Q")
_MAGIC = b"TUTSTAT3"
"""A snapshot of another layout is none: the ledger holds all that state remembers."""


@dataclass(frozen=True, slots=True)
class Crossing:
    """An account that came to what some rule asks at least, at one event."""

    account: int
    position: int
    at_s: int
    features: npt.NDArray[np.float32]


class RiskState:
    """Accounts and pairs as numbers. For one thread at a time; `evident` for any."""

    def __init__(self) -> None:
        self.table = _native.RiskTable()
        self.position = 0
        """The ledger's position up to which events were taken."""
        self.source = 0
        """Where the source of a shard goes on."""

    def weigh(self, scales: Mapping[str, float], weights: Mapping[str, float]) -> None:
        """Say how much each counter is worth, and where that is full."""
        self.table.set_weights(
            [scales.get(name, 0.0) for name in COUNTERS], [weights.get(name, 0.0) for name in COUNTERS]
        )

    def watch(self, gates: Sequence[tuple[str, float]]) -> None:
        """Say which features, from which values on, are a crossing."""
        self.table.set_gates([(FEATURES.index(name), value) for name, value in gates])

    def apply(self, records: Records) -> list[Crossing]:
        """Take records that follow on what was taken; those before are passed over."""
        records = records[records["position"] >= self.position]
        if not len(records):
            return []
        accounts, positions, times, features = self.table.apply(records.tobytes())
        self.position = int(records["position"][-1]) + 1
        if (following := source_of(records)) is not None:
            self.source = following
        return [Crossing(int(accounts[i]), int(positions[i]), int(times[i]), features[i]) for i in range(len(accounts))]

    def evident(self, keys: npt.NDArray[np.uint64]) -> npt.NDArray[np.bool_]:
        """Of which accounts there is evidence of texts already."""
        return self.table.trusting(keys.tolist(), EVIDENT).astype(bool)

    def account(self, key: int) -> np.void | None:
        """The record of an account, of dtype ACCOUNT."""
        found = self.table.account(key)
        return None if found is None else np.frombuffer(found, ACCOUNT)[0]

    def pairs_of(self, key: int) -> npt.NDArray[np.void]:
        """The pairs that an account is the sender of, of dtype PAIR. Reads every pair."""
        return np.frombuffer(self.table.pairs_of(key), PAIR)

    def digest(self) -> int:
        """Equal for equal states."""
        return self.table.digest()

    def save(self, path: Path) -> None:
        """Write the snapshot, durably and whole."""
        table, beside = self.table, path.with_suffix(".new")
        first, second, since_s = table.seen_counts
        seen = [table.seen_ids(which) for which in (0, 1)]
        with beside.open("wb") as file:
            os.fchmod(file.fileno(), 0o600)
            checksum = xxhash.xxh3_64()

            def put(data: bytes) -> None:
                checksum.update(data)
                file.write(data)

            counts = table.accounts, table.pairs, len(seen[0]), len(seen[1]), first, second, since_s
            put(_HEADER.pack(_MAGIC, self.position, self.source, *counts))
            for number in range(table.account_chunks()):
                put(table.account_chunk(number))
            for number in range(table.pair_chunks()):
                put(table.pair_chunk(number))
            for ids in seen:
                put(ids)
            file.write(checksum.digest())
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
        sync_folder(path.parent)

    @classmethod
    def load(cls, path: Path) -> "RiskState":
        """The state of a snapshot; an empty one where there is none, or where it is not whole."""
        state = cls()
        if not path.exists() or not _is_whole(path):
            return state
        with path.open("rb") as file:
            _, state.position, state.source, accounts, pairs, *ids = _HEADER.unpack(file.read(_HEADER.size))
            first_ids, second_ids, first, second, since_s = ids
            _load(file.read, accounts * ACCOUNT.itemsize, ACCOUNT.itemsize, state.table.load_accounts)
            _load(file.read, pairs * PAIR.itemsize, PAIR.itemsize, state.table.load_pairs)
            state.table.load_seen_ids(0, file.read(first_ids), first, since_s)
            state.table.load_seen_ids(1, file.read(second_ids), second, since_s)
        return state


def _load(read: Callable[[int], bytes], length: int, width: int, take: Callable[[bytes], None]) -> None:
    while length > 0:
        part = read(min(length, 8192 * width))
        take(part)
        length -= len(part)


def _is_whole(path: Path) -> bool:
    checksum, left = xxhash.xxh3_64(), path.stat().st_size - 8
    with path.open("rb") as file:
        if left < _HEADER.size or file.read(8) != _MAGIC:
            return False
        file.seek(0)
        while left > 0:
            part = file.read(min(left, 1 << 20))
            checksum.update(part)
            left -= len(part)
        return file.read() == checksum.digest()
