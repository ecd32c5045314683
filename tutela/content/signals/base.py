"""What a signal type is: a name, a fixed width, a way to read, print and compare its values.

A new signal type is one file with one object that satisfies `SignalType`, and one entry point in the group
`tutela.signals`. Types that can be computed also satisfy `Digesting` (from the bytes alone) or `Computable` (from
the decoded content, in an isolated worker).
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

if TYPE_CHECKING:
    from tutela.content.media.content import Content


class SignalKind(StrEnum):
    """How values of a type are compared, and so which index serves them."""

    EXACT = "exact"
    """Equal or not: distance 0 or nothing (cryptographic digests)."""
    HAMMING = "hamming"
    """256-bit strings within a Hamming distance (PDQ)."""
    PREFIXES = "prefixes"
    """Equal or not, of 32 bytes and in lists so long that a search should touch 8 bytes of each value (links)."""
    PATTERN = "pattern"
    """Terms of 256 bytes that are looked for inside text, all of them in one pass (keywords)."""
    VECTOR = "vector"
    """Any other distance, searched by comparing with every value (PhotoDNA)."""


WHOLE = "whole"
"""The view of the content as it is displayed."""
STORED = "stored"
"""The view of a picture as its file stores it, where EXIF says that it is to be shown turned."""


class Region(NamedTuple):
    """A rectangle in a picture as displayed, in fractions of its width and height: 0 is left and top, 1 right and
    bottom."""

    left: float
    top: float
    right: float
    bottom: float


class Sample(NamedTuple):
    """One value computed from one view of one part of the content."""

    signal: str
    value: bytes
    view: str = WHOLE
    quality: int | None = None
    """0-100 as the type defines it; None where the type has no notion of quality."""
    region: Region | None = None
    """Where in the picture the view lies; None where it is the whole."""
    part: str = ""
    """Where in the content the picture lies, for example `report.zip › page 3`; empty for the content itself."""
    seconds: float | None = None
    """When in a video or animation the picture is shown."""


@runtime_checkable
class SignalType(Protocol):
    """Reading, printing and comparing values of one type. Values travel as `bytes` of exactly `width`."""

    name: str
    kind: SignalKind
    width: int
    default_threshold: int
    max_threshold: int

    def parse(self, text: str) -> bytes:
        """The value a text stands for. Raises InvalidSignalError with what is wrong."""

    def format(self, value: bytes) -> str:
        """The canonical text of a value; `parse(format(v)) == v`."""

    def distance(self, a: bytes, b: bytes) -> int:
        """A whole-number distance, 0 for equal values."""


@runtime_checkable
class Digesting(Protocol):
    """A signal type computed from the bytes alone: nothing is parsed, so the serving process may do it."""

    def digest(self, data: bytes | memoryview) -> bytes:
        """The value for every byte of the data."""


@runtime_checkable
class Computable(Protocol):
    """A signal type computed from what the content decodes to, only ever inside an isolated worker."""

    def compute(self, content: "Content") -> Sequence[Sample]:
        """The samples of this type in the content. Raises UnscreenableError when it cannot be decoded."""


@runtime_checkable
class Optional(Protocol):
    """A signal type that is computed only where the operator has set it up."""

    @property
    def ready(self) -> bool:
        """Whether it is."""


@runtime_checkable
class OnlyHolding(Protocol):
    """A signal type that is too loose to block: a match with it holds at most, for a person to look at."""

    only_holds: bool


@runtime_checkable
class InClear(Protocol):
    """A signal type whose values are digests of a text, which a list may give in clear."""

    def canonical(self, text: str) -> str:
        """The text whose digest is the value. Raises InvalidSignalError."""


@runtime_checkable
class Composite(Protocol):
    """A signal type that stands for many values of another type, such as a video for its frames.

    Its own value only tells one such set from another; what is searched are the values of the set.
    """

    def read(self, text: str) -> tuple[Sample, ...]:
        """The values that a text lists. Raises InvalidSignalError with what is wrong."""

    def write(self, samples: Sequence[Sample]) -> str:
        """The text of such values, on one line; `read(write(s))` has the values of s."""

    def identity(self, samples: Sequence[Sample]) -> bytes:
        """The type's own value for these: the same for the same values in the same order."""
