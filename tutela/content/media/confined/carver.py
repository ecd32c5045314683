"""Files inside bytes of unknown structure, found by their signatures: what is behind, between or before known things.

A short signature proves nothing, so what it gives away is speculative: where it is no picture, nothing was missed.
"""

import re
from collections.abc import Collection, Iterator
from itertools import chain, islice, pairwise
from typing import Literal

from tutela import _native
from tutela.content.media.confined.budget import Budget
from tutela.content.media.confined.endings import end_of, gif_blocks, jpeg_segments
from tutela.content.media.confined.parts import InnerFile
from tutela.content.media.sniff import MediaType, sniff

_LITERALS = (
    (b"\xff\xd8\xff", 0),
    (b"\x89PNG\r\n\x1a\n", 0),
    (b"GIF87a", 0),
    (b"GIF89a", 0),
    (b"WEBPVP8", 8),
    (b"II*\x00", 0),
    (b"MM\x00*", 0),
    (b"ftyp", 4),
    (b"%PDF-", 0),
    (b"PK\x03\x04", 0),
    (b"7z\xbc\xaf\x27\x1c", 0),
    (b"Rar!\x1a\x07", 0),
    (b"JXL \r\n\x87\n", 4),
    (b"jP  \r\n\x87\n", 4),
    (b"\x1f\x8b\x08", 0),
    (b"1AY&SY", 4),
    (b"\xfd7zXZ\x00", 0),
    (b"\x28\xb5\x2f\xfd", 0),
    (b"\x1a\x45\xdf\xa3", 0),
    (b"ustar", 257),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", 0),
    (b"MSCF\x00\x00\x00\x00", 0),
    (b"AVI LIST", 8),
    (b" EMF\x00\x00\x01\x00", 40),
)
"""What is searched for, and how many bytes before it a file begins."""
_SIGNATURES = [literal for literal, _ in _LITERALS]
_FURTHEST = max(before for _, before in _LITERALS)
_FEWEST = 24
"""Bytes that a picture has at least; less than that between two signatures is a colour."""
_BEGINS_AGAIN = re.compile(rb"\xff\xd8(?:\xff{1,8}\x00[^\xff]{0,8}){0,4}\xff{1,8}\xd8")
"""A JPEG that begins once more before anything else is none (T.81, B.2.1); a light pink is nothing but these."""
_CHECKED_EVERY = 100
_MOST_SEGMENTS = 4096
"""Of a picture are looked at to tell whether it is one."""
_MOST_FIELDS = 512
"""In a directory of a TIFF."""
_BITMAP = re.compile(rb"BM.{4}\x00\x00\x00\x00.{3}\x00[\x0c\x28\x34\x38\x40\x6c\x7c]\x00\x00\x00", re.DOTALL)
_CERTAIN = frozenset(
    {
        MediaType.PNG,
        MediaType.WEBP,
        MediaType.SEVEN_ZIP,
        MediaType.RAR,
        MediaType.JXL,
        MediaType.JPEG2000,
        MediaType.XZ,
        MediaType.TAR,
    }
)
"""Types whose signatures are too long to come about by chance."""
_OPEN_ENDED = frozenset(
    {
        *(
            MediaType.ZIP,
            MediaType.SEVEN_ZIP,
            MediaType.RAR,
            MediaType.PDF,
            MediaType.TAR,
            MediaType.OLE,
            MediaType.CAB,
        ),
        *(MediaType.GZIP, MediaType.BZIP2, MediaType.XZ, MediaType.ZSTD, MediaType.WEBM),
    }
)
"""Archives are read from their end, or on to it: one that is found takes the rest, which is searched on."""


WINDOW = 64 * 1024
"""Bytes whose signatures are held at once: a flat colour can be nothing but signatures."""
_LONGEST = 24
"""Bytes of a signature."""


def carve(data: memoryview, budget: Budget, begin: int = 0, itself: Collection[int] = ()) -> Iterator[InnerFile]:
    """Every file from there on that a signature gives away, each up to its end, or to the next signature where it has
    none. What begins where `itself` says is none. Raises BudgetSpentError."""
    covered = begin
    starts = pairwise(chain(signatures(data, begin), [len(data)]))
    for number, (start, following) in enumerate(starts):
        if number % _CHECKED_EVERY == 0:
            budget.check_time()
        if start < covered or start in itself or _BEGINS_AGAIN.match(data, start):
            continue
        rest = data[start:]
        media_type = sniff(rest)
        if media_type is None:
            continue
        if media_type in _OPEN_ENDED:
            length: int | None = len(rest)
        elif length := end_of(rest, media_type):
            covered = start + length
        elif _is_a_picture(rest, media_type):
            length = len(rest)  # of what has no end, all that follows may be its own, whatever looks like a signature
        else:
            length = following - start
            if length < _FEWEST and media_type not in _CERTAIN:
                continue
        name = f"{media_type.partition('/')[2]} at byte {start:,}"
        yield InnerFile(name, rest[:length], speculative=media_type not in _CERTAIN)


def _is_a_picture(data: memoryview, media_type: MediaType) -> bool:
    """Whether more than a signature says that a picture begins here."""
    if media_type is MediaType.JPEG:
        return any(_is_frame_header(*each) for each in islice(jpeg_segments(data), _MOST_SEGMENTS))
    if media_type is MediaType.GIF:
        return any(introducer == 0x2C for introducer, _, _ in islice(gif_blocks(data), _MOST_SEGMENTS))
    if media_type is MediaType.PNG:
        return bytes(data[12:16]) == b"IHDR"
    if media_type is MediaType.TIFF:
        order: Literal["little", "big"] = "little" if data[0] == ord("I") else "big"
        at = int.from_bytes(data[4:8], order)
        fields, kind = (int.from_bytes(data[begin : begin + 2], order) for begin in (at, at + 4))
        return 0 < fields <= _MOST_FIELDS and 1 <= kind <= 13 and at + 2 + 12 * fields <= len(data)
    return False


def _is_frame_header(marker: int, segment: memoryview) -> bool:
    """T.81, B.2.2."""
    is_frame = 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC)
    return is_frame and len(segment) > 5 and segment[0] in (8, 12) and len(segment) == 6 + 3 * segment[5]


def signatures(data: memoryview, begin: int = 0) -> Iterator[int]:
    """Where files may begin, from there on, each place once and in order."""
    waiting: set[int] = set()
    for at in range(begin, len(data), WINDOW):
        end = at + WINDOW
        for place, number in literals_between(data, _SIGNATURES, at, end):
            waiting.add(place - _LITERALS[number][1])
        waiting.update(match.start() for match in _BITMAP.finditer(data, at, end + _LONGEST) if match.start() < end)
        known = end - _FURTHEST if end < len(data) else end  # what is found later may begin after that
        yield from (start for start in sorted(waiting) if begin <= start < known)
        waiting = {start for start in waiting if start >= known}


def literals_between(data: memoryview, literals: list[bytes], begin: int, end: int) -> Iterator[tuple[int, int]]:
    """(place, number of the literal) of all that begin between two places, in order."""
    for place, number in _native.find_literals(data[begin : end + _LONGEST], literals):
        if begin + place < end:
            yield begin + place, number
