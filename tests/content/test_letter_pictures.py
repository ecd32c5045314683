"""Pictures that are made of letters in one colour: shown so by browsers and terminals, drawn here and matched."""

import numpy as np
import pytest

from tests.support.lettered import DRAWINGS, MATCHED, PAGES, TEXTS, WORDS, lines, page
from tests.support.looked import looked
from tutela.content.media.confined.containers.letter_blocks import blocks
from tutela.content.media.confined.containers.letter_pictures import has_holes, letter_pictures
from tutela.content.media.profile import Profile


@pytest.mark.parametrize("kind", PAGES)
def test_a_picture_of_letters_on_a_page_is_matched(kind):
    found, _ = looked(PAGES[kind])
    assert found[0][0] <= MATCHED, (kind, found[:1])


@pytest.mark.parametrize("kind", DRAWINGS)
def test_a_picture_of_letters_in_a_drawing_is_matched(kind):
    found, _ = looked(f"{DRAWINGS[kind]}</svg>".encode())
    assert found[0][0] <= MATCHED, (kind, found[:1])


@pytest.mark.parametrize("kind", TEXTS)
@pytest.mark.parametrize("around", ["{}", "Look:\n\n{}\n\nIs it not fine?\n", "# Title\n\nwords\n\n```\n{}\n```\n"])
def test_a_picture_of_letters_in_a_text_is_matched(kind, around):
    found, _ = looked(around.format("\n".join(TEXTS[kind])).encode())
    assert found[0][0] <= MATCHED, (kind, found[:1])


def test_a_text_is_seen_black_on_white_and_white_on_black():
    for rows in (lines("M", " "), lines(" ", "M")):
        found, _ = looked("\n".join(rows).encode())
        assert found[0][0] <= MATCHED, found[:1]


def test_a_picture_of_letters_in_a_long_text_is_matched_wherever_it_stands():
    words = "\n".join(WORDS * 20_000)
    for before in (words, words[: 4 * 1024 * 1024 - 1_000]):
        found, _ = looked(f"{before}\n\n\n{chr(10).join(lines())}\n\n\n{words}".encode())
        assert found[0][0] <= MATCHED, found[:1]


def test_ordinary_texts_and_pages_pass_without_further_pictures():
    text = "\n".join(WORDS * 500)
    assert looked(text.encode(), profile=Profile.FILES) == ([], [])
    assert looked(f"<!doctype html><p>{text}<pre>{text}</pre>".encode()) == ([], [])


def test_a_page_of_ordinary_tables_and_code_passes():
    table = "<table>" + "<tr><td>1<td>words<td>2.5<td>" * 60 + "</table>"
    code = "<pre>" + "<span class=k>def</span> name<b>(</b>word<b>)</b>:\n    return 1\n" * 200 + "</pre>"
    _, reasons = looked(page(table, code, "<p>words</p>" * 100, style="td{color:#333}"))
    assert reasons == []


def test_a_text_of_columns_passes():
    columns = "\n".join(f"{number:8}   name{number % 7:<12}{number * 37 % 1000:8.3f}   words" for number in range(4000))
    assert looked(columns.encode(), profile=Profile.FILES)[1] == []


def test_blocks_are_what_white_bands_leave():
    def grid(left: float, top: float) -> list[tuple[float, ...]]:
        """Lines of two hundred points, twelve points from each other."""
        return [(left, top - 12 * line - 9, left + 200 + line % 3, top - 12 * line) for line in range(24)]

    first, second, below = grid(0, 0), grid(250, 0), grid(0, -400)
    found = set(blocks(np.array([*second, *below, *first])))
    assert found == {(0, -285, 202, 0), (250, -285, 452, 0), (0, -685, 202, -400)}


@pytest.mark.parametrize("turned", [False, True])
def test_boxes_that_lie_in_each_other_without_end_are_gone_through_in_time(turned):
    frames = []
    for at in range(0, 20_000, 4):
        end = 100_000 - at
        frames += [(at, at, end - 5, at + 1), (end - 1, at, end, end - 5)]
        frames += [(at + 5, end - 1, end, end), (at, at + 5, at + 1, end)]
    boxes = np.array(frames, np.float64)
    assert len(list(blocks(boxes[:, [1, 0, 3, 2]] if turned else boxes))) < 100


def test_holes_are_within_lines():
    assert has_holes("\n".join(lines()).encode())
    assert not has_holes(b"        indented\n" * 1_000)
    assert not has_holes(b"ends with spaces\n" * 1_000)
    assert list(letter_pictures(b"")) == []
