"""What a container is: something in content that holds further content, and a way to go through it within a budget.

A new kind of container is one file with one object that satisfies `Container`, named in `containers/__init__.py`.
"""

import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Protocol

from tutela.content.media.confined.budget import Budget, BudgetSpentError
from tutela.content.media.content import Content, Picture, Shortcoming
from tutela.errors import UnscreenableError

if TYPE_CHECKING:
    from typing_extensions import Buffer

_BLOCK = 256 * 1024


@dataclass(frozen=True, slots=True)
class InnerFile:
    """A file inside: bytes that are looked at like content of their own."""

    name: str
    data: bytes | memoryview
    within: str = ""
    """A step between the container and the name, such as the page of a document."""
    speculative: bool = False
    """Found by a signature alone: where it turns out to be none, nothing was missed."""
    seen_otherwise: bool = False
    """The file that it lies in, read in another way: what else is in it is not gone through again."""
    likeness: bool = False
    """Most likely a smaller copy of what it lies in; where it is one, its plain hashes are enough."""
    may_be_unknown: bool = False
    """Of a kind that documents carry and no viewer shows: where its type is unknown, nothing was missed."""


@dataclass(frozen=True, slots=True)
class InnerPicture:
    """A picture inside that is decoded already: a frame, or a page that was drawn."""

    name: str
    picture: Picture
    seconds: float | None = None
    """When it is shown, in an animation."""
    within: str = ""
    alike: bool = False
    """Next to nothing is in it that an earlier one did not show: its plain hashes are enough."""
    only_letters: bool = False
    """A page of text: there is no picture within it to look for, and its plain hashes are enough."""


@dataclass(frozen=True, slots=True)
class Unread:
    """Something inside that could not be had, and why."""

    name: str
    error: UnscreenableError
    within: str = ""


Part = InnerFile | InnerPicture | Unread


class Container(Protocol):
    """A way into content."""

    def parts(self, content: Content, budget: Budget) -> Iterator[Part]:
        """Everything inside, one level down, one part at a time.

        Whatever it raises means that the rest of this container could not be looked at. BudgetSpentError ends the
        whole content.
        """


class Stream(Protocol):
    """Anything that is read in blocks, such as a file inside an archive."""

    def read1(self, size: int, /) -> bytes:
        """The next bytes, at most so many and as few as there are; none at the end.

        What was read before a stream breaks off is lost where it is gathered up first.
        """


class _ViewFile(io.RawIOBase):
    def __init__(self, data: memoryview) -> None:
        self._data = data
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        origin = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: len(self._data)}[whence]
        if origin + offset < 0:
            raise OSError("a position before the beginning")
        self._at = origin + offset
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: "Buffer") -> int:
        into = memoryview(buffer).cast("B")
        block = self._data[self._at : self._at + len(into)]
        into[: len(block)] = block
        self._at += len(block)
        return len(block)


def file_over(data: memoryview) -> BinaryIO:
    """A file to read that copies nothing of its data beforehand."""
    return io.BufferedReader(_ViewFile(data))


class Counted(io.RawIOBase):
    """A stream that spends the budget's bytes as they come out; what an archive claims about sizes is not believed."""

    def __init__(self, stream: Stream, budget: Budget) -> None:
        self._stream = stream
        self._budget = budget

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "Buffer") -> int:
        into = memoryview(buffer).cast("B")
        block = self._stream.read1(len(into))
        self._budget.spend_bytes(len(block))
        into[: len(block)] = block
        return len(block)

    def read1(self, size: int, /) -> bytes:
        """As of a buffered stream."""
        return self.read(size) or b""


def read_part(name: str, what: str, blocks: Iterable[bytes], max_bytes: int) -> Iterator[Part]:
    """The file that comes in blocks. Where it breaks off, what came of it, and why. Raises BudgetSpentError."""
    come: list[bytes] = []
    length = 0
    error: UnscreenableError | None = None
    try:
        for block in blocks:
            length += len(block)
            if length > max_bytes:
                come.clear()
                limit = f"it is longer than the limit of {max_bytes:,} bytes"
                raise UnscreenableError(Shortcoming.TOO_MANY_BYTES, limit)
            come.append(block)
    except BudgetSpentError:
        raise
    except Exception as reason:  # whatever a hostile archive makes of its library, the others are still looked at
        error = unreadable(what, reason)
    if come or error is None:
        yield InnerFile(name, b"".join(come))
    if error is not None:
        yield Unread(name, error)


def blocks_of(stream: Stream) -> Iterator[bytes]:
    """A stream, block by block."""
    while block := stream.read1(_BLOCK):
        yield block


def unreadable(what: str, error: Exception) -> UnscreenableError:
    """The error for a part that its library cannot read."""
    if isinstance(error, UnscreenableError):
        return error
    if isinstance(error, MemoryError):
        return UnscreenableError(Shortcoming.OUT_OF_MEMORY, "{what} needs more memory than allowed", what=what)
    return UnscreenableError(
        Shortcoming.UNREADABLE, "{what} cannot be read: {kind}", what=what, kind=type(error).__name__
    )


def encrypted() -> UnscreenableError:
    """The error for what opens only with a password. A new one each time: one that is kept would keep its traceback."""
    return UnscreenableError(Shortcoming.ENCRYPTED, "it opens only with a password")
