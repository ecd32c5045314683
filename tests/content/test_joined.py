"""A whole file in letters that stand apart: what readers pass over between them hides nothing."""

import json
import re

import numpy as np
import pytest

from tests.support.containers import zip_of
from tests.support.letters_apart import APART, BASE64, JPEG, apart, binhex, book, notebook
from tests.support.looked import KNOWN, looked, outcome
from tutela.content.media.confined.joined import without_asides
from tutela.content.media.profile import Profile


@pytest.mark.parametrize("text", APART.values(), ids=APART)
def test_a_file_whose_letters_stand_apart_is_found(text: str) -> None:
    assert outcome(text.encode(), profile=Profile.FILES) == "block"
    assert outcome(zip_of({"a.txt": text.encode()})) == "block"


def test_a_drawing_in_a_list_of_strings_is_found() -> None:
    image = f'<image width="240" height="180" href="data:image/jpeg;base64,{BASE64}"/>'
    drawing = f'<svg xmlns="http://www.w3.org/2000/svg">{image}</svg>'
    assert outcome(notebook(re.findall(".{1,7}", drawing)).encode(), profile=Profile.FILES) == "block"


def table() -> str:
    """The picture as a page of fields, with marks that JSON writes as escapes."""
    grey = np.asarray(KNOWN.convert("L").resize((40, 30))) // 16 * 17
    rows = ("".join(f'<td style="background:rgb({v},{v},{v});width:8px;height:8px">' for v in row) for row in grey)
    return "<table cellspacing=0 cellpadding=0>" + "".join(f"<tr>{row}</tr>\n" for row in rows) + "</table>"


@pytest.mark.parametrize("count", [1, 2, 40, 90, 1_000])
@pytest.mark.parametrize("escaped", [False, True])
def test_a_page_in_strings_of_json_is_drawn(count: int, escaped: bool) -> None:
    page = table()
    length = -(-len(page) // count)
    text = notebook([page[at : at + length] for at in range(0, len(page), length)])
    if escaped:
        text = text.replace("<", "\\u003c").replace(">", "\\u003E")
    assert outcome(text.encode(), profile=Profile.FILES) == "block"


def test_runs_in_binhex_are_unpacked() -> None:
    """As its writers shorten what is there more than three times; the mark of it may be repeated itself."""
    shown = JPEG.replace(b"\xff\xd9", b"\xff\xfe\x00\x22" + b"a" * 16 + b"\x90" * 16 + b"\xff\xd9", 1)
    runs = {b"a" * 16: b"a\x90\x10", b"\x90" * 16: b"\x90\x00\x90\x10"}
    assert outcome(binhex(shown, runs).encode(), profile=Profile.FILES) == "block"


def test_more_than_is_unpacked_of_binhex_holds() -> None:
    _, shortcomings = looked(binhex(b"b" * 300_000, {b"b": b"b\x90\xff"}).encode(), profile=Profile.FILES)
    assert shortcomings


@pytest.mark.parametrize(
    "text", ["<?xml version='1.0'?><a><!-- b --><c/></a>", "<p>see</p>\n<!-- so -->\n<p>", "a < b"]
)
def test_what_stands_beside_no_letters_is_left_as_it_is(text: str) -> None:
    assert without_asides(text.encode()) == text.encode()


@pytest.mark.parametrize(
    "text",
    [
        "\n".join(f"word{number}" for number in range(3_000)),
        json.dumps([f"word {number}" for number in range(3_000)]),
        "\n".join(f"{number} {number * 7 % 256} {number % 11}" for number in range(3_000)),
        book(apart("the quick brown fox " * 300, "<!-- a -->", 50)),
        "{\\rtf1 " + "{\\pict\\wmetafile8 " + "0" * 4_000 + "}" + "}",
        "\n".join(f":time {number}: what happened then:" for number in range(3_000)),
    ],
)
def test_ordinary_words_and_numbers_are_nothing(text: str) -> None:
    found, shortcomings = looked(text.encode(), profile=Profile.FILES)
    assert not found and not shortcomings


@pytest.mark.parametrize(
    "repeated",
    [
        "<!--",
        "<?",
        "<![CDATA[",
        '"a",',
        '"\\',
        '\\"',
        "\\n",
        "{\\pict ",
        "{\\pict{",
        "A ",
        "A\n:",
        ":!",
        "{",
        "}",
        '"',
        "ab ",
    ],
)
@pytest.mark.parametrize("begun", ["{\\rtf1 ", '["<', "[" + '"a",' * 70 + '"<'])
def test_texts_that_never_end_are_read_through(begun: str, repeated: str) -> None:
    text = begun + repeated * 200_000
    _, shortcomings = looked(text.encode(), profile=Profile.FILES, timeout_s=20.0)
    assert "timeout" not in shortcomings
