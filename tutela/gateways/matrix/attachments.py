"""Encrypted attachments of Matrix: which file a client asks about, and the key that it is encrypted with.

A file is AES-256 in counter mode (Matrix client-server API, "Sending encrypted attachments"), so that decrypted once
more it is what it was: only the decrypted file is ever kept. A client may encrypt what it asks for this service alone:
X25519, HKDF-SHA-256, AES-256 in CBC mode, as in key backups (`m.megolm_backup.v1.curve25519-aes-sha2`).
"""

import base64
import binascii
import hashlib
import hmac
import re
from typing import Annotated, Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, padding, serialization
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext, algorithms, modes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import BaseModel, ConfigDict, PlainValidator, ValidationError

from tutela.errors import InputError

_SERVER = r"[A-Za-z0-9.:\-\[\]]{1,255}"
_MEDIA = r"[A-Za-z0-9_=-]{1,255}"
_ADDRESS = re.compile(rf"mxc://({_SERVER})/({_MEDIA})(?:#.*)?")
_MAC_BYTES = 8
_BLOCK = 16
_COUNTER = 8
"""Bytes that everybody counts in."""


class UnreadableError(InputError):
    """What a client asks cannot be read."""

    code = "unreadable"


class UndecryptableError(InputError):
    """What a client encrypted for this service cannot be decrypted: it asks for the public key and tries once more."""

    code = "undecryptable"


def _bytes_of(text: object) -> bytes:
    """Base64 of either alphabet, with or without its end, as clients write it."""
    if not isinstance(text, str):
        raise ValueError("is not base64")
    plain = text.replace("-", "+").replace("_", "/").rstrip("=")
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except binascii.Error:
        raise ValueError("is not base64") from None


_Bytes = Annotated[bytes, PlainValidator(_bytes_of)]


class _Model(BaseModel):
    # Keys of files are not kept in memory to be shared with later requests.
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True, cache_strings="keys")


class _Key(_Model):
    alg: Literal["A256CTR"]
    kty: Literal["oct"] = "oct"
    k: _Bytes


class _Hashes(_Model):
    sha256: _Bytes


class Attachment(_Model):
    """An encrypted file: `EncryptedFile` of the Matrix specification."""

    url: str
    key: _Key
    iv: _Bytes
    hashes: _Hashes

    @property
    def media(self) -> tuple[str, str]:
        """The server and the id of the file. Raises UnreadableError."""
        found = _ADDRESS.fullmatch(self.url)
        if found is None:
            raise UnreadableError("the file's `url` is not mxc://server/id")
        return found[1], found[2]

    def counter_mode(self) -> CipherContext:
        """Decrypts the file's bytes in their order, and encrypts them just the same. Raises UnreadableError."""
        if len(self.key.k) != 32 or len(self.iv) != 16:
            raise UnreadableError("the file's key has 32 bytes, its iv 16")
        return Cipher(algorithms.AES(self.key.k), modes.CTR(self.iv)).encryptor()

    def is_of(self, digest: bytes, length: int) -> bool:
        """Whether so many encrypted bytes of that SHA-256 are the file, and everybody decrypts them to the same.

        The counter is the last 8 bytes of the iv to some clients (matrix-encrypt-attachment: `v1`, `v2`), all of it to
        others: where those 8 run over, they come to different files.
        """
        blocks = (length + _BLOCK - 1) // _BLOCK
        runs_over = int.from_bytes(self.iv[-_COUNTER:]) + blocks > 1 << 8 * _COUNTER
        return not runs_over and hmac.compare_digest(digest, self.hashes.sha256)


class _Sealed(_Model):
    ciphertext: _Bytes
    mac: _Bytes
    ephemeral: _Bytes


class _Asked(_Model):
    file: Attachment | None = None
    encrypted_body: _Sealed | None = None


class Mailbox:
    """The key that clients encrypt for."""

    def __init__(self, secret: bytes) -> None:
        """The key follows from the secret: all processes of a deployment have the same."""
        self._private = X25519PrivateKey.from_private_bytes(hashlib.sha256(b"matrix" + secret).digest())

    @property
    def public_key(self) -> str:
        """As clients take it: base64 without its end."""
        raw = self._private.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        return base64.b64encode(raw).decode().rstrip("=")

    def read(self, body: bytes) -> Attachment:
        """What a request's body asks about. Raises UnreadableError, UndecryptableError."""
        asked = _parsed(body)
        if asked.encrypted_body is not None:
            asked = _parsed(self._opened(asked.encrypted_body))
        if asked.file is None:
            raise UnreadableError("the request names no `file`")
        return asked.file

    def _opened(self, sealed: _Sealed) -> bytes:
        try:
            shared = self._private.exchange(X25519PublicKey.from_public_bytes(sealed.ephemeral))
            derived = HKDF(hashes.SHA256(), 80, bytes(32), b"").derive(shared)
            aes_key, mac_key, iv = derived[:32], derived[32:64], derived[64:]
            # libolm takes the MAC of nothing (the specification says so, and asks others to do the same).
            expected = (hmac.digest(mac_key, text, "sha256")[:_MAC_BYTES] for text in (b"", sealed.ciphertext))
            if not any(hmac.compare_digest(mac, sealed.mac) for mac in expected):
                raise ValueError
            decrypting = Cipher(algorithms.AES(aes_key), modes.CBC(iv)).decryptor()
            padded = decrypting.update(sealed.ciphertext) + decrypting.finalize()
            unpadding = padding.PKCS7(128).unpadder()
            return unpadding.update(padded) + unpadding.finalize()
        except (ValueError, InvalidTag):
            raise UndecryptableError("`encrypted_body` is not encrypted for this service") from None


def is_media(server: str, media: str) -> bool:
    """Whether a server's name and a file's id can be such."""
    return re.fullmatch(_SERVER, server) is not None and re.fullmatch(_MEDIA, media) is not None


def _parsed(body: bytes) -> _Asked:
    try:
        return _Asked.model_validate_json(body)
    except ValidationError:
        raise UnreadableError("the request is not the JSON of an encrypted file") from None
