"""Banks and entries as values: what a hash list is, what happens on a match, and where an entry comes from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from tutela.content.signals.base import WHOLE, Sample


class Action(StrEnum):
    """What a match with a bank's entry asks for."""

    BLOCK = "block"
    HOLD = "hold"
    LOG = "log"
    """Write the match down and let the content pass."""


class BankKind(StrEnum):
    """What a bank's entries stand for."""

    KNOWN = "known"
    ALLOW = "allow"
    """Known false matches: an entry takes matches out of the decision."""


class BankUse(StrEnum):
    """Where a bank counts. A list for a resolver is no list for posts unless its operator says so."""

    PLATFORM = "platform"
    """Uploads, posts and chats."""
    SEARCH = "search"
    """What people search for."""
    PROXY = "proxy"
    """Pages that a proxy passes on."""
    DNS = "dns"
    """Names that a resolver answers."""


CLEAR_USES = frozenset({BankUse.PROXY, BankUse.DNS})
"""Such a bank keeps what its entries stand for in clear: a resolver is told names, not digests."""
USUAL_USES = frozenset({BankUse.PLATFORM, BankUse.SEARCH})


class EntryState(StrEnum):
    """Whether an entry counts."""

    ACTIVE = "active"
    DISABLED = "disabled"
    """Set aside by the operator; may be enabled again."""
    WITHDRAWN = "withdrawn"
    """Taken back by its source."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What a bank does with a match."""

    action: Action = Action.HOLD
    thresholds: Mapping[str, int] = field(default_factory=dict)
    """By signal type, the largest distance that matches; the type's own default where absent."""
    min_quality: int = 50
    """Views of the content of less than this quality (0-100) do not match; an unknown quality does."""


@dataclass(frozen=True, slots=True)
class PolicyChange:
    """What changes of a policy; None stays as it is."""

    action: Action | None = None
    thresholds: Mapping[str, int] | None = None
    min_quality: int | None = None


@dataclass(frozen=True, slots=True)
class Bank:
    """A named hash list."""

    id: int
    name: str
    kind: BankKind
    label: str | None
    """The classification of entries that carry none."""
    description: str
    policy: Policy
    enabled: bool
    created_at: datetime
    updated_at: datetime
    uses: frozenset[BankUse] = USUAL_USES


@dataclass(frozen=True, slots=True)
class Entry:
    """One value in one bank, as one source listed it."""

    id: int
    bank: str
    signal: str
    value: bytes
    source: str
    """Who listed it: an exchange, a file's name, the operator."""
    reference: str
    """The source's own name of it, "" where it has none."""
    label: str | None
    note: str | None
    state: EntryState
    reason: str | None
    """Why it is in its state."""
    created_by: str
    created_at: datetime
    updated_at: datetime
    keys: tuple[str, ...] = ()
    """Of a page: the names of the query's parameters that count, in order; all of them by default."""


@dataclass(frozen=True, slots=True)
class BankEvent:
    """One step in the history of a bank or an entry."""

    at: datetime
    actor: str
    action: str
    detail: Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class Listed:
    """An active entry of an enabled bank, with the signal row it lists: as its own value, or among its values."""

    signal_id: int
    entry: Entry
    bank: Bank
    view: str = WHOLE
    """Which view of what the entry stands for has the value."""
    seconds: float | None = None
    """When in the entry's video the value is shown."""
    quality: int | None = None
    """The quality of the listed value, None where unknown."""
    value: bytes = b""
    """The value of the signal row."""


@dataclass(frozen=True, slots=True)
class Extent:
    """How much an entry that is a video stands for."""

    frames: int
    """Its listed frames of good enough a quality."""
    seconds: float
    """When the last of them is shown."""


@dataclass(frozen=True, slots=True)
class EntryValue:
    """One of several values that an entry stands for: a frame of its video, a further view of its picture."""

    signal: str
    value: bytes
    view: str = WHOLE
    seconds: float | None = None
    quality: int | None = None

    @classmethod
    def of(cls, sample: Sample) -> "EntryValue":
        """The value of a sample of what is listed."""
        return cls(sample.signal, sample.value, sample.view, sample.seconds, sample.quality)

    def sample(self) -> Sample:
        """The value as the sample that it was."""
        return Sample(self.signal, self.value, self.view, self.quality, seconds=self.seconds)


@dataclass(frozen=True, slots=True)
class NewEntry:
    """An entry to be listed."""

    signal: str
    value: bytes
    source: str = "operator"
    reference: str = ""
    label: str | None = None
    note: str | None = None
    values: tuple[EntryValue, ...] = ()
    """What else the entry stands for; found in the index like `value` itself."""
    text: str | None = None
    """What the value is the digest of; kept only in banks that serve DNS or a proxy."""
    keys: tuple[str, ...] = ()
    """Of a page: the names of the query's parameters that count, in order; all of them by default."""
