"""Keys locked with a passphrase as `age -p` locks them, but for the work: theirs takes a second or two each time that
it is done, on purpose, and so would every test that opens one.

The format: C2SP, age.md, "The scrypt recipient type".
"""

import base64
import hashlib
import hmac
import secrets

from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_LOG_N = 8


def lightly_locked(secret: bytes, words: str) -> bytes:
    """An age file of less than 64 KiB that the words open in a millisecond."""
    salt, file_key, nonce = secrets.token_bytes(16), secrets.token_bytes(16), secrets.token_bytes(16)
    wrapping = hashlib.scrypt(
        words.encode(), salt=b"age-encryption.org/v1/scrypt" + salt, n=1 << _LOG_N, r=8, p=1, dklen=32
    )
    wrapped = ChaCha20Poly1305(wrapping).encrypt(bytes(12), file_key, None)
    head = b"age-encryption.org/v1\n-> scrypt %s %d\n%s\n---" % (_letters(salt), _LOG_N, _letters(wrapped))
    proof = hmac.digest(_derived(file_key, b"", b"header"), head, "sha256")
    last = bytes(11) + b"\x01"
    sealed = ChaCha20Poly1305(_derived(file_key, nonce, b"payload")).encrypt(last, secret, None)
    return head + b" " + _letters(proof) + b"\n" + nonce + sealed


def _derived(key: bytes, salt: bytes, info: bytes) -> bytes:
    return HKDF(SHA256(), 32, salt, info).derive(key)


def _letters(value: bytes) -> bytes:
    return base64.b64encode(value).rstrip(b"=")
