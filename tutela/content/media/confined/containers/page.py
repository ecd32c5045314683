"""Pages of HTML, bodies of mail too: what draws by fields, drawings or pieces of pictures is laid out and screened.

PlutoBook lays the page out as a PDF, in which what touches is found however large the page is. It loads nothing and
runs no script: a page that draws by script, or in ways that it does not know, is held as not drawn.
"""

import contextlib
import io
import itertools
import re
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence

from tutela.content.media.confined.budget import Budget
from tutela.content.media.confined.containers import block_letters
from tutela.content.media.confined.containers.letter_pictures import HOLES, has_holes, letter_pictures
from tutela.content.media.confined.containers.page_styles import MANY, MANY_IN_TWO, VARIED, PageStyles, pieces
from tutela.content.media.confined.encodings import addresses_in
from tutela.content.media.confined.paired import paired, tags
from tutela.content.media.confined.parts import InnerFile, InnerPicture, Part, Unread
from tutela.content.media.content import Content, Shortcoming
from tutela.content.media.profile import Profile
from tutela.content.media.sniff import MediaType
from tutela.errors import UnscreenableError

try:
    import plutoprint
except ImportError:  # without the extra a page that draws is held
    plutoprint = None  # type: ignore[assignment]

_FEW = 64
"""Coloured things on a page that draw nothing yet."""
_MANY_FIELDS = 256
_OF_A_SHADOW = 5
"""Commas and one in a shadow of a button: two parts, or a colour in numbers."""
_MOST_NESTED = 400
"""Elements in each other; more would be too deep for the library."""
_WIDTH, _HEIGHT = 768.0, 14_400.0
"""Points of a sheet that a page is laid out on: as tall as PDF allows, so that few pages are cut."""
_FUNCTIONS = ("rgb", "hsl", "hwb", "lab", "lch", "oklab", "oklch", "color")
_COLOURED = tuple(
    (mark.encode(), re.compile(pattern.encode()))
    for mark, pattern in (
        ("bgcolor", "bgcolor"),
        ("background", "background"),
        ("<", r"<(?:\w+:)?(?:svg|rect|path|image|input|object|embed)\b"),
        (":", r"border(?:-\w+)?\s*:"),
        ("#", r"#[0-9a-f]{3,8}\b"),
        ("(", r"\((?:" + "|".join(rf"(?<=\b{name}{more}\()" for name in _FUNCTIONS for more in ("", "a")) + ")"),
    )
)
"""In lower case. What must be there for it is looked for first, which costs next to nothing: a pattern looks at every
letter of every text."""
_PICTURE = re.compile(rb"<(?:img|image|picture)\b|url\(")
_DRAWS = re.compile(
    rb"""<(?:[\w.\x80-\xff-]+:)?(?:style|svg)[\s/>]|<(?:link|script)[\s/>]|<\?xml-stylesheet\s|<(?:progress|meter)\b"""
    rb"""|(?:style|color|background)\s*="""
    rb"""|<(?:img|image|picture|source|input|object|embed|i?frame|video)[\s/>]|<!ENTITY\s"""
    rb"""|getContext|putImageData|createImageData|OffscreenCanvas|fillRect""",
    re.IGNORECASE,
)
"""A page that has none of these, and runs nothing, shows letters in one colour. Other text and samples that are
not compressed have elements and numbers of colours by chance, but none of these."""
_RUNS = re.compile(rb"\bon[a-z]{3,30}\s*=|javascript:", re.IGNORECASE)
_ELEMENT = re.compile(rb"<[a-z]")
_TAG = re.compile(
    rb"<(/?)(?!(?:p|li|td|th|tr|br|hr|img|meta|link|input|col|dt|dd|option|wbr|source|area|base|tbody|thead|path|rect)\b)"
    rb"[a-z][^<>]*?(/?)>",
    re.IGNORECASE,
)
_SCRIPT = re.compile(rb"<script\b[^>]*>", re.IGNORECASE)
_DATA_BLOCK = re.compile(rb"""<script\s+type\s*=\s*["']?application/(?:ld\+)?json["'\s>]""", re.IGNORECASE)
"""Data for programs that read pages, which no browser runs."""
_SCRIPT_END = re.compile(rb"</script", re.IGNORECASE)
_PAINTS = re.compile(rb"getContext|putImageData|createImageData|OffscreenCanvas|fillRect")
_CODE = re.compile(rb"<(?:script|style)\b[^>]*>", re.IGNORECASE)
_CODE_END = re.compile(rb"</(?:script|style)", re.IGNORECASE)
_ANY_TAG = re.compile(rb"<[^<>]*>")
_FEW_LETTERS = re.compile(rb">(?:[^<>\s]{1,2}|&[\w#]{1,8};)</")
"""In an element of their own."""
_WIDE_SPACE = re.compile(rb"[^\s\xa0](?: |\xc2\xa0){3}")
"""Wherever it stands: styles and attributes have letters that are shown, too."""
_HANDLER = re.compile(rb"""\bon[a-z]{3,30}\s*=\s*("[^"]*"|'[^']*'|[^\s>]+)|javascript:[^"'<>]+""", re.IGNORECASE)
"""Scripts that stand in attributes."""
_STYLE = b"text/css"
_DATA = re.compile(rb"(?:[-\d.]{1,6}\s{0,4},\s{0,4}){192}")
_UNKNOWN_PAINT = re.compile(
    (
        r"-shadow(?:(?<=box-shadow)|(?<=text-shadow))\s*:|\((?:(?<=gradient\()|"
        + "|".join(rf"(?<=\b{name}\()" for name in ("oklch", "oklab", "lch", "lab", "hwb", "color", "color-mix"))
        + ")"
    ).encode()
)
"""In lower case, told from its end: few texts have these letters, many have the first ones of the names."""
_WRAPPED = re.compile(
    rb"@(?:media|supports|layer|container|scope)\b[^{};@]*\{((?:[^{}]*\{[^{}]*\})*[^{}]*)\}", re.IGNORECASE
)
STATES = re.compile(rb":(?:hover|active|focus(?:-within|-visible)?|target|checked|visited|link)\b", re.IGNORECASE)
"""What a rule of style waits for; then it holds, and another part may be shown."""
_SOURCE = re.compile(rb"""\bsrcdoc\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>][^\s>]*))""", re.IGNORECASE)
_FIELD_COLOUR = re.compile(
    rb"""(?:bgcolor\s*=\s*["']?|background(?:-color)?\s*:\s*|fill(?:color)?\s*[:=]\s*["']?)\s*(#[0-9a-f]{3,8}|\w+\([^()]*[()])""",
    re.IGNORECASE,
)
_PLAIN_LETTERS = b"<style>* { font-family: monospace !important }</style>"
"""Fonts of other names cannot be looked for here."""
_CLOSED = b"<style>table { border-spacing: 0 !important }</style>"
"""Cells with gaps between them do not touch, and are one picture to who looks at them."""
_EMBEDS = re.compile(rb"<(?:img|image|picture|input|object|embed|svg|video|canvas)\b|url\(", re.IGNORECASE)
_STRONGLY = (
    rb"(?:contrast|brightness)\(\s*(?:(?:[2-9]|[1-9]\d+)(?:\.\d*)?\s*\)|(?:[2-9]\d\d|[1-9]\d{3,})(?:\.\d*)?%|[a-z])"
)
_FILTERS = re.compile(
    rb"filter\s*:[^;{}\"'<>]{0,200}?\b(?:(?:invert|url)\(|" + _STRONGLY + rb")"
    rb"|blend-mode\s*:\s*(?!normal|inherit|initial|unset)[a-z]|object-view-box\s*:",
    re.IGNORECASE,
)
"""Of the ways to show a picture otherwise those after which it has another hash, and that are not drawn here."""
_MIXES = re.compile(
    rb"\bcross-fade\(|filter\s*:[^;{}\"'<>]{0,200}?\bopacity\(|mask(?:-image)?\s*:[^;{}\"<>]{0,200}?gradient\(",
    re.IGNORECASE,
)
_MIXED = b"data:image"
"""What shows one of two pictures through the other; of each alone nothing can be told."""
TONES = re.compile(
    rb"<(?:\w+:)?fe(?:displacementmap|convolvematrix)\b"
    rb"|<(?:\w+:)?fefunc[rgb]\s(?=[^<>]*?\s?(?:tablevalues\s*=\s*[\"'](?:[-+.\de]+[\s,]+){16}"
    rb"|(?:slope|amplitude|exponent)\s*=\s*[\"']\s*-?(?:[4-9]|[1-9]\d)))"
    rb"|<(?:\w+:)?fecolormatrix\s[^<>]*?values\s*=\s*[\"'][^\"']*?(?<![\d.])(?:[4-9]|[1-9]\d)",
    re.IGNORECASE,
)
"""Filters of drawings that show what can hardly be seen, or move it elsewhere; drawn smaller, they show more."""
_STREAM = re.compile(rb"stream\r?\n(.*?)\r?\nendstream", re.DOTALL)
_PAINTED = re.compile(rb"[\d.]+ (?:[\d.]+ [\d.]+ rg|g)\b")
_FIELD = re.compile(rb"([\d.]+ (?:[\d.]+ [\d.]+ rg|g)\b)| f\*?\n")
"""A colour, or a field in it."""
_UPRIGHT = re.compile(rb"-?[\d.]+ (-?[\d.]+) (-?[\d.]+) (-?[\d.]+) re\s* f\*?\n")
_OUTLINED = re.compile(rb"((?:-?[\d.]+\s+){2}m\b[^f]{0,600}?) f\*?\n")
_MOVE = re.compile(rb"((?:-?[\d.]+\s+){2})m\b")
_NUMBER = re.compile(rb"-?[\d.]+")
"""Fields: top, width and height, or outlines of points, of which the second leaves a hole."""
_THIN, _TALL = 2.0, 1.5 * _WIDTH
"""Points of a line between fields, and of the tallest picture that is taken for one: words that have a ground of their
own, such as names in code, lie in hundreds on a page, but not so near to each other."""


