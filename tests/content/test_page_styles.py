# ruff: noqa: E501 - a rule of style stands in one line
"""Pages that Chromium shows, or could show, as a picture in ways that our renderer does not know: drawn and matched, or held."""

import base64

import numpy as np
import pytest

from tests.support.looked import KNOWN, looked
from tutela.content.media.confined.containers.page_styles import PageStyles

ACROSS, DOWN, LEVELS = 40, 30, 16
LEVEL = np.asarray(KNOWN.convert("L").resize((ACROSS, DOWN))) // LEVELS
GREY = [f"rgb({v * LEVELS + 8},{v * LEVELS + 8},{v * LEVELS + 8})" for v in range(LEVELS)]
"""The colours of a picture of 40 x 30 fields: enough for PDQ, and few in a style sheet."""
AT = "left:{x}px;top:{y}px;width:8px"
FIELD = "i{position:absolute;height:8px}"
Cell = str
"""What one field is, with the number of its colour and its place: `{c}`, `{x}`, `{y}` in pixels."""


def cells(cell: Cell = f'<i class=c{{c}} style="{AT}"></i>') -> str:
    return "".join(
        cell.format(c=LEVEL[y, x], x=x * 8, y=y * 8, grey=GREY[LEVEL[y, x]]) for y in range(DOWN) for x in range(ACROSS)
    )


def sheet(rule: str, more: str = FIELD) -> str:
    """A style sheet with the rule for every colour; `%c` is the class, `%n` its number, `$` the colour."""
    rules = "".join(rule.replace("%c", f".c{v}").replace("$", GREY[v]).replace("%n", str(v)) for v in range(LEVELS))
    return f"<style>{more}{rules}</style>"


def page(*parts: str) -> bytes:
    return ("<!doctype html><html><body>" + "".join(parts)).encode()


PLAIN = sheet("%c{background:$}")
VARIABLES = sheet("%c{--c:$}")
INLINE = f'<i style="{AT};'

SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="320" height="240" viewBox="0 0 320 240">'
RECT = '<rect class="c{c}" x="{x}" y="{y}" width="8" height="8"/>'
FILLED = sheet("%c{fill:$}", "")


def paths() -> str:
    """A path for every colour."""
    fields = [[f"M{x * 8} {y * 8}h8v8h-8z" for y, x in zip(*np.where(v == LEVEL), strict=True)] for v in range(LEVELS)]
    return "".join(f'<path class="c{v}" d="{"".join(some)}"/>' for v, some in enumerate(fields))


