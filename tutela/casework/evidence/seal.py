"""Sealing with age to recipients whose private keys are not here; the head of each sealed file is kept apart from it.

An age file's head holds the file's key, wrapped to the recipients. Its body lies in the object store, its head in the
database: who removes the head has shredded every copy of the body, and who puts both together has a plain age file,
which the `age` program opens with the review key. https://age-encryption.org/v1
"""

import hashlib
import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO, cast

from tutela.casework.evidence.age_header import HeaderError, file_key, header_length, split_headers, wrap
from tutela.casework.evidence.memory import overwrite
from tutela.errors import InputError, TutelaError

IN_MEMORY_BYTES = 8 * 1024 * 1024
"""Larger content is sealed a part at a time, so that it is not in memory twice."""


class EvidenceError(TutelaError):
    """Evidence could not be sealed, stored or opened."""

    code = "evidence"


class SealedObject:
    """The body of an age file, named by its SHA-256; in memory, or in a file without a name when it is large."""

    __slots__ = ("header", "length", "sha256", "source")

    def __init__(self, source: bytes | BinaryIO, sha256: str, length: int, header: bytes = b"") -> None:
        self.source = source
        self.sha256 = sha256
        self.length = length
        self.header = header

    @classmethod
    def of(cls, body: bytes, header: bytes = b"") -> "SealedObject":
        """The object that these sealed bytes are."""
        return cls(body, hashlib.sha256(body).hexdigest(), len(body), header)

    @property
    def data(self) -> bytes:
        """The sealed bytes."""
        if isinstance(self.source, bytes):
            return self.source
        self.source.seek(0)
        return self.source.read()


@dataclass(frozen=True, slots=True)
class SealedItem:
    """One item, sealed: its content if it has any, and its context."""

    content: SealedObject | None
    context: SealedObject
    recipients: tuple[str, ...] = ()
    """The public keys that it is sealed to."""

    @property
    def wrapped_key(self) -> bytes:
        """The heads of its objects: without them nobody opens it."""
        return self.context.header + (self.content.header if self.content else b"")

    def pack(self) -> bytes:
        """All of it as bytes, as sealed as it is."""
        parts = [part for part in (self.context, self.content) if part is not None]
        head = {"recipients": self.recipients, "parts": [[part.header.hex(), part.length] for part in parts]}
        return json.dumps(head).encode() + b"\n" + b"".join(part.data for part in parts)

    @classmethod
    def unpack(cls, packed: bytes) -> "SealedItem":
        """What `pack` made. Raises EvidenceError where it is not that."""
        head, _, bodies = packed.partition(b"\n")
        try:
            document, at, parts = json.loads(head), 0, []
            for header, length in document["parts"]:
                parts.append(SealedObject.of(bodies[at : at + length], bytes.fromhex(header)))
                at += length
            return cls(parts[1] if len(parts) > 1 else None, parts[0], tuple(document["recipients"]))
        except (ValueError, KeyError, TypeError, IndexError) as error:
            raise EvidenceError("this is not a packed item of evidence: {error!r}", error=error) from error


class Recipients:
    """The public keys that evidence is sealed to. Raises InputError for a text that is none, or for an empty list."""

    def __init__(self, texts: Sequence[str]) -> None:
        from pyrage import RecipientError, x25519

        if not texts:
            raise InputError("evidence needs a recipient: make one with `tutela evidence new-key`")
        self.texts = tuple(text.strip() for text in texts)
        try:
            self.keys = [x25519.Recipient.from_str(text) for text in self.texts]
        except RecipientError:
            raise InputError("a recipient of evidence is an age public key, such as age1…") from None

    def seal(self, content: bytes | memoryview | None, context: bytes) -> SealedItem:
        """The item, sealed; no copy of the content is left in memory. Raises EvidenceError."""
        from pyrage import EncryptError

        try:
            sealed = None if content is None else self._seal(content)
            return SealedItem(sealed, self._seal(context), self.texts)
        except (EncryptError, OSError) as error:
            raise EvidenceError("the evidence could not be sealed: {error}", error=error) from error

    def _seal(self, content: bytes | memoryview) -> SealedObject:
        import pyrage

        if len(content) > IN_MEMORY_BYTES:
            sealed = _Sealed()
            pyrage.encrypt_io(_Reading(memoryview(content)), sealed, self.keys)
            return sealed.object()
        clear = bytes(content)
        try:
            whole: bytes = pyrage.encrypt(clear, self.keys)
        finally:
            if clear is not content:
                overwrite(clear)
        length = header_length(whole)
        assert length is not None
        return SealedObject.of(whole[length:], whole[:length])


