"""Events as the ledger writes them: numbers of a fixed layout, which the native core reads as well, and apart from them
the opaque names that reasons refer to. No text is in either."""

from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter

import numpy as np
import numpy.typing as npt

from tutela import _native
from tutela.screening.conversations.events import SOURCE, Event

RECORD = np.dtype(
    [
        ("position", "<u8"), ("id", "<u8"), ("sender", "<u8"), ("recipient", "<u8"), ("conversation", "<u8"),
        ("at_ms", "<i8"), ("received_s", "<u4"), ("opening", "<u4"), ("trust", "<f4"), ("coercion", "<f4"),
        ("minute", "<u2"), ("kind", "u1"), ("flags", "u1"), ("band", "u1"), ("known", "u1"),
        ("recipient_band", "u1"), ("recipient_known", "u1"), ("stage", "u1"), ("scorers", "u1"), ("padding", "V6"),
    ]
)  # fmt: skip
"""`RiskEvent` of native/risk.hpp."""
Records = npt.NDArray[np.void]
ASKED, ACQUAINTED, GROUP, MOVES, ROLE, UNCOVERED, READ, ELSEWHERE = (1 << bit for bit in range(8))
_FLAGS = ("asked", "acquainted", "group", "moves", "role")
_AGES = ("band", "known", "recipient_band", "recipient_known")
_NAMED = ("id", "sender", "recipient", "conversation")
_BETWEEN, _APART = "\x1f", "\x1e"
_NOBODY = _BETWEEN.encode() * 3


class Pseudonyms:
    """Keyed numbers that stand for names: equal for equal names of one deployment, and nothing else."""

    def __init__(self, secret: bytes) -> None:
        self._first = int.from_bytes(secret[:8], "little")
        self._second = int.from_bytes(secret[8:16], "little")

    def of(self, name: str) -> int:
        """The number of a name; 0 for the empty one."""
        return int(self.all([name])[0])

    def all(self, names: Sequence[str]) -> npt.NDArray[np.uint64]:
        """The numbers of many names, shape (count,)."""
        return _native.pseudonyms(list(names), self._first, self._second)


@dataclass(frozen=True, slots=True)
class Heard:
    """What scorers of texts found in a batch of events; arrays with one number an event."""

    trust: npt.NDArray[np.float32]
    coercion: npt.NDArray[np.float32]
    stage: npt.NDArray[np.uint8]
    scorers: npt.NDArray[np.uint8]
    opening: npt.NDArray[np.uint32]
    uncovered: npt.NDArray[np.bool_]
    """In a language that no scorer reads."""
    read: npt.NDArray[np.bool_]
    """Text that was scored."""

    @classmethod
    def nothing(cls, count: int) -> "Heard":
        """Of events without text."""
        return cls(
            np.zeros(count, np.float32),
            np.zeros(count, np.float32),
            np.zeros(count, np.uint8),
            np.zeros(count, np.uint8),
            np.zeros(count, np.uint32),
            np.zeros(count, np.bool_),
            np.zeros(count, np.bool_),
        )


def pack(events: Sequence[Event], heard: Heard, pseudonyms: Pseudonyms, received_s: int) -> Records:
    """The records of events; the ledger gives them their positions."""
    records = np.zeros(len(events), RECORD)
    for name in _NAMED:
        records[name] = pseudonyms.all([*map(attrgetter(name), events)])
    records["at_ms"] = np.fromiter((event.at for event in events), np.float64, len(events)) * 1000
    records["received_s"] = received_s
    records["minute"] = [*map(attrgetter("minute"), events)]
    records["kind"] = [event.kind.number for event in events]
    for name in _AGES:
        records[name] = [*map(attrgetter(name), events)]
    flags = np.zeros(len(events), np.uint8)
    for bit, name in enumerate(_FLAGS):
        flags |= np.array([*map(attrgetter(name), events)], np.uint8) << bit
    records["flags"] = flags | heard.uncovered.astype(np.uint8) * UNCOVERED | heard.read.astype(np.uint8) * READ
    for name in ("trust", "coercion", "stage", "scorers", "opening"):
        records[name] = getattr(heard, name)
    return records


def marker(kind: int, account: int, received_s: int) -> Records:
    """A record of what people did: an account cleared, or forgotten."""
    record = np.zeros(1, RECORD)
    record["kind"], record["sender"], record["received_s"], record["at_ms"] = (
        kind,
        account,
        received_s,
        received_s * 1000,
    )
    return record


def with_source(records: Records, names: bytes, following: int, received_s: int) -> tuple[Records, bytes]:
    """Records and names with, behind them, where their source goes on: durable together, or not at all."""
    mark = marker(SOURCE, 0, received_s)
    mark["conversation"] = following
    return np.concatenate([records, mark]), names + _APART.encode() + _NOBODY if names else b""


def source_of(records: Records) -> int | None:
    """Where a source goes on behind these records; None where they are not from one."""
    marks = records["conversation"][records["kind"] == SOURCE]
    return int(marks[-1]) if len(marks) else None


def names_of(events: Sequence[Event]) -> bytes:
    """The opaque names of events, to be sealed beside their records."""
    return _APART.join(
        f"{event.id}{_BETWEEN}{event.sender}{_BETWEEN}{event.recipient}{_BETWEEN}{event.conversation}"
        for event in events
    ).encode("utf-8", "replace")


def written_names(names: Sequence["Names"]) -> bytes:
    """The same of names that were read."""
    return _APART.join(_BETWEEN.join((one.id, one.sender, one.recipient, one.conversation)) for one in names).encode()


@dataclass(frozen=True, slots=True)
class Names:
    """The opaque names of one event."""

    id: str
    sender: str
    recipient: str
    conversation: str


def read_names(written: bytes) -> list[Names]:
    """What `names_of` wrote."""
    return [Names(*line.split(_BETWEEN)) for line in written.decode().split(_APART)] if written else []
