"""Cuts that are not in the database yet: on disk, sealed, until they are.

The clip is sealed to the review key before it comes here, and what is known of the cut around it with a key that is in
the database: the file alone tells nothing, and with the database it still does not show the clip.
"""

import contextlib
import hashlib
import json
import logging
import os
import struct
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import Connection

from tutela._version import __version__
from tutela.screening.jobs.seal import Sealer, SealError, unseal
from tutela.screening.options import ScreeningPolicy
from tutela.screening.policy import decide
from tutela.screening.reason_codes import ReasonCode
from tutela.screening.streams.model import Channel, Publication, StreamFacts, read_facts, stream_document
from tutela.screening.streams.ruling import ALWAYS_DOUBTED
from tutela.screening.verdict import Context, Match, Reason, Timings, Verdict, Versions

log = logging.getLogger(__name__)

_SUFFIX = ".sealed"
_LENGTH = struct.Struct(">I")
_WHY = {
    "not-examined": "the stream could not be examined and was ended",
    ALWAYS_DOUBTED: "the stream was paused for too long and was ended",
}
NOT_KEPT = Reason(ReasonCode.EVIDENCE_NOT_KEPT, "the evidence could not be sealed; see the service's log")

Also = Callable[[Connection], object]


class ClipCustodian(Protocol):
    """Where clips are kept as evidence: `tutela.casework.cases.custody.Custody`."""

    def wants(self, verdict: Verdict) -> bool:
        """Whether a verdict is kept."""

    def sealed(self, content: bytes | None, verdict: Verdict) -> bytes:
        """What `enter` takes: the clip and its context, sealed to the review key. Nothing is stored yet."""

    def enter(self, sealed: bytes, verdict: Verdict, also: Also) -> object:
        """Return when evidence, verdict and case are durable, with what `also` writes. Raises TutelaError."""


@dataclass(frozen=True, slots=True)
class ClipFacts:
    """What is said of a clip without showing it."""

    sha256: str
    byte_length: int
    media_type: str

    @classmethod
    def of(cls, clip: bytes) -> "ClipFacts | None":
        """Of these bytes; None where there are none."""
        if not clip:
            return None
        return cls(hashlib.sha256(clip).hexdigest(), len(clip), "video/mp2t" if clip[:1] == b"G" else "video/webm")


@dataclass(frozen=True, slots=True)
class Ending:
    """How a stream ended, until it is written down."""

    facts: StreamFacts
    """As it stood: its verdict is None unless it was cut."""
    publication: Publication
    matches: tuple[Match, ...] = ()
    reasons: tuple[Reason, ...] = ()
    """Further ones of the verdict."""
    clip: ClipFacts | None = None
    detail: Mapping[str, int | float] = field(default_factory=dict)
    """Of the line that says that it is sealed."""
    sealed: bytes | None = None
    """What a custodian made of the clip; None where nothing is kept."""

    def verdict(self) -> Verdict:
        """The verdict of a cut: what it matched decides, else it is held because it was not examined."""
        publication, why, clip = self.publication, self.facts.why, self.clip
        shortcomings = () if self.matches else (Reason(why, _WHY.get(why, "the stream was ended by a person")),)
        decision, reasons = decide(list(self.matches), shortcomings, ScreeningPolicy())
        details = {"uploader": publication.who, "address": publication.address, "stream": publication.channel.item}
        return Verdict(
            id=self.facts.verdict or "",
            at=datetime.fromtimestamp(self.facts.ended_at or self.facts.since, UTC),
            decision=decision,
            reasons=(*reasons, *self.reasons),
            matches=self.matches,
            matches_omitted=0,
            hashes=(),
            hashes_omitted=0,
            media_type=None if clip is None else clip.media_type,
            width=None,
            height=None,
            byte_length=None if clip is None else clip.byte_length,
            sha256=None if clip is None else clip.sha256,
            context=Context(publication.channel.item, {name: value for name, value in details.items() if value}),
            timings=Timings(0.0, 0.0, 0.0),
            versions=Versions(__version__, {}),
        )

    def pack(self) -> bytes:
        """As bytes."""
        document = {
            "facts": stream_document(self.facts),
            "publication": asdict(self.publication),
            "matches": [match.document() for match in self.matches],
            "reasons": [asdict(reason) for reason in self.reasons],
            "clip": self.clip and asdict(self.clip),
            "detail": dict(self.detail),
            "kept": self.sealed is not None,
        }
        head = json.dumps(document).encode()
        return _LENGTH.pack(len(head)) + head + (self.sealed or b"")

    @classmethod
    def unpack(cls, packed: bytes) -> "Ending":
        """What `pack` made."""
        (length,) = _LENGTH.unpack_from(packed)
        document: dict[str, Any] = json.loads(packed[_LENGTH.size : _LENGTH.size + length])
        told = dict(document["publication"])
        return cls(
            read_facts(document["facts"]),
            Publication(Channel(**told.pop("channel")), **told),
            tuple(Match.read(match) for match in document["matches"]),
            tuple(Reason(**reason) for reason in document["reasons"]),
            document["clip"] and ClipFacts(**document["clip"]),
            document["detail"],
            packed[_LENGTH.size + length :] if document["kept"] else None,
        )


