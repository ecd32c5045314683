"""Drawings in SVG: drawn by resvg and screened, however small they are.

The picture that comes of it is looked at like an uploaded one, so its transparency is looked at on every ground. What
moves, or draws by a script, is held as not drawn.
"""

import io
import re
from collections.abc import Iterator

from PIL import Image, ImageChops

from tutela.content.media.confined.budget import Budget
from tutela.content.media.confined.containers.drawn_text import outlined
from tutela.content.media.confined.containers.letter_pictures import has_holes
from tutela.content.media.confined.containers.page import STATES, TONES, nesting
from tutela.content.media.confined.containers.page_styles import MANY, has_long_path, pieces
from tutela.content.media.confined.paired import paired, tags
from tutela.content.media.confined.parts import InnerFile, Part, Unread
from tutela.content.media.content import Content, Shortcoming
from tutela.errors import UnscreenableError

try:
    import resvg_py
except ImportError:  # without the extra a drawing is held
    resvg_py = None  # type: ignore[assignment]

_SIDE = 768
_CLOSER = 4096
"""Pixels along the longer side of what is drawn, and at most where only a part of it has anything in it."""
_SMALLEST = 64
_DPI = 96
"""Pixels of an inch (CSS Values 4, 6.2): by itself the library has none, so that nothing in points has a size."""
_MOVES = re.compile(rb"<(?:[\w.\x80-\xff-]+:)?(?:animate\w*|set|discard)\b|@keyframes", re.IGNORECASE)
_SCRIPT = re.compile(rb"<(?:[\w.\x80-\xff-]+:)?script\b", re.IGNORECASE)
_IMAGE = re.compile(rb"<(?:[\w.\x80-\xff-]+:)?(?:fe)?image\b", re.IGNORECASE)
_COMPUTED_DASHES = re.compile(rb"dasharray\s*:[^;\"'<>{}()]*\(", re.IGNORECASE)
_MANY_DASHES = 16
_FOREIGN = re.compile(rb"<(?:[\w.\x80-\xff-]+:)?foreignObject\b[^>]*>", re.IGNORECASE)
_FOREIGN_END = re.compile(rb"</(?:[\w.\x80-\xff-]+:)?foreignObject", re.IGNORECASE)
_COLOUR = re.compile(rb"#[0-9a-fA-F]{6}\b|\brgb\([^()]{5,40}\)")
_UNKNOWN_COLOUR = re.compile(rb"\b(?:var|oklch|oklab|lch|lab|hwb|color|color-mix|light-dark)\(", re.IGNORECASE)
_MANY_COLOURS, _DISTINCT = 256, 64
_LANGUAGE = re.compile(rb"""\ssystemLanguage\s*=\s*["']([^"']*)["']""")
_MOST_LANGUAGES = 8
_SYMBOL = re.compile(rb"<symbol\b([^>]*)>", re.IGNORECASE)
_SYMBOL_END = re.compile(rb"</symbol>", re.IGNORECASE)
_SMALLEST_SYMBOL = 1024
_TAG = re.compile(rb"<(/?)[A-Za-z_][^<>]*?(/?)>")
_MOST_NESTED = 200
"""Elements in each other; with 250 the library's stack is full, and with it the process ends."""
_ELSEWHERE = re.compile(rb"""((?:xlink:)?href|src)\s*=\s*(["'])(?!\s*(?:data:|\#))[^"']*\2""", re.IGNORECASE)
_BEYOND = re.compile(
    rb"@(?!media|font-face|charset)[a-z]|<\?xml-stylesheet|<!ATTLIST|\xe2\x96|context-(?:fill|stroke)|\\[0-9a-f]|\{[^{}]*\{"
    rb"|(?<![\w-])(?!(?:rgba?|hsla?|url|matrix|translate|scale|rotate|skew[xy])\()[a-z-]{2,30}\("
    rb"|\b(?:rgb|hsl)a?\([^()]{0,60}(?:/|[a-z(])|:[a-z-]+[^:;{}\"<>]{0,200}\{|\[[\w-]+[$^*|]?=|[~+][^;{}<>\"]{0,200}\{"
    rb"|[;{\"'\s](?:[xyrd]|[cr][xy]|width|height|translate|rotate|scale|transform|offset-[a-z]+)\s*:"
    rb"|[;{\"'\s](?:clip-path|mask|filter)\s*:\s*(?!url|none)|\s[xy]\s*=\s*[\"'][-+.\d]+(?!px)[a-z]|[\"']/\*",
    re.IGNORECASE,
)
"""What browsers know of styles and our renderer does not. The engine for pages knows more of it, and says what it does
not know."""
_DECLARES = re.compile(rb"<!(?:ENTITY|ATTLIST)|\bcontext-(?:fill|stroke)\b")
"""Entities and attributes that only readers of XML know, colours of what uses a marker."""
_CDATA = re.compile(rb"<!\[CDATA\[|\]\]>")
_LETTERS = re.compile(rb"<(?:[\w.\x80-\xff-]+:)?(?:text|tspan)\b")
_ANY_TAG = re.compile(rb"<[^<>]*>")
_PRESERVED = re.compile(rb"""xml:space\s*=\s*(?:"preserve"|'preserve')""")
_NAMESPACE = b'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
_MEDIA = re.compile(rb"@media\b[^{};@]*\{((?:[^{}]*\{[^{}]*\})*[^{}]*)\}", re.IGNORECASE)


