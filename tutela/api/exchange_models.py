"""The shapes of requests and answers about exchanges and feeds."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import Field, StringConstraints

from tutela.api.models import Name, Strict, Text
from tutela.lists.exchanges.base import Finding
from tutela.lists.exchanges.feeds import Feed, Return
from tutela.lists.exchanges.service import INTERVAL_S, STALE_AFTER_S, ExchangeRow, Giving

Options = dict[Name, Text]
Seconds = Annotated[int, Field(ge=1, le=365 * 86_400)]


class GivingIn(Strict):
    """What is given back to a list."""

    feedback: bool = False
    seen: bool = False
    share_bank: Name | None = None
    share_labels: list[Name] = Field(default_factory=list, max_length=100)

    def giving(self) -> Giving:
        """As a value."""
        return Giving(self.feedback, self.seen, self.share_bank, tuple(self.share_labels))


class ExchangeIn(Strict):
    """A new exchange."""

    name: Name
    kind: Name = Field(examples=["ncmec"])
    bank: Name
    options: Options = Field(default_factory=dict, description="Secrets as references: env:NAME or file:/path.")
    interval_s: Seconds = INTERVAL_S
    stale_after_s: Seconds = STALE_AFTER_S
    giving: GivingIn = Field(default_factory=GivingIn)


class ExchangeChange(Strict):
    """What changes of an exchange; what is not given stays."""

    options: Options | None = None
    enabled: bool | None = None
    interval_s: Seconds | None = None
    stale_after_s: Seconds | None = None
    giving: GivingIn | None = None


class ExchangeOut(Strict):
    """An exchange and how far it is."""

    name: str
    kind: str
    bank: str
    options: dict[str, str]
    giving: GivingIn
    enabled: bool
    interval_s: int
    stale_after_s: int
    stale: bool
    age_s: float
    listed: int
    not_readable: int
    failures: int
    error: str | None
    attempted_at: datetime | None
    pulled_at: datetime | None
    next_at: datetime

    @classmethod
    def of(cls, row: ExchangeRow) -> "ExchangeOut":
        """From a row."""
        at, giving = datetime.now(UTC), row.giving
        return cls(
            name=row.name,
            kind=row.kind,
            bank=row.bank,
            options=dict(row.options),
            giving=GivingIn(
                feedback=giving.feedback,
                seen=giving.seen,
                share_bank=giving.share_bank,
                share_labels=list(giving.share_labels),
            ),
            enabled=row.enabled,
            interval_s=row.interval_s,
            stale_after_s=row.stale_after_s,
            stale=row.stale(at),
            age_s=round(row.age_s(at), 3),
            listed=row.listed,
            not_readable=row.rejected,
            failures=row.failures,
            error=row.error,
            attempted_at=row.attempted_at,
            pulled_at=row.pulled_at,
            next_at=row.next_at,
        )


class ExchangeDetail(ExchangeOut):
    """An exchange with what is dubious about its list."""

    unknown_fingerprints: dict[str, int]
    flags: list["FlagOut"]


class FlagOut(Strict):
    """An entry that hygiene marked."""

    entry_id: int
    flag: str
    detail: str


class TestOut(Strict):
    """What the other side says of us."""

    answer: str


class RemovedOut(Strict):
    """What a removal did."""

    withdrawn: int


class ValueIn(Strict):
    """One hash."""

    signal: Name
    value: Text


class LookUpIn(Strict):
    """Hashes to ask a list about."""

    hashes: list[ValueIn] = Field(min_length=1, max_length=1000)


class FindingOut(Strict):
    """What the list knows of a hash; hashes that it does not know are left out."""

    signal: str
    value: str
    label: str

    @classmethod
    def of(cls, finding: Finding) -> "FindingOut":
        """From a value."""
        return cls(signal=finding.signal, value=finding.value, label=finding.label)


class FeedIn(Strict):
    """A new feed."""

    name: Name
    bank: Name
    signing_key: Text = Field(description="Where the signing key is: env:NAME or file:/path.")


class FeedOut(Strict):
    """A feed."""

    name: str
    bank: str
    records: int
    created_at: datetime

    @classmethod
    def of(cls, feed: Feed) -> "FeedOut":
        """From a value."""
        return cls(name=feed.name, bank=feed.bank, records=feed.sequence, created_at=feed.created_at)


class FeedbackIn(Strict):
    """A member's opinion on an entry."""

    entry: Annotated[str, StringConstraints(min_length=1, max_length=255)]
    signal: Name
    value: Text
    opinion: Annotated[str, StringConstraints(pattern="^(confirmed|rejected|seen)$")]
    reason: Text = ""


class ShareIn(Strict):
    """A member's own entry."""

    id: Name
    media: Annotated[str, StringConstraints(max_length=16)] = ""
    label: Name | None = None
    fingerprints: list[tuple[Name, Text]] = Field(min_length=1, max_length=20)
    note: Text = ""


class ReturnOut(Strict):
    """What a member gave back."""

    id: int
    key: str
    kind: str
    document: dict[str, object]
    at: datetime

    @classmethod
    def of(cls, found: Return) -> "ReturnOut":
        """From a value."""
        return cls(id=found.id, key=found.key_id, kind=found.kind, document=dict(found.document), at=found.at)
