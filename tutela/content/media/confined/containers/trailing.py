"""What stands behind the end of a picture: the film of a motion photo, an archive, a second picture."""

from collections.abc import Generator, Iterator
from dataclasses import replace

from tutela.content.media.confined.accounting import MAX_UNKNOWN, searched
from tutela.content.media.confined.budget import Budget
from tutela.content.media.confined.carver import carve
from tutela.content.media.confined.endings import end_of
from tutela.content.media.confined.parts import InnerFile, Part, Unread
from tutela.content.media.content import Content, Shortcoming
from tutela.content.media.profile import EXPECTED
from tutela.content.media.sniff import PICTURES, MediaType, sniff
from tutela.errors import UnscreenableError

NAME = "trailing data"
_MAKERS_END = b"SEFT"
"""Ends the trailer that Samsung's phones write: depth maps, sound, notes; what signatures give away in it was found."""
_HEAD = 16
_BMP_HEADERS = 54
"""Bytes of the two headers that every bitmap has; palettes, masks and gaps follow up to the pixels."""


class Trailing:
    """One part with everything behind the end, or what signatures give away in it."""

    def parts(self, content: Content, budget: Budget) -> Iterator[Part]:
        budget.check_time()
        data = memoryview(content.data)
        if content.media_type is MediaType.BMP:
            yield from searched(data[_BMP_HEADERS : int.from_bytes(data[10:14], "little")], "gap", budget)
        end = end_of(data, content.media_type) if content.media_type else None
        if end is None:  # it has no end: what is behind it may be anywhere
            yield from carve(data[_HEAD:], budget)
            return
        if end >= len(data):
            return
        behind = data[end:]
        unknown = yield from _each(searched(behind, NAME, budget), budget)
        known_end = bytes(behind[-len(_MAKERS_END) :]) == _MAKERS_END or EXPECTED[content.limits.profile].trailing
        if unknown > MAX_UNKNOWN and not known_end:
            reason = f"{unknown:,} bytes behind its end are of no known type"
            yield Unread(NAME, UnscreenableError(Shortcoming.TRAILING_DATA, reason))


def _each(files: Generator[InnerFile, None, int], budget: Budget) -> Generator[Part, None, int]:
    """Every picture of these files; returns what they return."""
    while True:
        try:
            file = next(files)
        except StopIteration as end:
            return int(end.value)
        yield from _one_after_the_other(file, budget)


def _one_after_the_other(file: InnerFile, budget: Budget) -> Iterator[Part]:
    """Pictures that follow each other, as in raw Motion JPEG, are neighbours; the last takes whatever follows it."""
    data = memoryview(file.data)
    while True:
        budget.check_time()
        media_type = sniff(data)
        end = end_of(data, media_type) if media_type in PICTURES else None
        if end is None or end >= len(data) or sniff(data[end:]) not in PICTURES:
            yield replace(file, data=data)
            return
        yield replace(file, data=data[:end])
        data = data[end:]
