"""TMK+PDQF: `.tmk` files are read strictly, and two are compared by both levels as the method is published."""

import base64
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.tmks import COEFFICIENTS, PERIODS, TERMS, tmk_of, walk
from tutela.content.signals.tmk import TMK
from tutela.content.signals.tmk_file import TmkFile, compare, read_tmk
from tutela.errors import InvalidSignalError

FRAMES, TIMES = walk(1), np.arange(50)
FILE = tmk_of(FRAMES, TIMES)


def kernel(a: TmkFile, b: TmkFile) -> float:
    """The second level, shift by shift and term by term."""
    best = -np.inf
    for i, period in enumerate(a.periods.tolist()):
        for shift in range(period):
            score = a.cosines[i, 0] @ b.cosines[i, 0]
            for j in range(1, len(a.coefficients)):
                angle = 2 * np.pi * shift * j / period
                score += np.cos(angle) * (a.cosines[i, j] @ b.cosines[i, j] + a.sines[i, j] @ b.sines[i, j])
                score += np.sin(angle) * (a.sines[i, j] @ b.cosines[i, j] - a.cosines[i, j] @ b.sines[i, j])
            best = max(best, score)
    return best / (a.coefficients[0] + 2 * a.coefficients[1:].sum())


def test_both_levels_are_those_of_the_definition():
    a = read_tmk(FILE)
    for other in (walk(2), FRAMES[::-1], FRAMES + walk(3) / 2, -FRAMES):
        b = read_tmk(tmk_of(other, TIMES))
        found = compare(a, b)
        assert found.level_1 == pytest.approx(
            a.mean @ b.mean / np.linalg.norm(a.mean) / np.linalg.norm(b.mean), abs=1e-6
        )
        assert found.level_2 == pytest.approx(kernel(a, b), abs=1e-6)
        assert compare(b, a).level_2 == pytest.approx(found.level_2, abs=1e-6)


def test_a_video_is_like_itself_and_like_itself_begun_later_and_not_like_another():
    assert compare(read_tmk(FILE), read_tmk(FILE)).level_2 == pytest.approx(1, abs=1e-6)
    later = compare(read_tmk(FILE), read_tmk(tmk_of(FRAMES, TIMES + 23)))
    # Cosine and sine features are each brought to one length, so a shift does not leave everything as it is.
    assert (later.level_1, later.level_2) == pytest.approx((1, 1), abs=0.01)
    assert later.matches
    assert not compare(read_tmk(FILE), read_tmk(tmk_of(walk(2), TIMES))).matches


def test_the_order_of_the_frames_counts_at_the_second_level_only():
    rng = np.random.default_rng(0)
    frames = rng.normal(size=(50, 256))
    found = compare(read_tmk(tmk_of(frames, TIMES)), read_tmk(tmk_of(rng.permutation(frames), TIMES)))
    assert found.level_1 == pytest.approx(1, abs=1e-6)
    assert found.level_2 < 0.7
    assert not found.matches


def test_files_of_another_kernel_or_rate_are_not_compared():
    for other in (
        tmk_of(FRAMES, TIMES, rate=30),
        tmk_of(FRAMES, TIMES, periods=(61, 97, 151)),
        tmk_of(FRAMES, TIMES, periods=(61, 97)),
        tmk_of(FRAMES, TIMES, coefficients=COEFFICIENTS * 1.001),
        tmk_of(FRAMES, TIMES, coefficients=COEFFICIENTS[:-1]),
    ):
        with pytest.raises(InvalidSignalError, match="differ"):
            compare(read_tmk(FILE), read_tmk(other))


def test_a_value_is_the_mean_of_a_file_and_is_compared_by_its_cosine():
    a, b = np.random.default_rng(0).normal(size=(2, 256))
    files = [with_mean(mean) for mean in (a, 3 * a, a + 0.5 * b, b, -a)]
    values = [TMK.parse(base64.b64encode(file).decode()) for file in files]
    assert all(TMK.parse(TMK.format(value)) == value for value in values)
    distances = [TMK.distance(values[0], value) for value in values]
    assert distances[0] == distances[1] == 0
    assert distances[2] < TMK.default_threshold < distances[3] < distances[4] == 2000
    rows = np.frombuffer(b"".join(values), np.uint8).reshape(-1, TMK.width)
    assert TMK.distances(rows, values[0]).tolist() == distances


def with_mean(mean: np.ndarray) -> bytes:
    begin = 32 + 4 * (len(PERIODS) + TERMS)
    return FILE[:begin] + mean.astype("<f4").tobytes() + FILE[begin + 1024 :]


@given(st.integers(0, len(FILE)), st.binary(max_size=8))
def test_a_file_that_is_cut_or_goes_on_is_refused(length, noise):
    broken = FILE[:length] + noise
    if len(broken) not in (len(FILE), TMK.width):
        with pytest.raises(InvalidSignalError, match="tmk"):
            TMK.parse(base64.b64encode(broken).decode())


_FIRST_NUMBER = 32 + 4 * len(PERIODS)


@pytest.mark.parametrize(
    ("at", "change", "message"),
    [
        (0, b"TMK2", "no .tmk file of PDQF"),
        (4, b"FEAT", "no .tmk file of PDQF"),
        (8, b"UNIT", "no .tmk file of PDQF"),
        (24, struct.pack("<i", 255), "no .tmk file of PDQF"),
        (12, struct.pack("<i", 0), "not plausible"),
        (16, struct.pack("<i", -1), "not plausible"),
        (16, struct.pack("<i", 1 << 30), "not plausible"),
        (20, struct.pack("<i", 0), "not plausible"),
        (28, struct.pack("<i", -5), "not plausible"),
        (16, struct.pack("<i", 4), "where its header says"),
        (32, struct.pack("<i", 0), "periods"),
        (32, struct.pack("<i", 1 << 30), "periods"),
        (_FIRST_NUMBER, struct.pack("<f", -1.0), "coefficients"),
        (_FIRST_NUMBER, bytes(4 * TERMS), "coefficients"),
        (_FIRST_NUMBER, struct.pack("<f", float("inf")), "finite"),
        (_FIRST_NUMBER + 4 * TERMS, struct.pack("<f", float("nan")), "finite"),
        (len(FILE) - 4, struct.pack("<f", float("nan")), "finite"),
    ],
)
def test_a_file_that_says_what_cannot_be_is_refused(at, change, message):
    broken = FILE[:at] + change + FILE[at + len(change) :]
    with pytest.raises(InvalidSignalError, match=message):
        read_tmk(broken)