SHOWN: dict[str, bytes] = {
    "nested rules": page(sheet("&%c{background:$}", FIELD + "i{") + "<style>}</style>", cells()),
    "nested in several": page("<style>" + FIELD + "body{i{" + sheet("&%c{background:$}", "")[7:-8] + "}}</style>", cells()),
    "nested media": page(sheet("%c{@media (min-width:1px){background:$}}"), cells()),
    "light-dark": page(sheet("%c{background:light-dark($,red)}"), cells()),
    "light-dark in attributes": page(f"<style>{FIELD}</style>", cells(INLINE + 'background:light-dark({grey},#000)"></i>')),
    "registered properties": page(sheet("@property --q%n{syntax:'<color>';inherits:true;initial-value:$}%c{background:var(--q%n)}"), cells()),
    "oklab": page(sheet("%c{background:oklab(calc((%n + .5)/16) 0 0)}"), cells()),
    "few of color()": page(sheet("%c{background:color(srgb calc((%n + .5)/16) 0 0)}"), cells()),
    "relative colours": page(sheet("%c{background:rgb(from $ r g b)}"), cells()),
    "mixed colours": page(sheet("%c{background:color-mix(in srgb,$ 100%,red)}"), cells()),
    "a relative colour of a variable": page(VARIABLES, "<style>i{background:rgb(from var(--c) r g b)}</style>", cells()),
    "a mixed colour of a variable": page(VARIABLES, "<style>i{background:color-mix(in srgb,var(--c) 100%,red)}</style>", cells()),
    "computed colours": page(sheet("%c{background:rgb(calc(%n*16) 0 0)}"), cells()),
    "colours of attributes": page(f"<style>{FIELD}i{{background:attr(data-c type(<color>))}}</style>", cells(f'<i data-c="{{grey}}" style="{AT}"></i>')),
    "gradients of one colour": page(sheet("%c{background:linear-gradient($,$)}"), cells()),
    "gradients of the colour of letters": page(sheet("%c{color:$}"), "<style>i{background:linear-gradient(currentColor,currentColor)}</style>", cells()),
    "gradients behind a variable": page(sheet("%c{--c:linear-gradient($,$);background:var(--c)}"), cells()),
    "shadows of the colour of letters": page(sheet("%c{color:$}"), "<style>i{box-shadow:0 8px}</style>", cells()),
    "pictures of a set": page(sheet("%c{background:image-set(linear-gradient($,$) 1x)}"), cells()),
    "thick lines": page(f"<style>{FIELD}</style>", cells(INLINE + 'text-decoration:underline 8px {grey}">&nbsp;&nbsp;</i>')),
    "a thick line of the colour of letters": page(sheet("%c{color:$}"), "<style>i{text-decoration:underline 8px}</style>", cells()),
    "edges of letters": page(sheet("%c{-webkit-text-stroke:8px $}"), cells().replace("></i>", ">MM</i>")),
    "first letters": page(sheet("%c::first-letter{background:$}"), cells().replace("></i>", ">M</i>")),
    "pictures as borders": page(sheet("%c{border-image:linear-gradient($,$) 1 fill}"), cells()),
    "keyframes": page(sheet("@keyframes k%n{to{background:$}}%c{animation:k%n 0s forwards}"), cells()),
    "keyframes of a variable": page(VARIABLES, "<style>i{animation:k 0s forwards}@keyframes k{to{background:var(--c)}}</style>", cells()),
    "parts of controls": page(sheet("%c::-webkit-progress-value{background:$}"), cells(f'<progress value=1 class=c{{c}} style="position:absolute;{AT}"></progress>')),
    "bars for scrolling": page(sheet("%c::-webkit-scrollbar-track{background:$}", FIELD + "i{overflow-y:scroll}"), cells()),
    "pickers of colours": page(cells(f'<input type=color value="#{{c:x}}0{{c:x}}0{{c:x}}0" style="position:absolute;{AT};height:8px">')),
    "buttons": page(sheet("%c{background:$}"), cells(f'<button class=c{{c}} style="position:absolute;{AT};height:8px"></button>')),
    "frames": page(cells(f'<iframe style="position:absolute;{AT};height:8px" src="data:text/html,<body bgcolor={{c}}>"></iframe>')),
    "a shadow tree": page("<div><template shadowrootmode=open>", PLAIN, cells(), "</template></div>"),
    "a page in a frame without quotes": b"<iframe srcdoc=" + page(PLAIN, cells()).replace(b"&", b"&amp;").replace(b" ", b"&#32;").replace(b'"', b"&quot;").replace(b">", b"&gt;").replace(b"<", b"&lt;") + b"></iframe>",
    "colours without #": page("<table cellspacing=0>", "".join("<tr height=8>" + "".join(f"<td width=8 bgcolor={v * 16 + 8:02x}{v * 16 + 8:02x}{v * 16 + 8:02x}>" for v in row) for row in LEVEL)),
    "a grid": page(sheet("%c{background:$}", "div{display:grid;grid-template-columns:repeat(40,8px);grid-auto-rows:8px}"), "<div>", cells("<i class=c{c}></i>")),
    "a grid, and as many other fields": page(sheet("%c{background:$}", "div{display:grid;grid:auto-flow 8px/repeat(40,8px)}"), "<div>", cells("<i class=c{c}></i>"), "</div>", cells('<b class=c{c} style="display:block;height:1px"></b>')),
    "moved": page(sheet("%c{background:$}", FIELD), cells('<i class=c{c} style="translate:{x}px {y}px;width:8px"></i>')),
    "scaled": page(sheet("%c{background:$}", FIELD), cells('<i class=c{c} style="left:{x}px;top:{y}px;width:1px;scale:8 1"></i>')),
    "as wide as high": page(sheet("%c{background:$}", FIELD), cells('<i class=c{c} style="left:{x}px;top:{y}px;aspect-ratio:1"></i>')),
    "parts of the window": page(sheet("%c{background:$}", FIELD), cells('<i class=c{c} style="left:calc({x}*.1dvw);top:{y}px;width:.8dvw"></i>')),
    "roots": page(sheet("%c{background:$}", FIELD), cells('<i class=c{c} style="left:calc(sqrt({x}*{x})*1px);top:{y}px;width:8px"></i>')),
    "places in the row": page(sheet("%c{background:$}", "i{position:absolute;height:8px;width:8px;left:calc(sibling-index()*8px)}"), cells()),
    "written from above": page(sheet("%c{background:$}", "div{writing-mode:vertical-lr;line-height:0}i{display:inline-block;height:8px;width:8px}"), "<div>", cells("<i class=c{c}></i>")),
    "selectors": page(sheet("%c:dir(ltr){background:$}"), cells()),
    "the nth of a kind": page(sheet(":nth-child(n of %c){background:$}"), cells()),
    "escaped": page(sheet(r"%c{background:l\69near-gradient($,$)}"), cells()),
    "in capitals, with comments": page(sheet("%c{BACKGROUND:/**/OKLCH(.%n 0 0)}"), cells()),
    "not closed": page(sheet("%c{background:linear-gradient($,$)}")[: -len("</style>") - 1], "</style>", cells()),
    "entities in classes": page(sheet("%c{background:linear-gradient($,$)}"), cells().replace("class=c", "class=&#99;")),
    "painted by motion": page("<svg width=320 height=240>", cells('<rect x={x} y={y} width=8 height=8><set attributeName=fill to="{grey}"/></rect>')),
    "paths of many fields": page("<svg width=320 height=240>", sheet("%c{fill:oklab(calc((%n + .5)/16) 0 0)}", ""), paths()),
    "flooded": page("<svg width=320 height=240>", "".join(f"<filter id=f{v}><feFlood flood-color='{grey}'/></filter>" for v, grey in enumerate(GREY)), cells('<rect x={x} y={y} width=8 height=8 filter="url(#f{c})"/>')),
    "a style sheet in an address": page("<link rel=stylesheet href='data:text/css;base64,", base64.b64encode(sheet("%c{background:linear-gradient($,$)}")[7:-8].encode()).decode(), "'>", cells()),
}  # fmt: skip
DRAWINGS: dict[str, str] = {
    "a variable": SVG + sheet("%c{--c:$}", "rect{fill:var(--c)}") + cells(RECT),
    "colours of percent": SVG + sheet("%c{fill:rgb(%n 0 0 / 1)}", "") + cells(RECT),
    "mixed colours": SVG + sheet("%c{fill:color-mix(in srgb,$ 100%,red)}", "") + cells(RECT),
    "nested rules": SVG + sheet("%c{fill:$}", "svg{").replace("</style>", "}</style>") + cells(RECT),
    "selectors": SVG + sheet(":is(%c){fill:$}", "") + cells(RECT),
    "the end of an attribute": SVG + sheet("[class$=c%n]{fill:$}", "") + cells(RECT),
    "a layer": SVG + sheet("%c{fill:$}", "@layer a{").replace("</style>", "}</style>") + cells(RECT),
    "places in styles": SVG + FILLED + cells('<rect class="c{c}" style="x:{x}px;y:{y}px" width="8" height="8"/>'),
    "moved by styles": SVG
    + FILLED
    + cells('<rect class="c{c}" style="transform:translate({x}px,{y}px)" width="8" height="8"/>'),
    "computed places": SVG
    + FILLED
    + cells('<rect class="c{c}" x="calc({x}px)" y="calc({y}px)" width="8" height="8"/>'),
    "a sheet in an address": SVG
    + f"<style>@import url('data:text/css;base64,{base64.b64encode(FILLED[7:-8].encode()).decode()}');</style>"
    + cells(RECT),
    "paths of many fields": SVG + sheet("%c{fill:color-mix(in srgb,$ 100%,red)}", "") + paths(),
    "declared attributes": '<!DOCTYPE svg [<!ATTLIST rect height CDATA "8">]>'
    + SVG
    + cells('<rect fill="{grey}" x="{x}" y="{y}" width="8"/>'),
    "declared colours": "<!DOCTYPE svg [<!ENTITY a 'color-mix(in srgb,'>]>"
    + SVG
    + cells('<rect fill="&a;{grey} 100%,red)" x="{x}" y="{y}" width="8" height="8"/>'),
    "blocks": SVG + cells('<text fill="{grey}" x="{x}" y="{y}" font-size="8">█</text>'),
    "below what is clipped": SVG
    + FILLED
    + cells(RECT)
    + '<rect width="999" height="999" fill="red" style="clip-path:inset(50%)"/>',
    "below a colour that is not known": SVG
    + FILLED
    + cells(RECT)
    + '<rect width="999" height="999" fill="red" style="fill:oklch(0 0 0 / 0)"/>',
}
TONES = np.asarray(KNOWN.convert("L").resize((48, 36)).convert("1"))
"""The same in black and white: with so many fields that is enough."""
DARK, LIGHT = "<i class=a {}></i>", "<i {}></i>"


