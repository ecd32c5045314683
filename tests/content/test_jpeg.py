"""The scaled luma of ordinary JPEGs: what libjpeg makes of them, and nothing at all of any other file."""

import io
import random
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import simplejpeg
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.support.effort import effort
from tests.support.pictures import file_of, photos
from tutela import _native
from tutela.content.media.confined import carver

MUTATIONS = effort(1_000, 50_000)
ORDINARY: dict[str, dict[str, Any]] = {
    "4:2:0": {"subsampling": 2},
    "4:2:2": {"subsampling": 1},
    "4:4:4": {"subsampling": 0},
    "coarse": {"quality": 20},
    "fine": {"quality": 98},
    "its own tables": {"optimize": True},
    "restarts": {"restart_marker_blocks": 3},
    "progressive": {"progressive": True},
    "progressive 4:4:4": {"progressive": True, "subsampling": 0, "quality": 98},
    "progressive 4:2:2, coarse": {"progressive": True, "subsampling": 1, "quality": 20},
    "progressive, restarts": {"progressive": True, "restart_marker_blocks": 3},
}


def saved(width: int, height: int, mode: str = "RGB", **options: Any) -> bytes:
    return file_of(photos()[0].resize((width, height)).convert(mode), "JPEG", **options)


def by_libjpeg(data: bytes, min_side: int) -> np.ndarray:
    """Raises ValueError for whatever libjpeg warns of."""
    return simplejpeg.decode_jpeg(data, "GRAY", min_height=min_side, min_width=min_side)[:, :, 0]


def eighths_of(luma: np.ndarray, data: bytes) -> int:
    return luma.shape[0] * 8 // Image.open(io.BytesIO(data)).height


def assert_alike(ours: np.ndarray, theirs: np.ndarray) -> None:
    assert ours.shape == theirs.shape
    assert np.abs(ours.astype(int) - theirs).max() <= 1


