# ruff: noqa: E501 - what is shown stands in one line
"""Pictures in one shape, one glyph or one filter."""

import base64
import io
import struct

import numpy as np
import pikepdf

from tests.support.containers import zip_of
from tests.support.looked import KNOWN, OTHER
from tests.support.pictures import file_of

ACROSS, DOWN, SIDE = 64, 48, 4
DARK = np.asarray(KNOWN.convert("L").resize((ACROSS, DOWN)))
DARK = np.add.outer(np.arange(DOWN) % 2 * 64, np.arange(ACROSS) % 2 * 96) + 64 > DARK  # in two tones, dithered
FIELDS = [(int(x) * SIDE, int(y) * SIDE) for y, x in np.argwhere(DARK)]
"""The left and upper edge of each dark one."""
PATH = "".join(f"M{x} {y}h4v4h-4z" for x, y in FIELDS)
POINTS = [(x + across, y + down) for x, y in FIELDS for across, down in ((0, 0), (4, 0), (4, 4), (0, 4))]
SVG = 'xmlns="http://www.w3.org/2000/svg" width="256" height="192"'
SECOND = base64.b64encode(file_of(OTHER, "PNG")).decode()


def styled(style: str) -> str:
    return f'<!doctype html><div style="width:256px;height:192px;background:#000;{style}"></div>'


def slide() -> bytes:
    moves = "".join(
        f'<a:moveTo><a:pt x="{x}" y="{y}"/></a:moveTo><a:lnTo><a:pt x="{x + 4}" y="{y}"/></a:lnTo><a:close/>'
        for x, y in FIELDS
    )
    shape = f'<p:sp><a:custGeom><a:pathLst><a:path w="256" h="192">{moves}</a:path></a:pathLst></a:custGeom></p:sp>'
    return zip_of({"[Content_Types].xml": b"<Types/>", "ppt/slides/slide1.xml": f"<p:sld>{shape}</p:sld>".encode()})


def cells(row: str, cell: str) -> str:
    """A table in sixteen greys; `cell` has the colour in it as `{}`."""
    grey = np.asarray(KNOWN.convert("L").resize((32, 24))) // 16 * 17
    rows = ("".join(cell.format(f"{v:02X}" * 3) for v in line) for line in grey.tolist())
    return "".join(f"<{row}>{cells}</{row}>" for cells in rows)


def table_on_a_slide() -> bytes:
    cell = '<a:tc><a:tcPr><a:solidFill><a:srgbClr val="{}"/></a:solidFill></a:tcPr></a:tc>'
    table = f"<a:tbl>{cells('a:tr', cell)}</a:tbl>".encode()
    return zip_of({"[Content_Types].xml": b"<Types/>", "ppt/slides/slide1.xml": table})


def borders_in_a_text() -> bytes:
    border = '<w:top w:val="single" w:sz="96" w:color="{}"/>'
    cell = f"<w:tc><w:tcPr><w:tcBorders>{border}</w:tcBorders></w:tcPr></w:tc>"
    table = f"<w:tbl>{cells('w:tr', cell)}</w:tbl>".encode()
    return zip_of({"[Content_Types].xml": b"<Types/>", "word/document.xml": table})