def fields(dark: str, light: str, at: str = 'style="left:{}px;top:{}px;width:8px"') -> str:
    """A field for each tone."""
    places = ((x, y) for y in range(36) for x in range(48))
    return "".join((light if TONES[y, x] else dark).format(at.format(x * 8, y * 8)) for x, y in places)


def tones(look: str, dark: str = DARK, light: str = LIGHT) -> bytes:
    return page(f"<style>{FIELD}{look}</style>", fields(dark, light))


IN_TONES: dict[str, bytes] = {
    "shadows": tones(".a{box-shadow:inset 0 0 0 9px #000}"),
    "shadows in attributes": tones("").replace(b'class=a style="', b'style="box-shadow:inset 0 0 0 9px #000;'),
    "gradients": tones(".a{background:linear-gradient(#000,#000)}"),
    "unknown colours": tones(".a{background:oklch(0 0 0)}"),
    "hidden": tones("i{background:#000}.b{scale:0}", "<i {}></i>", "<i class=b {}></i>"),
    "moved away": tones("i{background:#000}.b{translate:-9999px}", "<i {}></i>", "<i class=b {}></i>"),
    "by a variable": tones("body{--v:oklch(0 0 0)}.a{background:var(--v)}"),
    "unknown letters": tones(
        ".a{color:oklch(0 0 0)}.b{color:oklch(1 0 0)}", "<i class=a {}>M</i>", "<i class=b {}>M</i>"
    ),
    "rows used again": page(
        "<style>"
        + FIELD
        + "".join(
            f".r{n}{{box-shadow:"
            + ",".join(f"{x * 8}px 0 #{'fff' if light else '000'}" for x, light in enumerate(row[:8]))
            + "}"
            for n, row in enumerate(TONES[:16])
        )
        + "</style>",
        *(
            f'<i class=r{(x + y) % 16} style="left:{x * 64}px;top:{y * 8}px;width:8px"></i>'
            for y in range(36)
            for x in range(6)
        ),
    ),
    "rows used again by few elements": page(
        f"<style>{FIELD}</style>",
        *(
            f'<i style="left:{x * 128}px;top:{y * 8}px;width:8px;box-shadow:'
            + ",".join(
                f"{at * 8}px 0 #{'fff' if light else '000'}" for at, light in enumerate(TONES[(x + y) % 15][:16])
            )
            + '"></i>'
            for y in range(36)
            for x in range(3)
        ),
    ),
}
"""Pictures of two tones, of things that are not drawn here."""
HIDING = (
    *("audio", "video", "canvas", "iframe", "textarea", "select", "noscript", "details", "template", "datalist"),
    *("dialog", "title", "noframes", "noembed", "rp", "meter", "progress", "xmp"),
)
"""Elements whose content browsers do not show, or not as elements."""
SHAPES = {
    "no width": (".b{width:0}", "<rect {}/>", '<rect class="b" {}/>'),
    "no height": (".b{height:0}", "<rect {}/>", '<rect class="b" {}/>'),
    "away": (".b{x:999px}", "<rect {}/>", '<rect class="b" {}/>'),
    "an unknown colour": (".b{fill:oklch(1 0 0)}", "<rect {}/>", '<rect class="b" {}/>'),
    "a computed width": ("", "<rect {}/>", '<rect style="width:calc(0px)" {}/>'),
}
PLACED = 'style="position:absolute;left:{}px;top:{}px;'
BY_THEMSELVES: dict[str, bytes] = {
    name: page(f"<style>{style}</style>", fields(dark, "", PLACED))
    for name, dark, style in (
        ("outlines", '<i class=a {}"></i>', ".a{outline:4px solid black;outline-offset:-4px;width:8px;height:8px}"),
        ("outlines in attributes", '<i {}outline:4px solid;width:1px;height:1px"></i>', ""),
        ("rules", '<hr {}margin:0" size=8 width=8 noshade>', ""),
        ("marks", '<mark {}width:8px;height:8px"></mark>', ""),
        ("buttons", '<button {}width:8px;height:8px;padding:0"></button>', ""),
        ("text areas", '<textarea {}width:8px;height:8px;padding:0"></textarea>', ""),
        ("groups of a form", '<fieldset {}width:1px;height:1px;padding:0;margin:0"></fieldset>', ""),
        ("open dialogues", '<dialog open {}margin:0;padding:0;width:2px;height:2px"></dialog>', ""),
        ("lines between columns", '<i {}width:8px;height:8px;columns:2;column-rule:8px solid black">x<br>x</i>', ""),
        ("colours of the system", '<i class=a {}"></i>', ".a{background:CanvasText;width:8px;height:8px}"),
        ("colours of the system, attributes", '<i {}width:8px;height:8px;background:ButtonText"></i>', ""),
        (
            "a colour of the system in a variable",
            '<i class=a {}"></i>',
            ":root{--a:linktext}.a{background:var(--a);width:8px;height:8px}",
        ),
    )
}
"""Pictures of two tones, of what has a look by itself or in a colour that no page names."""
COVERS = {
    "moved away": "translate:-999px",
    "clipped": "clip-path:inset(50%)",
    "masked": "mask:linear-gradient(#0000,#0000)",
    "filtered": "filter:opacity(0)",
    "computed opacity": "opacity:calc(1 - 1)",
    "seen from behind": "backface-visibility:hidden;transform:rotateY(180deg)",
    "of no depth": "transform:scale3d(0,0,0)",
    "of a later colour": "background:red;background:oklch(0 0 0 / 0)",
}
"""Fields over the picture that a browser does not show, and that are drawn here."""
OVER = '<u style="position:absolute;left:0;top:0;width:400px;height:300px;background:red;{}"></u>'
WORDS = "<p class=k>words <b>and</b> <a class=l href=/x>words</a> <code class=m>x</code></p>" * 200
ORDINARY: dict[str, bytes] = {
    "modern styles": page("<style>:root{--a:oklch(.7 .1 200);--b:#fff}.k{color:light-dark(#111,#eee);& a{color:var(--a)}}.l{color:color-mix(in srgb,var(--b) 50%,red)}a{text-underline-offset:2px}code{aspect-ratio:1}</style>", WORDS),
    "motion": page("<style>@keyframes turn{to{rotate:1turn}}.k{animation:turn 1s}.m{transition:color 1s}</style>", WORDS),
    "a grid of cards": page("<style>body{display:grid;gap:1rem;grid-template-columns:1fr 1fr}.k{background:#eee;border-radius:3px}</style>", WORDS),
    "coloured code": page("<style>" + "".join(f".t{v}{{color:#{v:x}0{v:x}0f0}}" for v in range(16)) + "</style><pre>", "".join(f"<span class=t{n % 16}>word</span> " for n in range(900))),
    "a style sheet of which little is used": page("<style>" + "".join(f".b{v}{{background:linear-gradient(#fff,#{v:02x}0000);box-shadow:0 1px {v}px #000}}" for v in range(40)) + "</style>", WORDS),
    "a table of two colours": page("<style>tr:nth-child(even){background:#eee}td{border:1px solid #ccc}</style><table>", "<tr><td>1<td>words" * 400),
    "a table with lines": page("<style>td{border:1px solid #ccc}</style><noscript>x</noscript><select><option>x</select><table>", ("<tr>" + "<td>1" * 24) * 60),
    "many buttons": page("<style>button{background:#eee;border:1px solid #ccc;clip-path:inset(0)}</style>", "<p>words <button>x</button>" * 400),
    "cards with shadows": page("<style>.k{box-shadow:0 1px 2px rgba(0,0,0,.2),0 2px 4px rgba(0,0,0,.1)}</style>", WORDS),
    "a framework that gives each of many the same shadow": page("<style>" + "".join(f".b{v}:focus,.c{v}{{box-shadow:0 0 0 .2rem rgba(0,123,255,.5)}}" for v in range(300)) + "</style>", WORDS),
    "shades upon the pointer": page("<style>" + "".join(f".k:hover .l{v}{{background:oklch(.{v} 0 0)}}" for v in range(16)) + "</style>", WORDS),
}  # fmt: skip