class Drawing:
    """The drawing as a picture; what is in a small part of it once more, larger."""

    def parts(self, content: Content, budget: Budget) -> Iterator[Part]:
        text = _without_addresses(content.text)
        for holds, reason in (
            (_MOVES.search(text), "it moves"),
            (_SCRIPT.search(text), "a script in it may draw"),
            (_IMAGE.search(text) and TONES.search(text), "it shows pictures through filters"),
            (len(_COMPUTED_DASHES.findall(text)) >= _MANY_DASHES, "it has lines of dashes that are not drawn here"),
            (outlined(text), "it has a long outline that is not drawn here"),
            (has_long_path(text) and _BEYOND.search(text), "it has a long outline in styles that are not drawn here"),
        ):
            if holds:
                yield Unread("drawing", UnscreenableError(Shortcoming.NOT_RENDERED, reason))
        if foreign := b"".join(
            text[begin.end() : end.start()] for begin, end in paired(text, tags(text, _FOREIGN), _FOREIGN_END)
        ):
            yield InnerFile("page within", b"<html>" + foreign, speculative=True)
        if (pieces(text) >= MANY and _BEYOND.search(text)) or _has_letters(text):
            if _DECLARES.search(text):
                reason = "it declares what is not drawn here"
                yield Unread("drawing", UnscreenableError(Shortcoming.NOT_RENDERED, reason))
            spaced = _PRESERVED.sub(b"style='white-space:pre'", _CDATA.sub(b"", text))
            yield InnerFile("drawing as a page", b"<!doctype html><html>" + spaced)
        for reading in dict.fromkeys((text, _MEDIA.sub(rb"\1", text), STATES.sub(b"", text), *_in_languages(text))):
            yield from _drawn(reading, "drawing", budget)
        if len(set(_LANGUAGE.findall(text))) > _MOST_LANGUAGES:
            reason = "it shows something else in each of many languages"
            yield Unread("drawing", UnscreenableError(Shortcoming.PARTLY_SCREENED, reason))
        if _left_out(text):
            reason = "it has colours that are not drawn here"
            yield Unread("drawing", UnscreenableError(Shortcoming.NOT_RENDERED, reason))
        symbols = paired(text, tags(text, _SYMBOL), _SYMBOL_END, _SMALLEST_SYMBOL)
        for number, (begin, end) in enumerate(symbols, start=1):
            budget.spend_part()
            alone = b"<svg %b %b>%b</svg>" % (_NAMESPACE, begin[1], text[begin.end() : end.start()])
            yield from _drawn(alone, f"symbol {number}", budget)


def _has_letters(text: bytes) -> bool:
    """Whether letters of the drawing may be a picture. Our renderer has no fonts, the engine for pages has some."""
    count = len(_LETTERS.findall(text)) if b"text" in text else 0
    return count >= MANY or (count > 0 and has_holes(_ANY_TAG.sub(b"", text)))