def polygons_of_wmf() -> bytes:
    counts = b"".join(struct.pack("<H", 4) for _ in FIELDS)
    points = b"".join(struct.pack("<hh", *point) for point in POINTS)
    body = struct.pack("<H", len(FIELDS)) + counts + points
    record = struct.pack("<IH", (6 + len(body)) // 2, 0x0538) + body
    end = struct.pack("<IH", 3, 0)
    return (
        struct.pack("<HHHIHIH", 1, 9, 0x300, (18 + len(record) + len(end)) // 2, 0, len(record) // 2, 0) + record + end
    )


def polygons_of_emf() -> bytes:
    body = struct.pack("<4iII", 0, 0, 256, 192, len(FIELDS), len(POINTS))
    body += b"".join(struct.pack("<I", 4) for _ in FIELDS) + b"".join(struct.pack("<hh", *point) for point in POINTS)
    record = struct.pack("<II", 91, 8 + len(body)) + body
    header = struct.pack("<II", 1, 88) + bytes(32) + b" EMF" + bytes(88 - 44)
    return header + record + struct.pack("<IIIII", 14, 20, 0, 16, 20)


def glyph() -> bytes:
    from fontTools.fontBuilder import FontBuilder
    from fontTools.pens.ttGlyphPen import TTGlyphPen

    pen = TTGlyphPen(None)
    for x, y in FIELDS:
        pen.moveTo((x, y))
        for across, down in ((4, 0), (4, 4), (0, 4)):
            pen.lineTo((x + across, y + down))
        pen.closePath()
    builder = FontBuilder(256, isTTF=True)
    builder.setupGlyphOrder([".notdef", "A"])
    builder.setupCharacterMap({65: "A"})
    builder.setupGlyf({".notdef": TTGlyphPen(None).glyph(), "A": pen.glyph()})
    builder.setupHorizontalMetrics({".notdef": (256, 0), "A": (256, 0)})
    builder.setupHorizontalHeader(ascent=192, descent=0)
    builder.setupNameTable({"familyName": "z", "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost()
    file = io.BytesIO()
    builder.save(file)
    return file.getvalue()


def form() -> bytes:
    fields = "".join(
        f'<draw x="{x}pt" y="{y}pt" w="4pt" h="4pt"><value><rectangle><fill><color value="0,0,0"/></fill></rectangle></value></draw>'
        for x, y in FIELDS
    )
    with pikepdf.new() as pdf:
        pdf.add_blank_page(page_size=(256, 192))
        template = f"<template><subform>{fields}</subform></template>".encode()
        pdf.Root.AcroForm = pdf.make_indirect(
            pikepdf.Dictionary(Fields=pikepdf.Array(), XFA=pdf.make_stream(b"<xdp:xdp>" + template + b"</xdp:xdp>"))
        )
        file = io.BytesIO()
        pdf.save(file)
    return file.getvalue()


SUBTITLES = "[Script Info]\n[Events]\nDialogue: 0,0:00:00.00,0:00:09.00,Default,,0,0,0,,"
DRAWING = "".join(f"m {x} {y} l {x + 4} {y} {x + 4} {y + 4} {x} {y + 4} " for x, y in FIELDS)
SOLIDS = "".join(
    f"  0\nSOLID\n  8\n0\n 10\n{x}\n 20\n{y}\n 11\n{x + 4}\n 21\n{y}\n 12\n{x}\n 22\n{y + 4}\n" for x, y in FIELDS
)
DASHES = "".join(
    f'<line x2="256" y1="{y}" y2="{y}" stroke="#000" style="stroke-dasharray:{"calc(4px*1) " * 8}"/>'
    for y in range(0, 192, 4)
)
STEEP = " ".join(f"{n % 2}" for n in range(256))

SHOWN: dict[str, str | bytes] = {
    "a path that clips": styled(f"clip-path:path('{PATH}')"),
    "a polygon that clips": styled(f"clip-path:polygon({','.join(f'{x}px {y}px' for x, y in POINTS)})"),
    "a path in a style": f"<svg {SVG}><path style=\"d:path('{PATH}')\"/></svg>",
    "a path that clips a drawing": f'<svg {SVG}><rect width="256" height="192" style="clip-path:path(\'{PATH}\')"/></svg>',
    "a path under what only we see": f"<svg {SVG}><style>@supports(d:none){{rect{{display:none}}}}</style>"
    f'<path d="{PATH}"/><rect width="256" height="192"/></svg>',
    "lines of dashes": f"<svg {SVG}>{DASHES}</svg>",
    "a page in a feed": f"<rss><item>{styled(f'clip-path:path({PATH!r})')}</item></rss>",
    "a shape on a slide": slide(),
    "a shape of VML": f'<w:document><v:shape path="{PATH.replace("h", "r").lower().replace("r", "l")}"/></w:document>',
    "a shape of OpenDocument": f'<office:document><draw:path svg:d="{PATH}"/></office:document>',
    "a path of XPS": f'<FixedPage><Path Fill="#000000" Data="F1 {PATH}"/></FixedPage>',
    "many paths of XPS": "<FixedPage>" + '<Path Fill="#000000" Data="M0 0h4v4h-4z"/>' * 1_100 + "</FixedPage>",
    "a shape of RTF": "{\\rtf1{\\shp{\\sp{\\sn pVerticies}{\\sv 8;9;"
    + ";".join(f"({x},{y})" for x, y in POINTS)
    + "}}}}",
    "a drawing of subtitles": SUBTITLES + "{\\p1}" + DRAWING,
    "a clip of subtitles": SUBTITLES + "{\\p1\\clip(" + DRAWING + ")}m 0 0 l 256 0 256 192 0 192",
    "solids of DXF": f"  0\nSECTION\n  2\nENTITIES\n{SOLIDS}  0\nENDSEC\n  0\nEOF\n",
    "polygons of WMF": polygons_of_wmf(),
    "polygons of EMF": polygons_of_emf(),
    "a glyph": glyph(),
    "a glyph on a page": '<!doctype html><style>@font-face{font-family:z;src:url("data:font/ttf;base64,'
    + base64.b64encode(glyph()).decode()
    + '")}</style><p style="font:200px z">A',
    "a form": form(),
    "a table on a slide": table_on_a_slide(),
    "borders in a text": borders_in_a_text(),
    "contrast": f'<!doctype html><img src="data:image/png;base64,{SECOND}" style="filter:contrast(40)">',
    "contrast in percent": f'<!doctype html><style>img{{filter:blur(0) contrast(900%)}}</style><img src="data:image/png;base64,{SECOND}">',
    "contrast behind": f'<!doctype html><img src="data:image/png;base64,{SECOND}"><p style="backdrop-filter:brightness(9)">',
    "two through each other": f'<!doctype html><p style="background:-webkit-cross-fade(url(data:image/png;base64,{SECOND}),url(data:image/png;base64,{SECOND}x),50%)">',
    "one through another": f'<!doctype html><img src="data:image/png;base64,{SECOND}"><img style="filter:opacity(.5)" src="data:image/png;base64,{SECOND}x">',
    "half a mask": f'<!doctype html><img src="data:image/png;base64,{SECOND}"><img style="mask:linear-gradient(#0008,#0008)" src="data:image/png;base64,{SECOND}x">',
    "a table of tones": f'<svg {SVG}><filter id="f"><feComponentTransfer><feFuncR type="discrete" tableValues="{STEEP}"/></feComponentTransfer></filter>'
    f'<image href="data:image/png;base64,{SECOND}" filter="url(#f)"/></svg>',
    "a map of places": f'<svg {SVG}><filter id="f"><feImage href="data:image/png;base64,{SECOND}"/><feDisplacementMap scale="99"/></filter></svg>',
}