class Endings:
    """Endings that wait for the database. Thread-safe; those of cuts outlive the process, in a folder."""

    def __init__(self, folder: Path, key: bytes) -> None:
        """`key` is 32 bytes from which each file's own is derived."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder
        self._key = key
        self._lock = threading.Lock()
        self._waiting: dict[str, Ending] = {}

    def waiting(self) -> list[Ending]:
        """All of them, the oldest first."""
        with self._lock:
            return list(self._waiting.values())

    def knows(self, stream_id: str) -> bool:
        """Whether a stream's ending waits, here or in another process that has this folder."""
        with self._lock:
            return stream_id in self._waiting or self._path(stream_id).exists()

    def hold(self, ending: Ending) -> None:
        """Keep an ending in memory."""
        with self._lock:
            self._waiting[ending.facts.id] = ending

    def save(self, ending: Ending) -> None:
        """Keep it on disk, too: return when it is durable. Raises OSError, and then leaves nothing on a full disk."""
        self.hold(ending)
        path = self._path(ending.facts.id)
        part, salt = path.with_suffix(".part"), os.urandom(16)
        try:
            with os.fdopen(_opened(part), "wb") as file:
                file.write(salt)
                sealer = Sealer(file, self._key_of(salt))
                sealer.write(ending.pack())
                sealer.finish()
            part.replace(path)
        except OSError:
            part.unlink(missing_ok=True)
            raise
        _write_through(self._folder)

    def is_saved(self, ending: Ending) -> bool:
        """Whether it is on disk."""
        return self._path(ending.facts.id).exists()

    def remove(self, ending: Ending) -> None:
        """It is written down."""
        with self._lock:
            self._waiting.pop(ending.facts.id, None)
        self._path(ending.facts.id).unlink(missing_ok=True)

    def load(self) -> int:
        """Take up what processes before this one left; how many."""
        for path in self._folder.glob(f"*{_SUFFIX}"):
            try:
                with path.open("rb") as file:
                    salt = file.read(16)
                    ending = Ending.unpack(b"".join(unseal(file, self._key_of(salt))))
            except FileNotFoundError:
                continue
            except (SealError, ValueError, KeyError, TypeError, struct.error) as error:
                log.error("%s cannot be read, and is left for a person: %s", path, error)
                continue
            self.hold(ending)
        return len(self.waiting())

    def _path(self, stream_id: str) -> Path:
        return self._folder / f"{stream_id}{_SUFFIX}"

    def _key_of(self, salt: bytes) -> bytes:
        return hashlib.blake2b(salt, key=self._key, digest_size=32).digest()


def _opened(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)


def _write_through(folder: Path) -> None:
    with contextlib.suppress(OSError):  # where folders cannot be synced
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