def _left_out(text: bytes) -> bool:
    """Whether browsers paint colours that our renderer does not know, or far more than it painted."""
    if len(_UNKNOWN_COLOUR.findall(text)) >= _MANY_COLOURS:
        return True
    wanted = {colour.lower() for colour in _COLOUR.findall(text)}
    if len(wanted) < _DISTINCT:
        return False
    painted = render(text, _SIDE).convert("RGB").getcolors(_SIDE * _SIDE) or ()
    return len(painted) * 2 < len(wanted)


def _in_languages(text: bytes) -> Iterator[bytes]:
    """The drawing as it is for readers of each language that it names (SVG 2, 5.9)."""
    for language in list(dict.fromkeys(_LANGUAGE.findall(text)))[:_MOST_LANGUAGES]:

        def chosen(found: re.Match[bytes], language: bytes = language) -> bytes:
            return b"" if found[1] == language else b' systemLanguage="zxx"'

        yield _LANGUAGE.sub(chosen, text)


def _drawn(text: bytes, name: str, budget: Budget) -> Iterator[Part]:
    budget.check_time()
    picture = render(text, _SIDE)
    if min(picture.size) < _SMALLEST:
        picture = render(text, _CLOSER)
    shown = _shown(picture)
    if shown is None:
        return
    yield _file(name, picture, budget)
    left, top, right, bottom = shown
    share = max((right - left) / picture.width, (bottom - top) / picture.height)
    if share < 0.5:
        closer = render(text, min(_CLOSER, int(_SIDE / share)))
        scale = closer.width / picture.width
        part = closer.crop((round(left * scale), round(top * scale), round(right * scale), round(bottom * scale)))
        yield _file(f"{name}, closer", part, budget)


def render(text: bytes, side: int) -> Image.Image:
    """The drawing with its longer side of so many pixels. Raises UnscreenableError where it cannot be drawn."""
    if resvg_py is None:
        raise UnscreenableError(Shortcoming.NOT_RENDERED, "drawings are drawn with the extra tutela[archives]")
    if nesting(text, _TAG) > _MOST_NESTED:
        raise UnscreenableError(Shortcoming.NOT_RENDERED, "its elements lie too deep in each other to be drawn")
    try:
        drawn = resvg_py.svg_to_bytes(
            svg_string=text.decode("utf-8", "replace"), skip_system_fonts=True, width=side, height=side, dpi=_DPI
        )
    except (KeyboardInterrupt, SystemExit, MemoryError):
        raise
    except BaseException as error:  # a fault in Rust is no Exception
        shortcoming = Shortcoming.NOT_RENDERED if _may_be_a_picture(text) else Shortcoming.UNREADABLE
        raise UnscreenableError(shortcoming, "it cannot be drawn: {kind}", kind=type(error).__name__) from None
    return Image.open(io.BytesIO(drawn))


def _may_be_a_picture(text: bytes) -> bool:
    """Whether a reader that takes what is no XML would be shown more than a sign: programs have such in their text,
    with values of their own."""
    return pieces(text) >= MANY or has_long_path(text) or any(mark.search(text) for mark in (_IMAGE, _FOREIGN, _SCRIPT))


def _without_addresses(text: bytes) -> bytes:
    """The drawing without what it asks for from elsewhere."""
    return _ELSEWHERE.sub(rb'\1=""', text)


def _shown(picture: Image.Image) -> tuple[int, int, int, int] | None:
    """Where there is anything: what is not transparent, or else not as the corners are. None where all is alike."""
    rgba = picture.convert("RGBA")
    if rgba.getchannel("A").getextrema() != (255, 255):
        return rgba.getchannel("A").getbbox()
    right, bottom = rgba.width - 1, rgba.height - 1
    corners = [rgba.getpixel(at) for at in ((0, 0), (right, 0), (0, bottom), (right, bottom))]
    ground = Image.new("RGBA", rgba.size, max(corners, key=corners.count))
    return ImageChops.difference(rgba, ground).convert("RGB").getbbox()


def _file(name: str, picture: Image.Image, budget: Budget) -> InnerFile:
    file = io.BytesIO()
    picture.save(file, "PNG", compress_level=1)
    budget.spend_bytes(file.tell())
    return InnerFile(name, file.getvalue())
