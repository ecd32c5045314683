"""A whole file in letters that stand apart: what readers pass over between them hides nothing."""

import json
import re

import pytest

from tests.support.containers import zip_of
from tests.support.letters_apart import APART, BASE64, apart, book, notebook
from tests.support.looked import looked, outcome
from tutela.content.media.profile import Profile


@pytest.mark.parametrize("text", APART.values(), ids=APART)
def test_a_file_whose_letters_stand_apart_is_found(text: str) -> None:
    assert outcome(text.encode(), profile=Profile.FILES) == "block"
    assert outcome(zip_of({"a.txt": text.encode()})) == "block"


def test_a_drawing_in_a_list_of_strings_is_found() -> None:
    image = f'<image width="240" height="180" href="data:image/jpeg;base64,{BASE64}"/>'
    drawing = f'<svg xmlns="http://www.w3.org/2000/svg">{image}</svg>'
    assert outcome(notebook(re.findall(".{1,7}", drawing)).encode(), profile=Profile.FILES) == "block"


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
    ["<!--", "<?", "<![CDATA[", '"a",', '"\\', "\\n", "{\\pict ", "{\\pict{", "A ", "A\n:", ":!", "{", "}", '"', "ab "],
)
def test_texts_that_never_end_are_read_through(repeated: str) -> None:
    _, shortcomings = looked(b"{\\rtf1 " + repeated.encode() * 200_000, profile=Profile.FILES, timeout_s=20.0)
    assert "timeout" not in shortcomings
