"""A page in a file of another type: a browser that takes the file for a page, by its name, shows it."""

import struct
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.support import hostile_pictures as hostile
from tests.support.looked import KNOWN, OTHER, outcome
from tests.support.pictures import file_of
from tutela.content.media.profile import Profile

ACROSS, DOWN = 40, 30


def cells() -> list[bytes]:
    """The elements of a table that shows the known picture."""
    small = np.asarray(KNOWN.convert("RGB").resize((ACROSS, DOWN)).quantize(24).convert("RGB"))
    rows = (b"".join(b"<td bgcolor=#%02x%02x%02x>" % tuple(cell) for cell in row) for row in small)
    return [
        b"<html><style>td {font-size: 0}</style><table cellspacing=0 cellpadding=0 width=480>",
        *(b"<tr height=12>" + row for row in rows),
        b"</table></html>",
    ]


PAGE = b"".join(cells())


def jpeg(page: bytes) -> bytes:
    picture = file_of(OTHER, "JPEG", quality=80)
    return picture[:2] + b"\xff\xfe" + struct.pack(">H", len(page) + 2) + page + picture[2:]


def png(kind: bytes, page: bytes) -> bytes:
    picture = file_of(OTHER, "PNG")
    at = picture.index(b"IDAT") - 4
    return picture[:at] + hostile.png_chunk(kind, page) + picture[at:]


def gif() -> bytes:
    """In a comment, whose blocks of 255 bytes at most end between two elements."""
    blocks, block = b"", b""
    for element in PAGE.replace(b">", b">\n").splitlines():
        if len(block) + len(element) > 255:
            blocks, block = blocks + bytes([len(block)]) + block, b""
        block += element
    return file_of(OTHER, "GIF")[:-1] + b"\x21\xfe" + blocks + bytes([len(block)]) + block + b"\0;"


def song() -> bytes:
    said = b"COMM" + struct.pack(">I", len(PAGE) + 5) + b"\0\0" + b"\0eng\0" + PAGE
    length = bytes(len(said) >> shift & 127 for shift in (21, 14, 7, 0))
    return b"ID3\x03\0\0" + length + said + (b"\xff\xfb\x90\x00" + bytes(413)) * 20


def sound() -> bytes:
    form = struct.pack("<HHIIHH", 1, 1, 8000, 8000, 1, 8)
    chunks = ((b"fmt ", form), (b"LIST", PAGE + b" " * (len(PAGE) % 2)), (b"data", bytes(100)))
    body = b"WAVE" + b"".join(kind + struct.pack("<I", len(content)) + content for kind, content in chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


FILES: dict[str, Callable[[], bytes]] = {
    "a comment of a JPEG": lambda: jpeg(PAGE),
    "a comment of a JPEG, each element with bytes": lambda: jpeg(PAGE.replace(b"<td", b"<td a=\xff\xfe")),
    "a text of a PNG": lambda: png(b"tEXt", b"a\0" + PAGE),
    "a chunk of a PNG that nobody knows": lambda: png(b"prVt", PAGE),
    "a comment of a GIF": gif,
    "the pixels of a bitmap": lambda: file_of(Image.frombytes("L", (256, 95), PAGE[: 256 * 95]), "BMP"),
    "a song": song,
    "a sound": sound,
    "a program": lambda: Path(sys.executable).resolve().read_bytes() + PAGE,
}  # fmt: skip


@pytest.mark.parametrize("kind", FILES)
def test_a_page_in_another_file_is_found(kind: str) -> None:
    assert outcome(FILES[kind](), profile=Profile.FILES) in ("block", "hold")


def dots() -> str:
    """The known picture in Braille patterns, eight dots a letter."""
    shown = np.asarray(KNOWN.resize((160, 120)).convert("1")).astype(int)
    bits = ((0, 0, 0), (1, 0, 1), (2, 0, 2), (0, 1, 3), (1, 1, 4), (2, 1, 5), (3, 0, 6), (3, 1, 7))
    codes = np.sum([shown[down::4, across::2] << bit for down, across, bit in bits], axis=0)
    return "\n".join("".join(chr(0x2800 + code) for code in row) for row in codes)


def written(form: str) -> str:
    return "".join(letter if letter == "\n" else form.format(ord(letter)) for letter in dots())


LETTERS: dict[str, Callable[[], bytes]] = {
    "letters": lambda: dots().encode(),
    "decimal references": lambda: written("&#{};").encode(),
    "hexadecimal references": lambda: written("&#x{:x};").encode(),
    "names": lambda: ("&blk34;&block; &lhblk;&uhblk;\n" * 300).encode(),
    "escapes of a style": lambda: b"<style>p::before {content: '" + written("\\{:x}").encode() + b"'}</style><p>",
    "escapes of a script": lambda: b"<script>document.write('" + written("\\u{:04x}").encode() + b"')</script>",
    "longer escapes of a script": lambda: b"<script>write(`" + written("\\u{{{:x}}}").encode() + b"`)</script>",
    "squares in halves": lambda: b'{"drawn": "' + b"\\ud83d\\udfe5\\ud83d\\udfe9" * 300 + b'"}',
    "rich text": lambda: b"{\\rtf1 " + written("\\u{}?").encode() + b"}",
}  # fmt: skip


@pytest.mark.parametrize("kind", LETTERS)
def test_a_picture_of_letters_that_are_dots_is_held_however_they_are_written(kind: str) -> None:
    assert outcome(LETTERS[kind](), profile=Profile.FILES) in ("block", "hold")


@pytest.mark.parametrize("kind", ["letters", "decimal references", "names"])
def test_a_picture_of_such_letters_in_another_file_is_held(kind: str) -> None:
    page = b"<!doctype html><meta charset=utf-8><pre>" + LETTERS[kind]() + b"</pre>"
    assert outcome(jpeg(page), profile=Profile.FILES) == "hold"


STYLED = b"".join(
    (
        b"<style>"
        + b"".join(b".c%d {fill: oklch(0.%d 0.1 %d)}" % (number, number + 10, number * 9) for number in range(24))
        + b"</style>",
        b"<svg viewBox='0 0 40 30'>"
        + b"".join(b"<path class=c%d d='M%d 0h1v1z'/>" % (n % 24, n) for n in range(1_200)),
    )
)
SCRIPTED = b"<canvas></canvas><script>c.getContext('2d').putImageData(x)" + b"/* words */" * 300 + b"</script>"


@pytest.mark.parametrize("page", [STYLED, SCRIPTED], ids=["in styles that are not drawn here", "by a script"])
def test_what_another_file_shows_as_a_page_that_is_not_drawn_here_is_held(page: bytes) -> None:
    assert outcome(jpeg(page), profile=Profile.FILES) == "hold"


def test_what_has_markup_and_draws_nothing_passes() -> None:
    said = (
        b"<x:xmpmeta xmlns:x='adobe:ns:meta/'>"
        + b"<rdf:li stEvt:when='2026-01-01'>words</rdf:li>" * 500
        + b"</x:xmpmeta>"
    )
    assert outcome(jpeg(said), profile=Profile.FILES) == "allow"
    assert outcome(png(b"tEXt", b"a\0" + b"<p>words</p>" * 900), profile=Profile.FILES) == "allow"
    noise = np.random.default_rng(1).bytes(3_000_000)
    assert outcome(file_of(OTHER, "JPEG", quality=80) + noise, profile=Profile.FILES) == "allow"
