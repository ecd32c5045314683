"""Bytes that are nothing but beginnings: looking through them costs no more than twice as much where they are twice as
long, and next to no memory. Work is counted in calls, so that a busy machine changes nothing.
"""

import cProfile
import gzip
import struct
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.effort import effort
from tests.support.pictures import file_of, photos
from tutela.content.media.confined.budget import Budget
from tutela.content.media.confined.opened import OpenedContent
from tutela.content.media.confined.walk import walk
from tutela.content.media.content import Mode, Shortcoming
from tutela.content.media.limits import Limits

SMALL = photos()[0].resize((32, 32))
JPEG, PNG, GIF, TIFF, WEBP = (file_of(SMALL, kind) for kind in ("JPEG", "PNG", "GIF", "TIFF", "WEBP"))
BEGINNINGS = effort(500, 2_000, least=500)
"""How many, whose square would be hundreds of thousands of calls."""
KEPT = (100_000, 160_000)
"""Bytes of them, both more than one window of the search."""
MOST = 12
"""Parts that are looked at: what they cost is bounded by their number."""


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + bytes(4)


def in_comments(data: bytes) -> bytes:
    """In three comments of a JPEG, one behind the other, or in more where these would be too long."""
    length = min(len(data) // 3 + 1, 60_000)
    pieces = [data[at : at + length] for at in range(0, len(data), length)]
    return JPEG[:2] + b"".join(b"\xff\xfe" + struct.pack(">H", len(each) + 2) + each for each in pieces) + JPEG[2:]


FORMATS: dict[str, Callable[[bytes], bytes]] = {
    "behind a JPEG": lambda data: JPEG + data,
    "in a JPEG without an end": lambda data: JPEG[:-2] + data,
    "in comments": in_comments,
    "behind a PNG": lambda data: PNG + data,
    "between the segments": lambda data: JPEG[:2] + data + JPEG[2:],
    "behind a gzip": lambda data: gzip.compress(b"a") + data,
    "in a chunk": lambda data: PNG[:-12] + chunk(b"tEXt", b"a\0" + data) + PNG[-12:],
    "in a GIF": lambda data: GIF[:-1] + data + b";",
    "as the pixels of a TIFF": lambda data: TIFF + data,
    "as a text": lambda data: b"these are words\n" + data,
    "in a page": lambda data: b"<!DOCTYPE html><html><body>" + data,
    "in a mail": lambda data: (
        b"From: a@example.org\r\nMIME-Version: 1.0\r\nSubject: b\r\nTo: c@example.org\r\n\r\n" + data
    ),
    "as nothing that is known": lambda data: b"\x01\x02\x03\x04\x05\x06\x07\x08\x00\xfe" + data,
    "in a program": lambda data: b"\x7fELF\x02\x01\x01".ljust(64, b"\0") + data,
}
FILLERS = {
    "a pink": b"\xff\xd8\xff",
    "a pink with alpha": b"\xff\xd8\xff\xff",
    "a green": b"\x1f\x8b\x08",
    "GIFs": b"GIF89a",
    "bitmaps": b"BM\0\0\x20\0\0\0\0\0\x36\0\0\0\x28\0\0\0",
    "TIFFs": b"II*\0",
    "archives": b"PK\x03\x04",
    "boxes": b"\0\0\0\x08free",
    "streams of zlib": b"\x78\x9c",
    "introducers": b"\x21\xfe\0",
    "short extensions": b"\x21\xfe\1a\1b\0",
    "documents": b"%PDF-1.4\n",
    "yEnc": b"\n=ybegin line=1 size=1 name=a\n",
    "drawings": b"<svg ",
    "scripts": b"<script>",
    "foreign": b"<foreignObject>",
    "rules": b"@media ",
    "gradients": b"gradient(",
    "fields": b"fill:a(",
    "addresses": b"data:,",
    "fill bytes": b"\xff",
    "no markers": b"\xff\0",
    "frames of Zstandard": b"\x28\xb5\x2f\xfd\0\0\1\0\0",
    "files of gzip": gzip.compress(b"", mtime=0),
    "padding": b"\0",
    "escapes": b"\\x41",
}


def cost(data: bytes) -> tuple[int, set[str]]:
    """(calls that it takes to look through the content, what it was held for): of Python's own functions and of others,
    counted by the interpreter's profiler, which makes none itself."""
    limits, profiler = Limits(max_parts=MOST), cProfile.Profile()
    reasons = profiler.runcall(lambda: {str(place.error.reason) for place in walked(data, limits) if place.error})
    return sum(entry.callcount for entry in profiler.getstats()), reasons


def walked(data: bytes, limits: Limits) -> list[Any]:
    return list(walk(OpenedContent(data, Mode.FAST, limits), Budget(limits, len(data))))


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMATS)
def test_twice_as_many_beginnings_cost_twice_as_much_at_most(form):
    make = FORMATS[form]
    for name, unit in FILLERS.items():
        once, twice = (cost(make(unit * count))[0] for count in (BEGINNINGS, 2 * BEGINNINGS))
        assert twice < 2.2 * once + 10_000, name


