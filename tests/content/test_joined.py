"""A whole file in letters that stand apart: what readers pass over between them hides nothing."""

import base64
import binascii
import json
import re
from collections.abc import Iterable

import pytest

from tests.support.containers import zip_of
from tests.support.looked import KNOWN, looked, outcome
from tests.support.pictures import file_of
from tutela.content.media.profile import Profile

JPEG = file_of(KNOWN, "JPEG", quality=85)
BASE64 = base64.b64encode(JPEG).decode()


def apart(letters: str, between: str, every: int = 3) -> str:
    return between.join(letters[at : at + every] for at in range(0, len(letters), every))


def notebook(lines: Iterable[str] | str) -> str:
    return json.dumps({"cells": [{"outputs": [{"data": {"image/jpeg": lines}}], "cell_type": "code"}]}, indent=1)


def book(letters: str) -> str:
    binary = f'<binary id="a.jpg" content-type="image/jpeg">{letters}</binary>'
    return f'<?xml version="1.0"?><FictionBook><body><p>see</p></body>{binary}</FictionBook>'


def rich_text(between: str, every: int = 1) -> str:
    return "{\\rtf1 see {\\pict\\jpegblip\\picw240\\pich180 " + apart(JPEG.hex(), between, every) + "} there}"


def card(fold: str) -> str:
    return f"BEGIN:VCARD\r\nVERSION:3.0\r\nFN:A\r\nPHOTO;ENCODING=b;TYPE=JPEG:{apart(BASE64, fold)}\r\nEND:VCARD\r\n"


def binhex(data: bytes) -> str:
    """BinHex 4.0 (RFC 1741), without runs; what looks like the mark of one is escaped."""
    letters = "!\"#$%&'()*+,-012345689@ABCDEFGHIJKLMNPQRSTUVXYZ[`abcdefhijklmpqr"

    def checked(part: bytes) -> bytes:
        return part + binascii.crc_hqx(part, 0).to_bytes(2)

    head = b"\x05a.jpg\x00JPEG????\x00\x00" + len(data).to_bytes(4) + bytes(4)
    whole = (checked(head) + checked(data) + checked(b"")).replace(b"\x90", b"\x90\x00")
    bits = "".join(f"{byte:08b}" for byte in whole)
    bits += "0" * (-len(bits) % 6)
    coded = ":" + "".join(letters[int(bits[at : at + 6], 2)] for at in range(0, len(bits), 6)) + ":"
    return "(This file must be converted with BinHex 4.0)\n\n" + "\n".join(re.findall(".{1,64}", coded)) + "\n"


APART = {
    "digits of RTF by lines": rich_text("\n"),
    "digits of RTF by blanks": rich_text(" "),
    "digits of RTF by groups": rich_text("{\\*\\zz}", 3),
    "digits of RTF by groups in groups": rich_text("{\\zz{\\yy a}b}", 5),
    "digits of RTF by controls": rich_text("\\ ", 1),
    "digits of RTF by words": rich_text("\\zz12 ", 3),
    "blanks in a book": book(apart(BASE64, " ", 1)),
    "comments in a book": book(apart(BASE64, "<!-- a -->", 4)),
    "sections in a book": book(apart(BASE64, "<![CDATA[]]>", 4)),
    "instructions in a book": book(apart(BASE64, "<?a b?>", 4)),
    "lines of all lengths": book(
        " ".join(apart(BASE64, "\n", 7).split("\n"))[:0] + apart(apart(BASE64, "\t", 11), "\n", 5)
    ),
    "a list of short strings": notebook(re.findall(".{1,3}", BASE64)),
    "a list of strings with ends of lines": notebook([f"{line}\n" for line in re.findall(".{1,9}", BASE64)]),
    "ends of lines in a string": notebook(apart(BASE64, "\n", 1)),
    "blanks in a string": notebook(apart(BASE64, " ", 2)),
    "folded lines": card("\r\n "),
    "lines folded by tabs": card("\n\t"),
    "hexadecimal by blanks": "see\n\n" + apart(JPEG.hex(), " ", 3) + "\n",
    "BinHex": binhex(JPEG),
}


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
