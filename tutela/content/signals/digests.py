"""Cryptographic digests of the whole file: equal or not. MD5 and SHA-1 are here because hash lists carry them."""

import hashlib
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache

from tutela import _native
from tutela.content.signals.base import Digesting, Sample, SignalKind
from tutela.content.signals.hexadecimal import parse_hexadecimal
from tutela.content.signals.registry import signal_types
from tutela.foundation.processes import give_way


@dataclass(frozen=True, slots=True)
class Digest:
    """A digest that `hashlib` computes. Text form: lower-case hexadecimal."""

    name: str
    width: int
    kind: SignalKind = SignalKind.EXACT
    default_threshold: int = 0
    max_threshold: int = 0

    def parse(self, text: str) -> bytes:
        """The value of 2 x width hexadecimal digits, in either case."""
        return parse_hexadecimal(self.name, text, self.width)

    def format(self, value: bytes) -> str:
        """Lower-case hexadecimal."""
        return value.hex()

    def distance(self, a: bytes, b: bytes) -> int:
        """0 when equal, 1 when not."""
        return int(a != b)

    def digest(self, data: bytes | memoryview) -> bytes:
        """The digest of every byte."""
        return hashlib.new(self.name, data, usedforsecurity=False).digest()


LONG_BYTES = 1024 * 1024
"""Content of a millisecond or two."""

MD5 = Digest("md5", 16)
SHA1 = Digest("sha1", 20)
SHA256 = Digest("sha256", 32)


def digest_samples(data: bytes | memoryview) -> tuple[Sample, ...]:
    """A sample of every installed type that is computed from the bytes alone; ours in one pass, where that is had."""
    made = dict(zip((MD5.name, SHA1.name, SHA256.name), _native.digests(data) or (), strict=False))
    return tuple(Sample(name, made.get(name) or kind.digest(data)) for name, kind in _digesting_types().items())


def digest_in_turn(data: bytes | memoryview) -> tuple[Sample, ...]:
    """The same, for a process that many ask: what is long waits its turn and gives way to everything else, so that
    many long uploads at once keep no short one waiting."""
    if len(data) < LONG_BYTES:
        return digest_samples(data)
    return _threads(os.getpid()).submit(digest_samples, data).result()


@cache
def _threads(_process: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(os.cpu_count() or 1, "tutela-digests", initializer=give_way)


@cache
def _digesting_types() -> Mapping[str, Digesting]:
    return {name: found for name, found in signal_types().items() if isinstance(found, Digesting)}
