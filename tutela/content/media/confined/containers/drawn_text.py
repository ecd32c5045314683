"""Text that other programs than browsers draw: stickers (Lottie), terminals, cells of RTF, formulas with grounds.

None of these is drawn here: a text with enough colours for a picture is held, by what is in it.
"""

import re
from collections.abc import Iterator

from tutela._native import find_literals, has_row
from tutela.content.media.confined.budget import Budget
from tutela.content.media.confined.parts import Part, Unread
from tutela.content.media.content import Content, Shortcoming
from tutela.errors import UnscreenableError

_MOST = 400
"""Coloured things that draw nothing yet: a picture of fewer shows less than PDQ looks at."""
_KINDS = (
    (b'"ty"', re.compile(rb'"ty"\s*:\s*"(?:fl|gf|st|gs)"'), "it draws {count:,} shapes"),
    (
        b"\x1b[",
        re.compile(rb"\x1b\[(?:[\d;:]*?(?:4[0-7]|10[0-7]|[34]8[;:][25][;:][\d;:]+)m|(?:[\d;:]*[;:])?0?7m )"),
        "a terminal draws it",
    ),
    (b"<color", re.compile(rb"<color\b[^<>]*?\svalue\s*=\s*[\"']\d+,"), "a form draws {count:,} fields"),
    (b"SOLID", re.compile(rb"^[ \t]*0\r?\n(?:SOLID|TRACE)\r?$", re.MULTILINE), "it draws {count:,} fields"),
    (b"\\cell", re.compile(rb"\\(?:clcbpat|cbpat|chcbpat|highlight)[1-9]"), "it draws {count:,} coloured cells"),
    (
        b"\\p",
        re.compile(rb"\\p[1-9][^{}]{0,200}\}\s*m\s+-?\d", re.IGNORECASE),
        "it draws {count:,} shapes over a film",
    ),
    (b"mathbackground", re.compile(rb"mathbackground", re.IGNORECASE), "it draws {count:,} coloured formulas"),
)
"""What the text must have in it, what is counted then, and what is said of so much of it."""
_COLOURED_LETTERS = re.compile(rb"\\(?:cf|cb|chcbpat|highlight)(\d{1,4})(?!\d)")
"""Of RTF, by the numbers of their colours; code is coloured in fewer."""
_COLOUR = re.compile(rb"#([0-9a-fA-F]{6})(?:[0-9a-fA-F]{2})?\b")
_NAMED_COLOUR = re.compile(rb'(?:[Ff]ill|[Vv]al|[Cc]olor|rgb)="(?:[0-9a-fA-F]{2})?([0-9a-fA-F]{6})"')
"""As Office documents have them."""
_MANY_COLOURS, _DISTINCT = 1_200, 24
"""Of fields of a map, a diagram or a plot, in whatever language: 40 x 30 of them are a picture. Numbers of six digits
alone may be those of issues."""
_SIXELS = re.compile(rb"(?:\x1bP|\xc2\x90)[\d;]*q[^\x1b]{1024}")
"""DEC's pictures for terminals, and xterm's."""


_IN_OUTLINE = bytes(n in b"MmLlHhVvCcSsQqTtAaZzXxFfNnBbEePp0123456789%,.;+-() \t\r\n" for n in range(256))
_SHORTEST_OUTLINE = 2_048
_OUTLINE = re.compile(rb"[MmLlHhVvCcSsQqTtAaZzXxFfNnBbEePp0-9%,.;+\-() \t\r\n]{2048,}+")
"""What outlines of shapes are written in, by all that have such: styles, slides, pages, subtitles."""
_DRAWN_HERE = re.compile(rb"(?<![\w:-])d\s*=\s*\\?[\"'\s]*\Z")
"""Before the outlines of drawings, which are drawn; others are not."""
_OF_POINTS = re.compile(rb"polygo\w*\(|verticies|draw:points=", re.IGNORECASE)
_MOVE = re.compile(rb"[mM]\s*[-+.\d]")
_NUMBERS = re.compile(rb"[\d.]+")
_MOST_MOVES, _MOST_POINTS = 256, 2_000
"""Fields of one outline that draw nothing yet, or points where it has but one: pictures in two tones have some hundreds
of fields, countries on a map as many points."""
_GEOMETRY, _GEOMETRY_MOVE = b"<a:custGeom", b"<a:moveTo"
_MOST_SHAPES = 1_024
"""Fields of all the outlines on one slide, or paths on one page."""


