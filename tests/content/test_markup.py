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
