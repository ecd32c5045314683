"""The head of an age file apart from its body: the file's key, wrapped to the recipients; nobody opens it without.

Splitting a file and putting it together is done anywhere. Wrapping the key anew needs a recipient's private key and is
done where that is. Source: https://age-encryption.org/v1 (header, X25519 recipient stanza, header MAC).
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from itertools import pairwise

from tutela.errors import TutelaError

VERSION_LINE = b"age-encryption.org/v1\n"
FILE_KEY_BYTES = 16
_END = b"\n--- "
_LABEL = b"age-encryption.org/v1/X25519"
_BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"


class HeaderError(TutelaError):
    """Not the head of an age file, or not sealed to this key."""

    code = "header"


def header_length(data: bytes) -> int | None:
    """How many bytes at the beginning of an age file are its head; None while its end has not come."""
    end = data.find(_END)
    line_end = data.find(b"\n", end + len(_END)) if end >= 0 else -1
    return line_end + 1 if line_end >= 0 else None


def split_headers(data: bytes) -> list[bytes]:
    """The heads that were written one after the other. Raises HeaderError."""
    found = []
    while data:
        length = header_length(data)
        if length is None or not data.startswith(VERSION_LINE):
            raise HeaderError("not the heads of age files")
        found.append(data[:length])
        data = data[length:]
    return found


def file_key(header: bytes, identities: Sequence[str]) -> bytes:
    """The file's key, unwrapped with one of the private keys (AGE-SECRET-KEY-1…). Raises HeaderError."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

    lines = header.decode("ascii", "replace").split("\n")
    for identity in identities:
        private = X25519PrivateKey.from_private_bytes(_bech32_bytes(identity))
        own = private.public_key().public_bytes_raw()
        for line, body in pairwise(lines):
            if not line.startswith("-> X25519 "):
                continue
            share, wrapped = _base64(line.removeprefix("-> X25519 ")), _base64(body)
            try:
                secret = private.exchange(X25519PublicKey.from_public_bytes(share))
                key = ChaCha20Poly1305(_hkdf(secret, share + own, _LABEL)).decrypt(bytes(12), wrapped, None)
            except (InvalidTag, ValueError):
                continue
            if not hmac.compare_digest(_mac(key, header[: header.rindex(_END) + 4]), _base64(lines[-2][4:])):
                raise HeaderError("the head of the age file was changed")
            return key
    raise HeaderError("the file is not sealed to this key")


def wrap(key: bytes, recipients: Sequence[str]) -> bytes:
    """The head of a file with this key, for these recipients (age1…)."""
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

    header = VERSION_LINE
    for recipient in recipients:
        public = _bech32_bytes(recipient)
        ephemeral = X25519PrivateKey.generate()
        share = ephemeral.public_key().public_bytes_raw()
        secret = ephemeral.exchange(X25519PublicKey.from_public_bytes(public))
        wrapped = ChaCha20Poly1305(_hkdf(secret, share + public, _LABEL)).encrypt(bytes(12), key, None)
        header += b"-> X25519 " + _unpadded(share) + b"\n" + _unpadded(wrapped) + b"\n"
    header += b"---"
    return header + b" " + _unpadded(_mac(key, header)) + b"\n"


def _mac(key: bytes, header: bytes) -> bytes:
    return hmac.digest(_hkdf(key, b"", b"header"), header, hashlib.sha256)


def _hkdf(secret: bytes, salt: bytes, info: bytes) -> bytes:
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return HKDF(SHA256(), length=32, salt=salt or None, info=info).derive(secret)


def _bech32_bytes(text: str) -> bytes:
    """The 32 bytes of a key's text (BIP 173). Its checksum was compared when the key was read."""
    number = 0
    for character in text.lower().rpartition("1")[2][:-6]:
        number = number << 5 | _BECH32.index(character)
    return (number >> 4).to_bytes(32, "big")  # 52 characters are 260 bits: the last four are padding


def _unpadded(data: bytes) -> bytes:
    return base64.b64encode(data).rstrip(b"=")


def _base64(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        return b""