@pytest.mark.parametrize("eighths", [1, 3])
@pytest.mark.parametrize("size", [(320, 240), (333, 241), (241, 333), (9, 9), (400, 8)])
@pytest.mark.parametrize("name", ORDINARY)
def test_the_luma_is_that_of_libjpeg(name, size, eighths):
    data = saved(*size, **ORDINARY[name])
    min_side = -(-min(size) * eighths // 8)
    ours = _native.jpeg_luma(data, min_side)
    assert ours is not None
    assert_alike(ours, by_libjpeg(data, min_side))


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("eighths", [1, 3])
def test_a_grey_file_is_its_luma(eighths, progressive):
    data = saved(333, 241, "L", progressive=progressive)
    min_side = -(-241 * eighths // 8)
    assert_alike(_native.jpeg_luma(data, min_side), by_libjpeg(data, min_side))


@pytest.mark.parametrize(("eighths", "factor"), [(2, 4), (4, 2)])
def test_a_half_and_a_quarter_are_close_to_the_mean_of_the_pixels_they_cover(eighths, factor):
    """libjpeg brings these two down in another way."""
    data = saved(320, 240, quality=90)
    ours = _native.jpeg_luma(data, 240 * eighths // 8)
    means = np.asarray(Image.fromarray(by_libjpeg(data, 240)).reduce(factor), int)
    assert np.abs(ours - means).mean() < 3


def test_the_tables_that_are_made_once_are_those_that_encoders_write():
    """With others a photo would be decoded all the same, and take longer."""
    header = (Path(__file__).parents[2] / "native/jpeg_tables.hpp").read_text()
    number = "(?:0x[0-9a-f]{2}|[0-9]+)"
    tables = re.findall(rf"\{{\s*({number}(?:,\s+{number}){{8,}})", header)
    written = io.BytesIO()
    Image.new("RGB", (16, 16)).save(written, "JPEG")
    assert len(tables) == 7  # four of counts, three of symbols
    for table in tables:
        assert bytes(int(value, 0) for value in table.split(",")) in written.getvalue()


@pytest.mark.parametrize("options", [{}, {"optimize": True}, {"progressive": True}], ids=str)
@pytest.mark.parametrize("eighths", [1, 3])
def test_noise_is_its_luma(eighths, options):
    """Its blocks fill up without a code for their end, and have the longest codes and values."""
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 256, (120, 160, 3), np.uint8))
    data = file_of(noise, "JPEG", quality=100, **options)
    assert_alike(_native.jpeg_luma(data, 15 * eighths), by_libjpeg(data, 15 * eighths))


@pytest.mark.parametrize("eighths", [1, 3])
@pytest.mark.parametrize("name", ORDINARY)
def test_a_long_scan_which_is_entered_twice_is_its_luma(name, eighths):
    data = saved(900, 700, **{"quality": 97} | ORDINARY[name])
    min_side = -(-700 * eighths // 8)
    assert_alike(_native.jpeg_luma(data, min_side), by_libjpeg(data, min_side))


@pytest.mark.parametrize("subsampling", [0, 2])
def test_a_long_scan_of_blocks_all_alike_is_its_luma(subsampling):
    """Nothing in it tells one block of a unit from another: who enters in the middle may never know where they are."""
    data = file_of(Image.new("RGB", (3000, 2000), (40, 90, 160)), "JPEG", subsampling=subsampling)
    assert_alike(_native.jpeg_luma(data, 250), by_libjpeg(data, 250))


@pytest.mark.parametrize("luma", [0, 1, 127, 128, 255])
def test_a_blank_picture_keeps_its_grey(luma):
    data = file_of(Image.new("L", (200, 200), luma), "JPEG", quality=100)
    assert (_native.jpeg_luma(data, 25) == luma).all()


def scans_of(data: bytes) -> list[int]:
    """Where each scan of a progressive file begins, with the tables before it, and where the last one ends."""
    starts = [found.start() for found in re.finditer(rb"\xff\xda", data)]
    ends = [re.compile(rb"\xff[^\x00\xd0-\xd7]").search(data, start + 2) for start in starts]
    return [end.start() for end in ends if end is not None]


def without_last_scan(data: bytes) -> bytes:
    """Browsers show it, smoothed over: the values that it lacks are guessed."""
    return data[: scans_of(data)[-2]] + data[-2:]


def with_a_scan_twice(data: bytes) -> bytes:
    before, last = scans_of(data)[-2:]
    return data[:last] + data[before:]


def test_what_is_not_ordinary_is_left_to_another_decoder():
    whole = saved(320, 240)
    others = {
        "without its last scan": without_last_scan(saved(320, 240, progressive=True)),
        "progressive, cut short": saved(320, 240, progressive=True)[:-400],
        "a scan twice": with_a_scan_twice(saved(320, 240, progressive=True)),
        "four colours": saved(320, 240, "CMYK"),
        "red, green and blue": file_of(photos()[0].resize((320, 240)), "JPEG", keep_rgb=True),
        "cut short": whole[: len(whole) // 2],
        "without its end": whole[:-2],
        "more bits than blocks": whole[:-2] + b"\x55" * 20 + whole[-2:],
        "another marker at its end": whole[:-2] + b"\xff\xd0" + whole[-2:],
        "empty": b"",
        "no JPEG": file_of(photos()[0], "PNG"),
    }
    assert _native.jpeg_luma(whole, 80) is not None
    assert {name for name, data in others.items() if _native.jpeg_luma(data, 80) is not None} == set()


def test_more_than_half_of_a_picture_is_left_to_another_decoder():
    assert _native.jpeg_luma(saved(320, 240), 121) is None


def test_what_stands_behind_the_end_is_another_file():
    data = saved(320, 240)
    assert (_native.jpeg_luma(data + data[:100], 80) == _native.jpeg_luma(data, 80)).all()


@pytest.mark.parametrize(("size", "share"), [((160, 120), 1.0), ((520, 390), 0.25)])
def test_a_damaged_file_is_either_left_to_libjpeg_or_decoded_as_it_would(size, share):
    rng = random.Random(1)
    seeds = [saved(*size, **{"quality": 96} | options) for options in ORDINARY.values()]
    decoded, mutations = 0, int(MUTATIONS * share)
    for _ in range(mutations):
        data = bytearray(rng.choice(seeds))
        for _ in range(rng.randrange(1, 4)):
            data[rng.randrange(2, len(data))] = rng.randrange(256)
        for min_side in (size[1] // 8, size[1] * 3 // 8):
            ours = _native.jpeg_luma(bytes(data), min_side)
            if ours is None or eighths_of(ours, bytes(data)) in (2, 4):  # its size was damaged; see the test of these
                continue
            decoded += 1
            assert_alike(ours, by_libjpeg(bytes(data), min_side))
    assert decoded > mutations // 50


@given(st.binary(max_size=300).map(lambda data: data.replace(b"\x01", b"\xff")), st.integers(0, 310))
def test_the_next_marker_is_no_stuffing_restart_or_fill_byte(data, begin):
    found = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]", re.DOTALL).search(data, begin)
    assert _native.jpeg_marker(data, begin) == (found.start() if found else None)


@given(st.text("abc\x00", max_size=60).map(str.encode), st.integers(1, 9))
@pytest.mark.parametrize(
    "literals",
    [[b"ab", b"abc", b"\x00\x00", b"ca"], [b"ab", b"aa", b"abc"], [b"cab"], [b"abc", b"bca", b"cab\x00", b"aaa"], []],
)
def test_literals_are_found_wherever_they_stand(literals, data, most):
    """Those with one first byte in common, and those of three bytes and more, which are searched for in other ways."""
    places = range(len(data))
    brute = [(at, number) for at in places for number, one in enumerate(literals) if data.startswith(one, at)]
    assert _native.find_literals(data, literals) == brute
    assert _native.find_literals(data, literals, most) == brute[:most]


def test_a_literal_of_one_byte_is_refused():
    with pytest.raises(ValueError, match="two bytes"):
        _native.find_literals(b"a", [b"a"])
    with pytest.raises(ValueError, match="1 at least"):
        _native.find_literals(b"ab", [b"ab"], 0)


@given(st.lists(st.sampled_from([b"BM", b"B", b"words ", file_of(photos()[0].resize((4, 3)), "BMP")]), max_size=9))
def test_a_bitmap_is_found_by_more_than_its_two_letters(parts):
    data = b"x" + b"".join(parts)
    assert len(list(carver.signatures(memoryview(data)))) == data.count(file_of(photos()[0].resize((4, 3)), "BMP"))
