"""Styles of a page that browsers may draw otherwise than we do: how many elements they concern, what can be lowered.

What the renderer does not know (functions, units, selectors, properties, elements) draws nothing here. It is counted by
the elements that it may be for, not by the colours that came of it: whatever else the page paints changes nothing.
"""

import html
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from tutela.content.media.confined.paired import tags

MANY, VARIED = 256, 12
"""Elements, and different looks of them, of which a picture can be put together."""
_FEW_TONES = ((VARIED, MANY), (6, 324), (4, 400), (2, 512))
"""Tones and elements of which a picture can be put together. The ground is a tone, too, and often has most of the
fields: dithered photos came within PDQ's threshold from 324, 400, 576 and 1,296 fields on, in 12, 6, 4 and 2 tones."""
MANY_IN_TWO = _FEW_TONES[-1][1]
_DEEPEST, _LONGEST = 16, 2_000
"""Rules in each other, and letters of a selector that comes of them; it is for any element if it is longer."""
_STYLE = re.compile(rb"<(?:[\w.\x80-\xff-]+:)?style\b[^>]*>", re.IGNORECASE)
_STYLE_END = re.compile(rb"</(?:[\w.\x80-\xff-]+:)?style\b", re.IGNORECASE)
_ATTRIBUTE = re.compile(rb"""[\s"'/](style|class|id)\s*=\s*("[^"]*"|'[^']*'|[^\s>"']+)""")
_PRESENTED = re.compile(
    rb"""\s(fill|stroke|color|(?:stop|flood)-color|filter|mask|[cr]?[xy]|r)\s*=\s*["']?([a-z-]+\([^"'<>]{1,200})"""
)
_GROUND = re.compile(rb"""\s(?:bgcolor|mathbackground)\s*=\s*(["']?[^"'<>]{1,200})""")
_SET = re.compile(
    rb"""<(?:[\w.\x80-\xff-]+:)?(?:set|animate)\b[^<>]{0,1000}?\s(?:to|values|from|by)\s*=\s*["']?([^"'>]{1,200})"""
)
_TAG = re.compile(rb"<(?:[\w.\x80-\xff-]+:)?([a-z][\w-]*)")
_TOKEN = re.compile(
    rb"""/\*.*?(?:\*/|\Z)|<!--|-->|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|url\(\s*[^"'()\s][^()]*\)|[{};]""", re.DOTALL
)
_ESCAPE = re.compile(rb"\\(?:([0-9a-f]{1,6})\s?|([^\n]))")
_WRAPPERS = re.compile(rb"\s*@(?:media|supports|layer|container|scope|starting-style|document)\b", re.IGNORECASE)
_STATES = re.compile(rb":(?:hover|active|focus(?:-within|-visible)?)\b")
_LIGHT_OR_DARK = re.compile(
    rb"light-dark\(\s*((?:[^(),]|\((?:[^()]|\([^()]*\))*\))*),((?:[^()]|\((?:[^()]|\([^()]*\))*\))*)\)", re.IGNORECASE
)
_FUNCTIONS = (
    rb"rgba?|hsla?|hwb|var|calc|min|max|clamp|url|counters?|format|local|tech|matrix|translate[xy]?|rotate|scale[xy]?|skew[xy]?"
    rb"|rect|cubic-bezier|steps|linear|repeat|minmax|fit-content"
)
_UNITS = rb"px|r?em|ex|r?ch|cap|ic|r?lh|v[wh]|vmin|vmax|pt|pc|in|[cm]m|deg|g?rad|turn|m?s|fr|dpi|dpcm|dppx|x"
_PROPERTIES = (
    rb"aspect-ratio|grid(?:-[\w-]+)?|translate|rotate|scale|offset(?:-[\w-]+)?|mask(?:-[\w-]+)?|clip-path|filter|backdrop-filter"
    rb"|border-image(?:-[\w-]+)?|text-stroke(?:-[\w-]+)?|text-emphasis(?:-[\w-]+)?|text-fill-color|accent-color|anchor-name"
    rb"|position-(?:anchor|area|try)|animation(?:-[\w-]+)?|backface-visibility|perspective|transform-style|content-visibility"
    rb"|box-reflect|column-rule(?:-[\w-]+)?|box-shadow|text-shadow|text-decoration-thickness|text-underline-offset|initial-letter|object-view-box"
    rb"|position-visibility|contain-intrinsic-[\w-]+|writing-mode|[cr]?[xy]|r|d"
)
_SYSTEM_COLOURS = (
    rb"canvas(?:text)?|(?:active|visited|link|button|gray|window|info|menu|caption|inactivecaption)text|button(?:face|border"
    rb"|shadow|highlight)|field(?:text)?|highlight(?:text)?|selecteditem(?:text)?|mark(?:text)?|accentcolor(?:text)?"
    rb"|threed\w+|window(?:frame)?|(?:active|inactive|app)(?:border|caption|workspace)|scrollbar|-webkit-[\w-]*(?:text|link)"
)
_UNKNOWN = re.compile(
    rb"(?<![\w-])(?!(?:" + _FUNCTIONS + rb")\()[a-z-][\w-]*\("
    rb"|(?<![\w#.-])[+-]?\.?\d[\d.]*(?:e[+-]?\d+)?(?!(?:" + _UNITS + rb")\b)(?!e[+-]?\d)[a-z]+\b"
    rb"|^(?:-webkit-)?(?:" + _PROPERTIES + rb")\s*:|^text-decoration\s*:.*\d"
    rb"|^display\s*:\s*(?:inline-)?(?:grid|ruby|contents|math)|\((?:\s*)from\b|\b(?:rgb|hsl|hwb)a?\([^()]*\b(?:calc|min|max|clamp)\("
    rb"|^(?:opacity|z-index|order|[\w-]+-opacity)\s*:[^;]*\((?<!var\()"
    rb"|^(?:-|background|border|outline|(?:[\w-]+-)?color|fill|stroke|column-rule)[\w-]*\s*:[^;]*\b(?:"
    + _SYSTEM_COLOURS
    + rb")\b(?!-)"
)
"""A declaration that the renderer does not know."""
_HARMLESS = re.compile(
    rb"^(?:-(?!webkit)|transition|will-change|font|src|unicode|content\s*:|cursor|scroll|overscroll|quotes|list-style|shape|-webkit-(?:font|tap|user|overflow|touch|text-size))"
    rb"|:\s*(?:none|inherit|initial|unset|normal|auto)\s*(?:!\s*important\s*)?$"
)
_KNOWN_SELECTORS = (
    rb"first-child|last-child|only-child|(?:first|last|only|nth|nth-last)-of-type|nth-(?:last-)?child|not|is|where|has|root|empty|link"
    rb"|any-link|visited|hover|active|focus|focus-within|focus-visible|target|target-within|checked|enabled|disabled|before|after|lang"
    rb"|scope|marker|selection|-moz-[\w-]+|-ms-[\w-]+|-webkit-autofill|backdrop|local-link"
)
_UNKNOWN_SELECTOR = re.compile(
    rb"::?(?!(?:" + _KNOWN_SELECTORS + rb")(?![\w-]))[a-z-][\w-]*|:nth-[\w-]*child\([^()]*\bof\b"
)
_INDIRECT = re.compile(
    rb"currentcolor|\battr\(|\binherit\b|sibling-"
    rb"|^(?:-webkit-)?(?:(?:box|text)-shadow|text-stroke|text-emphasis)\s*:(?:[\s,]|inset|!important|[+-]?[\d.]+[a-z]*)*$"
    rb"|^text-decoration[^:]*:.*?(?<![\d.])(?:(?:[3-9]|[1-9]\d+)[\d.]*px|0?\.[2-9]\d*r?em|[1-9][\d.]*(?!px)[a-z%]+|[a-z]+\()"
)
"""What looks otherwise on each element: by its colour, by an attribute, by its place. Shadows and thick lines without a
colour have that of the letters."""
_MOVED = re.compile(rb"var\(|currentcolor|\battr\(|\binherit\b", re.IGNORECASE)
_REGISTERED = re.compile(rb"@property\s+(--[\w-]+)\s*\{.*?initial-value\s*:([^;]+).*", re.DOTALL | re.IGNORECASE)
_VARIABLE = re.compile(rb"var\(\s*(--[\w-]+)")
_UNKNOWN_ELEMENT = re.compile(
    rb"<(?:progress|meter|fieldset|dialog|(?:iframe|object|embed)(?=\b[^<>]*\s(?:data|src|srcdoc|style|type)\s*=))\b|<input\b[^<>]*\stype\s*=\s*[\"']?(?:color|range|checkbox|radio)"
)
_PATH = re.compile(rb"""\bd\s*(?:=\s*["']|:\s*path\(\s*["'])([^"'<>]{100,})""", re.IGNORECASE)
_FEWEST_MOVES = 12
"""In a path of many fields; a sign has fewer."""
_SHAPE = re.compile(rb"<(?:rect|path|circle|ellipse|line|poly(?:gon|line)|use|text)\b")
_SHAPED = re.compile(rb"^(?:(?:-webkit-)?transform|width|height)\s*:")
"""Shapes of a drawing are moved, and have their size, by their attributes alone."""
_HIDES = re.compile(
    rb"<noscript\b|\spopover\b|shadowrootmode|<(?:mask|clippath|filter|switch|button)\b"
    rb"|<(?:audio|video|canvas|i?frame|textarea|select|meter|progress)\b"
)
"""Elements and attributes by which a browser shows less, or something else, than is drawn here."""
_COLOUR = re.compile(rb"\b(?:rgb|hsl)a?\([^()]*\)")
_OF_AN_EDGE = 4
_COLOURS_LETTERS = re.compile(rb"^color\s*:")
"""Letters fill half of their field at most: twice as many of them are a picture."""
_OF_LETTERS = re.compile(rb"^(?:text-(?:decoration|underline)|initial-letter|writing-mode|text-box|text-wrap)")
"""What neither paints a field nor hides or moves one."""
_PAINTS = re.compile(
    rb"^(?:background(?:-color|-image)?|fill|stroke)\s*:(?!\s*(?:none|0|transparent|inherit|initial)\b)"
    rb"|^(?:border|outline)(?:-(?:top|right|bottom|left|block|inline)[\w-]*)?\s*:.*?(?<![\d.])(?:[3-9]|[1-9]\d+)[\d.]*px"
)
"""A field, of which a thin line is none."""


