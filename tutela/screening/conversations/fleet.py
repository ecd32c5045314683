"""`ConversationFleet`: the conversations of a deployment whose events come from a broker, a shard a partition.

It looks like `Conversations` to whoever asks of an account or replays a policy; only what `begin` was called for is
judged here. State and ledger of the shards lie in one folder, which all machines share.
"""

import contextlib
import heapq
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from types import TracebackType

import numpy as np

from tutela.errors import InputError, StoreError
from tutela.screening.conversations.alarms import AlarmSink
from tutela.screening.conversations.approval import Approval
from tutela.screening.conversations.calibration import Threshold
from tutela.screening.conversations.events import Event
from tutela.screening.conversations.hearing import Hearing
from tutela.screening.conversations.ledger import ConversationLedger, EventBatch, received_now_s
from tutela.screening.conversations.options import ConversationOptions, SourceOptions
from tutela.screening.conversations.policy import RiskPolicy
from tutela.screening.conversations.records import ELSEWHERE, Pseudonyms
from tutela.screening.conversations.replay import Replayed, calibrated, replay
from tutela.screening.conversations.service import FOLDER, Conversations, Risk, approve_own, is_judged, policy_of
from tutela.screening.conversations.shards import Shard, ShardPlace, shard_of, shards_of
from tutela.screening.conversations.strata import NO_GROUPS, Grouping

SHARDS = "shards"
_AGREED = "partitions"


class ConversationFleet:
    """The shards of one deployment. Thread-safe; many processes may judge, each its own shards."""

    def __init__(
        self, home: Path, secret: Callable[[str], bytes], options: ConversationOptions, sink: AlarmSink | None
    ) -> None:
        """Raises InputError for a wrong policy, wrong phrases, or another number of partitions than before."""
        if options.source is None:
            raise InputError("nothing says where events come from: set [conversations.source]")
        self.options, self.source = options, options.source
        self._home, self._secret, self._sink = home, secret, sink
        self._of = self.source.partitions
        self._folder = shards_folder(home, self.source)
        self.policy = policy_of(home)
        self._names = Pseudonyms(secret("conversations-names"))
        self._hearing = Hearing(home, options, self._names, secret("conversations-memory"))
        self._lock = threading.RLock()
        self._shards: dict[int, Conversations] = {}
        self._judging: set[int] = set()
        _agree(self._folder, self._of)

    @property
    def versions(self) -> Mapping[str, str]:
        """Of the policy and of each scorer."""
        return self._shard(0).versions

    # --- what a consuming process does

    def check_partitions(self, found: int) -> None:
        """Raises InputError where the source has others than the settings say."""
        if found != self._of:
            raise InputError(
                "the topic has {found} partitions, and conversations.source.partitions is {wanted}",
                found=found, wanted=self._of,
            )  # fmt: skip

    def begin(self, number: int) -> int | None:
        """Take a shard over; where its source goes on. None while another process judges it. Raises StoreError."""
        with self._lock:
            at = self._shard(number).take_over()
            if at is not None:
                self._judging.add(number)
            return at

    def take(self, number: int, events: Sequence[Event], *, following: int) -> None:
        """Take what the source has of a shard that was begun, with where it goes on. Raises StoreError."""
        self._shard(number).observe(events, following=following)

    def drain(self) -> int:
        """Judge what came of the shards that were begun; how many events. Raises NotReadyError, StoreError."""
        return sum(self._shard(number).drain() for number in sorted(self._judging))

    def end(self, number: int) -> None:
        """Let another process have a shard."""
        with self._lock:
            self._judging.discard(number)
            if (shard := self._shards.pop(number, None)) is not None:
                shard.close()

    def warn_unreadable(self, number: int, at: str) -> None:
        """Tell, once an hour and partition, that messages are no events."""
        if self._sink is not None:
            hour = received_now_s() // 3600
            self._sink.warn("risk.unreadable", f"{number}/{hour}", {"partition": number, "field": at})

    # --- what Conversations does

    def observe(self, events: Event | Sequence[Event]) -> int:
        """Take events beside the broker's; return how many, once they are durable in each of their shards."""
        batch = [events] if isinstance(events, Event) else events
        where = [shards_of(event, self._of) for event in batch]
        for number in sorted(set().union(*where)):
            self._shard(number).observe([event for event, at in zip(batch, where, strict=True) if number in at])
        return len(batch)

    def risk(self, account: str) -> Risk:
        """What is known of an account. Raises NotFoundError where nothing is."""
        return self._shard(shard_of(account, self._of)).risk(account)

    def shortcomings(self) -> list[str]:
        """What keeps events from being judged; empty when nothing does."""
        return self._shard(0).shortcomings()

    def replay(self, policy: RiskPolicy | None = None, grouping: Grouping = NO_GROUPS) -> Replayed:
        """What a policy, by default the present one, would have made of what all shards hold."""
        with self._together() as ledger:
            return replay(ledger, policy or self.policy, grouping, self._names)

    def calibrate(self, feature: str, budget_per_million: float) -> Threshold:
        """As `Conversations.calibrate`, of all shards."""
        with self._together() as ledger:
            return calibrated(ledger, feature, budget_per_million)

    def approve(self, by: str) -> Approval:
        """As `Conversations.approve`."""
        return approve_own(self._home, self.policy, by)

    def clear(self, account: str) -> None:
        """As `Conversations.clear`."""
        self._shard(shard_of(account, self._of)).clear(account)

    def forget(self, account: str) -> int:
        """Forget all that is known of an account, in every shard; how many records."""
        return sum(self._shard(number).forget(account) for number in range(self._of))

    def start(self) -> None:
        """Nothing: `tutela risk consume` judges."""

    def stop(self) -> None:
        """Write the snapshots of what is judged here."""
        for number in sorted(self._judging):
            self._shard(number).stop()

    def close(self) -> None:
        """Let go of everything."""
        for number in [*self._shards]:
            self.end(number)

    def __enter__(self) -> "ConversationFleet":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _shard(self, number: int) -> Conversations:
        with self._lock:
            if number not in self._shards:
                every = [self._folder / Shard(one, self._of).name for one in range(self._of)]
                part = ShardPlace(Shard(number, self._of), every, self._hearing)
                self._shards[number] = Conversations(self._home, self._secret, self.options, self._sink, part)
            return self._shards[number]

    @contextmanager
    def _together(self) -> Iterator["Together"]:
        with ExitStack() as stack:
            ledgers = []
            for number in range(self._of):
                folder = self._folder / Shard(number, self._of).name / "ledger"
                ledgers.append(ConversationLedger(folder, self._secret("conversations-ledger")))
                stack.callback(ledgers[-1].close)
            yield Together(ledgers)


