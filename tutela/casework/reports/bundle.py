"""One encrypted file with an incident's documents and its evidence, for an authority: age, or a zip with a password.

Evidence goes from its seal into the encryption in memory: nothing is in clear on a disk. The last document is
`manifest.json`, with the hashes of everything before it; its own SHA-256 is for the audit log and the covering letter.
"""

import hashlib
import json
import os
import secrets
import threading
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, BinaryIO, Literal, Protocol

from tutela._version import __version__
from tutela.casework.reports.incident import EvidenceSource, Incident, neutral_name
from tutela.errors import InputError, TutelaError

MIN_PASSWORD = 16
_CHUNK = 1024 * 1024
_WORDS = "abcdefghjkmnpqrstuvwxyz23456789"


@dataclass(frozen=True, slots=True)
class Bundled:
    """What was written."""

    path: Path
    sha256: str
    """Of the encrypted file."""
    manifest_sha256: str
    files: int


class _Archive(Protocol):
    def open(self, name: str, mode: Literal["w"], *, force_zip64: bool) -> IO[bytes]: ...


def new_password() -> str:
    """A password of 125 random bits, in groups that can be read out."""
    letters = [secrets.choice(_WORDS) for _ in range(25)]
    return "-".join("".join(letters[place : place + 5]) for place in range(0, 25, 5))


def write_bundle(
    path: Path,
    incident: Incident,
    documents: Mapping[str, bytes],
    evidence: EvidenceSource,
    *,
    recipients: Sequence[str] = (),
    password: str | None = None,
    before_release: Callable[[Bundled], object] | None = None,
) -> Bundled:
    """Write a bundle for age recipients, or with a password. Nothing is left there when that fails.

    `before_release` is called once it is whole and before it is at its place: what it raises leaves no bundle.

    Raises InputError unless exactly one way of encryption is given, and for a short password; TutelaError when
    evidence cannot be opened.
    """
    if bool(recipients) == (password is not None):
        raise InputError("a bundle is encrypted to recipients (age1…) or with a password: give one of the two")
    if password is not None and len(password) < MIN_PASSWORD:
        raise InputError("the password of a bundle has at least {min_password} characters", min_password=MIN_PASSWORD)
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with partial.open("xb") as raw:
            partial.chmod(0o600)
            if password is None:
                with _encrypting(raw, recipients) as stream, zipfile.ZipFile(stream, "w") as archive:
                    manifest = _fill(archive, incident, documents, evidence)
            else:
                with _zip_with(raw, password) as archive:
                    manifest = _fill(archive, incident, documents, evidence)
            raw.flush()
            os.fsync(raw.fileno())
        made = Bundled(path, _sha256(partial), hashlib.sha256(manifest).hexdigest(), len(incident.files))
        if before_release is not None:
            before_release(made)
        partial.rename(path)
    finally:
        partial.unlink(missing_ok=True)
    return made


def _fill(archive: _Archive, incident: Incident, documents: Mapping[str, bytes], evidence: EvidenceSource) -> bytes:
    listed: list[dict[str, object]] = []
    for name, document in documents.items():
        listed.append(_write(archive, name, [document]))
    for number, file in enumerate(incident.files, 1):
        with evidence.open(file.evidence) as content:
            entry = _write(archive, file_path(number, neutral_name(file)), _parts(content))
        if entry["sha256"] != file.sha256:
            raise TutelaError("evidence {evidence} changed while the bundle was written", evidence=file.evidence)
        listed.append(entry)
    manifest = json.dumps(
        {
            "manifest": 1,
            "made_by": f"Tutela {__version__}",
            "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "case": incident.case_id,
            "files": listed,
        },
        indent=1,
    ).encode()
    _write(archive, "manifest.json", [manifest])
    return manifest


def file_path(number: int, name: str) -> str:
    """Where a file of evidence lies in a bundle."""
    return f"files/{number:04d}-{name}"


def _write(archive: _Archive, name: str, parts: Iterator[bytes] | Sequence[bytes]) -> dict[str, object]:
    sha256, md5, length = hashlib.sha256(), hashlib.md5(usedforsecurity=False), 0
    with archive.open(name, "w", force_zip64=True) as target:
        for part in parts:
            target.write(part)
            sha256.update(part)
            md5.update(part)
            length += len(part)
    return {"path": name, "bytes": length, "sha256": sha256.hexdigest(), "md5": md5.hexdigest()}


def _parts(content: BinaryIO) -> Iterator[bytes]:
    while part := content.read(_CHUNK):
        yield part


@contextmanager
def _zip_with(raw: BinaryIO, password: str) -> Iterator[_Archive]:
    import pyzipper

    with pyzipper.AESZipFile(raw, "w", encryption=pyzipper.WZ_AES) as archive:
        archive.setpassword(password.encode())
        archive.setencryption(pyzipper.WZ_AES, nbits=256)
        yield archive


@contextmanager
def _encrypting(raw: BinaryIO, recipients: Sequence[str]) -> Iterator[BinaryIO]:
    """A stream that is encrypted as it is written; age reads it from a pipe, in a thread."""
    import pyrage

    try:
        keys = [pyrage.x25519.Recipient.from_str(text.strip()) for text in recipients]
    except pyrage.RecipientError:
        raise InputError("a recipient of a bundle is an age public key, such as age1…") from None
    reading, writing = os.pipe()
    failures: list[Exception] = []

    def encrypt() -> None:
        with os.fdopen(reading, "rb") as source:
            try:
                pyrage.encrypt_io(source, raw, keys)
            except Exception as error:
                failures.append(error)

    thread = threading.Thread(target=encrypt, name="tutela-bundle")
    thread.start()
    try:
        with os.fdopen(writing, "wb") as stream:
            yield stream
    finally:
        thread.join()
    if failures:
        raise TutelaError("the bundle could not be encrypted: {failures}", failures=failures[0]) from failures[0]


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
