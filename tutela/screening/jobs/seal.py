"""Sealing a stream to a file and reading it back: libsodium's secretstream, in blocks.

It is XChaCha20-Poly1305; each block is bound to those before it and the last is marked, so that none can be cut off,
swapped or repeated unnoticed. A key seals one file only. Files of the form before it are still read.
"""

import os
from collections.abc import Iterator
from typing import BinaryIO

from tutela.errors import TutelaError

KEY_BYTES = 32
_BLOCK = 1024 * 1024
_MARK = b"tutela sealed 2\n"
_FORMER_MARK = b"tutela sealed 1\n"
_FORMER_TAG = 16


class SealError(TutelaError):
    """A sealed file is not whole, or not sealed with this key."""

    code = "seal"


class Sealer:
    """Writes a stream to a file, sealed; only whole blocks leave the memory."""

    def __init__(self, file: BinaryIO, key: bytes) -> None:
        """Begin a file. The key must never have sealed another."""
        from nacl import bindings

        self._state = bindings.crypto_secretstream_xchacha20poly1305_state()
        self._file = file
        self._rest = bytearray()
        file.write(_MARK + bindings.crypto_secretstream_xchacha20poly1305_init_push(self._state, key))

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Add to the stream."""
        self._rest += data
        while len(self._rest) > _BLOCK:
            with memoryview(self._rest) as rest:
                self._seal(bytes(rest[:_BLOCK]), last=False)
            del self._rest[:_BLOCK]

    def finish(self) -> None:
        """End the stream and have it on the disk."""
        self._seal(bytes(self._rest), last=True)
        self._rest.clear()
        self._file.flush()
        os.fsync(self._file.fileno())

    def _seal(self, block: bytes, *, last: bool) -> None:
        from nacl import bindings

        tag = (
            bindings.crypto_secretstream_xchacha20poly1305_TAG_FINAL
            if last
            else bindings.crypto_secretstream_xchacha20poly1305_TAG_MESSAGE
        )
        self._file.write(bindings.crypto_secretstream_xchacha20poly1305_push(self._state, block, None, tag))


def unseal(file: BinaryIO, key: bytes) -> Iterator[bytes]:
    """The blocks of a sealed stream. Raises SealError where the file was changed or cut; those before are genuine."""
    mark = file.read(len(_MARK))
    if mark == _FORMER_MARK:
        return _unseal_former(file, key)
    if mark != _MARK:
        raise SealError("this is not a sealed file: it does not begin as one")
    return _unseal(file, key)


def _unseal(file: BinaryIO, key: bytes) -> Iterator[bytes]:
    from nacl import bindings
    from nacl.exceptions import CryptoError

    state = bindings.crypto_secretstream_xchacha20poly1305_state()
    sealed_bytes = _BLOCK + bindings.crypto_secretstream_xchacha20poly1305_ABYTES
    final = bindings.crypto_secretstream_xchacha20poly1305_TAG_FINAL
    header = file.read(bindings.crypto_secretstream_xchacha20poly1305_HEADERBYTES)
    if len(header) < bindings.crypto_secretstream_xchacha20poly1305_HEADERBYTES:
        raise _spoiled()
    bindings.crypto_secretstream_xchacha20poly1305_init_pull(state, header, key)
    block = file.read(sealed_bytes)
    while True:
        following = file.read(sealed_bytes)
        try:
            opened, tag = bindings.crypto_secretstream_xchacha20poly1305_pull(state, block)
        except (CryptoError, ValueError):  # a ValueError for a block that is shorter than any
            raise _spoiled() from None
        if (tag == final) is bool(following):
            raise _spoiled()
        yield opened
        if not following:
            return
        block = following


def _unseal_former(file: BinaryIO, key: bytes) -> Iterator[bytes]:
    """AES-256-GCM in blocks, as STREAM (Hoang, Reyhanitabar, Rogaway, Vizár 2015): what a home of revision 0011 has."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    cipher = AESGCM(key)
    number = 0
    block = file.read(_BLOCK + _FORMER_TAG)
    while True:
        following = file.read(_BLOCK + _FORMER_TAG)
        nonce = number.to_bytes(11) + bytes([not following])
        try:
            yield cipher.decrypt(nonce, block, None)
        except InvalidTag:
            raise _spoiled() from None
        if not following:
            return
        block, number = following, number + 1


def _spoiled() -> SealError:
    return SealError("a sealed file was changed, cut short, or sealed with another key")
