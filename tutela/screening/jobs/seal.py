"""Sealing a stream to a file and reading it back: AES-256-GCM in blocks, each bound to its place and to the end.

The construction is STREAM (Hoang, Reyhanitabar, Rogaway, Vizár 2015) as age uses it: the nonce is the block's number
and whether it is the last, so that blocks cannot be cut off, swapped or repeated unnoticed. A key seals one file only.
"""

import os
from collections.abc import Iterator
from typing import BinaryIO

from tutela.errors import TutelaError

KEY_BYTES = 32
_BLOCK = 1024 * 1024
_TAG = 16
_HEADER = b"tutela sealed 1\n"


class SealError(TutelaError):
    """A sealed file is not whole, or not sealed with this key."""


class Sealer:
    """Writes a stream to a file, sealed; only whole blocks leave the memory."""

    def __init__(self, file: BinaryIO, key: bytes) -> None:
        """Begin a file. The key must never have sealed another."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        self._cipher = AESGCM(key)
        self._file = file
        self._number = 0
        self._rest = bytearray()
        file.write(_HEADER)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Add to the stream."""
        self._rest += data
        while len(self._rest) > _BLOCK:
            self._seal(self._rest[:_BLOCK], last=False)
            del self._rest[:_BLOCK]

    def finish(self) -> None:
        """End the stream and have it on the disk."""
        self._seal(self._rest, last=True)
        self._rest.clear()
        self._file.flush()
        os.fsync(self._file.fileno())

    def _seal(self, block: bytearray, *, last: bool) -> None:
        self._file.write(self._cipher.encrypt(_nonce(self._number, last=last), block, None))
        self._number += 1


def unseal(file: BinaryIO, key: bytes) -> Iterator[bytes]:
    """The blocks of a sealed stream. Raises SealError where the file was changed or cut; those before are genuine."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    cipher = AESGCM(key)
    if file.read(len(_HEADER)) != _HEADER:
        raise SealError("this is no sealed file")
    number = 0
    block = file.read(_BLOCK + _TAG)
    while True:
        following = file.read(_BLOCK + _TAG)
        try:
            yield cipher.decrypt(_nonce(number, last=not following), block, None)
        except InvalidTag:
            raise SealError("a sealed file was changed, cut short, or sealed with another key") from None
        if not following:
            return
        block, number = following, number + 1


def _nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(11) + bytes([last])
