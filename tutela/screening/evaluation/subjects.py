"""The pictures that are attacked: read from a folder, brought to one size, with what a bank would list of each."""

import hashlib
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from tutela import _native
from tutela.content.media.content import Picture
from tutela.content.signals.base import WHOLE, Sample
from tutela.content.signals.pdq import PDQ
from tutela.content.views.thresholds import largest_distance
from tutela.content.views.view_set import ViewSet
from tutela.errors import InputError
from tutela.lists.banks.values import MIN_LISTED_QUALITY, can_match

MIN_SIDE = 160

Hashes = npt.NDArray[np.uint8]
"""(count, 32)."""


@dataclass(frozen=True, slots=True)
class TrialListing:
    """Hashes as a bank lists them."""

    hashes: Hashes
    limits: npt.NDArray[np.int32]
    """(count,): for each, the largest distance that matches, by the view it is a hash of."""

    @classmethod
    def of(cls, samples: Sequence[Sample]) -> Self:
        """What is listed of these."""
        limits = [largest_distance(PDQ.default_threshold, sample.view) for sample in samples]
        return cls(hashes_of(samples), np.array(limits, np.int32))

    @classmethod
    def of_plain(cls, hashes: Hashes) -> Self:
        """Hashes of whole pictures."""
        return cls(hashes, np.full(len(hashes), PDQ.default_threshold, np.int32))

    @classmethod
    def together(cls, parts: Sequence["TrialListing"], size: int) -> Self:
        """The first hashes of several listings, one after the other."""
        hashes = np.concatenate([part.hashes for part in parts])[:size]
        return cls(hashes, np.concatenate([part.limits for part in parts])[:size])


@dataclass(frozen=True, slots=True)
class TrialSubject:
    """A picture to be attacked."""

    name: str
    picture: Image.Image
    listed: TrialListing
    """What a bank lists of it, the hash of the whole first."""


@dataclass(frozen=True, slots=True)
class Left:
    """A file that is not attacked, and why."""

    name: str
    reason: str


def read_subjects(folder: Path, size: int) -> tuple[list[TrialSubject], list[Left]]:
    """Every picture of a folder, by name. Raises InputError when there are fewer than two."""
    if not folder.is_dir():
        raise InputError("{folder} is no folder of pictures", folder=folder)
    found: list[TrialSubject] = []
    left: list[Left] = []
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        item = _read(path, str(path.relative_to(folder)), size)
        if isinstance(item, TrialSubject):
            found.append(item)
        else:
            left.append(item)
    if len(found) < 2:
        raise InputError(
            "{folder} has {found} pictures that can be attacked; at least two are needed",
            folder=folder,
            found=len(found),
        )
    return found, left


def _read(path: Path, name: str, size: int) -> TrialSubject | Left:
    try:
        with Image.open(path) as image:
            picture = ImageOps.exif_transpose(image).convert("RGB")
    except (OSError, UnidentifiedImageError, ValueError, Image.DecompressionBombError) as error:
        return Left(name, f"it cannot be read as a picture: {type(error).__name__}")
    picture.thumbnail((size, size), Image.Resampling.LANCZOS)
    if min(picture.size) < MIN_SIDE:
        return Left(name, f"a side has less than {MIN_SIDE} pixels")
    samples = listed_samples(picture)
    if (samples[0].quality or 0) < MIN_LISTED_QUALITY:
        return Left(name, f"its quality of {samples[0].quality} is under {MIN_LISTED_QUALITY}: it matches nothing")
    return TrialSubject(name, picture, TrialListing.of(samples))


def listed_samples(picture: Image.Image) -> list[Sample]:
    """What a bank lists of a picture: the whole, and the further views that are good enough."""
    pixels = np.ascontiguousarray(np.asarray(picture))
    samples = PDQ.of_picture(Picture(pixels, picture.width, picture.height), ViewSet.LISTED)
    return [sample for sample in samples if sample.view == WHOLE or can_match(sample)]


def hashes_of(samples: Sequence[Sample]) -> Hashes:
    """The values as an array."""
    return np.frombuffer(b"".join(sample.value for sample in samples), np.uint8).reshape(len(samples), 32)


@contextmanager
def indexed(bank: Hashes) -> Iterator[_native.Segment]:
    """The bank as a file to search in, while it lasts."""
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "bank.segment")
        _native.build_segment(path, bank, np.arange(len(bank), dtype=np.uint64))
        yield _native.Segment(path)


def chosen(subjects: Sequence[TrialSubject], attack: str, strength: float, count: int) -> Iterator[int]:
    """Numbers of the pictures that an attack is tried on: the same ones in every run over the same folder."""
    ranked = sorted(range(len(subjects)), key=lambda i: _rank(f"{attack}/{strength:g}/{subjects[i].name}"))
    return iter(sorted(ranked[:count]))


def _rank(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
