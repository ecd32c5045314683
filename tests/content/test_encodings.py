"""What letters in a text stand for: a quick look may spare the long one, and misses nothing that it would find."""

import re

from hypothesis import given
from hypothesis import strategies as st

from tutela.content.media.confined import encodings
from tutela.content.media.confined.containers import page

LETTERS = (
    b"A" * 16,
    b"B" * 15,
    b"c" * 240,
    b"QUJD" * 5,
    b'"\n + "',
    b"\\n",
    b"&#10;",
    b"%0A",
    b", ",
    b"==",
    b"%3d",
    b" ",
)
DIGITS = (b"0x4f, ", b"\\x1f", b"\\'aF", b"%e9", b"ff" * 100, b"0a\n" * 192, b"12 , " * 100, b"255,\t" * 200, b"7")
NAMED = (b"data:image/png;base64,AAAA", b"DATA:,x", b"begin 644 a\n#0V%T\n`\nend\n", b"=ybegin line=1 name=a\nx\n=yend")
PIECES = st.sampled_from((*LETTERS, *DIGITS, *NAMED))
TEXTS = st.lists(PIECES | st.text("a0, \n<", max_size=5).map(str.encode), max_size=12).map(b"".join)


@given(TEXTS)
def test_a_quick_look_finds_every_text_in_which_a_pattern_would_find_something(text):
    if encodings._BASE64.search(text):
        assert b"\x01" * 16 in text.translate(encodings._IN_BASE64)
    if encodings._HEXADECIMAL.search(text) or encodings._NUMBERS.search(text):
        assert b"\x01" * 384 in text.translate(encodings._IN_HEXADECIMAL)
    assert bool(encodings._SCHEME.search(text)) == (b"data:" in text.lower())


COLOURED = re.compile(
    rb"bgcolor|background|<(?:\w+:)?(?:svg|rect|path|image|input|object|embed)\b|border(?:-\w+)?\s*:|#[0-9a-f]{3,8}\b|"
    rb"\b(?:rgb|hsl|hwb|lab|lch|oklab|oklch|color)a?\(",
    re.IGNORECASE,
)
TAGS = ("<svg", "<x:Rect ", "<PATHS", "<input>", "background", "bgColor", "Border:", "border-top :", "#FFF", "#abcdefg")
FUNCTIONS = ("rgb(", "RGBA (", "okLab(", "lch(", "xlab(", "colora(", "-color(")
MARKUP = st.sampled_from((*TAGS, *FUNCTIONS, ";", " ", "\n", "a", ":", "(", "<", "#"))


@given(st.lists(MARKUP, max_size=20).map("".join))
def test_what_is_coloured_is_counted_whatever_stands_beside_it(text):
    lower = text.encode().lower()
    counted = sum(1 for pattern in page._COLOURED for _ in pattern.finditer(lower))
    assert counted >= sum(1 for _ in COLOURED.finditer(text.encode()))