class WebPage:
    """The page as a document, where it may draw."""

    def parts(self, content: Content, budget: Budget) -> Iterator[Part]:
        text = content.text
        addressed = list(addresses_in(text))
        if reason := _beyond_us(text, addressed) or _not_expected(content, addressed):
            yield _not_drawn(reason)
        for source in _SOURCE.finditer(text) if b"=" in text else ():
            yield InnerFile("page within", _unescaped(source[1] or source[2] or source[3] or b""), speculative=True)
        text += b"".join(b"<style>%b</style>" % data for said, data in addressed if said.startswith(_STYLE))
        styles = PageStyles(text) if pieces(text) >= MANY else None
        if styles is not None and styles.is_unknown_picture:
            yield _not_drawn("it has many elements of styles that are not drawn here")
        is_page = content.media_type is MediaType.HTML
        if not is_page:
            for number, picture in enumerate(letter_pictures(text), start=1):
                budget.check_time()
                yield InnerPicture(f"letters {number}", picture, only_letters=True)
        if not (may_draw(text) or (is_page and (_has_enough(text) or _has_letters(text)))):
            return
        plain = (text + _PLAIN_LETTERS,) if is_page and b"font" in text and _has_letters(text) else ()
        many = len(_FIELD_COLOUR.findall(text)) >= _MANY_FIELDS or (styles is not None and styles.paints_a_picture)
        closed = (text + _CLOSED,) if many else ()
        lowered = styles.lowered() if styles is not None else ()
        shown = dense = False
        for reading in dict.fromkeys((text, _unwrapped(text), STATES.sub(b"", text), *closed, *lowered, *plain)):
            budget.check_time()
            document = _laid_out(reading)
            budget.spend_bytes(len(document))
            yield InnerFile("page", document)
            shown = shown or (styles is not None and _shows_fields(document))
            dense = dense or (styles is not None and styles.has_unknown and _are_dense(document))
            if _left_out(reading, document):
                yield _not_drawn("it has fields of colours that are not drawn here")
        if dense or (styles is not None and shown and styles.has_unknown):
            yield _not_drawn("its fields may be shown otherwise than they are drawn here")
        if styles is not None and not shown and styles.wanted.is_a_picture:
            yield _not_drawn("it has many fields that are not drawn here")