class DrawnText:
    """Nothing but a word where it draws."""

    def parts(self, content: Content, budget: Budget) -> Iterator[Part]:
        budget.check_time()
        text = content.text
        for mark, pattern, reason in _KINDS:
            draws = mark[:1] in text and find_literals(text, [mark], most=1)
            if draws and (count := len(pattern.findall(text))) >= _MOST:
                yield _held(reason, count)
        numbers = _COLOURED_LETTERS.findall(text) if b"\\" in text else []
        if len(numbers) >= _MANY_COLOURS and len(set(numbers)) >= _DISTINCT:
            yield _held("it draws {count:,} coloured letters", len(numbers))
        if b"<" in text and b"<?xml-stylesheet" in text and (b"/XSL/Transform" in text or b"data:" in text):
            yield _held("a stylesheet in it may draw", 1)
        if (count := _coloured(text)) >= _MANY_COLOURS:
            yield _held("it has {count:,} colours", count)
        if fields := outlined(text):
            yield _held("it draws an outline of {count:,} fields or points", fields)
        if b"<" in text and (fields := _shapes(text)):
            yield _held("it draws {count:,} fields", fields)
        if (b"\x1b" in text or b"\xc2" in text) and _SIXELS.search(text):
            yield _held("a terminal draws it", 1)


def _coloured(text: bytes) -> int:
    """How many colours the text has, where they are as different as those of a picture."""
    marks = sum(text.count(mark) for mark in (b"#", b'="') if mark[:1] in text)
    if marks < _MANY_COLOURS:
        return 0
    colours = [colour.lower() for pattern in (_COLOUR, _NAMED_COLOUR) for colour in pattern.findall(text)]
    lettered = [colour for colour in colours if not colour.isdigit()]
    varied = len(lettered) * 2 > len(colours) and len(set(lettered)) >= _DISTINCT
    return len(lettered) if varied else 0


def outlined(text: bytes) -> int:
    """The fields, or points, of the longest outline that is not drawn here; 0 where none is long."""
    return max(_outlines(text), default=0) if has_row(text, _IN_OUTLINE, _SHORTEST_OUTLINE) else 0


def _outlines(text: bytes) -> Iterator[int]:
    for outline in _OUTLINE.finditer(text):
        before = text[max(0, outline.start() - 40) : outline.start()]
        if _DRAWN_HERE.search(before):
            continue
        fields = len(_MOVE.findall(outline.group()))
        if fields >= _MOST_MOVES:
            yield fields
        elif _OF_POINTS.search(before + outline.group()[:12]):
            points = len(_NUMBERS.findall(outline.group())) // 2
            if points >= _MOST_POINTS:
                yield points


def _shapes(text: bytes) -> int:
    """The fields of the outlines on a slide or in a text of Office, or of a page of XPS, where they are many."""
    geometries = [each.count(_GEOMETRY_MOVE) for each in text.split(_GEOMETRY)[1:]] if _GEOMETRY in text else []
    paths = text.count(b"<Path") if b"<FixedPage" in text else 0
    many = max(geometries, default=0) >= _MOST_MOVES or max(sum(geometries), paths) >= _MOST_SHAPES
    return max(sum(geometries), paths) if many else 0


def _held(reason: str, count: int) -> Unread:
    said = reason + ", and is not drawn here"
    return Unread("drawing", UnscreenableError(Shortcoming.NOT_RENDERED, said, count=count))
