"""What text is made of, asked of every text before any pattern looks at it: the native answers are the plain ones."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tutela import _native
from tutela.content.media.confined.endings import gif_blocks
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


TIGHT = re.compile(rb"(?<![!-~])(?:[!-~]{48,}+\r?\n?+)++[!-~]*")


@given(
    st.lists(st.sampled_from([b"!" * 47, b"~" * 48, b"a" * 63, b"b" * 64, b"\n", b"\r", b"\r\n", b" ", b"\x7f", b"1"]))
)
def test_tight_runs_are_those_of_a_pattern(parts):
    text = b"".join(parts)
    assert _native.tight_runs(text) == [found.span() for found in TIGHT.finditer(text)]


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


@st.composite
def grouped(draw):
    """Runs of groups beside runs of other lengths, words, and groups that something cuts."""
    parts = []
    for _ in range(draw(st.integers(1, 5))):
        size = draw(st.sampled_from([3, 4, 5, 8, 63, 64, 65]))
        parts += [(b"aB3+/_-x" * 9)[:size] + b" "] * draw(st.integers(60, 70))
        parts.append(draw(st.sampled_from([b"", b" ", b"ab", b"word ", b"abcd", b"\n", b"abcdefgh ", b"x" * 70])))
    return b"".join(parts)


@given(grouped())
def test_groups_of_base64_are_those_that_the_patterns_say(text):
    patterns = [b"(?:[A-Za-z0-9+/_-]{%d} ){64,}(?=([A-Za-z0-9+/_-]{0,%d}))" % (size, size) for size in range(4, 65)]
    expected = sorted((found.start(), found.end(1)) for pattern in patterns for found in re.finditer(pattern, text))
    assert sorted(_native.base64_groups(text)) == expected


@given(
    st.lists(
        st.sampled_from([b"<", b"<a", b"<Z", b"<1", b"text>", b"\n\t ", b"\0", b"\x7f", b"\xc3", b"=''", b"\0\0"])
    ).map(b"".join)
)
def test_runs_of_markup_are_those_that_the_pattern_says(data):
    runs = re.finditer(rb"<[A-Za-z](?:[\t\n\f\r -~]|[^\t\n\f\r -~]{1,2}(?=[\t\n\f\r -~]))*", data)
    closed = [found.span() for found in runs if b">" in found.group() and len(found.group()) >= 8]
    assert _native.markup_runs(data) == closed


BLOCK = (
    "[\u2580-\u25ff\u26aa\u26ab\u2801-\u28ff\u2b1b\u2b1c\U0001f534\U0001f535\U0001f7e0-\U0001f7eb\U0001fb00-\U0001fbaf]"
)


@given(
    st.lists(st.sampled_from([*"▀◿⠀⠁⣿⚪⚬⬛🔴🔶🟠🬀🮰\u3000\xa0é", "\n", "</i>", "a" * 99, "⢪" * 7, "█ " * 9])).map(
        "".join
    ),
    st.sampled_from([b"", b"\xe2", b"\xf0\x9f", b"\xff"]),
)
def test_rows_of_block_letters_are_those_that_the_pattern_says(text, torn):
    between = "[\x00-\x7f\xa0\u2000-\u200f\u2800\u3000\ufe0f]"
    close = re.findall(f"(?:{BLOCK}{between}*)+", text)
    letters = [len(re.findall(BLOCK, row)) for each in close for row in _apart(each, between)]
    assert _native.block_letters(text.encode() + torn) == sum(count for count in letters if count >= 8)


def _apart(row, between):
    """The row, parted where there is too much between two letters."""
    begin = 0
    for found in re.finditer(f"{between}+", row):
        if len(found.group().encode()) > 200:
            yield row[begin : found.end()]
            begin = found.end()
    yield row[begin:]


GIF_BYTES = st.lists(
    st.sampled_from(
        [b"\x21\xfe", b"\x21\xf9\x04", b"\x21", b"\x2c", b"\x3b", b"\x00", b"\x02ab", b"\x80", b"\xff", bytes(9)]
    )
    | st.binary(max_size=9),
    max_size=80,
).map(b"".join)


def pieces_at(data: bytes, at: int) -> tuple[list[bytes], int]:
    """The pieces of a GIF's data from there on, and where they end."""
    pieces = []
    while at < len(data) and data[at]:
        pieces.append(data[at + 1 : at + 1 + data[at]])
        at += 1 + data[at]
    return pieces, at


@given(GIF_BYTES, st.integers(0, 9))
def test_extensions_of_a_gif_are_those_that_their_lengths_say(data, fewest):
    expected, found, at = [], [], 0
    while (at := data.find(b"\x21\xfe", at)) >= 0:
        pieces, at = pieces_at(data, at + 2)
        if len(pieces) > 1 and len(b"".join(pieces)) >= fewest:
            expected.append((b"".join(pieces), at))
    at = 0
    while extension := _native.gif_extension(memoryview(data), at, 0xFE, fewest):
        found.append(extension)
        at = extension[1]
    assert found == expected


@given(GIF_BYTES)
def test_blocks_of_a_gif_are_those_that_their_lengths_say(data):
    """Frames, graphic controls and the trailer; decoders pass over what is no block."""

    def table(packed: int) -> int:
        return 3 * (2 << (packed & 7)) if packed & 0x80 else 0

    expected, at = [], 13 + table(data[10]) if len(data) >= 13 else len(data)
    while at < len(data):
        begin = at
        if data[at] == 0x3B:
            expected.append((0x3B, at, at + 1))
            break
        if data[at] == 0x21 or (data[at] == 0x2C and at + 10 <= len(data)):
            at += 2 if data[at] == 0x21 else 11 + table(data[at + 9])
            at = pieces_at(data, at)[1] + 1
            if data[begin] == 0x2C or data[begin + 1 : begin + 2] == b"\xf9":
                expected.append((data[begin], begin, at))
        else:
            at += 1
    assert list(gif_blocks(memoryview(data))) == expected