class Together:
    """The ledgers of all shards as one, in the order in which they were written. What lies in two counts once, as its
    id is the same."""

    def __init__(self, ledgers: Sequence[ConversationLedger]) -> None:
        self._ledgers = ledgers

    def read(self) -> Iterator[EventBatch]:
        """Every batch, with positions of its own."""
        position = 0
        for batch in heapq.merge(*(ledger.read() for ledger in self._ledgers), key=_received_s):
            records = batch.records.copy()
            records["flags"] &= ELSEWHERE - 1
            records["position"] = np.arange(position, position + len(records), dtype=np.uint64)
            position += len(records)
            yield replace(batch, records=records)


def _received_s(batch: EventBatch) -> int:
    return int(batch.records["received_s"][0])


def shards_folder(home: Path, source: SourceOptions) -> Path:
    """Where the shards lie."""
    return source.folder or home / FOLDER / SHARDS


def being_judged(home: Path, source: SourceOptions) -> int:
    """How many shards some process judges now."""
    folders = [
        shards_folder(home, source) / Shard(number, source.partitions).name for number in range(source.partitions)
    ]
    return sum(is_judged(folder) for folder in folders)


def _agree(folder: Path, partitions: int) -> None:
    """Write down how many shards there are, where nobody has. Raises InputError where there were others, StoreError."""
    path = folder / _AGREED
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            beside = path.with_suffix(f".{os.getpid()}")
            beside.write_text(f"{partitions}\n")
            try:
                os.link(beside, path)
            finally:
                beside.unlink()
    except OSError as error:
        raise StoreError("the shards in {folder} cannot be opened: {why}", folder=folder, why=error) from error
    check_agreed(folder, partitions)


def check_agreed(folder: Path, partitions: int) -> None:
    """Raises InputError where shards of another number lie there, StoreError."""
    try:
        known = int((folder / _AGREED).read_text())
    except FileNotFoundError:
        return
    except (OSError, ValueError) as error:
        raise StoreError("the shards in {folder} cannot be opened: {why}", folder=folder, why=error) from error
    if known != partitions:
        raise InputError(
            "{folder} is of {known} partitions, and conversations.source.partitions is {wanted}: an account's partition"
            " follows from their number; begin anew in another folder, with another topic",
            folder=folder, known=known, wanted=partitions,
        )  # fmt: skip
