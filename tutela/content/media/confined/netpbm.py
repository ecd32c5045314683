"""Where the first picture of a Netpbm file ends: a file may hold several, one behind the other (pnm(5))."""

import re

_HEADER = re.compile(rb"P([456])(?:\s|#[^\n]*\n)+(\d{1,9})(?:\s|#[^\n]*\n)+(\d{1,9})(?:(?:\s|#[^\n]*\n)+(\d{1,5}))?\s")


def behind_first(data: memoryview) -> memoryview | None:
    """What follows the first picture of those in bytes (P4, P5, P6), where it is another; None where it is not."""
    found = _HEADER.match(data[:1024])
    if found is None:
        return None
    kind, width, height = int(found[1]), int(found[2]), int(found[3])
    start = found.end()
    if kind == 4:  # no greatest value: what stood in its place is the picture
        start = re.compile(rb"P4(?:(?:\s|#[^\n]*\n)+\d+){2}\s").match(data[:1024]).end()  # type: ignore[union-attr]
        length = (width + 7) // 8 * height
    else:
        length = width * height * (3 if kind == 6 else 1) * (2 if int(found[4] or 255) > 255 else 1)
    rest = data[start + length :]
    return rest if _HEADER.match(rest[:1024]) else None
