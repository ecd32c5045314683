"""Where sealed objects lie: a folder, or any S3-compatible store. Objects are named by the SHA-256 of their bytes.

What is here is sealed; whoever can read all of it learns how many items there are, and how large.
"""

import hashlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from tutela.casework.evidence.seal import EvidenceError, SealedObject
from tutela.errors import InputError

if TYPE_CHECKING:
    from obstore.store import ObjectStore

_SUFFIX = ".age"


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object that lies in the store."""

    sha256: str
    bytes: int
    changed_at: datetime


class Objects:
    """The sealed objects of one deployment. Thread-safe."""

    def __init__(self, url: str, options: Mapping[str, str] | None = None) -> None:
        """`url` is file:///folder or s3://bucket/prefix; `options` are obstore's, such as endpoint or region.

        Raises InputError for a URL that cannot be used.
        """
        from obstore.exceptions import BaseError
        from obstore.store import LocalStore, from_url

        self._folder: Path | None = None
        try:
            if url.startswith("file://"):
                self._folder = Path(url.removeprefix("file://"))
                self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._store: ObjectStore = LocalStore(self._folder)
            else:
                given = dict(options or {})
                plain = given.get("endpoint", "").startswith("http://")
                client = {"allow_http": True} if plain else None
                self._store = from_url(url, config=given, client_options=client)  # type: ignore[call-overload]
        except (BaseError, OSError, ValueError) as error:
            raise InputError("the evidence store cannot be used: {error}", error=error) from error

    def put(self, sealed: SealedObject) -> None:
        """Store an object; return when it is durable. Raises EvidenceError."""
        import obstore

        path = _path(sealed.sha256)
        try:
            if not isinstance(sealed.source, bytes):
                sealed.source.seek(0)
            file = self._folder / path if self._folder is not None else None
            new_folder = file is not None and not file.parent.exists()
            obstore.put(self._store, path, sealed.source)
            if file is not None:
                _write_through(file, file.parent, *(file.parents[1:2] if new_folder else ()))
        except (obstore.exceptions.BaseError, OSError) as error:
            raise EvidenceError("the evidence could not be stored: {error}", error=_brief(error)) from error

    def get(self, sha256: str) -> bytes:
        """An object's bytes, as they were sealed. Raises EvidenceError when they are missing or changed."""
        import obstore

        try:
            data = bytes(obstore.get(self._store, _path(sha256)).bytes())
        except (obstore.exceptions.BaseError, OSError) as error:
            raise EvidenceError(
                "the sealed object {sha256} cannot be read: {error}", sha256=sha256, error=_brief(error)
            ) from error
        if hashlib.sha256(data).hexdigest() != sha256:
            raise EvidenceError("the sealed object {sha256} was changed where it lies", sha256=sha256)
        return data

    def has(self, sha256: str) -> bool:
        """Whether an object is there. Raises EvidenceError when the store does not answer."""
        import obstore

        try:
            obstore.head(self._store, _path(sha256))
        except (obstore.exceptions.NotFoundError, FileNotFoundError):
            return False
        except (obstore.exceptions.BaseError, OSError) as error:
            raise EvidenceError("the evidence store does not answer: {error}", error=_brief(error)) from error
        return True

    def delete(self, sha256: str) -> None:
        """Remove an object, if it is there. Raises EvidenceError."""
        import obstore

        try:
            obstore.delete(self._store, _path(sha256))
        except (obstore.exceptions.NotFoundError, FileNotFoundError):
            return
        except (obstore.exceptions.BaseError, OSError) as error:
            raise EvidenceError(
                "the sealed object {sha256} could not be removed: {error}", sha256=sha256, error=_brief(error)
            ) from error

    def all(self) -> Iterator[StoredObject]:
        """Every object. Raises EvidenceError."""
        import obstore

        try:
            for page in obstore.list(self._store):
                for meta in page:
                    name = meta["path"].rpartition("/")[2]
                    if name.endswith(_SUFFIX):
                        yield StoredObject(name.removesuffix(_SUFFIX), meta["size"], meta["last_modified"])
        except (obstore.exceptions.BaseError, OSError) as error:
            raise EvidenceError("the evidence store does not answer: {error}", error=_brief(error)) from error


def _path(sha256: str) -> str:
    return f"{sha256[:2]}/{sha256}{_SUFFIX}"


def _write_through(*places: Path) -> None:
    """Have files or folders written to the disk."""
    for place in places:
        descriptor = os.open(place, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _brief(error: BaseException) -> str:
    return f"{type(error).__name__}: {str(error).splitlines()[0][:200] if str(error) else ''}"
