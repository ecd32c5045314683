"""What the signal types of links share: values are SHA-256 digests, equal or not, given as text or already hashed."""

from dataclasses import dataclass

from tutela import _native
from tutela.content.links.link import Link, parse_link
from tutela.content.signals.base import SignalKind
from tutela.content.signals.hexadecimal import parse_hexadecimal
from tutela.errors import InvalidSignalError

_WIDTH = 32


def is_digest(text: str) -> bool:
    """Whether a text is a value already: 64 hexadecimal digits."""
    return len(text) == 2 * _WIDTH and all(digit in "0123456789abcdefABCDEF" for digit in text)


@dataclass(frozen=True, slots=True)
class LinkDigest:
    """A signal type whose value is the SHA-256 of a canonical text. Text form: 64 lower-case hexadecimal digits."""

    name: str
    width: int = _WIDTH
    kind: SignalKind = SignalKind.PREFIXES
    default_threshold: int = 0
    max_threshold: int = 0

    def parse(self, text: str) -> bytes:
        """The value of a link in clear, or of the 64 hexadecimal digits of a list that comes hashed."""
        stripped = text.strip()
        if is_digest(stripped):
            return parse_hexadecimal(self.name, stripped, _WIDTH)
        return _native.sha256(self.canonical(stripped).encode())

    def canonical(self, text: str) -> str:
        """The text whose digest is the value. Raises InvalidSignalError with what is wrong."""
        link = parse_link(text)
        if link is None:
            raise InvalidSignalError("{text!r} is not a link: give one such as example.org/page", text=text[:80])
        return self._text_of(link, text)

    def _text_of(self, link: Link, text: str) -> str:
        raise NotImplementedError

    def format(self, value: bytes) -> str:
        """64 lower-case hexadecimal digits."""
        return value.hex()

    def distance(self, a: bytes, b: bytes) -> int:
        """0 when equal, 1 when not."""
        return int(a != b)
