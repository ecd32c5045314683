"""What screening answers: a `Verdict` with its decision, the reasons for it and every match behind it.

For the same content, lists and policy everything but `id`, `at` and `timings` is the same, in the same order.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from operator import attrgetter
from typing import Any

from tutela.content.signals.base import Region
from tutela.lists.banks.model import Action
from tutela.screening.decision import Decision
from tutela.screening.sentences import sentence


@dataclass(frozen=True, slots=True)
class Context:
    """What the platform says about the content. Only `item` is stored beside a verdict; `details` are not kept."""

    item: str | None = None
    """The platform's own opaque name of the content."""
    details: Mapping[str, str] = field(default_factory=dict)

    @property
    def uploader(self) -> str:
        """The platform's name of whoever sent the content; empty where it does not say."""
        return self.details.get("uploader", "")


@dataclass(frozen=True, slots=True)
class Reason:
    """Why the decision is what it is: a stable code for programs and a sentence for people."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class TimeSpan:
    """Which seconds of the content match which seconds of the entry, for a person to look there."""

    begin: float
    """Seconds from the start of the content's video."""
    end: float
    entry_begin: float | None
    """Seconds from the start of the entry's video; None where the entry is a picture."""
    entry_end: float | None
    speed: float | None
    """Seconds of the entry for a second of the content, negative where it is played backwards; None for a picture,
    or where no stretch of both videos runs along."""
    frames: int
    """Frames of the content that match."""
    upload_share: float
    """The share of the content's frames, of those good enough to be compared, that match: 0-1."""
    entry_share: float | None
    """The share of the entry's video that was seen: 0-1."""


@dataclass(frozen=True, slots=True)
class Match:
    """One entry of one bank that the content matches."""

    bank: str
    entry_id: int
    signal: str
    value: str
    """The entry's value in the signal's canonical text."""
    distance: int
    threshold: int
    """The bank's threshold that the distance is within."""
    view: str
    """Which view of the content matched."""
    quality: int | None
    """The quality of the content's view, None where unknown."""
    label: str | None
    source: str
    reference: str
    action: Action
    region: Region | None = None
    """Where in the picture the view lies; None where it is the whole."""
    part: str = ""
    """Where in the content the picture lies; empty for the content itself."""
    seconds: float | None = None
    """When in a video or animation the picture is shown."""
    span: TimeSpan | None = None
    """In a video, from when to when it matches."""
    suppressed_by: str | None = None
    """The allow-list bank and entry that took this match out of the decision."""

    def document(self) -> dict[str, Any]:
        """The match as a JSON object."""
        return _fields(self) | {
            "sentence": sentence(self),
            "region": self.region and self.region._asdict(),
            "span": self.span and _fields(self.span),
        }

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> "Match":
        """The match of a document that `document` made, of this version or an earlier one."""
        known = {name: document[name] for name in cls.__slots__ if name in document}
        region, span = document.get("region"), document.get("span")
        known |= {"region": region and Region(**region), "span": span and TimeSpan(**span)}
        return cls(**known | {"action": Action(document["action"])})


@dataclass(frozen=True, slots=True)
class ContentHash:
    """One hash of the content that was looked up."""

    signal: str
    value: str
    view: str
    quality: int | None
    part: str = ""
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Timings:
    """Milliseconds spent, by stage."""

    examine_ms: float
    search_ms: float
    total_ms: float


@dataclass(frozen=True, slots=True)
class Versions:
    """What the verdict was made with."""

    engine: str
    lists: Mapping[str, int]
    """Per signal type, the sequence number of the last list change that was in the index."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer for one piece of content."""

    id: str
    at: datetime
    decision: Decision
    reasons: tuple[Reason, ...]
    matches: tuple[Match, ...]
    matches_omitted: int
    """Further, more distant matches that are counted but not listed."""
    hashes: tuple[ContentHash, ...]
    hashes_omitted: int
    """Further hashes of what is inside, that are counted but not listed."""
    media_type: str | None
    width: int | None
    height: int | None
    byte_length: int | None
    sha256: str | None
    context: Context
    timings: Timings
    versions: Versions

    def document(self) -> dict[str, Any]:
        """The verdict as a JSON object: what the API answers, the command line prints and the journal keeps."""
        # By hand: `dataclasses.asdict` copies everything deeply, which took a tenth of a screening.
        return _fields(self) | {
            "at": self.at.isoformat(),
            "reasons": [_fields(reason) for reason in self.reasons],
            "matches": [match.document() for match in self.matches],
            "hashes": [_fields(content_hash) for content_hash in self.hashes],
            "context": {"item": self.context.item, "details": dict(self.context.details)},
            "timings": _fields(self.timings),
            "versions": {"engine": self.versions.engine, "lists": dict(self.versions.lists)},
        }


def _fields(record: Verdict | Reason | Match | ContentHash | Timings | TimeSpan) -> dict[str, Any]:
    return dict(zip(record.__slots__, _VALUES[type(record)](record), strict=True))


_VALUES: Mapping[type, Callable[[object], tuple[Any, ...]]] = {
    kind: attrgetter(*kind.__slots__) for kind in (Verdict, Reason, Match, ContentHash, Timings, TimeSpan)
}
