"""`text`: a text as a whole, known by the SHA-256 of what it is folded to: spacing, case and accents do not count."""

from dataclasses import dataclass

from tutela import _native
from tutela.content.signals.base import Sample, SignalKind
from tutela.content.signals.hexadecimal import parse_hexadecimal
from tutela.content.words.fold import fold
from tutela.errors import InvalidSignalError

MIN_LETTERS = 8
"""A shorter text is said by everybody."""
_WIDTH = 32


@dataclass(frozen=True, slots=True)
class Text:
    """The signal type of whole texts. Text form: 64 lower-case hexadecimal digits; any other text stands for itself."""

    name: str = "text"
    kind: SignalKind = SignalKind.PREFIXES
    width: int = _WIDTH
    default_threshold: int = 0
    max_threshold: int = 0

    def parse(self, text: str) -> bytes:
        """The value of a text in clear, or of the 64 hexadecimal digits of a list that comes hashed."""
        stripped = text.strip()
        if len(stripped) == 2 * _WIDTH and all(digit in "0123456789abcdefABCDEF" for digit in stripped):
            return parse_hexadecimal(self.name, stripped, _WIDTH)
        folded = fold(stripped)
        if len(folded.replace(" ", "")) < MIN_LETTERS:
            raise InvalidSignalError(
                "a text of fewer than {min_letters} letters is said by everybody; list a keyword",
                min_letters=MIN_LETTERS,
            )
        return _native.sha256(folded.encode())

    def format(self, value: bytes) -> str:
        """64 lower-case hexadecimal digits."""
        return value.hex()

    def distance(self, a: bytes, b: bytes) -> int:
        """0 when equal, 1 when not."""
        return int(a != b)


TEXT = Text()


def text_sample(folded: str) -> Sample | None:
    """The sample of a folded text as a whole; None where it is too short to stand for anything."""
    if len(folded.replace(" ", "")) < MIN_LETTERS:
        return None
    return Sample(TEXT.name, _native.sha256(folded.encode()))