@pytest.mark.parametrize("kind", SHOWN)
def test_a_picture_in_ways_that_are_not_drawn_here_is_matched_or_held(kind):
    found, reasons = looked(SHOWN[kind])
    assert "not-rendered" in reasons or found[0][0] <= 28, (kind, found[:1])


@pytest.mark.parametrize("kind", ["nested rules", "nested in several", "light-dark", "light-dark in attributes"])
def test_what_can_be_lowered_is_drawn(kind):
    found, reasons = looked(SHOWN[kind])
    assert found[0][0] <= 28, found[:1]
    assert reasons == []


@pytest.mark.parametrize("kind", DRAWINGS)
def test_a_drawing_in_styles_that_its_renderer_does_not_know_is_matched_or_held(kind):
    found, reasons = looked(f"{DRAWINGS[kind]}</svg>".encode())
    assert "not-rendered" in reasons or found[0][0] <= 28, (kind, found[:1])


@pytest.mark.parametrize("prefix", ["s", "a-b", "a.b", "é"])
def test_a_drawing_with_a_prefix_is_drawn_and_held_where_it_moves(prefix):
    def named(body: str) -> bytes:
        return (
            f"{SVG}{body}</svg>".replace("</", f"</{prefix}:")
            .replace("<r", f"<{prefix}:r")
            .replace("<set", f"<{prefix}:set")
            .replace("<svg xmlns", f"<{prefix}:svg xmlns:{prefix}")
            .encode()
        )

    found, reasons = looked(named(cells('<rect fill="{grey}" x="{x}" y="{y}" width="8" height="8"/>')))
    assert found[0][0] <= 28
    assert reasons == []
    assert "not-rendered" in looked(named("<rect><set/></rect>"))[1]


