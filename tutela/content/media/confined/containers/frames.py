"""The further frames and pages of a picture: animated GIF, WebP, APNG and AVIF, TIFF pages, HEIC with several pictures.

The first one is the picture itself. A frame that shows just what an earlier one showed is passed over.
"""

from collections.abc import Iterator

import xxhash

from tutela.content.media.confined.budget import Budget, BudgetSpentError
from tutela.content.media.confined.containers.base import InnerPicture, Part, Unread, unreadable
from tutela.content.media.content import Content, Picture
from tutela.content.media.sniff import MediaType
from tutela.errors import UnscreenableError

_PAGED = frozenset({MediaType.TIFF, MediaType.HEIC})


class Frames:
    """Every distinct frame or page after the first."""

    def parts(self, content: Content, budget: Budget) -> Iterator[Part]:
        try:
            first = content.picture
        except UnscreenableError:
            return  # said of the picture itself
        if first.frames <= 1:
            return
        from tutela.content.media.confined.decode import FrameReader

        kind = "page" if content.media_type in _PAGED else "frame"
        reader = FrameReader(content)
        seen = {_digest(first)}
        for number in range(1, first.frames):
            name = f"{kind} {number + 1}"
            budget.spend_part()
            try:
                picture, seconds = reader.frame(number)
            except BudgetSpentError:
                raise
            except EOFError:
                return
            except Exception as error:
                yield Unread(name, unreadable(f"the {kind}", error))
                if kind == "frame":
                    return  # each frame is drawn upon the one before
                continue
            if (digest := _digest(picture)) not in seen:
                seen.add(digest)
                yield InnerPicture(name, picture, seconds)


def _digest(picture: Picture) -> bytes:
    return xxhash.xxh3_128_digest(picture.pixels.data)