def pieces(text: bytes) -> int:
    """How many elements and fields of paths there are at most."""
    # A single byte is found at once: most texts have none of these, and neither letters nor marks need be counted then.
    elements = text.count(b"<") if b"<" in text else 0
    return elements + sum(count for count in _moves(text) if count >= _FEWEST_MOVES)


def has_long_path(text: bytes) -> bool:
    """Whether one path alone has as many fields as a picture."""
    return max(_moves(text), default=0) >= MANY


def _moves(text: bytes) -> list[int]:
    """How many fields each path has."""
    quoted = b'"' in text or b"'" in text
    paths: list[bytes] = _PATH.findall(text) if quoted and b"path" in text else []
    return [path.lower().count(b"m") for path in paths]


def _makes_a_picture(tones: int, elements: int) -> bool:
    return any(tones >= fewest and elements >= least for fewest, least in _FEW_TONES)


@dataclass(slots=True)
class _Counted:
    """Elements that may look so, and the different looks."""

    elements: int = 0
    looks: set[bytes] = field(default_factory=set)

    def add(self, declaration: bytes, elements: int) -> None:
        if elements:
            self.elements += elements
            self.looks.add(declaration)

    @property
    def is_a_picture(self) -> bool:
        return self.elements >= MANY and len(self.looks) >= VARIED


