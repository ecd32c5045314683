"""What letters stand for: long runs are decoded whole only where their head or their end says that they are a file."""

import base64
import os

import pytest

from tests.support.pictures import draw_scene, file_of
from tutela.content.media.confined import encodings
from tutela.content.media.confined.encodings import runs_in
from tutela.content.media.sniff import MediaType, sniff

SCENE = draw_scene(8).resize((640, 480))
FILES = {
    MediaType.PNG: file_of(SCENE, "PNG", compress_level=0),
    MediaType.TGA: file_of(SCENE, "TGA"),
    MediaType.SVG: b"\n" * 3 + b"<!-- " + b"x" * 400_000 + b" --><svg xmlns='http://www.w3.org/2000/svg'/>",
    MediaType.ISO: bytes(32769) + b"CD001" + os.urandom(300_000),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize("shift", [b"", b"ab"])
def test_a_long_file_is_found_in_its_letters(kind, shift):
    content = FILES[kind]
    assert len(content) > 300_000
    for text in (content.hex(" ").encode(), shift + base64.b64encode(content)):
        assert kind in {sniff(found) for found in runs_in(b"words before it: " + text)}


def test_letters_that_stand_for_nothing_are_not_decoded_whole(monkeypatch):
    """A megabyte of random words in hexadecimal was decoded three times over."""
    decoded: list[int] = []
    decode = encodings._from_hexadecimal

    def counted(text):
        decoded.append(len(text))
        return decode(text)

    monkeypatch.setattr(encodings, "_from_hexadecimal", counted)
    text = b" ".join(os.urandom(2).hex().encode() for _ in range(200_000))
    assert list(runs_in(text)) == []
    assert sum(decoded) < len(text)
