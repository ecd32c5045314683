"""What a walk through content comes to: the samples of every part, and what could not be screened.

Runs inside an isolated worker.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import cache

from tutela.content.media.confined.containers import CONTAINERS
from tutela.content.media.confined.endings import boxes
from tutela.content.media.confined.opened import OpenedContent
from tutela.content.media.confined.ordinary import ordinary
from tutela.content.media.confined.parts import InnerFile
from tutela.content.media.confined.walk import Place
from tutela.content.media.content import SEPARATOR, Content, Mode, Shortcoming
from tutela.content.media.plain import SMALLEST_PICTURE
from tutela.content.media.profile import EXPECTED, FileKind, Profile
from tutela.content.media.sniff import VIDEOS, MediaType
from tutela.content.signals.base import WHOLE, Computable, Sample
from tutela.content.signals.digests import digest_samples
from tutela.content.signals.registry import signal_type, signal_types
from tutela.content.views.view_set import ViewSet
from tutela.errors import UnscreenableError
from tutela.screening.hyperlinks import Hyperlinks
from tutela.screening.video.task import watch_inside

_BYTES_A_SAMPLE = 256
_MAX_PATH = 300
MAX_VIEWED = 600
"""Pictures of one piece of content of which more than the plain views are looked up; of more, not all is screened."""
MAX_NAMED = 20
"""Parts that are named for each reason; the others are counted."""


class Findings:
    """Collects, place by place."""

    def __init__(self, watched: bool = False, seed: str = "", *, links: bool = False) -> None:
        """`watched` says that the content is a video which is watched otherwise: only what else is in it counts.

        `links` says that lists of links are there, so that those in text and documents are collected.

        `seed` decides which frames of other videos are sampled.
        """
        self._watched = watched
        self._links = Hyperlinks() if links else None
        self._seed = seed
        self.samples: list[Sample] = []
        self.weight = 0
        """About how many bytes the samples take in an answer."""
        self.media_type: str | None = None
        """Of the content itself, where it is a file that shows nothing."""
        self.has_picture = False
        """Whether the content itself is a picture that could be decoded."""
        self._shortcomings: list[tuple[str, str]] = []
        self._counts: Counter[str] = Counter()
        self._viewed = 0
        self._shown: set[tuple[str, str, str, bytes]] = set()
        self._wholes: dict[tuple[str, str], bytes] = {}

    def add(self, place: Place) -> None:
        """What is at one place."""
        if place.error is not None:
            self.fall_short(place.path, place.error.reason, str(place.error))
        elif place.content is not None:
            self._add_content(place, place.content)
            if self._links is not None and place.content.data:
                self._add_links(self._links, place.content, place.path)

    def fall_short(self, path: str, code: str, message: str) -> None:
        """Something was not, or not wholly, screened."""
        self._counts[code] += 1
        if self._counts[code] <= MAX_NAMED:
            self._shortcomings.append((code, f"{shortened(path)}: {message}" if path else message))

    def take(self) -> list[Sample]:
        """The samples since the last call."""
        samples, self.samples, self.weight = self.samples, [], 0
        return samples

    def take_links(self) -> list[tuple[str, str]]:
        """The links since the last call, each with its part."""
        return self._links.take() if self._links is not None else []

    def shortcomings(self) -> list[tuple[str, str]]:
        """Every reason code that came up, with the parts it concerns."""
        if self._links is not None and not self._links.complete:
            self.fall_short(
                "", Shortcoming.PARTLY_SCREENED, "there is more text, or there are more links, than is read"
            )
        if self._viewed > MAX_VIEWED:
            closely = f"{self._viewed - MAX_VIEWED:,} pictures were looked at less closely than the {MAX_VIEWED:,}"
            self.fall_short("", Shortcoming.PARTLY_SCREENED, closely)
        more = {code: count - MAX_NAMED for code, count in self._counts.items() if count > MAX_NAMED}
        return self._shortcomings + [(code, f"and {count:,} parts more") for code, count in more.items()]

    def _add_links(self, links: Hyperlinks, content: Content, path: str) -> None:
        try:
            links.add(content, path)
        except Exception:  # whatever hostile content makes of a library, the answer is a hold
            self.fall_short(path, Shortcoming.PARTLY_SCREENED, "its links could not be read")

    def _add_content(self, place: Place, content: Content) -> None:
        if self._watched and not place.path:
            return
        looked_into = content.mode is Mode.FAST and content.media_type in CONTAINERS
        if looked_into or (place.path and _shows_nothing(content)):
            self._add_digests(content, place.path)
            return
        if content.mode is Mode.FAST and (known := _known(content)) is not None:
            self._add_digests(content, place.path)
            self._add_ordinary(place, *known, content.limits.profile)
            return
        if content.limits.views != ViewSet.PLAIN:
            self._viewed += 1
            if self._viewed > MAX_VIEWED:
                content.limits = replace(content.limits, views=ViewSet.PLAIN)
        try:
            samples, flaws = self._look(place, content)
        except UnscreenableError as error:
            if not place.speculative:
                self._add_digests(content, place.path)
                if not _may_be_unknown(place, error):
                    self.fall_short(place.path, _code(place, error), str(error))
            return
        self.has_picture = self.has_picture or not place.path
        self._add_digests(content, place.path)
        self._add_samples(place, samples)
        for code, message in flaws:
            if not place.speculative:
                self.fall_short(place.path, code, message)

    def _add_ordinary(self, place: Place, kind: FileKind, name: str, profile: Profile) -> None:
        """A file that shows nothing by itself, and what is in it was looked at: it passes, or is not expected here."""
        if not place.path:
            self.media_type = name
        expected = EXPECTED[profile].inside if place.path else EXPECTED[profile].alone
        belongs = isinstance(place.part, InnerFile) and place.part.may_be_unknown
        if kind not in expected and not place.speculative and not belongs:
            self.fall_short(place.path, *not_expected(name, profile))

    def _look(self, place: Place, content: Content) -> tuple[Sequence[Sample], Sequence[tuple[str, str]]]:
        """As `look`; a thumbnail that shows what its picture shows has its plain hashes only."""
        if isinstance(place.part, InnerFile) and place.part.likeness and content.data:
            plain = OpenedContent(content.data, content.mode, replace(content.limits, views=ViewSet.PLAIN))
            samples, flaws = look(plain, self._seed)
            if all(self._is_like(place, sample) for sample in samples):
                return samples, flaws
        return look(content, self._seed)

    def _is_like(self, place: Place, sample: Sample) -> bool:
        original = self._wholes.get((place.path.rpartition(SEPARATOR)[0], sample.signal))
        kind = signal_type(sample.signal)
        return original is not None and kind.distance(original, sample.value) <= kind.default_threshold

    def _add_samples(self, place: Place, samples: Sequence[Sample]) -> None:
        # Frames that hash alike are one picture, shown for longer.
        whole = place.path.rpartition(SEPARATOR)[0] if place.seconds is not None else place.path
        for sample in samples:
            if sample.view == WHOLE:
                self._wholes[place.path, sample.signal] = sample.value
            shown = (whole, sample.signal, sample.view, sample.value)
            if sample.seconds is None and shown in self._shown:
                continue
            self._shown.add(shown)
            if place.path or place.seconds is not None:
                seconds = place.seconds if sample.seconds is None else sample.seconds
                sample = sample._replace(part=_joined(place.path, sample.part), seconds=seconds)
            self._append(sample)

    def _add_digests(self, content: Content, path: str) -> None:
        """Those of files inside; of the whole content the serving process makes them."""
        if not path or not content.data:
            return
        for sample in digest_samples(content.data):
            self._append(sample._replace(part=path))

    def _append(self, sample: Sample) -> None:
        self.samples.append(sample)
        self.weight += _BYTES_A_SAMPLE + len(sample.part.encode())


def shortened(path: str) -> str:
    """A path of a length that fits into a sentence."""
    return path if len(path) <= _MAX_PATH else f"{path[: _MAX_PATH // 2]}…{path[-_MAX_PATH // 2 :]}"


def look(content: Content, seed: str = "") -> tuple[Sequence[Sample], Sequence[tuple[str, str]]]:
    """The samples of one picture or video, and how it falls short. Raises UnscreenableError where it is none."""
    if content.media_type in VIDEOS:
        return watch_inside(content, seed)
    samples: list[Sample] = []
    for kind in _computable_types():
        samples += kind.compute(content)
    flaws: list[tuple[str, str]] = []
    picture = content.picture
    if content.mode is Mode.FAST and is_also_a_film(content):
        film, gaps = watch_inside(content, seed)
        samples, flaws = [*samples, *film], [*flaws, *gaps]
    if picture.damaged:
        flaws.append((Shortcoming.DAMAGED, "the file is damaged: only a part of the picture could be decoded"))
    if picture.unread:
        flaws.append((Shortcoming.PARTLY_SCREENED, picture.unread))
    if picture.frames > 1 and content.mode is Mode.EXACT:
        only = f"only the first of {picture.frames} frames or pages was looked at"
        flaws.append((Shortcoming.PARTLY_SCREENED, only))
    return samples, flaws


def is_also_a_film(content: Content) -> bool:
    """Whether a picture's file has tracks beside its items (ISO/IEC 23008-12): one viewer shows these, one those. The
    one track of an animation is gone through as its frames."""
    if content.media_type not in (MediaType.AVIF, MediaType.HEIC):
        return False
    tracks = sum(len(_TRACK.findall(box)) for kind, box in boxes(memoryview(content.data)) if kind == b"moov")
    return tracks > (1 if content.picture.frames > 1 else 0)


_TRACK = re.compile(rb"hdlr.{8}(?:vide|pict)", re.DOTALL)


@cache
def _computable_types() -> Sequence[Computable]:
    return [kind for kind in signal_types().values() if isinstance(kind, Computable)]


def _shows_nothing(content: Content) -> bool:
    """Whether a part is too small to show anything."""
    return "picture" not in vars(content) and content.media_type is None and len(content.data) < SMALLEST_PICTURE


def _known(content: Content) -> tuple[FileKind, str] | None:
    """What a file is that shows nothing by itself; None for all others."""
    is_file = "picture" not in vars(content) and content.media_type is None and len(content.data) > 0
    return ordinary(content.data, text=content.is_text) if is_file else None


def not_expected(name: str, profile: Profile) -> tuple[str, str]:
    """The shortcoming of what the profile does not expect."""
    return Shortcoming.UNSUPPORTED_TYPE, f"{name} is not expected here: the profile is {Profile(profile).value!r}"


def _may_be_unknown(place: Place, error: UnscreenableError) -> bool:
    unknown = error.reason == Shortcoming.UNKNOWN_TYPE
    return unknown and isinstance(place.part, InnerFile) and place.part.may_be_unknown


def _code(place: Place, error: UnscreenableError) -> str:
    if not place.path or place.content is None:
        return error.reason
    return Shortcoming.UNKNOWN_PART if error.reason == Shortcoming.UNKNOWN_TYPE else error.reason


def _joined(path: str, part: str) -> str:
    return f"{path}{SEPARATOR}{part}" if path and part else path or part
