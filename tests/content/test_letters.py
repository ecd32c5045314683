"""What text is made of, asked of every text before any pattern looks at it: the native answers are the plain ones."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tutela import _native
from tutela.content.media.plain import is_text

ALLOWED = {0x09, 0x0A, 0x0C, 0x0D, 0x1B, *range(0x20, 0x7F), *range(0x80, 0x100)}


def table(letters: bytes) -> bytes:
    return bytes(byte in letters for byte in range(256))


@given(st.binary(max_size=300))
def test_text_is_what_has_no_control_characters_but_white_space_and_escapes(data):
    assert _native.is_text(data) is _native.is_text(memoryview(data)) is all(byte in ALLOWED for byte in data)


def test_every_byte_counts_wherever_it_stands():
    for byte in range(256):
        for at in (0, 1, 4095, 4096, 9_998):
            data = bytearray(b"x" * 9_999)
            data[at] = byte
            assert _native.is_text(bytes(data)) is (byte in ALLOWED), (byte, at)
    assert _native.is_text(b"")


def test_utf_16_is_text_by_what_it_says():
    assert is_text("words\n".encode("utf-16"))
    assert not is_text("wo\0rds".encode("utf-16"))
    assert not is_text(b"w\0o\0r\0d\0")


@given(st.lists(st.tuples(st.sampled_from([b"a", b"-", b"ab", b"b-"]), st.integers(0, 20))), st.integers(1, 24))
def test_a_row_is_found_wherever_it_begins(parts, length):
    data = b"".join(part * count for part, count in parts)
    letters = table(b"ab")
    rows = data.translate(bytes(1 if byte in b"ab" else 0 for byte in range(256)))
    assert _native.has_row(data, letters, length) is (b"\x01" * length in rows)


def test_a_row_of_no_length_or_of_other_letters_is_an_error():
    with pytest.raises(ValueError, match="at least 1"):
        _native.has_row(b"a", table(b"a"), 0)
    with pytest.raises(ValueError, match="256 bytes"):
        _native.has_row(b"a", b"a", 1)


BREAK = rb"(?:\"\s*\+\s*\"|'\s*\+\s*'|\\[nrt]|&#(?:1[03]|x[aAdD]);|%0[aAdD]|%2[BFbf]|[\s\"',\\>|]){0,16}+"
RUN = re.compile(
    rb"(?:(?:[A-Za-z0-9+/_-]{16,}+" + BREAK + rb"){4,}+|[A-Za-z0-9+/_-]{240,}+)[A-Za-z0-9+/_-]*+(?:=|%3[dD]){0,2}"
)
ROWS = [b"A" * 15, b"A" * 16, b"b" * 17, b"-" * 20, b"A" * 239, b"/" * 240]
BETWEEN = [
    b"\r\n",
    b" ",
    b",",
    b'"',
    b'" + "',
    b'"  +\n"',
    b"'+'",
    b"\\n",
    b"\\",
    b"&#10;",
    b"&#xD;",
    b"&#1",
    b"> " * 9,
]
OTHERS = [b"n", b"+", b"%0a", b"%2B", b"%3d", b"%3D", b"=", b"==", b"|", b"\x0b\x0c", b"&", b"%", b"!", b"\xc3"]


@given(st.lists(st.sampled_from([*ROWS, *ROWS, *BETWEEN, *OTHERS]), max_size=40).map(b"".join))
def test_runs_of_base64_are_those_that_the_pattern_says(text):
    assert _native.base64_runs(text) == [found.span() for found in RUN.finditer(text)]


@given(st.binary(max_size=600).map(lambda data: data.replace(b"\x7f", b"\x02")), st.integers(0, 40))
def test_the_pieces_of_a_gif_are_those_that_their_lengths_say(data, begin):
    pieces, at = [], begin
    while at < len(data) and data[at]:
        pieces.append(data[at + 1 : at + 1 + data[at]])
        at += 1 + data[at]
    assert _native.gif_sub_blocks(data, begin) == (b"".join(pieces), len(pieces), at)
    assert _native.gif_sub_blocks_end(memoryview(data), begin) == at
