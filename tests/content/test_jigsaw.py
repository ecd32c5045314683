"""A picture in pieces, which a page, a document or a message shows as one: found, whatever puts the pieces together."""

import io
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from PIL import Image

from tests.support.in_pieces import CARRIERS, LARGE, archive, page, pieces, put_in_disorder
from tests.support.looked import NEAR, hashes_of, looked, outcome, pdq_of
from tests.support.pictures import file_of, photos
from tutela.content.media.confined.budget import Budget
from tutela.content.media.confined.jigsaw import MOST_PIECES, Jigsaw
from tutela.content.media.content import Picture
from tutela.content.media.limits import Limits


@pytest.mark.parametrize("carry", CARRIERS.values(), ids=CARRIERS)
def test_a_picture_in_pieces_is_found_in_whatever_carries_them(carry: Callable[[Sequence[bytes]], bytes]) -> None:
    found, _ = looked(carry([file_of(piece, "PNG") for piece in pieces(6, 5)]))
    assert found[0] == (found[0][0], "30 pieces put together")
    assert found[0][0] <= NEAR


@pytest.mark.parametrize("across, down", [(2, 1), (1, 3), (2, 2), (4, 4), (7, 7), (8, 8), (12, 9)])
@pytest.mark.parametrize("form", ["PNG", "JPEG"])
def test_a_picture_is_found_in_however_many_pieces(across: int, down: int, form: str) -> None:
    files = [file_of(piece, form, **({"quality": 90} if form == "JPEG" else {})) for piece in pieces(across, down)]
    assert outcome(archive(files)) == "block"


@pytest.mark.parametrize("across, down", [(3, 3), (4, 4), (8, 6), (16, 1), (1, 12)])
@pytest.mark.parametrize("carry", [archive, page], ids=["archive", "page"])
def test_one_picture_of_pieces_in_disorder_is_put_right(
    across: int, down: int, carry: Callable[[Sequence[bytes]], bytes]
) -> None:
    """As games and readers of comics have them, and whoever hides a picture from a scanner."""
    found, _ = looked(carry([file_of(put_in_disorder(across, down), "PNG")]))
    assert found[0][0] <= NEAR
    assert found[0][1].endswith(f"{across * down} pieces put right")


def test_other_pictures_beside_the_pieces_do_not_matter() -> None:
    size = (LARGE.width // 8, LARGE.height // 6)
    others = [photos()[1].resize((480, 360)).crop((x, x, x + size[0], x + size[1])) for x in range(0, 200, 20)]
    files = [file_of(picture, "PNG") for picture in (*others[:5], *pieces(8, 6), *others[5:])]
    assert outcome(archive(files)) == "block"


def test_pieces_that_are_there_twice_do_not_matter() -> None:
    files = [file_of(piece, "PNG") for piece in pieces(6, 5)]
    assert outcome(archive([*files, *(file + b"as another file" for file in files)])) == "block"


def test_pieces_that_show_nothing_leave_their_place_empty() -> None:
    """They go on in each other wherever they stand."""
    with_sky = LARGE.copy()
    with_sky.paste("white", (450, 0, 720, 200))
    found, _ = hashes_of(archive([file_of(piece, "PNG") for piece in pieces(8, 9, with_sky)]))
    assert min((value ^ pdq_of(with_sky)).bit_count() for value, _ in found) <= NEAR


def test_of_different_pictures_nothing_is_put_together() -> None:
    files = [file_of(photo.resize((240, 180)), "PNG") for photo in photos()[:6]]
    assert not [part for _, part in hashes_of(archive(files))[0] if "pieces" in part]


def test_a_picture_that_is_in_order_is_not_put_together_again() -> None:
    assert not [part for _, part in hashes_of(archive([file_of(LARGE, "PNG")]))[0] if "pieces" in part]


@pytest.mark.parametrize("kind", ["noise", "flat", "slopes"])
def test_pictures_of_any_number_are_compared_within_the_time(kind: str) -> None:
    """And of what nothing fits, nothing is made."""
    chance = np.random.default_rng(7)
    slope = np.add.outer(np.arange(24), np.arange(24))
    make = {
        "noise": lambda: chance.integers(0, 256, (24, 24)),
        "flat": lambda: np.full((24, 24), chance.integers(0, 256)),
        "slopes": lambda: slope * chance.random() + chance.integers(0, 100),
    }[kind]
    jigsaw = Jigsaw()
    for _ in range(MOST_PIECES + 10):
        jigsaw.add(Picture(make().astype(np.uint8), 24, 24))
    assert all(count < MOST_PIECES // 10 for count, _ in jigsaw.put_together(Budget(Limits(timeout_s=60.0), 1)))


def test_more_pictures_than_are_compared_do_not_push_the_pieces_aside() -> None:
    """Whoever sends them may put as many others before them as a file holds."""
    chance = np.random.default_rng(7)
    jigsaw = Jigsaw()
    for number in range(MOST_PIECES + 100):
        jigsaw.add(Picture(chance.integers(0, 256, (20, 20 + number % 3)).astype(np.uint8), 20 + number % 3, 20))
    for piece in pieces(8, 6):
        pixels = np.asarray(piece.convert("L"))
        jigsaw.add(Picture(pixels, piece.width, piece.height))
    made = [picture for count, picture in jigsaw.put_together(Budget(Limits(timeout_s=60.0), 1)) if count == 48]
    assert [(pdq_of(Image.fromarray(picture.pixels)) ^ pdq_of(LARGE)).bit_count() <= NEAR for picture in made] == [True]


def test_pieces_in_a_line_that_goes_down_and_across_are_no_picture() -> None:
    """Each fits the next; the frame around them has a million places."""
    jigsaw = Jigsaw()
    whole = np.asarray(photos()[1].convert("L").resize((1_200, 1_200)))
    at = 0
    for number in range(600):
        at += number % 2
        down = number - at
        left, top = at * 2, down * 2
        jigsaw.add(Picture(np.ascontiguousarray(whole[top : top + 24, left : left + 24]), 24, 24))
    assert all(count < 600 for count, _ in jigsaw.put_together(Budget(Limits(timeout_s=20.0), 1)))


@pytest.mark.parametrize("size", [(1, 1), (2, 50), (3, 3), (50, 2)])
def test_pieces_of_any_size_are_taken(size: tuple[int, int]) -> None:
    jigsaw = Jigsaw()
    for level in range(5):
        pixels = np.asarray(Image.new("L", size, level * 40))
        jigsaw.add(Picture(pixels, *size))
    assert len(list(jigsaw.put_together(Budget(Limits(), 1)))) <= 1


def test_a_picture_that_cannot_be_decoded_whole_is_held() -> None:
    """A JPEG may have more pixels than is decoded whole, as it is brought down meanwhile."""
    buffer = io.BytesIO()
    put_in_disorder(6, 6).save(buffer, "JPEG", quality=95)
    _, shortcomings = looked(archive([buffer.getvalue()]), max_pixels=LARGE.width * LARGE.height // 2)
    assert "too-many-pixels" in shortcomings
