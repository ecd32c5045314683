"""Parts of a mail as other programs see them: wherever something in it is like a part's head, a body follows.

Programs differ in which boundary they take, in which of two fields counts, and in what they make of a field that is
folded, commented or misspelt; each of them passes over what is no letter of base64.
"""

import re
from collections.abc import Collection, Iterator

from tutela.content.media.confined.budget import Budget
from tutela.content.media.confined.encodings import from_base64
from tutela.content.media.sniff import sniff

_HEAD = 160 * 1024
_FEWEST = 192
_MOST_ENDS = 8
"""Parts within each other that end together."""
_LINE = re.compile(rb"^(content-[a-z-]{1,40}[ \t]*:)|^[ \t]*\r?\n", re.IGNORECASE | re.MULTILINE)
"""A field of a part's head, or an empty line."""


def loose_parts(raw: bytes, parts: Collection[bytes], decoded: Collection[bytes], budget: Budget) -> Iterator[bytes]:
    """What begins like a file of a known type in each body, as it stands or read as base64.

    Not once more the bodies of `parts` as they stand, nor what those stand for that were `decoded` as base64.
    """
    seen, read = frozenset(parts), frozenset(decoded)
    for begin, end in _bodies(raw):
        budget.check_time()
        body = raw[begin : _without_boundaries(raw, begin, end)].strip()
        if len(body) < _FEWEST or body in read:
            continue
        if body not in seen and sniff(body) is not None:
            yield body
        if sniff(from_base64(body[:_HEAD])) is not None:
            yield from_base64(body)


def _bodies(raw: bytes) -> Iterator[tuple[int, int]]:
    """(begin, end) of what follows each head: up to the next one."""
    in_head, begin = False, -1
    for line in _LINE.finditer(raw):
        if line[1] is None and in_head:
            in_head, begin = False, line.end()
        elif line[1] is not None and not in_head:
            if begin >= 0:
                yield begin, line.start()
            in_head, begin = True, -1
    if begin >= 0:
        yield begin, len(raw)


def _without_boundaries(raw: bytes, begin: int, end: int) -> int:
    """Where a body ends: before the last line that is like a boundary, and those of outer parts right before that."""
    last = raw.rfind(b"\n--", begin, end)
    for _ in range(_MOST_ENDS):
        if last < 0 or raw[last : last + 3] != b"\n--":
            break
        end = last
        last = raw.rfind(b"\n", begin, begin + len(raw[begin:end].rstrip()))
    return end
