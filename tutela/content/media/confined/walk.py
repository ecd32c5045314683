"""Through everything inside content, depth first: what is found, where, and what could not be looked at.

Runs inside an isolated worker.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace

from tutela.content.media.confined.budget import Budget, BudgetSpentError
from tutela.content.media.confined.containers import containers_for
from tutela.content.media.confined.jigsaw import Jigsaw, put_right
from tutela.content.media.confined.opened import OpenedContent
from tutela.content.media.confined.parts import InnerFile, InnerPicture, Part, Unread, unreadable
from tutela.content.media.content import SEPARATOR, Picture, Shortcoming
from tutela.content.views.view_set import ViewSet
from tutela.errors import UnscreenableError

_MAX_NAME = 120


@dataclass(frozen=True, slots=True)
class Place:
    """Something that the walk comes to."""

    path: str
    """Where it lies; empty for the content itself."""
    content: OpenedContent | None = None
    """None where it could not be had; `error` says why."""
    seconds: float | None = None
    part: InnerFile | InnerPicture | None = None
    """What the container said of it; None for the content itself."""
    error: UnscreenableError | None = None

    @property
    def speculative(self) -> bool:
        """Whether a signature alone led here."""
        return isinstance(self.part, InnerFile) and self.part.speculative


def walk(content: OpenedContent, budget: Budget) -> Iterator[Place]:
    """The content itself, then everything in it. Raises nothing: what is wrong is a place with an error."""
    try:
        walking = _Walk(content, budget)
        yield from walking.shown(Place("", content))
        yield from walking.inside(content, "")
    except BudgetSpentError as error:
        yield Place("", error=error)


class _Walk:
    def __init__(self, content: OpenedContent, budget: Budget) -> None:
        self._budget = budget
        self._manner = (content.mode, content.limits)
        self._seen: dict[bytes, list[_Leave]] = defaultdict(list)

    def shown(self, place: Place) -> Iterator[Place]:
        """A place, and once its picture was decoded, the other ways in which viewers show it."""
        yield place
        picture = place.content.decoded if place.content else None
        if picture is None:
            return
        for name, pixels in picture.readings:
            other = Picture(pixels, picture.width, picture.height, picture.eighths, picture.orientation)
            content = OpenedContent.of_picture(other, *self._manner)
            yield replace(place, path=_below(place.path, name, {}), content=content)

    def inside(self, content: OpenedContent, path: str, *, guessed: bool = False) -> Iterator[Place]:
        """Everything below one piece of content, to which perhaps a signature alone led."""
        taken: dict[str, int] = {}
        beside = Jigsaw()
        for container in containers_for(content):
            try:
                with self._budget.deeper():
                    for part in container.parts(content, self._budget):
                        yield from self._part(part, path, taken, guessed, beside)
            except BudgetSpentError:
                raise
            except Exception as error:  # whatever hostile content makes of a library, the answer is a hold
                yield Place(path, error=unreadable("what is inside", error))
        yield from self._assembled(beside.put_together(self._budget), path, "put together", taken)

    def _part(self, part: Part, path: str, taken: dict[str, int], guessed: bool, beside: Jigsaw) -> Iterator[Place]:
        step = f"{_shown(part.within)}{SEPARATOR}" if part.within else ""
        here = _below(path, step + _shown(part.name), taken)
        match part:
            case Unread(error=error):
                yield Place(here, error=error)
            case InnerPicture(picture=picture, seconds=seconds):
                mode, limits = self._manner
                if part.only_letters or part.alike:
                    limits = replace(limits, views=ViewSet.PLAIN)
                yield from self.shown(Place(here, OpenedContent.of_picture(picture, mode, limits), seconds, part))
            case InnerFile():
                yield from self._file(part, here, guessed, beside)

    def _file(self, part: InnerFile, path: str, guessed: bool, beside: Jigsaw) -> Iterator[Place]:
        self._budget.spend_part()
        leave = _leave(part, guessed)
        seen = self._seen[hashlib.sha256(part.data).digest()]
        if any(earlier <= leave for earlier in seen):  # the same file once more, or a file that contains itself
            return
        seen.append(leave)
        content = OpenedContent(part.data, *self._manner)
        yield from self.shown(Place(path, content, part=part))
        if content.decoded is not None:
            beside.add(content.decoded)
            yield from self._assembled(put_right(content, self._budget), path, "put right", {})
        if not part.seen_otherwise:
            inside = self.inside(content, path, guessed=guessed or part.speculative)
            yield from _proven(inside) if part.speculative else inside

    def _assembled(
        self, found: Iterator[tuple[int, Picture]], path: str, how: str, taken: dict[str, int]
    ) -> Iterator[Place]:
        """Pictures that were made of pieces."""
        try:
            for pieces, picture in found:
                here = _below(path, f"{pieces} pieces {how}", taken)
                yield from self.shown(Place(here, OpenedContent.of_picture(picture, *self._manner)))
        except BudgetSpentError:
            raise
        except Exception as error:
            yield Place(path, error=unreadable("what its pieces make", error))


_Leave = frozenset[str]


def _leave(part: InnerFile, guessed: bool) -> _Leave:
    """What is let pass of a file here: where it lies once more, and less is, it is looked at again."""
    said = {
        "guessed": guessed or part.speculative,
        "not gone into": part.seen_otherwise,
        "of any type": part.may_be_unknown,
    }
    return frozenset(name for name, holds in said.items() if holds)


def _proven(places: Iterator[Place]) -> Iterator[Place]:
    """What lies in something that a signature alone led to: nothing, where that cannot be read and nothing known comes
    of it; a few bytes look like a beginning by chance."""
    waiting: list[Place] = []
    proven = False
    for place in places:
        if not proven and (place.error is None or place.error.reason == Shortcoming.UNREADABLE):
            proven = place.content is not None and (not place.content.data or place.content.media_type is not None)
            waiting.append(place)
            if not proven:
                continue
        yield from waiting
        if not waiting or waiting[-1] is not place:
            yield place
        waiting.clear()


def _below(path: str, name: str, taken: dict[str, int]) -> str:
    """The path of a part. No two parts have the same one, and no name can pass for two steps."""
    first = shown = name
    while shown in taken:
        taken[first] += 1
        shown = f"{first} ({taken[first]})"
    taken[shown] = 1
    return f"{path}{SEPARATOR}{shown}" if path else shown


def _shown(name: str) -> str:
    """A name that a sender chose, safe to print: no control characters, nothing that turns text round, not too long."""
    printable = "".join(c if c.isprintable() and c != "›" else "�" for c in name)
    if len(printable) > _MAX_NAME:
        half = _MAX_NAME // 2
        printable = f"{printable[:half]}…{printable[-half:]}"
    return printable.strip() or "(no name)"
