"""What an object store is to the gateway: an object is pinned to one version; it is read, tagged and copied in that
version, never deleted. `s3.py`, `gcs.py` and `azure.py` each speak to one kind.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from tutela.errors import TutelaError
from tutela.gateways.buckets.events import NewObject

BLOCK = 256 * 1024
"""Bytes of an object that are read at once."""
MAX_TAGS = 10
"""Of one object, with S3 and Azure."""


class StoreKind(StrEnum):
    """Which store."""

    S3 = "s3"
    """Amazon's, and whatever speaks as it does: MinIO, SeaweedFS, Ceph."""
    GCS = "gcs"
    """Google Cloud Storage."""
    AZURE = "azure"
    """Azure Blob Storage."""


class StoreUnreachableError(TutelaError):
    """The store does not answer, or refuses us: the event comes again."""

    code = "store-unreachable"


class GoneError(TutelaError):
    """That version of the object is not there any more."""

    code = "gone"


class ChangedError(TutelaError):
    """Another version is there by now; its own event tells of it."""

    code = "changed"


@dataclass(frozen=True, slots=True)
class Pinned:
    """Exactly one version of an object: by its id, or where the bucket keeps no versions by its ETag."""

    bucket: str
    key: str
    version: str
    etag: str


def joined_tags(theirs: Mapping[str, str], ours: Mapping[str, str]) -> dict[str, str]:
    """Our tags beside those that are there. Raises StoreUnreachableError where that is more than an object may have."""
    tags = {**theirs, **ours}
    if len(tags) > MAX_TAGS:
        raise StoreUnreachableError(
            "the object has {tags} tags, and may have {max_tags} in all",
            tags=len(tags) - len(ours),
            max_tags=MAX_TAGS,
        )
    return tags


class ObjectStore(Protocol):
    """One store. Calls wait: make them in threads. Each raises StoreUnreachableError, and what it says."""

    def pin(self, new: NewObject) -> Pinned:
        """The version that an event tells of. Raises GoneError, ChangedError."""

    def read(self, pinned: Pinned) -> Iterator[bytes]:
        """The content of that version, block by block; it ends only where the object does."""

    def tags(self, pinned: Pinned) -> dict[str, str]:
        """The tags of that version."""

    def tag(self, pinned: Pinned, ours: Mapping[str, str]) -> None:
        """Set our tags on that version beside those of others. Raises ChangedError, GoneError."""

    def copy(self, pinned: Pinned, bucket: str) -> None:
        """Copy that version to another bucket, under the same key."""

    def put(self, bucket: str, key: str, content: bytes) -> NewObject:
        """Store a new object, or a new version of one, without tags."""


@dataclass(frozen=True, slots=True)
class QueuedEvent:
    """A message of a queue, and what proves that it was received."""

    text: str
    receipt: str


class EventQueue(Protocol):
    """A queue that gets a bucket's events. Calls wait: make them in threads."""

    def receive(self) -> Sequence[QueuedEvent]:
        """The next messages, hidden from others for a while; none where none came in some seconds."""

    def done(self, event: QueuedEvent) -> None:
        """It need not come again."""

    def again(self, event: QueuedEvent, after_s: int) -> None:
        """It should come again."""
