"""The spool: uploads that wait for their screening, sealed on the disk of the machine that took them.

Each has a key of its own, which is in the database, wrapped with the spool's key, which is in the home. Neither the
home nor the database alone opens an upload, and one whose row has lost its key is gone for good.
"""

import contextlib
import json
import os
import secrets
import struct
import time
from collections.abc import Iterator
from pathlib import Path

from tutela.content.media.content_file import ContentFile
from tutela.errors import TutelaError
from tutela.screening.jobs.seal import KEY_BYTES, Sealer, SealError, unseal
from tutela.screening.verdict import Context

_SUFFIX = ".sealed"
_LENGTH = struct.Struct(">I")
ORPHAN_AGE_S = 3600.0
"""A file that no row knows and that was not written to for so long is what a killed process left."""


class Spool:
    """The sealed uploads in one folder."""

    def __init__(self, folder: Path) -> None:
        """Make the folder and its key on first use."""
        folder.mkdir(mode=0o700, exist_ok=True)
        self._folder = folder
        self._key = _key_of(folder / "key")

    @property
    def name(self) -> str:
        """Tells this spool from those of other machines, without giving away its key."""
        from hashlib import sha256

        return sha256(b"tutela spool name" + self._key).hexdigest()[:32]

    def begin(self, job_id: str, context: Context) -> "Upload":
        """Take an upload that is about to come."""
        return Upload(self._path(job_id), self._key, job_id, context)

    def open(self, job_id: str, sealed_key: bytes) -> tuple[ContentFile, Context]:
        """An upload and what was said about it, unsealed into memory. Raises SealError, OSError."""
        content = ContentFile()
        try:
            with self._path(job_id).open("rb") as file:
                blocks = unseal(file, _unwrap(self._key, job_id, sealed_key))
                first = next(blocks)
                (length,) = _LENGTH.unpack_from(first)
                given = json.loads(first[_LENGTH.size : _LENGTH.size + length])
                content.write(first[_LENGTH.size + length :])
                for block in blocks:
                    content.write(block)
        except BaseException:
            content.close()
            raise
        return content, Context(given["item"], given["details"])

    def remove(self, job_id: str) -> None:
        """Delete an upload that is there no longer needed."""
        self._path(job_id).unlink(missing_ok=True)

    def orphans(self, known: set[str]) -> Iterator[str]:
        """Uploads that no job knows and nobody is writing."""
        latest = time.time() - ORPHAN_AGE_S
        for path in self._folder.glob(f"*{_SUFFIX}"):
            with contextlib.suppress(FileNotFoundError):
                if path.stem not in known and path.stat().st_mtime < latest:
                    yield path.stem

    def waiting(self) -> list[str]:
        """The names of all uploads."""
        return [path.stem for path in self._folder.glob(f"*{_SUFFIX}")]

    def free_bytes(self) -> int:
        """Room on the disk."""
        status = os.statvfs(self._folder)
        return status.f_bavail * status.f_frsize

    def _path(self, job_id: str) -> Path:
        return self._folder / f"{job_id}{_SUFFIX}"


class Upload:
    """An upload that is being written. Finish it or discard it; nothing of it is on the disk in clear."""

    def __init__(self, path: Path, spool_key: bytes, job_id: str, context: Context) -> None:
        self.job_id = job_id
        self.length = 0
        key = secrets.token_bytes(KEY_BYTES)
        self.sealed_key = _wrap(spool_key, job_id, key)
        self._path = path
        self._file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb")
        self._sealer = Sealer(self._file, key)
        given = json.dumps({"item": context.item, "details": dict(context.details)}).encode()
        self._sealer.write(_LENGTH.pack(len(given)) + given)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Add content. Raises OSError when the disk is full."""
        self._sealer.write(data)
        self.length += len(data)

    def finish(self) -> None:
        """Return only once the upload is on the disk."""
        self._sealer.finish()
        self._file.close()
        _sync_folder(self._path.parent)

    def discard(self) -> None:
        """Forget it."""
        with contextlib.suppress(OSError):
            self._file.close()
        self._path.unlink(missing_ok=True)


def _wrap(spool_key: bytes, job_id: str, key: bytes) -> bytes:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce = secrets.token_bytes(12)
    return nonce + AESGCM(spool_key).encrypt(nonce, key, job_id.encode())


def _unwrap(spool_key: bytes, job_id: str, sealed: bytes) -> bytes:
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    try:
        return AESGCM(spool_key).decrypt(sealed[:12], sealed[12:], job_id.encode())
    except InvalidTag:
        raise SealError("the upload's key is not of this spool; was the home replaced?") from None


def _key_of(path: Path) -> bytes:
    """The key in a file, which is made by whoever comes first; half a key is never seen."""
    try:
        key = path.read_bytes()
    except FileNotFoundError:
        own = path.with_name(f"key.{secrets.token_hex(8)}")
        own.touch(mode=0o600)
        with own.open("wb") as file:
            file.write(secrets.token_bytes(KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(own)
        own.unlink()
        _sync_folder(path.parent)
        key = path.read_bytes()
    if len(key) != KEY_BYTES:
        raise TutelaError(
            "{path} is not a key of {key_bytes} bytes; restore it, or remove it and its sealed uploads",
            path=path,
            key_bytes=KEY_BYTES,
        )
    return key


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
