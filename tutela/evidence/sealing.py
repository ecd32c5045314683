"""Sealing with age: each item to a key of its own, and that key to the recipients, whose private keys are not here.

Whoever holds the sealed item and its wrapped key needs a recipient's private key; without the wrapped key nobody opens
the item, so that removing it shreds the item in every copy. Everything can be opened with the `age` program alone:
`age -d -i review.key wrapped.age > item.key`, then `age -d -i item.key content.age`. https://age-encryption.org/v1
"""

import ctypes
import hashlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

from tutela.errors import InputError, TutelaError


class EvidenceError(TutelaError):
    """Evidence could not be sealed, stored or opened."""


class SealedObject:
    """Sealed bytes, named by their SHA-256."""

    __slots__ = ("data", "sha256")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.sha256 = hashlib.sha256(data).hexdigest()


@dataclass(frozen=True, slots=True)
class SealedItem:
    """One item, sealed: its content if it has any, its context, and the key that opens both, itself sealed."""

    content: SealedObject | None
    context: SealedObject
    wrapped_key: bytes = field(repr=False)
    recipients: tuple[str, ...] = ()
    """The public keys that the item's key is sealed to."""


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
        """The item, sealed. What was secret meanwhile is overwritten. Raises EvidenceError."""
        import pyrage

        identity = pyrage.x25519.Identity.generate()
        own = [identity.to_public()]
        secret = _bytes_of(str(identity))
        clear = content if isinstance(content, bytes) or content is None else bytes(content)
        try:
            return SealedItem(
                None if clear is None else SealedObject(pyrage.encrypt(clear, own)),
                SealedObject(pyrage.encrypt(context, own)),
                pyrage.encrypt(secret, self.keys),
                self.texts,
            )
        except pyrage.EncryptError as error:
            raise EvidenceError(f"the evidence could not be sealed: {error}") from error
        finally:
            overwrite(secret)
            if clear is not None and clear is not content:
                overwrite(clear)


class ReviewKey:
    """Private keys that open evidence. Only the review console and officers have them, never the serving process."""

    def __init__(self, text: str) -> None:
        """The `AGE-SECRET-KEY-1…` lines of an identity file. Raises InputError when it has none."""
        from pyrage import IdentityError, x25519

        lines = [line.strip() for line in text.splitlines()]
        try:
            self._identities = [x25519.Identity.from_str(line) for line in lines if line and not line.startswith("#")]
        except IdentityError:
            raise InputError("the review key is not an age identity file (lines AGE-SECRET-KEY-1…)") from None
        if not self._identities:
            raise InputError("the review key file has no AGE-SECRET-KEY-1… line")

    @property
    def recipients(self) -> tuple[str, ...]:
        """The public halves."""
        return tuple(str(identity.to_public()) for identity in self._identities)

    def open(self, wrapped_key: bytes, sealed: bytes) -> bytes:
        """What was sealed. Raises EvidenceError when this key does not open it, or it was changed."""
        import pyrage

        try:
            own = pyrage.x25519.Identity.from_str(self.unwrap(wrapped_key).decode())
            opened: bytes = pyrage.decrypt(sealed, [own])
            return opened
        except (pyrage.DecryptError, pyrage.IdentityError) as error:
            raise EvidenceError(f"the evidence could not be opened: {error}") from None

    def unwrap(self, wrapped_key: bytes) -> bytes:
        """An item's own key, as the text of an age identity. Raises EvidenceError when it is not sealed to this one."""
        import pyrage

        try:
            unwrapped: bytes = pyrage.decrypt(wrapped_key, self._identities)
            return unwrapped
        except pyrage.DecryptError as error:
            raise EvidenceError(f"the item's key is not sealed to this review key: {error}") from None

    def rewrap(self, wrapped_key: bytes, recipients: Recipients) -> bytes:
        """An item's key, sealed to other recipients. Raises EvidenceError."""
        import pyrage

        secret = self.unwrap(wrapped_key)
        try:
            wrapped: bytes = pyrage.encrypt(secret, recipients.keys)
            return wrapped
        finally:
            overwrite(secret)


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
        raise EvidenceError(f"the passphrase does not open it: {error}") from None


def overwrite(secret: bytes) -> None:
    """Fill the bytes of an object with zeros, so that no memory dump holds them. Nobody else may use the object."""
    if sys.implementation.name == "cpython":
        ctypes.memset(id(secret) + bytes.__basicsize__ - 1, 0, len(secret))


def _bytes_of(text: str) -> bytes:
    """The bytes of an ASCII text that is fresh and secret; the text itself is overwritten."""
    encoded = text.encode("ascii")
    if sys.implementation.name == "cpython":
        ctypes.memset(id(text) + sys.getsizeof(text) - len(text) - 1, 0, len(text))
    return encoded