def _has_letters(text: bytes) -> bool:
    """Whether a page may be a picture of letters: they have elements of their own, or there is much between them."""
    if len(_FEW_LETTERS.findall(text)) >= _MANY_FIELDS:
        return True
    text = _unescaped(text) if b"&" in text else text
    return len(_WIDE_SPACE.findall(text)) >= HOLES or has_holes(_ANY_TAG.sub(b"", _without_code(text)))


def _without_code(text: bytes) -> bytes:
    """The page without its scripts and style sheets."""
    shown = []
    at = 0
    for begin, end in paired(text, tags(text, _CODE), _CODE_END):
        shown.append(text[at : begin.start()])
        at = end.start()
    return b"".join((*shown, text[at:]))


def may_show(text: bytes) -> bool:
    """Whether bytes that are no document are worth looking at as a page: something is drawn, or would be held."""
    if _beyond_us(text, ()):
        return True
    enough = _has_enough(text)
    if not (enough or pieces(text) >= MANY) or not _DRAWS.search(text):
        return False
    if enough:
        return True
    styles = PageStyles(text)
    return styles.is_unknown_picture or styles.wanted.is_a_picture


def may_draw(text: bytes) -> bool:
    """Whether there is enough of colours or pictures in the text for a picture that is put together."""
    # Few texts come so far as to the patterns, which look at every letter.
    return _has_enough(text) and (_DRAWS.search(text) or _RUNS.search(text)) is not None