def test_a_drawing_of_hundreds_of_shapes_in_plain_styles_is_drawn_once():
    found, reasons = looked(f"{SVG}{FILLED}{cells(RECT)}</svg>".encode())
    assert found[0][0] <= 28
    assert {part.partition(" ")[0] for _, part in found} == {"drawing"}
    assert "as a page" not in "".join(part for _, part in found)
    assert reasons == []


@pytest.mark.parametrize("kind", COVERS)
def test_a_picture_below_what_a_browser_does_not_show_is_held(kind):
    assert "not-rendered" in looked(page(PLAIN, cells(), OVER.format(COVERS[kind])))[1]


@pytest.mark.parametrize("kind", BY_THEMSELVES)
def test_a_picture_of_two_tones_without_a_colour_is_matched_or_held(kind):
    found, reasons = looked(BY_THEMSELVES[kind])
    assert "not-rendered" in reasons or found[0][0] <= 40, (kind, found[:1])


@pytest.mark.parametrize("kind", IN_TONES)
def test_a_picture_of_two_tones_that_is_not_drawn_here_is_held(kind):
    found, reasons = looked(IN_TONES[kind])
    assert "not-rendered" in reasons or found[0][0] <= 28, (kind, found[:1])


@pytest.mark.parametrize("name", HIDING)
def test_black_fields_of_which_some_are_not_shown_are_matched_or_held(name):
    """As many as are in a picture of two tones: each in an element of its own, and all in one."""
    each = tones("i{background:#000}", "<i {}></i>", f"<{name}><i {{}}></i></{name}>")
    found, reasons = looked(each)
    assert "not-rendered" in reasons or found[0][0] <= 36, found[:1]
    black = page(f"<style>{FIELD}i{{background:#000}}u{{background:red}}</style>", fields("<i {}></i>", ""))
    found, reasons = looked(black + f"<{name}>{OVER.format('')}</{name}>".encode())
    assert "not-rendered" in reasons or found[0][0] <= 36, found[:1]