@pytest.mark.slow
@pytest.mark.parametrize("unit", ["a pink", "a green", "TIFFs", "streams of zlib", "bitmaps"])
@pytest.mark.parametrize("form", ["as the pixels of a TIFF", "in a program", "behind a JPEG"])
def test_places_that_are_found_are_not_kept(form, unit):
    once, more = (peak(FORMATS[form](FILLERS[unit] * (size // len(FILLERS[unit])))) for size in KEPT)
    further = KEPT[1] - KEPT[0]
    assert more - once < 12 * further, f"{(more - once) / further:.0f} bytes for each"


def peak(data: bytes) -> int:
    """Most bytes that were had at once while the content was looked through."""
    limits = Limits(max_parts=MOST)
    walked(data[:1000], limits)
    tracemalloc.start()
    walked(data, limits)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return most


@pytest.mark.parametrize("unit", [b"<script ", b"<style ", b"<foreignObject ", b"<symbol ", b"<svg ", b"<path d='"])
@pytest.mark.parametrize("begin", [b"<!doctype html><html>", b"<svg xmlns='http://www.w3.org/2000/svg'>"])
def test_tags_without_an_end_are_looked_for_once(unit, begin):
    """The square of so many took a pattern, which no budget ends, over half a minute."""
    limits = Limits(max_parts=MOST, timeout_s=20.0)
    reasons = {place.error.reason for place in walked(begin + unit * (600_000 // len(unit)), limits) if place.error}
    assert Shortcoming.TIMEOUT not in reasons


def test_a_gif_of_introducers_is_gone_through_at_once():
    for unit in (b"\x21\xfe\0", b"\x21\xfe\1a\1b\0", b"\x21", b"\x01"):
        calls, _ = cost(GIF[:-1] + unit * (1_000_000 // len(unit)) + b";")
        assert calls < 20_000, unit


def test_a_flat_colour_is_no_multitude_of_pictures():
    """Nor is one with alpha; both may be the background of a drawing."""
    for colour in (b"\xff\xd8\xff", b"\xff\xd8\xff\xff"):
        _, reasons = cost(b"\x01\x02\x03\x04\x05\x06\x07\x08\x00\xfe" + colour * 1000)
        assert Shortcoming.TOO_MANY_PARTS not in reasons


@pytest.mark.parametrize("element", ["g", "svg", "a", "path", "svg:g"])
@pytest.mark.parametrize("ends", [True, False])
def test_a_drawing_whose_elements_lie_deep_in_each_other_is_held_without_being_drawn(element, ends):
    """Here, in this process: the library would end it."""
    begin = b'<svg xmlns="http://www.w3.org/2000/svg" xmlns:svg="http://www.w3.org/2000/svg">'
    for depth in (250, 5_000):
        name = element.encode()
        data = begin + b"<%b>" % name * depth + (b"</%b>" % name * depth + b"</svg>" if ends else b"")
        assert cost(data)[1] == {Shortcoming.NOT_RENDERED}
    drawn = begin + b"<g>" * 100 + b'<rect width="90" height="90"/>' + b"</g>" * 100 + b"</svg>"
    assert cost(drawn)[1] == set()