def _has_enough(text: bytes) -> bool:
    if b"<" not in text:
        return False
    lower = text.lower()
    coloured = sum(1 for mark, pattern in _COLOURED if mark in lower for _ in pattern.finditer(lower))
    if coloured >= _FEW or len(_PICTURE.findall(lower)) >= 2:
        return True
    return sum(1 for _ in _ELEMENT.finditer(lower)) >= _MANY_FIELDS


def _beyond_us(text: bytes, addressed: Sequence[tuple[bytes, bytes]]) -> str | None:
    """Why the page may show more than is drawn here."""
    if any(_PAINTS.search(script) or _DATA.search(script) for script in _scripts(text, addressed)):
        return "a script in it may draw"
    if (b"(" in text or b"-" in text) and _paints_much(text.lower()):
        return "it draws with shadows or gradients"
    if b"<" in text and shows_otherwise(text):
        return "it shows pictures through filters"
    if block_letters.are_many(text):
        return "it draws with letters that are blocks"
    return None


def shows_otherwise(text: bytes) -> bool:
    """Whether pictures in the text are shown through what is not drawn here as browsers do."""
    if not _EMBEDS.search(text):
        return False
    is_mixed = text.count(_MIXED) > 1 and _MIXES.search(text) is not None
    return is_mixed or _FILTERS.search(text) is not None or (b"fe" in text and TONES.search(text) is not None)


def _not_expected(content: Content, addressed: Sequence[tuple[bytes, bytes]]) -> str | None:
    """What no carrier of pictures needs: nobody can say what a program shows."""
    if content.limits.profile is not Profile.PICTURES:
        return None
    if any(script.strip() for script in _scripts(_DATA_BLOCK.sub(b"", content.text), addressed)):
        return "a script in it may draw, which is not expected here: the profile is 'pictures'"
    return None


def _scripts(text: bytes, addressed: Sequence[tuple[bytes, bytes]]) -> Iterator[bytes]:
    """What runs when the page is shown: in elements, in attributes, and behind addresses."""
    if b"<" not in text:
        return
    for begin, end in paired(text, tags(text, _SCRIPT), _SCRIPT_END):
        yield text[begin.end() : end.start()]
    for handler in _HANDLER.finditer(text):
        yield _unescaped(handler.group()) if b"&" in handler.group() else handler.group()
    for said, data in addressed:
        if b"script" in said:
            yield data


def _paints_much(text: bytes) -> bool:
    """Whether shadows and gradients in a text in lower case have many parts; how many more is not asked.

    Those of few parts that are said once more count once: frameworks give every button its shadow again.
    """
    count = 0
    few: set[bytes] = set()
    for paint in _paints(text):
        parts = 1 + paint.count(b",")
        if parts <= _OF_A_SHADOW:
            if paint in few:
                continue
            few.add(paint)
        count += parts
        if count >= _FEW * 4:
            return True
    return False


def _paints(text: bytes) -> Iterator[bytes]:
    for found in _UNKNOWN_PAINT.finditer(text):
        end = min((at for at in (text.find(b";", found.end()), text.find(b"}", found.end())) if at >= 0), default=-1)
        yield text[found.start() : end if end >= 0 else found.end() + 100_000]


def _unwrapped(text: bytes) -> bytes:
    """The page with every rule of its style in force, whatever medium or browser it is for."""
    for _ in range(3):
        text = _WRAPPED.sub(rb"\1", text)
    return text


