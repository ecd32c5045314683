"""What lies in an archive between its members, where a list of members does not look."""

from collections.abc import Iterable, Iterator

from tutela.content.media.confined.carver import carve
from tutela.content.media.confined.containers.base import InnerFile


def between(data: memoryview, extents: Iterable[tuple[int, int]]) -> Iterator[InnerFile]:
    """Files in the bytes that no (start, end) covers."""
    at = 0
    for start, end in [*sorted(extents), (len(data), len(data))]:
        if start > at:
            yield from carve(data[at:start])
        at = max(at, end)
