"""What stands between a beginning and the next end of it, found in one pass however many beginnings have no end.

One pattern for both would go on from every beginning to where the text ends.
"""

import re
from collections.abc import Iterable, Iterator


def tags(text: bytes, pattern: re.Pattern[bytes]) -> Iterator[re.Match[bytes]]:
    """Every `<name …>`. Behind the last `>` there is none: from each `<name`, one would be looked for to the end."""
    return pattern.finditer(text, 0, text.rfind(b">") + 1)


def paired(
    text: bytes, openings: Iterable[re.Match[bytes]], closing: re.Pattern[bytes], least: int = 0
) -> Iterator[tuple[re.Match[bytes], re.Match[bytes]]]:
    """(beginning, the first end that is `least` bytes behind it at least), none of them within another."""
    end = 0
    close: re.Match[bytes] | None = None
    for begin in openings:
        if begin.start() < end:
            continue
        first = begin.end() + least
        if close is None or close.start() < first:
            close = closing.search(text, first)
        if close is None:
            return
        end = close.end()
        yield begin, close
