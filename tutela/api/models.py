"""The shapes of requests and answers, as pydantic models with the limits that apply at the edge."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from tutela.content.links.link import with_keys
from tutela.content.signals.registry import signal_type
from tutela.foundation.moments import EARLIEST, LATEST
from tutela.lists.banks.model import (
    USUAL_USES,
    Action,
    Bank,
    BankKind,
    BankUse,
    Entry,
    EntryState,
    Policy,
    PolicyChange,
)
from tutela.screening.decision import Decision

Text = Annotated[str, StringConstraints(max_length=4_000)]
ListedValue = Annotated[str, StringConstraints(max_length=4_000_000)]
"""As long as a video's list of frames."""
Name = Annotated[str, StringConstraints(min_length=1, max_length=128)]
MAX_BATCH = 10_000

Moment = Annotated[AwareDatetime, Field(ge=EARLIEST, lt=LATEST)]
"""A time with its zone, within what can be counted from."""

EXAMPLE_PDQ = "d8f8f0cee0f4a84f0637022a078f67f0b36e2ed596621e1d33e6339c4e9c9b22"


class Strict(BaseModel):
    """A request body: unknown fields are an error, not ignored, and none of its texts stays in memory.

    pydantic would keep short texts that it parsed, to share them with those of later requests.
    """

    model_config = ConfigDict(extra="forbid", cache_strings="keys")


class ContextIn(Strict):
    """What the platform says about the content."""

    item: Annotated[str, StringConstraints(max_length=255)] | None = Field(
        None, description="The platform's own opaque name of the content; the only part that is stored."
    )
    details: dict[
        Annotated[str, StringConstraints(max_length=64)], Annotated[str, StringConstraints(max_length=1000)]
    ] = Field(default_factory=dict, max_length=50)


class HashIn(Strict):
    """A hash that the caller computed."""

    signal: Name = Field(examples=["pdq"])
    value: ListedValue = Field(examples=[EXAMPLE_PDQ])
    quality: int | None = Field(None, ge=0, le=100)


class HashesIn(Strict):
    """Hashes of one piece of content."""

    hashes: list[HashIn] = Field(min_length=1, max_length=1000)
    context: ContextIn | None = None


class LookupIn(Strict):
    """Hashes of different contents."""

    hashes: list[HashIn] = Field(min_length=1, max_length=MAX_BATCH)


class RegionOut(BaseModel):
    """A rectangle in the displayed picture, in fractions of its width and height."""

    left: float
    top: float
    right: float
    bottom: float


class TimeSpanOut(BaseModel):
    """Which seconds of the content match which seconds of the entry."""

    begin: float
    end: float
    entry_begin: float | None
    entry_end: float | None
    speed: float | None
    frames: int
    upload_share: float
    entry_share: float | None


class MatchOut(BaseModel):
    """An entry that matches."""

    bank: str
    entry_id: int
    signal: str
    value: str
    distance: int
    threshold: int
    view: str
    quality: int | None
    label: str | None
    source: str
    reference: str
    action: Action
    region: RegionOut | None
    part: str
    seconds: float | None
    span: TimeSpanOut | None
    suppressed_by: str | None
    sentence: str = Field("", description="The match in words, for people.")


class LookupOut(BaseModel):
    """The matches of each hash, in the order asked."""

    results: list[list[MatchOut]]


class ReasonOut(BaseModel):
    """Why the decision is what it is."""

    code: str
    message: str


class VerdictOut(BaseModel):
    """The verdict. `decision` is what the platform must do now."""

    id: str
    at: datetime
    decision: Decision
    reasons: list[ReasonOut]
    matches: list[MatchOut]
    matches_omitted: int
    hashes: list[dict[str, Any]]
    hashes_omitted: int = 0
    media_type: str | None
    width: int | None
    height: int | None
    byte_length: int | None
    sha256: str | None
    context: dict[str, Any]
    timings: dict[str, float]
    versions: dict[str, Any]


class JobOut(BaseModel):
    """A screening that is answered later. Hold the content until the verdict is there, and where the job failed."""

    id: str
    state: Literal["pending", "running", "done", "failed"]
    byte_length: int
    attempts: int
    created_at: datetime
    updated_at: datetime
    error: str | None
    verdict: VerdictOut | None


class PolicyModel(Strict):
    """What a bank does with a match."""

    action: Action = Action.HOLD
    thresholds: dict[Name, int] = Field(default_factory=dict, examples=[{"pdq": 31}])
    min_quality: Annotated[int, Field(ge=0, le=100)] = 50

    def policy(self) -> Policy:
        """The policy that this describes."""
        return Policy(self.action, self.thresholds, self.min_quality)


