"""The further frames, pages and layers of a picture: animated GIF, WebP, APNG, AVIF and JXL, TIFF pages, PSD layers.

The first one is the picture itself. A frame that shows just what an earlier one showed is passed over; one that shows
next to nothing else has its plain hashes looked up only. All others are looked at closely, the longest-shown where
there are too many. Where a decoder counts other frames than the file's structure has, viewers do so too: the file is
held.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import xxhash
from PIL import Image

from tutela.content.media.confined.budget import Budget, BudgetSpentError
from tutela.content.media.confined.parts import InnerPicture, Part, Unread, unreadable
from tutela.content.media.confined.timing import frame_seconds
from tutela.content.media.content import Content, Picture, Shortcoming
from tutela.content.media.sniff import MediaType
from tutela.errors import UnscreenableError

_KINDS = {MediaType.TIFF: "page", MediaType.PSD: "layer"}
_FIELDS = (32, 32)
_ALIKE = 8
"""Levels of grey by which no field of 32 x 32 of one frame differs from the same of another that shows the same."""
MOST_CLOSELY = 500
"""Frames that are looked at closely."""
_COMPARED = 16
"""With so many of those that were looked at closely last a frame is compared."""


class Frames:
    """Every distinct frame or page after the first."""

    def parts(self, content: Content, budget: Budget) -> Iterator[Part]:
        try:
            first = content.picture
        except UnscreenableError:
            return  # said of the picture itself
        assert content.media_type is not None
        seconds = frame_seconds(memoryview(content.data), content.media_type, budget.limits.max_parts + 2)
        if first.frames <= 1 and (seconds is None or len(seconds) <= 1):
            return
        if seconds is not None and first.frames != len(seconds):
            yield _counted_otherwise(first.frames, len(seconds))
        yield from _Reading(content, first, seconds, budget).parts()


class _Reading:
    """One way through the frames."""

    def __init__(self, content: Content, first: Picture, seconds: Sequence[float] | None, budget: Budget) -> None:
        from tutela.content.media.confined.decode import FrameReader

        self._kind = _KINDS.get(content.media_type, "frame") if content.media_type else "frame"
        self._reader = FrameReader(content)
        self._budget = budget
        self._seen = {_digest(first)}
        self._closely = [_fields(first)]
        self._chosen = _longest_shown(seconds or [0.0] * first.frames, MOST_CLOSELY)
        self._passed_over = 0
        numbers = self._reader.numbers
        self._counted = numbers.stop if isinstance(numbers, range) else first.frames

    def parts(self) -> Iterator[Part]:
        for number in self._reader.numbers:
            name = f"{self._kind} {number + 1}"
            if number < self._counted:
                self._budget.spend_part()
            try:
                picture, seconds = self._reader.frame(number)
            except BudgetSpentError:
                raise
            except EOFError:
                if number != self._counted:
                    yield _counted_otherwise(number, self._counted)
                break
            except Exception as error:
                yield Unread(name, unreadable(f"the {self._kind}", error))
                if self._kind == "frame":
                    return  # each frame is drawn upon the one before
                continue
            if number >= self._counted:
                self._budget.spend_part()
            if (digest := _digest(picture)) not in self._seen:
                self._seen.add(digest)
                yield InnerPicture(name, picture, seconds, alike=not self._is_news(number, picture))
        if self._passed_over:
            closely = f"{self._passed_over:,} frames were looked at less closely than the {MOST_CLOSELY:,} longest"
            yield Unread(f"{self._kind}s", UnscreenableError(Shortcoming.PARTLY_SCREENED, closely))

    def _is_news(self, number: int, picture: Picture) -> bool:
        fields = _fields(picture)
        if not picture.readings and any(np.abs(fields - one).max() <= _ALIKE for one in self._closely[-_COMPARED:]):
            return False
        if number not in self._chosen:
            self._passed_over += 1
            return False
        self._closely.append(fields)
        return True


def _longest_shown(seconds: Sequence[float], most: int) -> frozenset[int]:
    """The numbers of so many frames."""
    return frozenset(sorted(range(len(seconds)), key=lambda number: -seconds[number])[:most])


def _counted_otherwise(decoded: int, counted: int) -> Unread:
    message = f"it has {counted:,} frames by its structure and {decoded:,} by its decoder: viewers may show others"
    return Unread("frames", UnscreenableError(Shortcoming.PARTLY_SCREENED, message))


def _fields(picture: Picture) -> npt.NDArray[np.int16]:
    # In two steps, of which the first is fast: each of the fields stays a mean of what lies there.
    luma = Image.fromarray(picture.pixels).convert("L")
    return np.asarray(luma.resize(_FIELDS, Image.Resampling.BOX, reducing_gap=2.0), np.int16)


def _digest(picture: Picture) -> bytes:
    digest = xxhash.xxh3_128(picture.pixels.data)
    for _, pixels in picture.readings:
        digest.update(pixels.data)
    return digest.digest()