@pytest.mark.parametrize("name", HIDING)
def test_a_picture_below_what_no_browser_shows_is_matched_or_held(name):
    found, reasons = looked(page(PLAIN, cells(), f"<{name}>{OVER.format('')}</{name}>"))
    assert "not-rendered" in reasons or found[0][0] <= 28, found[:1]


@pytest.mark.parametrize("kind", SHAPES)
def test_shapes_of_which_some_are_not_shown_are_held(kind):
    look, dark, light = SHAPES[kind]
    at = 'x="{}" y="{}" width="8" height="8"'
    assert "not-rendered" in looked(f"{SVG}<style>{look}</style>{fields(dark, light, at)}</svg>".encode())[1]


def test_words_with_a_ground_of_their_own_are_no_picture():
    """Names in code on a page of documentation that hides something."""
    names = "<p>words and words <code>name</code> and <code>name_of_it</code> of many words</p>" * 600
    document = page("<style>code{background:#eee}p{line-height:1.6}</style><noscript>x</noscript>", names)
    assert looked(document)[1] == []


@pytest.mark.parametrize("over", ["<noscript>{}</noscript>", "<div popover>{}</div>"])
def test_a_picture_below_elements_that_a_browser_does_not_show_is_held(over):
    assert "not-rendered" in looked(page(PLAIN, cells(), over.format(OVER.format(""))))[1]