class PolicyPatch(Strict):
    """What changes of a policy; what is not given stays."""

    action: Action | None = None
    thresholds: dict[Name, int] | None = Field(default=None, examples=[{"pdq": 31}])
    min_quality: Annotated[int, Field(ge=0, le=100)] | None = None

    def change(self) -> PolicyChange:
        """The change that this describes."""
        return PolicyChange(self.action, self.thresholds, self.min_quality)


class BankIn(Strict):
    """A bank to be made."""

    name: Name = Field(examples=["known"])
    kind: BankKind = BankKind.KNOWN
    label: Name | None = None
    description: Text = ""
    policy: PolicyModel = PolicyModel()
    uses: set[BankUse] = Field(default=set(USUAL_USES), description="Where it counts: platform, search, proxy, dns.")


class BankChange(Strict):
    """What changes of a bank; the rest stays."""

    name: Name | None = None
    label: Name | None = None
    description: Text | None = None
    policy: PolicyPatch | None = None
    enabled: bool | None = None
    uses: set[BankUse] | None = None


class BankOut(BaseModel):
    """A bank."""

    name: str
    kind: BankKind
    label: str | None
    description: str
    policy: PolicyModel
    enabled: bool
    created_at: datetime
    updated_at: datetime
    uses: list[BankUse]

    @classmethod
    def of(cls, bank: Bank) -> "BankOut":
        """The bank as it is answered."""
        policy = PolicyModel(
            action=bank.policy.action, thresholds=dict(bank.policy.thresholds), min_quality=bank.policy.min_quality
        )
        return cls(
            name=bank.name,
            kind=bank.kind,
            label=bank.label,
            description=bank.description,
            policy=policy,
            enabled=bank.enabled,
            created_at=bank.created_at,
            updated_at=bank.updated_at,
            uses=sorted(bank.uses),
        )


class BankDetail(BankOut):
    """A bank with what is in it."""

    counts: dict[EntryState, int]


class EntryIn(Strict):
    """A value to be listed."""

    signal: Name = Field(examples=["pdq"])
    value: ListedValue = Field(examples=[EXAMPLE_PDQ])
    source: Annotated[str, StringConstraints(max_length=255)] = "operator"
    reference: Annotated[str, StringConstraints(max_length=255)] = ""
    label: Name | None = None
    note: Text | None = None


class EntriesIn(Strict):
    """Values to be listed, all or none."""

    entries: list[EntryIn] = Field(min_length=1, max_length=MAX_BATCH)
    reason: Text | None = Field(None, description="Needed for a bank of kind allow: why these are false matches.")


class EntriesAdded(BaseModel):
    """What listing did."""

    entry_ids: list[int]
    added: int
    unchanged: int
    warnings: list[str] = Field(default_factory=list, description="Values that are listed and too plain to match.")


class EntryChange(Strict):
    """A new state of an entry, and why."""

    state: EntryState
    reason: Annotated[str, StringConstraints(min_length=1, max_length=4_000)]


class EntryOut(BaseModel):
    """An entry."""

    id: int
    bank: str
    signal: str
    value: str
    source: str
    reference: str
    label: str | None
    note: str | None
    state: EntryState
    reason: str | None
    created_by: str
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, entry: Entry) -> "EntryOut":
        """The entry as it is answered."""
        return cls(
            id=entry.id,
            bank=entry.bank,
            signal=entry.signal,
            value=with_keys(signal_type(entry.signal).format(entry.value), entry.keys),
            source=entry.source,
            reference=entry.reference,
            label=entry.label,
            note=entry.note,
            state=entry.state,
            reason=entry.reason,
            created_by=entry.created_by,
            created_at=entry.created_at,
            updated_at=entry.updated_at,
        )


class EntryPage(BaseModel):
    """Entries by id; ask again with `after` = `next` for more."""

    entries: list[EntryOut]
    next: int | None


class EventOut(BaseModel):
    """One step of a history."""

    at: datetime
    actor: str
    action: str
    detail: dict[str, Any]


class BadLineOut(BaseModel):
    """A line of a list that was not taken."""

    line: int
    reason: str


class ImportOut(BaseModel):
    """What an import did."""

    lines: int
    added: int
    unchanged: int
    rejected: int
    rejects: list[BadLineOut]
    left_out: list[str] = Field(description="Columns of hashes that were not read.")
    plain: int = Field(description="Values that look like those of pictures without detail.")
