"""What stands behind the end of a picture: the film of a motion photo, an archive, a second picture."""

from collections.abc import Iterator

from tutela.content.media.confined.budget import Budget
from tutela.content.media.confined.carver import carve
from tutela.content.media.confined.containers.base import InnerFile, Part, Unread
from tutela.content.media.confined.endings import end_of
from tutela.content.media.content import Content, Shortcoming
from tutela.content.media.sniff import sniff
from tutela.errors import UnscreenableError

NAME = "trailing data"
MAX_UNKNOWN = 4096
"""Bytes behind a picture that may be of no known type: cameras write notes of their own there."""
_MAKERS_END = b"SEFT"
"""Ends the trailer that Samsung's phones write: depth maps, sound, notes; what signatures give away in it was found."""
_PADDING = b"\x00 \r\n\t"


class Trailing:
    """One part with everything behind the end, or what signatures give away in it."""

    def parts(self, content: Content, budget: Budget) -> Iterator[Part]:
        data = memoryview(content.data)
        end = end_of(data, content.media_type) if content.media_type else None
        if end is None or end >= len(data):
            return
        budget.check_time()
        behind = data[end:]
        rest = behind[_padding(behind) :]
        for file in (behind, rest):  # some files begin like padding
            if sniff(file) is not None:
                yield InnerFile(NAME, file)
                return
        unknown = len(rest)
        for part in carve(behind):
            media_type = sniff(part.data)
            if media_type is not None and end_of(memoryview(part.data), media_type) is not None:
                unknown -= len(part.data)
            yield part
        if unknown > MAX_UNKNOWN and bytes(rest[-len(_MAKERS_END) :]) != _MAKERS_END:
            yield Unread(
                NAME,
                UnscreenableError(Shortcoming.TRAILING_DATA, f"{unknown:,} bytes behind its end are of no known type"),
            )


def _padding(data: memoryview) -> int:
    start = bytes(data[: 1024 * 1024])
    return len(start) - len(start.lstrip(_PADDING))
