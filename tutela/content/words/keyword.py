"""`keyword`: a term, whose text form is what it is folded to.

A term stands for whole words; `*` before or behind it lets it go on there. It may ask for others beside it in the same
text, ` + term`, and for none of others, ` - term`: `code word + place - game`. It holds at most; it never blocks.
"""

import re
from dataclasses import dataclass

from tutela.content.signals.base import SignalKind
from tutela.content.words.fold import fold
from tutela.errors import InvalidSignalError

WIDTH = 256
MAX_BYTES = 128
"""Of the term alone, folded, in UTF-8."""
_APART = re.compile(r"\s+([+-])\s+")


@dataclass(frozen=True, slots=True)
class Keyword:
    """The signal type of terms."""

    name: str = "keyword"
    kind: SignalKind = SignalKind.PATTERN
    width: int = WIDTH
    default_threshold: int = 0
    max_threshold: int = 0
    only_holds: bool = True

    def parse(self, text: str) -> bytes:
        """The value of a term with its companions and exclusions. Raises InvalidSignalError with what is wrong."""
        first, *others = _APART.split(text.strip())
        term = _term(first)
        if len(term.strip("*").replace(" ", "")) < 2:
            raise InvalidSignalError(
                "{text!r} has fewer than two letters or digits: it would be everywhere", text=text[:80]
            )
        if len(term.encode()) > MAX_BYTES:
            raise InvalidSignalError(
                "a term of more than {max_bytes} bytes is too long; list the text as a whole", max_bytes=MAX_BYTES
            )
        if term.startswith("*") and term.endswith("*") and len(term.strip("*")) < 4:
            raise InvalidSignalError(
                "{text!r} is inside too many words: give four letters or a whole word", text=text[:80]
            )
        for sign, other in zip(others[::2], others[1::2], strict=True):
            folded = _term(other).strip("*")
            if not folded:
                raise InvalidSignalError("{text!r} has nothing behind its {sign!r}", text=text[:80], sign=sign)
            term += f" {sign} {folded}"
        value = term.encode()
        if len(value) > WIDTH:
            raise InvalidSignalError("a term with its companions is at most {width} bytes, folded", width=WIDTH)
        return value.ljust(WIDTH, b"\0")

    def format(self, value: bytes) -> str:
        """The folded term."""
        return value.rstrip(b"\0").decode()

    def distance(self, a: bytes, b: bytes) -> int:
        """0 when equal, 1 when not."""
        return int(a != b)


KEYWORD = Keyword()


def _term(text: str) -> str:
    stripped = text.strip()
    before, behind = "*" * stripped.startswith("*"), "*" * stripped.endswith("*")
    return before + fold(stripped.strip("*")) + behind


def counts_in(value: bytes, folded: str) -> bool:
    """Whether a term that a text holds counts there: every companion stands in the folded text, and no exclusion."""
    _, *others = _APART.split(KEYWORD.format(value))
    return all(
        (f" {other} " in f" {folded} ") == (sign == "+") for sign, other in zip(others[::2], others[1::2], strict=True)
    )