@dataclass(slots=True)
class _Toned(_Counted):
    """Elements that are painted, hidden or moved by what the renderer does not know; each look is a tone."""

    @property
    def is_a_picture(self) -> bool:
        return _makes_a_picture(len(self.looks) + 1, self.elements)


class PageStyles:
    """What the styles of a page say."""

    def __init__(self, page: bytes) -> None:
        self._page, self._text = page, page.lower()
        text = self._text
        self.unknown, self.wanted = _Counted(), _Counted()
        self._fields, self._letters = _Toned(), _Toned()
        self.nested = False
        self.rules: list[tuple[bytes, bytes]] = []
        self._registered: list[tuple[bytes, bytes]] = []
        self._moves = False
        self._definitions: dict[bytes, set[bytes]] = {}
        for sheet in _sheets(page):
            self._read(sheet)
        styles = [(b"", _value(found[2])) for found in _ATTRIBUTE.finditer(text) if found[1] == b"style"]
        styles += [(b"", b"%b:%b" % found.groups()) for found in _PRESENTED.finditer(text)]
        declared = [(selector.lower(), list(_declarations(body.lower()))) for selector, body in (*self.rules, *styles)]
        self._define(declared)
        for selector, declarations in declared:
            self._count(selector, declarations)
        if self.unknown.looks:
            self.unknown.elements += pieces(text) - text.count(b"<")
        for ground in _GROUND.findall(text):
            self.wanted.add(ground, 1)
        for value in _SET.findall(text):
            self.unknown.add(value, self._all)
        if (count := len(_UNKNOWN_ELEMENT.findall(text))) >= MANY:
            self.unknown.elements += count
            self.unknown.looks.update(b"%d" % number for number in range(VARIED))

    @property
    def is_unknown_picture(self) -> bool:
        """Whether what is not drawn here may make a picture of the page."""
        return any(counted.is_a_picture for counted in (self.unknown, self._fields, self._letters))

    @property
    def paints_a_picture(self) -> bool:
        """Whether styles paint as many elements in as many tones as make a picture."""
        return _makes_a_picture(len(self.wanted.looks) + 1, self.wanted.elements)

    @property
    def has_unknown(self) -> bool:
        """Whether there is anything at all that may be shown otherwise than it is drawn."""
        return bool(self.unknown.looks) or _HIDES.search(self._text) is not None

    def lowered(self) -> Iterator[bytes]:
        """The page without what is nested in its styles, in light and in dark; nothing where neither is there."""
        has_shades = _LIGHT_OR_DARK.search(self._page) is not None
        if not (has_shades or self.nested or self._registered):
            return
        flat = b"".join(b":root{%b:%b}" % registered for registered in self._registered)
        flat += b"".join(b"%b{%b}" % rule for rule in self.rules)
        page = b"%b<style>%b</style>" % (self._page, flat)
        for chosen in (rb"\1", rb"\2") if has_shades else ():
            yield _LIGHT_OR_DARK.sub(chosen, page)
        if not has_shades:
            yield page

    def _read(self, css: bytes) -> None:
        """The rules of a sheet, flat: each selector with those around it, each body without what is in it."""
        stack: list[tuple[bytes, list[bytes]]] = []
        piece = bytearray()
        at = 0
        for token in _TOKEN.finditer(css):
            piece += css[at : token.start()]
            at = token.end()
            mark = token.group()
            if mark == b"{":
                stack.append((bytes(piece), []))
                piece.clear()
            elif mark == b"}":
                if stack:
                    head, body = stack.pop()
                    body.append(bytes(piece))
                    self._close(head, b";".join(body), [outer for outer, _ in stack[-_DEEPEST:]])
                piece.clear()
            elif mark == b";":
                if stack:
                    stack[-1][1].append(bytes(piece))
                piece.clear()
            elif not mark.startswith((b"/*", b"<!--", b"-->")):
                piece += mark
        while stack:  # what is not closed is closed by the end
            head, body = stack.pop()
            body.append(bytes(piece))
            piece.clear()
            self._close(head, b";".join(body), [outer for outer, _ in stack[-_DEEPEST:]])

    def _close(self, head: bytes, body: bytes, around: list[bytes]) -> None:
        outer = [one.strip() for one in around if not _WRAPPERS.match(one)]
        own = not _WRAPPERS.match(head)
        head = head.strip()
        if any(one.startswith(b"@") for one in outer):
            self._moves |= any(b"keyframes" in one.lower() for one in outer) and _MOVED.search(body) is not None
            return
        if own and head.startswith(b"@"):
            if registered := _REGISTERED.fullmatch(head + b"{" + body):
                self._registered.append((registered[1], registered[2].strip()))
            return
        if not body.strip():
            return
        selectors = [*outer, head] if own else outer
        if not selectors:
            return
        if len(selectors) > 1 or (not own and outer):
            self.nested = True
        whole = selectors[0]
        for inner in selectors[1:]:
            within = b":is(%b)" % whole if b"," in whole or b"&" in inner[1:] else whole
            whole = inner.replace(b"&", within) if b"&" in inner else b"%b %b" % (within, inner)
            if len(whole) > _LONGEST:
                whole = b"*"
        self.rules.append((whole, body))

    def _define(self, declared: list[tuple[bytes, list[bytes]]]) -> None:
        for _, declarations in declared:
            for declaration in declarations:
                if declaration.startswith(b"--"):
                    name, _, value = declaration.partition(b":")
                    self._definitions.setdefault(name.strip(), set()).add(value.strip())
        self._odd_variables = {
            name for name, values in self._definitions.items() if any(_is_odd(b"-:" + value) for value in values)
        }
        for _ in range(4):
            self._odd_variables |= {
                name
                for name, values in self._definitions.items()
                if name not in self._odd_variables
                and any(used in self._odd_variables for value in values for used in _VARIABLE.findall(value))
            }

    def _count(self, selector: bytes, declarations: list[bytes]) -> None:
        if _STATES.search(selector):
            return
        strange = _UNKNOWN_SELECTOR.search(selector) is not None
        elements: int | None = None
        odd = []
        for declaration in declarations:
            if declaration.startswith(b"--"):
                continue
            unknown = strange or self._is_unknown(declaration)
            if not unknown and not _PAINTS.match(declaration):
                continue
            if elements is None:
                elements = self._elements(selector) if selector else 1
            if unknown and not _OF_LETTERS.match(declaration):
                odd.append(declaration)
            looks = [declaration]
            if (
                _INDIRECT.search(declaration)
                or any(len(self._definitions.get(name, ())) >= VARIED for name in _VARIABLE.findall(declaration))
                or (declaration.startswith(b"animation") and self._moves)
            ):
                looks = [b"%b %d" % (declaration, number) for number in range(VARIED)]
            for look in looks:
                (self.unknown if unknown else self.wanted).add(look, elements)
            if len(looks) > 1:
                (self.unknown if unknown else self.wanted).elements -= elements * (len(looks) - 1)
        if odd and elements:
            if all(_COLOURS_LETTERS.match(declaration) for declaration in odd):
                self._letters.add(b";".join(odd), elements // 2)
            else:
                self._fields.add(b";".join(odd), elements * max(map(_parts, odd)))

    def _is_unknown(self, declaration: bytes) -> bool:
        if _HARMLESS.search(declaration):
            return False
        if _is_odd(declaration) or (_SHAPED.match(declaration) and self._has_shapes):
            return True
        return b"var(" in declaration and any(name in self._odd_variables for name in _VARIABLE.findall(declaration))

    def _elements(self, selector: bytes) -> int:
        """How many elements the selector may be for, by what it says of the last one."""
        return sum(self._last(one) for one in _split(selector))

    def _last(self, selector: bytes) -> int:
        compound = re.split(rb"[\s>+~]+", selector.strip())[-1]
        if b"\\" in compound:
            return self._all
        names = re.findall(rb"[.#][\w-]+", compound)
        if names:
            return min(self._named[name[1:]] for name in names)
        if tag := re.match(rb"[a-z][\w-]*", compound):
            return self._tags[tag.group()]
        return self._all

    @cached_property
    def _has_shapes(self) -> bool:
        return len(_SHAPE.findall(self._text)) >= MANY

    @cached_property
    def _all(self) -> int:
        return sum(self._tags.values())

    @cached_property
    def _tags(self) -> Counter[bytes]:
        return Counter(_TAG.findall(self._text))

    @cached_property
    def _named(self) -> Counter[bytes]:
        """Names of classes and elements."""
        values = (_value(found[2]) for found in _ATTRIBUTE.finditer(self._text) if found[1] != b"style")
        return Counter(name for value in values for name in value.split())


def _sheets(page: bytes) -> Iterator[bytes]:
    """What stands in elements of styles; the last may have no end."""
    at = 0
    for begin in tags(page, _STYLE):
        if begin.start() >= at:
            end = _STYLE_END.search(page, begin.end())
            at = end.end() if end else len(page)
            yield page[begin.end() : end.start() if end else at]


def _parts(declaration: bytes) -> int:
    """How many fields one element has by it: many shadows or stops of gradients are a field each, a few are an edge."""
    parts = _COLOUR.sub(b"", declaration).count(b",") + 1
    return parts if parts > _OF_AN_EDGE else 1


def _is_odd(declaration: bytes) -> bool:
    if b"light-dark(" in declaration:
        declaration = _LIGHT_OR_DARK.sub(rb"\1 \2", declaration)
    return _UNKNOWN.search(declaration) is not None


def _value(quoted: bytes) -> bytes:
    value = quoted[1:-1] if quoted[:1] in b"\"'" else quoted
    if b"&" in value:
        value = html.unescape(value.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape").lower()
    return value


def _declarations(body: bytes) -> Iterator[bytes]:
    if b"\\" in body:
        body = _ESCAPE.sub(_escaped, body).lower()
    if b"/*" in body:
        body = re.sub(rb"/\*.*?(?:\*/|\Z)", b"", body, flags=re.DOTALL)
    body = re.sub(rb"url\((?!\s*[\"']?#)[^()]*\)", b"url()", body) if b"url(" in body else body
    for declaration in body.split(b";"):
        if (stripped := declaration.strip()) and b":" in stripped:
            yield stripped


def _escaped(escape: re.Match[bytes]) -> bytes:
    return chr(min(int(escape[1], 16), 0xFFFD)).encode("utf-8", "replace") if escape[1] else escape[2]


def _split(selector: bytes) -> Iterator[bytes]:
    """The selectors of a list, without what stands in parentheses and brackets."""
    for _ in range(_DEEPEST if b"(" in selector or b"[" in selector else 0):
        bare = re.sub(rb"\([^()]*\)|\[[^\[\]]*\]", b"", selector)
        if bare == selector:
            break
        selector = bare
    yield from selector.split(b",")
