"""PDQ: equal to the reference at every size and level, turned as EXIF says, read and printed as lists have it."""

import io
from typing import Any

import numpy as np
import pdqhash
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from tests.support.pictures import draw_scene, file_of, photos
from tutela import _native
from tutela.content.media.confined.opened import OpenedContent
from tutela.content.media.content import Mode
from tutela.content.media.limits import Limits
from tutela.content.signals.base import STORED
from tutela.content.signals.pdq import PDQ
from tutela.errors import InvalidSignalError

SIZES = [None, (64, 64), (333, 517), (63, 200), (129, 127), (7, 5), (6, 600), (900, 9), (5, 5), (1, 40), (3, 3)]


def reference(rgb: np.ndarray) -> tuple[bytes, int]:
    bits, quality = pdqhash.compute(rgb)
    return np.packbits(bits.astype(np.uint8)).tobytes(), quality


def pixels_of(picture: Image.Image, size: tuple[int, int] | None = None) -> np.ndarray:
    return np.ascontiguousarray(np.asarray(picture.resize(size) if size else picture))


@pytest.mark.parametrize("size", SIZES)
def test_the_hash_and_the_quality_equal_the_reference(size):
    for picture in (*photos(), draw_scene(3)):
        pixels = pixels_of(picture, size)
        expected, quality = reference(pixels)
        value, found_quality = _native.pdq(pixels)
        assert PDQ.distance(value, expected) <= 2
        assert abs(quality - found_quality) <= 1


def test_the_hash_of_nearly_every_picture_equals_the_reference_in_every_bit():
    rng = np.random.default_rng(5)
    distances = []
    for picture in (*photos(), *(draw_scene(seed) for seed in range(6))):
        for _ in range(10):
            size = int(rng.integers(40, 700)), int(rng.integers(40, 700))
            pixels = pixels_of(picture, size)
            distances.append(PDQ.distance(_native.pdq(pixels)[0], reference(pixels)[0]))
    assert np.mean(np.array(distances) == 0) >= 0.99
    assert max(distances) <= 2


@pytest.mark.parametrize("size", [(333, 517), (129, 127), (6, 600)])
def test_the_eight_views_equal_the_reference(size):
    for picture in photos():
        pixels = pixels_of(picture, size)
        expected = [np.packbits(bits.astype(np.uint8)).tobytes() for bits in pdqhash.compute_dihedral(pixels)[0]]
        for value, wanted in zip(_native.pdq_dihedral(pixels)[0], expected, strict=True):
            assert PDQ.distance(value, wanted) <= 2


@pytest.mark.parametrize("size", [(333, 517), (512, 384), (6, 600)])
def test_the_turned_hashes_are_those_of_the_turned_pictures(size):
    turns: tuple[Any, ...] = (
        lambda a: a, np.rot90, lambda a: np.rot90(a, 2), lambda a: np.rot90(a, 3), np.flipud, np.fliplr,
        lambda a: a.swapaxes(0, 1), lambda a: np.rot90(a, 2).swapaxes(0, 1),
    )  # fmt: skip
    for picture in photos():
        pixels = pixels_of(picture, size)
        values, quality, turned_quality = _native.pdq_turned(pixels)
        assert (values[0], quality) == _native.pdq(pixels) and turned_quality == quality
        for value, turn in zip(values, turns, strict=True):
            assert PDQ.distance(value, _native.pdq(np.ascontiguousarray(turn(pixels)))[0]) <= 2


def test_every_simd_level_gives_the_same_hashes():
    pictures = [pixels_of(picture, size) for picture in photos() for size in SIZES]
    used = _native.simd()
    answers = []
    for level in _native.simd_levels():
        _native.select_simd(level)
        answers.append([_native.pdq_dihedral(pixels) for pixels in pictures])
    _native.select_simd(used)
    assert all(answer == answers[0] for answer in answers)


def test_variety_is_the_rank_of_the_signs_by_their_singular_values():
    for value in (_native.pdq(pixels_of(picture))[0] for picture in (*photos(), draw_scene(3))):
        signs = np.unpackbits(np.frombuffer(value, np.uint8)).reshape(16, 16) * 2.0 - 1
        strengths = np.linalg.svd(signs, compute_uv=False) ** 2
        assert _native.pdq_variety(value) == pytest.approx(strengths.sum() ** 2 / (strengths**2).sum())


