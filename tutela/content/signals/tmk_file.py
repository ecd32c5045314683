"""A `.tmk` file and how two are compared: by their means, then over every shift in time of one against the other.

The file holds the mean of a video's frame features and, for several periods, the first Fourier terms of how these run
through the period. Two videos match where the means have a cosine of at least 0.7, and the best shift as much.

Source: "The TMK+PDQF Video-Hashing Algorithm and the PDQ Image-Hashing Algorithm" (Facebook, 2019); Poullot et al.,
"Temporal Matching Kernel with Explicit Feature Maps" (2015); the layout of files in the reference implementation.
"""

import struct
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tutela.errors import InvalidSignalError

FEATURES = 256
"""Numbers of a frame's PDQF feature."""
LEVEL_1, LEVEL_2 = 0.7, 0.7
"""The scores from which on two videos match, as published."""
MAX_FILE = 16 * 1024 * 1024
MAX_PERIOD = 1_000_000
"""Frames: at the published 15 a second a shift of 18 hours."""
_HEAD = struct.Struct("<4s4s4siiiii")
"""Marks of project, file type and algorithm; frames a second, periods, Fourier terms, features, frames."""
_MARKS = (b"TMK1", b"FVEC", b"PDQF")
_SAME = 1e-6
"""Coefficients of one kernel may differ by so much of their size: they are written by several programs."""

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class TmkFile:
    """The contents of a `.tmk` file."""

    frames_per_second: int
    frames: int
    """Of the video, brought to that rate."""
    periods: npt.NDArray[np.int32]
    """(periods,): in frames."""
    coefficients: Floats
    """(terms,): the Fourier coefficients of the kernel."""
    mean: Floats
    """(256,): the mean feature of all frames."""
    cosines: Floats
    """(periods, terms, 256): each of the length of its coefficient's root, or 0."""
    sines: Floats


@dataclass(frozen=True, slots=True)
class Likeness:
    """How alike two videos are by both levels of the method: 1 for the same, about 0 for unrelated ones."""

    level_1: float
    """The cosine of the mean features, whatever the order of the frames."""
    level_2: float
    """The kernel at the best shift of the best period, as a share of a video's with itself."""

    @property
    def matches(self) -> bool:
        """Whether both reach the published thresholds."""
        return self.level_1 >= LEVEL_1 and self.level_2 >= LEVEL_2


def read_tmk(data: bytes) -> TmkFile:
    """The contents of a `.tmk` file. Raises InvalidSignalError where it is none, is cut short or holds no numbers."""
    if len(data) < _HEAD.size or len(data) > MAX_FILE:
        raise InvalidSignalError(
            "a .tmk file has {size} to {max_file:,} bytes, got {data:,}",
            size=_HEAD.size,
            max_file=MAX_FILE,
            data=len(data),
        )
    *marks, rate, periods, terms, features, frames = _HEAD.unpack_from(data)
    if tuple(marks) != _MARKS or features != FEATURES:
        raise InvalidSignalError("this is no .tmk file of PDQF features")
    if not (0 < periods <= 64 and 0 < terms <= 1024 and rate > 0 and frames > 0):
        raise InvalidSignalError(
            "a .tmk file of {periods} periods, {terms} terms and {frames} frames at {rate} a second is not plausible",
            periods=periods,
            terms=terms,
            frames=frames,
            rate=rate,
        )
    counts = (periods, terms, FEATURES, periods * terms * FEATURES, periods * terms * FEATURES)
    if len(data) != _HEAD.size + 4 * sum(counts):
        raise InvalidSignalError(
            "the .tmk file has {data:,} bytes where its header says {size:,}",
            data=len(data),
            size=_HEAD.size + 4 * sum(counts),
        )
    lengths = np.frombuffer(data, "<i4", periods, _HEAD.size)
    numbers = np.frombuffer(data, "<f4", offset=_HEAD.size + 4 * periods)
    if not np.isfinite(numbers).all():
        raise InvalidSignalError("tmk features are finite numbers")
    if not ((lengths >= terms) & (lengths <= MAX_PERIOD)).all():
        raise InvalidSignalError(
            "the periods of a .tmk file of {terms} terms are {terms} to {max_period:,} frames long",
            terms=terms,
            max_period=MAX_PERIOD,
        )
    coefficients, mean, cosines, sines = np.split(numbers, np.cumsum(counts[1:-1]))
    if not (coefficients >= 0).all() or coefficients.sum() <= 0:
        raise InvalidSignalError("the Fourier coefficients of a .tmk file are 0 or more, and not all of them 0")
    shape = (periods, terms, FEATURES)
    return TmkFile(rate, frames, lengths, coefficients, mean, cosines.reshape(shape), sines.reshape(shape))


def compare(a: TmkFile, b: TmkFile) -> Likeness:
    """Both scores of two files. Raises InvalidSignalError where they were not made with the same kernel and rate."""
    if not _are_comparable(a, b):
        raise InvalidSignalError("the two .tmk files differ in frame rate, periods or Fourier coefficients")
    normalizer = 2.0 * float(a.coefficients.sum(dtype=np.float64)) - float(a.coefficients[0])
    best = max(float(_at_every_shift(a, b, number).max()) for number in range(len(a.periods)))
    return Likeness(_cosine(a.mean, b.mean), best / normalizer)


def _at_every_shift(a: TmkFile, b: TmkFile, period: int) -> npt.NDArray[np.float64]:
    """(length of the period,): the kernel of one video against the other, shifted by 0, 1, 2, ... frames."""
    cos_a, sin_a, cos_b, sin_b = (part[period].astype(np.float64) for part in (a.cosines, a.sines, b.cosines, b.sines))
    even = np.einsum("ij,ij->i", cos_a, cos_b) + np.einsum("ij,ij->i", sin_a, sin_b)
    odd = np.einsum("ij,ij->i", sin_a, cos_b) - np.einsum("ij,ij->i", cos_a, sin_b)
    # even[j] cos(j s) + odd[j] sin(j s), summed over the terms j, for all shifts s of the period at once.
    shifted: npt.NDArray[np.float64] = np.fft.fft(even + 1j * odd, n=int(a.periods[period])).real
    return shifted


def _are_comparable(a: TmkFile, b: TmkFile) -> bool:
    return (
        a.frames_per_second == b.frames_per_second
        and np.array_equal(a.periods, b.periods)
        and a.coefficients.shape == b.coefficients.shape
        and np.allclose(a.coefficients, b.coefficients, rtol=_SAME, atol=0)
    )


def _cosine(a: Floats, b: Floats) -> float:
    x, y = a.astype(np.float64), b.astype(np.float64)
    lengths = float(np.linalg.norm(x) * np.linalg.norm(y))
    return float(x @ y) / lengths if lengths > 0 else 0.0