class ReviewKey:
    """Private keys that open evidence. Only the review console and officers have them, never the serving process."""

    def __init__(self, text: str) -> None:
        """The `AGE-SECRET-KEY-1…` lines of an identity file. Raises InputError when it has none."""
        from pyrage import IdentityError, x25519

        lines = [line.strip() for line in text.splitlines()]
        self._texts = [line for line in lines if line and not line.startswith("#")]
        try:
            self._identities = [x25519.Identity.from_str(line) for line in self._texts]
        except IdentityError:
            raise InputError("the review key is not an age identity file (lines AGE-SECRET-KEY-1…)") from None
        if not self._identities:
            raise InputError("the review key file has no AGE-SECRET-KEY-1… line")

    @property
    def recipients(self) -> tuple[str, ...]:
        """The public halves."""
        return tuple(str(identity.to_public()) for identity in self._identities)

    def open(self, header: bytes, body: bytes) -> bytes:
        """What was sealed. Raises EvidenceError when this key does not open it, or it was changed."""
        import pyrage

        try:
            opened: bytes = pyrage.decrypt(header + body, self._identities)
            return opened
        except pyrage.DecryptError as error:
            raise EvidenceError("this could not be opened with the review key: {error}", error=error) from None

    def unwrap(self, sealed: bytes) -> bytes:
        """What a whole age file holds. Raises EvidenceError."""
        return self.open(b"", sealed)

    def rewrap(self, wrapped_key: bytes, recipients: Recipients) -> bytes:
        """The heads of an item's objects, for other recipients. Raises EvidenceError."""
        try:
            keys = [file_key(header, self._texts) for header in split_headers(wrapped_key)]
            return b"".join(wrap(key, recipients.texts) for key in keys)
        except HeaderError as error:
            raise EvidenceError("the item cannot be sealed to other keys: {error}", error=error) from None


class _Reading:
    """A view as pyrage reads it, a part at a time."""

    def __init__(self, content: memoryview) -> None:
        self._content = content
        self._place = 0

    def read(self, size: int) -> bytes:
        part = bytes(self._content[self._place : self._place + size])
        self._place += len(part)
        return part


class _Sealed:
    """What pyrage writes: the head into memory, the body into a file without a name, with its digest."""

    def __init__(self) -> None:
        self._file = cast(BinaryIO, tempfile.TemporaryFile())  # noqa: SIM115  (the sealed object owns it)
        self._digest = hashlib.sha256()
        self._header: bytes | None = None
        self._begin = b""
        self._length = 0

    def write(self, data: bytes) -> int:
        given = len(data)
        if self._header is None:
            self._begin += data
            end = header_length(self._begin)
            if end is None:
                return given
            self._header, data = self._begin[:end], self._begin[end:]
        self._digest.update(data)
        self._length += len(data)
        self._file.write(data)
        return given

    def flush(self) -> None:
        self._file.flush()

    def object(self) -> SealedObject:
        """The object that was written."""
        assert self._header is not None
        return SealedObject(self._file, self._digest.hexdigest(), self._length, self._header)


def new_identity() -> tuple[str, str]:
    """A fresh private key and its public half, as text."""
    import pyrage

    identity = pyrage.x25519.Identity.generate()
    return str(identity), str(identity.to_public())


def lock_with_passphrase(data: bytes, passphrase: str) -> bytes:
    """Data sealed with a passphrase, as age does it (scrypt)."""
    import pyrage

    locked: bytes = pyrage.passphrase.encrypt(data, passphrase)
    return locked


def unlock_with_passphrase(data: bytes, passphrase: str) -> bytes:
    """The reverse of `lock_with_passphrase`. Raises EvidenceError."""
    import pyrage

    try:
        unlocked: bytes = pyrage.passphrase.decrypt(data, passphrase)
        return unlocked
    except pyrage.DecryptError as error:
        raise EvidenceError("the passphrase does not open it: {error}", error=error) from None
