"""Cryptographic digests of the whole file: equal or not. MD5 and SHA-1 are here because hash lists carry them."""

import hashlib
import string
from dataclasses import dataclass

from tutela.errors import InvalidSignalError
from tutela.signals.base import Kind

_HEX = frozenset(string.hexdigits)


@dataclass(frozen=True, slots=True)
class Digest:
    """A digest that `hashlib` computes. Text form: lower-case hexadecimal."""

    name: str
    width: int
    kind: Kind = Kind.EXACT
    default_threshold: int = 0
    max_threshold: int = 0

    def parse(self, text: str) -> bytes:
        """The value of 2 x width hexadecimal digits, in either case."""
        digits = text.strip()
        if len(digits) != 2 * self.width or not _HEX.issuperset(digits):
            raise InvalidSignalError(
                f"{self.name} needs {2 * self.width} hexadecimal digits, got {_abridged(text)}"
            )
        return bytes.fromhex(digits)

    def format(self, value: bytes) -> str:
        """Lower-case hexadecimal."""
        return value.hex()

    def distance(self, a: bytes, b: bytes) -> int:
        """0 when equal, 1 when not."""
        return int(a != b)

    def digest(self, data: bytes | memoryview) -> bytes:
        """The digest of every byte."""
        return hashlib.new(self.name, data, usedforsecurity=False).digest()


def _abridged(text: str) -> str:
    return repr(text if len(text) <= 80 else text[:77] + "...")


MD5 = Digest("md5", 16)
SHA1 = Digest("sha1", 20)
SHA256 = Digest("sha256", 32)
