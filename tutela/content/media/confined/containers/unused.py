"""Bytes in a film's file that belong to no track, because its index does not name them."""

import contextlib
from collections.abc import Iterator

from tutela.content.media.confined.budget import Budget
from tutela.content.media.confined.carver import carve
from tutela.content.media.confined.ffmpeg import OPENING
from tutela.content.media.confined.parts import Part, file_over
from tutela.content.media.content import Content

_FAILURES: tuple[type[Exception], ...] = (NameError, ValueError)
with contextlib.suppress(ImportError):
    import av

    _FAILURES = (av.FFmpegError, ValueError)

_LEAST = 128
"""Bytes: headers between the packets are shorter, and hold no picture."""


class Unused:
    """Whatever a signature gives away between the packets of all tracks."""

    def parts(self, content: Content, budget: Budget) -> Iterator[Part]:
        data = memoryview(content.data)
        at = 0
        for start, end in [*sorted(_packets(data, budget)), (len(data), len(data))]:
            if start - at >= _LEAST:
                budget.check_time()
                yield from carve(data[at:start], budget)
            at = max(at, end)


def _packets(data: memoryview, budget: Budget) -> Iterator[tuple[int, int]]:
    """Where the packets of every track lie. None where the file cannot be read: that is said of the film itself."""
    try:
        container = av.open(
            file_over(data), "r", metadata_errors="ignore", options={"advanced_editlist": "0", **OPENING}
        )
    except _FAILURES:
        return
    with container, contextlib.suppress(av.FFmpegError):
        for number, packet in enumerate(container.demux()):
            if number % _CHECKED_EVERY == 0:
                budget.check_time()
            if packet.size and packet.pos is not None and packet.pos >= 0:
                yield packet.pos, packet.pos + packet.size


_CHECKED_EVERY = 1_000