def _unescaped(text: bytes) -> bytes:
    import html

    return html.unescape(text.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")


_WARMED = (
    ("", "inherit", range(1, 41)),
    ("", "monospace", range(1, 41)),
    ("", "sans-serif", range(6, 25)),
    ("font-weight:bold", "inherit", range(6, 33)),
    ("font-weight:bold", "monospace", range(6, 25)),
    ("font-weight:bold", "sans-serif", range(8, 25)),
    ("font-style:italic", "inherit", range(10, 19)),
)
"""Fonts that letters are drawn in: for each size a file is asked for, which a worker cannot do. Cairo keeps 256."""
_NO_TIME = "1970-01-01T00:00:00Z"
"""In what is laid out: the same page has the same hashes in every second."""


def _laid_out(text: bytes) -> bytes:
    if plutoprint is None:
        raise UnscreenableError(Shortcoming.NOT_RENDERED, "pages are drawn with the extra tutela[archives]")
    if nesting(text) > _MOST_NESTED:
        raise UnscreenableError(Shortcoming.NOT_RENDERED, "its elements lie too deep in each other to be drawn")
    size = plutoprint.PageSize(_WIDTH, _HEIGHT)
    book = plutoprint.Book(size, plutoprint.PAGE_MARGINS_NONE, plutoprint.MEDIA_TYPE_SCREEN)
    book.custom_resource_fetcher = _Nothing()
    book.load_html(text.decode("utf-8", "replace"))
    for date in (plutoprint.PDF_METADATA_CREATION_DATE, plutoprint.PDF_METADATA_MODIFICATION_DATE):
        book.set_metadata(date, _NO_TIME)
    file = io.BytesIO()
    book.write_to_pdf_stream(file)
    return file.getvalue()


def prepare() -> None:
    """Open what drawing needs, fonts too, while files may still be opened."""
    if plutoprint is not None:
        looks = ((style, family, size) for style, family, sizes in _WARMED for size in sizes)
        letters = (f"<a style='font-size:{size}px;font-family:{family};{style}'>a</a>" for style, family, size in looks)
        _laid_out("".join(letters).encode())


if plutoprint is not None:

    class _Nothing(plutoprint.ResourceFetcher):
        """What a page asks for from elsewhere is not there."""

        def fetch_url(self, url: str) -> "plutoprint.ResourceData":
            return plutoprint.ResourceData(b"", "text/plain")


def nesting(text: bytes, tags: re.Pattern[bytes] = _TAG) -> int:
    """How deep elements lie in each other, by tags that have groups of what ends one before and behind its name."""
    deepest = depth = 0
    for tag in tags.finditer(text):
        if tag[1]:
            depth -= 1
        elif not tag[2]:
            depth += 1
        deepest = max(deepest, depth)
    return deepest


def _not_drawn(reason: str) -> Unread:
    return Unread("page", UnscreenableError(Shortcoming.NOT_RENDERED, reason))


def _left_out(text: bytes, document: bytes) -> bool:
    """Whether far fewer colours were painted than the fields of the page have."""
    wanted = {colour.lower() for colour in _FIELD_COLOUR.findall(text)}
    if len(wanted) < _FEW // 2:
        return False
    painted = {colour for stream in _streams(document) for colour in _PAINTED.findall(stream)}
    return len(painted) < len(wanted) // 2


def _shows_fields(document: bytes) -> bool:
    """Whether fields are painted of which a picture can be put together."""
    fields: Counter[bytes] = Counter()
    for stream in _streams(document):
        colour = b""
        for found in _FIELD.finditer(stream) if stream.count(b" f") >= MANY else ():
            colour = found[1] or colour
            fields[colour] += not found[1]
    fields = +fields
    return fields.total() >= MANY and len(fields) >= VARIED


def _are_dense(document: bytes) -> bool:
    """Whether so many fields of any colours are painted below each other that they are a picture in two tones."""
    for stream in _streams(document):
        tops = sorted(_tops(stream)) if stream.count(b" f") >= MANY_IN_TWO else []
        if any(last - first <= _TALL for first, last in zip(tops, tops[MANY_IN_TWO - 1 :], strict=False)):
            return True
    return False


def _tops(stream: bytes) -> Iterator[float]:
    """The upper ends of what is painted and is no line, nor a frame of lines, as cells of tables have."""
    for top, width, height in _UPRIGHT.findall(stream):
        if min(abs(float(width)), abs(float(height))) >= _THIN:
            yield float(top)
    for outlined in _OUTLINED.finditer(stream):
        if b" re" in outlined[1]:  # an outline that cuts the field short
            continue
        outlines = [_edges(outline) for outline in _outlines(outlined[1])]
        left, top, right, bottom = outlines[0]
        hole = outlines[1] if len(outlines) > 1 else (right, bottom, left, top)
        widest = max(abs(edge - other) for edge, other in zip(outlines[0], hole, strict=True))
        if min(right - left, bottom - top) >= _THIN and widest >= _THIN:
            yield top


def _outlines(path: bytes) -> Iterator[bytes]:
    begins = [begin.start() for begin in _MOVE.finditer(path)]
    yield from (path[begin:end] for begin, end in itertools.pairwise([*begins, len(path)]))


def _edges(outline: bytes) -> tuple[float, float, float, float]:
    """Left, top, right and bottom."""
    numbers = [float(number) for number in _NUMBER.findall(outline)]
    across, down = numbers[0::2], numbers[1::2]
    return min(across), min(down), max(across), max(down)


def _streams(document: bytes) -> Iterator[bytes]:
    for stream in _STREAM.finditer(document):
        with contextlib.suppress(zlib.error):
            yield zlib.decompressobj().decompress(stream[1])  # whose last byte may look like the end of a line