@pytest.mark.parametrize("kind", ORDINARY)
def test_an_ordinary_page_of_hundreds_of_elements_passes(kind):
    assert looked(ORDINARY[kind])[1] == []


def test_objects_that_name_nothing_to_show_are_no_picture():
    """The dialogues of GTK are XML of such elements."""
    named, shown = (
        PageStyles(b"".join(b"<object class='Box' id='b%d'%b></object>" % (n, more) for n in range(400)))
        for more in (b"", b" data='b.svg'")
    )
    assert (named.unknown.is_a_picture, shown.unknown.is_a_picture) == (False, True)


def test_a_picture_that_is_drawn_rightly_is_only_matched():
    found, reasons = looked(page(PLAIN, cells()))
    assert found[0][0] <= 28
    assert reasons == []


@pytest.mark.parametrize(
    "hostile",
    [
        b"&&{" * 40_000,
        b"{" * 400_000,
        b"a(" * 400_000 + b"){}",
        b"}" * 400_000,
        b"/*" * 400_000,
        b"light-dark(" * 90_000,
    ],
)
def test_a_style_sheet_that_is_made_to_be_slow_is_read_in_time(hostile):
    styles = PageStyles(b"<style>" + hostile + b"</style>")
    assert sum(len(lowered) for lowered in styles.lowered()) < 50_000_000
