"""An incident as every kind of report needs it: who uploaded what, when, and what it matched – out of a decided case.

The case has no personal data. What the platform said about the uploader is in the sealed context of each item, so only
a process with the review key can make an incident.
"""

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import BinaryIO, Protocol

from tutela.casework.cases.model import Case, CaseItem
from tutela.casework.reports.details import moment_of, normalised
from tutela.errors import InputError
from tutela.screening.verdict import Context, Match

_CHUNK = 1024 * 1024

KNOWN_DETAILS = frozenset(
    {
        "uploader", "screen_name", "display_name", "first_name", "last_name", "date_of_birth", "email",
        "email_verified", "phone", "profile_url", "profile_bio", "service", "ip_address", "ip_port", "uploaded_at",
        "file_name", "url", "public", "device_id", "device_type", "disabled_at", "country",
    }
)  # fmt: skip
"""Names of `Context.details` that have a place of their own in a report; all others are written as remarks."""


class EvidenceSource(Protocol):
    """Opens sealed evidence for whoever has the review key."""

    def context(self, evidence_id: str) -> Context:
        """What the platform said about it. Raises TutelaError."""

    def open(self, evidence_id: str) -> BinaryIO:
        """Its bytes, as a seekable file. Raises TutelaError."""


@dataclass(frozen=True, slots=True)
class IncidentFile:
    """One confirmed piece of content."""

    evidence: str
    item: str | None
    """The platform's own name of it."""
    at: datetime
    sha256: str
    sha1: str
    md5: str
    length: int
    media_type: str | None
    label: str | None
    """The class that a person gave, or the list's where nobody looked."""
    viewed: bool
    """Whether a person of the company looked at the whole of it."""
    matches: tuple[Match, ...]
    details: Mapping[str, str]
    """What the platform said, by the names of `KNOWN_DETAILS` or its own, normalised."""


@dataclass(frozen=True, slots=True)
class Incident:
    """One uploader's confirmed content, with all that a report says about it."""

    case_id: str
    opened_at: datetime
    files: tuple[IncidentFile, ...]
    prior_numbers: tuple[int, ...] = ()
    """CyberTipline reports on the same account that were filed before."""
    decided_by_person: bool = True
    details: Mapping[str, str] = field(default_factory=dict)
    """What is said of the account: the details of all files together, the latest first."""

    @property
    def at(self) -> datetime:
        """When it happened: the earliest upload, as the platform says, or as it was screened."""
        return min(moment_of(file.details, "uploaded_at") or file.at for file in self.files)


def incident_of(
    case: Case,
    evidence: EvidenceSource,
    *,
    items: Collection[CaseItem] | None = None,
    viewed: Collection[str] = (),
    prior_numbers: tuple[int, ...] = (),
    by_person: bool | None = None,
) -> Incident:
    """The incident of a case: its confirmed items, or those given. Needs the review key.

    `viewed` are the evidence ids that a person has seen whole; `by_person` says whether a person decided, by default
    unless items are given. Raises InputError when there is nothing to report.
    """
    chosen = case.confirmed() if items is None else tuple(items)
    if not chosen:
        raise InputError("case {id} has no confirmed item; decide it first", id=case.id)
    files = tuple(_file(item, evidence, item.evidence_id in viewed) for item in chosen)
    details: dict[str, str] = {}
    for file in sorted(files, key=lambda one: one.at):
        details.update(file.details)
    return Incident(
        case_id=case.id,
        opened_at=case.opened_at,
        files=files,
        prior_numbers=prior_numbers,
        decided_by_person=items is None if by_person is None else by_person,
        details=details,
    )


def _file(item: CaseItem, evidence: EvidenceSource, viewed: bool) -> IncidentFile:
    hashes = {name: hashlib.new(name, usedforsecurity=False) for name in ("md5", "sha1", "sha256")}
    length = 0
    with evidence.open(item.evidence_id) as content:
        while part := content.read(_CHUNK):
            length += len(part)
            for found in hashes.values():
                found.update(part)
    return IncidentFile(
        evidence=item.evidence_id,
        item=item.item,
        at=item.at,
        sha256=hashes["sha256"].hexdigest(),
        sha1=hashes["sha1"].hexdigest(),
        md5=hashes["md5"].hexdigest(),
        length=length,
        media_type=item.media_type,
        label=(item.decision.label if item.decision else None) or item.label,
        viewed=viewed,
        matches=tuple(match for match in item.matches if match.suppressed_by is None),
        details=normalised(evidence.context(item.evidence_id).details),
    )


ENDINGS = {
    "image/jpeg": ".jpg",
    "image/png": ".png",
    "image/gif": ".gif",
    "image/webp": ".webp",
    "image/heic": ".heic",
    "image/avif": ".avif",
    "video/mp4": ".mp4",
    "video/webm": ".webm",
    "video/quicktime": ".mov",
    "application/pdf": ".pdf",
    "application/zip": ".zip",
}


def neutral_name(file: IncidentFile) -> str:
    """A name for a file that says nothing of what is in it; what the uploader called it is in the details."""
    return file.sha256[:16] + ENDINGS.get(file.media_type or "", "")