def test_one_shape_has_little_variety_wherever_it_lies_and_photos_have_much():
    for left, top, right, bottom in ((30, 40, 90, 200), (10, 100, 200, 130), (0, 0, 140, 75)):
        shape = np.full((256, 256), 240, np.uint8)
        shape[top:bottom, left:right] = 20
        value, quality = _native.pdq(shape)
        assert quality >= 50
        assert _native.pdq_variety(value) < 2
    assert all(_native.pdq_variety(_native.pdq(pixels_of(picture))[0]) > 6 for picture in photos())


def test_variety_is_told_of_whole_hashes_only():
    with pytest.raises(ValueError, match="32 bytes"):
        _native.pdq_variety(b"\0" * 31)


def test_an_unknown_simd_level_is_refused():
    with pytest.raises(ValueError, match="no SIMD level"):
        _native.select_simd("sse9")


def test_luma_bytes_luma_floats_and_grey_rgb_hash_alike():
    grey = pixels_of(photos()[0].convert("L"))
    as_bytes = _native.pdq(grey)
    assert _native.pdq(grey.astype(np.float32)) == as_bytes
    assert PDQ.distance(_native.pdq(np.dstack([grey] * 3))[0], as_bytes[0]) <= 2


@pytest.mark.parametrize(
    ("pixels", "source", "error"),
    [
        (np.zeros((8, 8), np.float64), None, TypeError),
        (np.zeros((8, 8), np.int32), None, TypeError),
        (np.zeros((8, 8, 4), np.uint8), None, ValueError),
        (np.zeros((8, 8, 3), np.float32), None, ValueError),
        (np.zeros(64, np.uint8), None, ValueError),
        (np.zeros((0, 8), np.uint8), None, ValueError),
        (np.full((8, 8), np.nan, np.float32), None, ValueError),
        (np.zeros((8, 8), np.uint8), (64, 64, 2), ValueError),
        (np.zeros((8, 8), np.uint8), (64, 64, 0), ValueError),
        (np.zeros((8, 8), np.uint8), (2**40, 2**40, 1), ValueError),
        (b"no array", None, ValueError),
        ("no array", None, TypeError),
    ],
)
def test_what_is_no_picture_is_refused(pixels, source, error):
    with pytest.raises(error):
        _native.pdq(pixels, source)


def test_an_array_with_gaps_hashes_as_its_copy_does():
    gapped = pixels_of(photos()[0].convert("L"))[::2, ::3]
    assert _native.pdq(gapped) == _native.pdq(np.ascontiguousarray(gapped))


def test_a_picture_under_five_pixels_has_no_quality():
    assert _native.pdq(np.full((4, 900), 77, np.uint8)) == (bytes(32), 0)


def test_a_picture_that_the_decoder_reduced_keeps_the_filter_of_the_source():
    picture = photos()[0].resize((1000, 800), Image.Resampling.LANCZOS).convert("L")
    exact, _ = _native.pdq(np.asarray(picture))
    array = np.asarray(picture, np.float32)
    for eighths in (1, 2, 4):
        cell = 8 // eighths
        reduced = array.reshape(800 // cell, cell, 1000 // cell, cell).mean(axis=(1, 3)).astype(np.uint8)
        value, _ = _native.pdq(np.ascontiguousarray(reduced), (800, 1000, eighths))
        assert PDQ.distance(value, exact) <= 6


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_picture_is_hashed_as_displayed_and_as_stored(orientation):
    upright = photos()[1]
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = file_of(upright, "PNG", exif=exif)
    displayed = ImageOps.exif_transpose(Image.open(io.BytesIO(stored)))
    samples = PDQ.compute(OpenedContent(stored, Mode.EXACT, Limits()))
    assert PDQ.distance(samples[0].value, reference(np.ascontiguousarray(np.asarray(displayed)))[0]) <= 2
    assert PDQ.distance(samples[-1].value, reference(np.ascontiguousarray(np.asarray(upright)))[0]) <= 2
    assert [sample.view for sample in samples] == (["whole"] if orientation == 1 else ["whole", STORED])


@given(st.binary(min_size=32, max_size=32))
def test_printing_and_reading_a_value_gives_it_back(value):
    assert PDQ.parse(PDQ.format(value)) == value
    assert PDQ.parse(f" {PDQ.format(value).upper()}\n") == value


@pytest.mark.parametrize("text", ["", "ab", "g" * 64, "0" * 63, "0" * 65, "0x" + "0" * 62, "٣" * 64, "0 " * 32])
def test_what_is_no_value_is_refused_by_name(text):
    with pytest.raises(InvalidSignalError, match="pdq needs 64 hexadecimal digits"):
        PDQ.parse(text)
