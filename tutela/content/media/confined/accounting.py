"""Every byte of a container is decoded, known padding, or searched: what is none of these holds the content.

A container says which bytes it accounts for, by reading what lies there or by checking it; `rest` goes through the
others.
"""

from collections.abc import Generator, Iterable, Iterator

from tutela.content.media.confined.budget import Budget
from tutela.content.media.confined.carver import carve
from tutela.content.media.confined.endings import end_of
from tutela.content.media.confined.parts import InnerFile, Part, Unread
from tutela.content.media.content import Shortcoming
from tutela.content.media.sniff import sniff
from tutela.errors import UnscreenableError

MAX_UNKNOWN = 4096
"""Bytes that may be of no known type: programs and cameras write notes of their own."""
_NOTE = 256
"""Bytes of a gap that are not counted: fields of headers, names, checksums."""
_PADDING = b"\x00 \r\n\t"
_PADDING_BLOCK = 1024 * 1024

Extent = tuple[int, int]
"""From the first byte to behind the last."""


def rest(
    data: memoryview, accounted: Iterable[Extent], name: str, budget: Budget, max_unknown: int = MAX_UNKNOWN
) -> Iterator[Part]:
    """Files in the bytes that no extent covers; a word where more of them than that are nothing that is known."""
    unknown = 0
    for begin, end in gaps(accounted, len(data)):
        left = yield from searched(data[begin:end], name, budget)
        unknown += left if left > _NOTE else 0
    if unknown > max_unknown:
        reason = f"{unknown:,} bytes in it are of no known type, and no part of it that is read"
        yield Unread(name, UnscreenableError(Shortcoming.TRAILING_DATA, reason))


def gaps(accounted: Iterable[Extent], length: int) -> Iterator[Extent]:
    """What no extent covers."""
    at = 0
    for begin, end in [*sorted(accounted), (length, length)]:
        if begin > at:
            yield at, min(begin, length)
        at = max(at, end)


def searched(data: memoryview, name: str, budget: Budget) -> Generator[InnerFile, None, int]:
    """Files in bytes of unknown structure; returns how many of the bytes are none of them."""
    begin = _padding(data)
    for file in (data, data[begin:]):  # some files begin like padding
        if sniff(file) is not None:
            yield InnerFile(name, file)
            return 0
    unknown = len(data) - begin
    for part in carve(data, budget):
        media_type = sniff(part.data)
        if media_type is not None and end_of(memoryview(part.data), media_type) is not None:
            unknown -= len(part.data)
        yield part
    return max(0, unknown)


def _padding(data: memoryview) -> int:
    """How many bytes at the beginning fill up."""
    at = 0
    while at < len(data):
        block = bytes(data[at : at + _PADDING_BLOCK])
        left = block.lstrip(_PADDING)
        at += len(block) - len(left)
        if left:
            break
    return at
