# ruff: noqa: E501 - what a document is made of stands in one line
"""What draws without being a picture: drawings, pages, sheets, metafiles. It is drawn and matched, or held as not drawn."""

import base64
import binascii
import gzip
import json
import struct

import numpy as np
import pytest
from PIL import Image

from tests.support.containers import zip_of
from tests.support.looked import KNOWN, OTHER, looked, outcome
from tests.support.pictures import file_of
from tutela.content.media.confined.containers.page import may_draw
from tutela.content.media.profile import Profile
from tutela.content.media.sniff import MediaType, sniff
from tutela.content.views.view_set import ViewSet

SMALL = KNOWN.convert("L").resize((60, 45), Image.Resampling.BOX)
GREY = np.asarray(SMALL)
RGB = np.asarray(KNOWN.resize((60, 45), Image.Resampling.BOX))
SVG = 'xmlns="http://www.w3.org/2000/svg"'


def mosaic_paths(levels: int = 15) -> str:
    """A few paths of many squares."""
    step = 256 // levels + 1
    level = GREY // step
    return "".join(
        f'<path stroke="rgb({v * step + 8},{v * step + 8},{v * step + 8})" stroke-width="1.02" d="'
        + "".join(f"M{x} {y}h1" for y, x in zip(*np.where(level == v), strict=True))
        + '"/>'
        for v in range(levels)
    )


def svg(body: str, head: str = "", view: str = "0 -.5 60 45") -> bytes:
    return f'{head}<svg {SVG} viewBox="{view}" width="480" height="360">{body}</svg>'.encode()


def table(cell: str = '<td bgcolor="#{:02x}{:02x}{:02x}" width=8 height=8></td>', head: str = "") -> bytes:
    rows = "".join("<tr>" + "".join(cell.format(*colour) for colour in row) + "</tr>" for row in RGB)
    return f"<html>{head}<table cellspacing=0 cellpadding=0>{rows}</table></html>".encode()


def fields(style: str) -> bytes:
    return (
        "<html><body>"
        + "".join(
            f'<div style="position:absolute;left:{x * 8}px;top:{y * 8}px;{style.format(*RGB[y, x])}"></div>'
            for y in range(45)
            for x in range(60)
        )
        + "</body></html>"
    ).encode()


def classes() -> bytes:
    """Sixteen classes in a style sheet for screens only."""
    level = GREY // 16
    rules = "".join(f".c{v}{{background:#{v * 16 + 8:02x}{v * 16 + 8:02x}{v * 16 + 8:02x}}}" for v in range(16))
    body = "".join("<tr>" + "".join(f"<td class=c{v}>x</td>" for v in row) + "</tr>" for row in level)
    style = f"<style>@media all and (min-width:1px){{td{{width:8px;height:8px;font-size:1px}}{rules}}}</style>"
    return f"<html>{style}<table cellspacing=0 cellpadding=0>{body}</table></html>".encode()


def tiles(columns: int = 4, rows: int = 3) -> bytes:
    across, down = KNOWN.width // columns, KNOWN.height // rows
    page = ["<html><body style='line-height:0;font-size:0;width:240px'>"]
    for row in range(rows):
        for column in range(columns):
            box = (column * across, row * down, (column + 1) * across, (row + 1) * down)
            data = base64.b64encode(file_of(KNOWN.crop(box), "PNG")).decode()
            page.append(f'<img src="data:image/png;base64,{data}" width={across} height={down}>')
    return "".join([*page, "</body></html>"]).encode()


def sheet(numbers: bool = False) -> bytes:
    colours = sorted({tuple(colour) for row in RGB // 32 * 32 for colour in row})
    fills = "".join(
        '<fill><patternFill><fgColor rgb="FF{:02X}{:02X}{:02X}"/></patternFill></fill>'.format(*c) for c in colours
    )
    formats = "".join(f'<xf fillId="{number}"/>' for number in range(len(colours)))
    rows = []
    for y in range(45):
        cells = []
        for x in range(60):
            name = ("" if x < 26 else chr(64 + x // 26)) + chr(65 + x % 26)
            if numbers:
                cells.append(f'<c r="{name}{y + 1}"><v>{GREY[y, x]}</v></c>')
            else:
                cells.append(f'<c r="{name}{y + 1}" s="{colours.index(tuple(RGB[y, x] // 32 * 32))}"/>')
        rows.append(f'<row r="{y + 1}">{"".join(cells)}</row>')
    rule = (
        '<conditionalFormatting sqref="A1:BH45"><cfRule type="colorScale"/></conditionalFormatting>' if numbers else ""
    )
    return zip_of(
        {
            "[Content_Types].xml": b"<Types/>",
            "xl/styles.xml": f"<styleSheet><fills>{fills}</fills><cellXfs>{formats}</cellXfs></styleSheet>".encode(),
            "xl/worksheets/any.xml": f"<worksheet><sheetData>{''.join(rows)}</sheetData>{rule}</worksheet>".encode(),
        }
    )


def open_sheet() -> bytes:
    level = GREY // 16 * 16 + 8
    styles = "".join(
        f'<style:style style:name="c{v}" style:family="table-cell"><style:table-cell-properties '
        f'fo:background-color="#{v:02x}{v:02x}{v:02x}"/></style:style>'
        for v in sorted({int(v) for v in level.ravel()})
    )
    rows = "".join(
        "<table:table-row>"
        + "".join(f'<table:table-cell table:style-name="c{v}"/>' for v in row)
        + "</table:table-row>"
        for row in level
    )
    content = (
        "<office:document-content><office:automatic-styles>"
        f"{styles}</office:automatic-styles><office:body><office:spreadsheet><table:table>{rows}</table:table>"
        "</office:spreadsheet></office:body></office:document-content>"
    )
    return zip_of({"mimetype": b"application/vnd.oasis.opendocument.spreadsheet", "content.xml": content.encode()})


def word_table() -> bytes:
    rows = "".join(
        "<w:tr>"
        + "".join('<w:tc><w:tcPr><w:shd w:fill="{:02x}{:02x}{:02x}"/></w:tcPr></w:tc>'.format(*c) for c in row)
        + "</w:tr>"
        for row in RGB
    )
    document = f"<w:document><w:body><w:tbl>{rows}</w:tbl></w:body></w:document>"
    return zip_of({"[Content_Types].xml": b"<Types/>", "word/document.xml": document.encode()})


def slide() -> bytes:
    shapes = "<p:sp><p:spPr/></p:sp>" * 2700
    return zip_of({"[Content_Types].xml": b"<Types/>", "ppt/slides/slide1.xml": f"<p:sld>{shapes}</p:sld>".encode()})


def bitmap_bytes(picture: Image.Image) -> bytes:
    return file_of(picture.convert("RGB"), "BMP")[14:]


def emf(*records: bytes) -> bytes:
    header = struct.pack("<II", 1, 108) + bytes(32) + b" EMF" + bytes(64)
    return header + b"".join(records) + struct.pack("<IIIII", 14, 20, 0, 0, 20)


def emf_bitmap(picture: Image.Image) -> bytes:
    data = bitmap_bytes(picture)
    head = (
        struct.pack("<II", 81, 80 + len(data)) + bytes(40) + struct.pack("<4I", 80, 40, 120, len(data) - 40) + bytes(16)
    )
    return head + data


def emf_plus(picture: Image.Image) -> bytes:
    picture_object = struct.pack("<IIiiiII", 0, 1, 0, 0, 0, 0, 1) + file_of(picture, "PNG")
    record = struct.pack("<HHII", 0x4008, 0x0500, 12 + len(picture_object), len(picture_object)) + picture_object
    record += bytes(-len(record) % 4)
    return struct.pack("<III", 70, 16 + len(record), 4 + len(record)) + b"EMF+" + record


def emf_mosaic() -> bytes:
    return emf(*(struct.pack("<IIiiii", 43, 24, x, y, x + 1, y + 1) for y in range(45) for x in range(60)))


def wmf_bitmap(picture: Image.Image) -> bytes:
    body = struct.pack("<IHHHHHHHHHH", 0x00CC0020, 0, 180, 240, 0, 0, 180, 240, 0, 0, 0)[:22] + bitmap_bytes(picture)
    body += bytes(len(body) % 2)
    record = struct.pack("<IH", 3 + len(body) // 2, 0x0F43) + body
    return b"\x01\x00\x09\x00\x00\x03" + bytes(12) + record + struct.pack("<IH", 3, 0)


def rich(body: bytes) -> bytes:
    return b"{\\rtf1 words {\\pict" + body + b"}}"


def folded(data: bytes, width: int = 76) -> bytes:
    return b"\n".join(data[at : at + width] for at in range(0, len(data), width))


JPEG = file_of(KNOWN, "JPEG", quality=80)
ENCODED = base64.b64encode(JPEG).decode()
UU = (
    b"begin 644 k.jpg\n" + b"".join(binascii.b2a_uu(JPEG[at : at + 45]) for at in range(0, len(JPEG), 45)) + b"`\nend\n"
)
YENC = bytes((value + 42) % 256 for value in JPEG)
YENC = b"".join(b"=" + bytes([(v + 64) % 256]) if v in (0, 10, 13, 61) else bytes([v]) for v in YENC)
XPM = (
    '/* XPM */\nstatic char *k[] = {\n"60 45 16 1",\n'
    + "".join(f'"{chr(65 + v)} c #{v * 17:02x}{v * 17:02x}{v * 17:02x}",\n' for v in range(16))
    + ",\n".join('"' + "".join(chr(65 + v // 16) for v in row) + '"' for row in GREY)
    + "\n};\n"
).encode()

DRAWN: dict[str, bytes] = {
    "SVG": svg(mosaic_paths()),
    "SVG whose root comes late": svg(mosaic_paths(), f'<?xml version="1.0"?><!-- {"x" * 20_000} --><!DOCTYPE svg>\n'),
    "SVG with a prefix": svg(mosaic_paths()).replace(b"<svg xmlns=", b"<s:svg xmlns:s=").replace(b"svg>", b"s:svg>").replace(b"<path", b"<s:path"),
    "SVG in UTF-16": svg(mosaic_paths()).decode().encode("utf-16"),
    "SVGZ": gzip.compress(svg(mosaic_paths())),
    "SVG in a corner": svg(mosaic_paths(), view="0 0 600 450"),
    "SVG in points": svg(mosaic_paths()).replace(b'width="480" height="360"', b'width="360pt" height="270pt"'),
    "SVG of lines in millimetres": svg(mosaic_paths().replace('stroke-width="1.02"', 'stroke-width=".27mm"')),
    "SVG as a symbol": svg(f'<symbol id="k" viewBox="0 -.5 60 45">{mosaic_paths()}</symbol>', view="0 0 9 9"),
    "SVG for dark pages": svg(f"<style>@media (prefers-color-scheme:dark){{g{{display:inline!important}}}}g{{display:none}}</style><g>{mosaic_paths()}</g>"),
    "SVG with a page in it": svg(f'<foreignObject width="60" height="45">{table().decode()[6:-7]}</foreignObject>'),
    "SVG within a page": b"<html><p>words</p>" + svg(mosaic_paths()) + b"</html>",
    "table": table(),
    "table of styles": table('<td style="background:rgb({},{},{});width:8px;height:8px"></td>'),
    "table without a beginning": table()[6:],
    "table of classes": classes(),
    "fields": fields("width:9px;height:9px;background:#{:02x}{:02x}{:02x}"),
    "borders": fields("border-left:9px solid #{:02x}{:02x}{:02x};height:9px"),
    "tiles": tiles(),
    "tiles with marks in their names": tiles().replace(b"<img ", b'<img alt="a > b" '),
    "page in a frame": b"<html><iframe srcdoc='" + table().replace(b"'", b"&#39;") + b"'></iframe></html>",
    "long page": b"<html>" + b"<p>words and words</p>" * 300 + table()[6:-7] + b"<p>words and words</p>" * 300 + b"</html>",
    "sheet": sheet(),
    "sheet of numbers that are coloured": sheet(numbers=True),
    "OpenDocument sheet": open_sheet(),
    "Word table": word_table(),
    "EMF with a bitmap": emf(emf_bitmap(KNOWN)),
    "EMF+ with a picture": emf(emf_plus(KNOWN)),
    "WMF with a bitmap": wmf_bitmap(KNOWN),
    "RTF with a bitmap": rich(b"\\dibitmap0 " + folded(bitmap_bytes(KNOWN).hex().encode())),
    "RTF with a metafile": rich(b"\\wmetafile8 " + folded(wmf_bitmap(KNOWN).hex().encode())),
    "RTF with EMF": rich(b"\\emfblip " + folded(emf(emf_bitmap(KNOWN)).hex().encode())),
    "XPM": XPM,
    "entities": f'<html><img src="&#100;ata:image/jpeg;base64,{ENCODED.replace("/9j/", "&#47;9j&#47;", 1)}"></html>'.encode(),
    "CSS escapes": f'<html><style>p{{background:url("\\64 ata:image/jpeg;base64,{ENCODED}")}}</style></html>'.encode(),
    "address of any type": f'<html><img src="data:;base64,{ENCODED}"></html>'.encode(),
    "address in percents": b'<html><img src="data:image/jpeg,' + b"".join(b"%%%02x" % value for value in JPEG) + b'"></html>',
    "base64 of a compressed file": folded(base64.b64encode(gzip.compress(JPEG))),
    "base64 in one line": base64.b64encode(file_of(KNOWN, "WEBP", quality=80)),
    "base64 for addresses": folded(base64.urlsafe_b64encode(file_of(KNOWN, "TIFF"))),
    "base64 in a program": b'x = "' + b'" +\n    "'.join(folded(ENCODED.encode()).split(b"\n")) + b'";',
    "base64 in JSON": b'{"k": "' + ENCODED.replace("/", "\\/").encode() + b'"}',
    "base64 behind a letter": b"k" + ENCODED.encode(),
    "hexadecimal": folded(file_of(KNOWN, "WEBP", quality=80).hex().encode(), 60),
    "hexadecimal of a program": ", ".join(f"0x{value:02x}" for value in JPEG).encode(),
    "numbers": b"[" + ",".join(str(value) for value in JPEG).encode() + b"]",
    "uuencode": b"words\n\n" + UU,
    "base85": b"<~" + base64.a85encode(JPEG) + b"~>",
}  # fmt: skip

HELD: dict[str, bytes] = {
    "SVG that moves": svg(f'<g opacity="0">{mosaic_paths()}<animate attributeName="opacity" to="1" dur="1s"/></g>'),
    "SVG with a script": svg("<script>draw()</script>"),
    "canvas": b"<html><canvas id=c></canvas><script>c.getContext('2d').fillRect(1,1,1,1)</script></html>",
    "script with numbers": f"<html><script>d=[{','.join(map(str, GREY.ravel().astype(int) * 7 + 300))}]</script></html>".encode(),
    "shadows": f"<html><div style='box-shadow:{','.join(f'{x}px {y}px #{GREY[y, x]:02x}0000' for y in range(45) for x in range(60))}'></div></html>".encode(),
    "blocks": b"<html><pre>" + "█".encode() * 2700 + b"</pre></html>",
    "colours that are not drawn": fields("background:#{:02x}{:02x}{:02x};display:none;width:9px;height:9px"),
    "too deep": b"<html>" + b"<div style='background:#fff'>" * 9000,
    "slide of shapes": slide(),
    "EMF that draws": emf_mosaic(),
    "PostScript": b"%!PS-Adobe-3.0 EPSF-3.0\n60 45 8 [60 0 0 45 0 0] {<" + GREY.tobytes().hex().encode() + b">} image\n",
}  # fmt: skip

PASS: dict[str, bytes] = {
    "icon": svg('<circle cx="12" cy="12" r="9" fill="#36c"/>', view="0 0 24 24"),
    "chart": svg("".join(f'<rect x="{n * 10}" y="{40 - n}" width="8" height="{n}" fill="#4472c4"/>' for n in range(30))),
    "page": b"<html><head><title>x</title></head><body bgcolor=white><h1>words</h1><p>words</p><a href=/x>y</a></body></html>",
    "newsletter": b"<html>" + b"<table bgcolor=#eeeeee><tr><td style='background:#ffffff;color:#333333'>words</td></tr></table>" * 30 + b"</html>",
    "table of numbers": b"<html><table>" + b"<tr><td>1</td><td>22</td><td>words</td></tr>" * 300 + b"</table></html>",
    "text": b"words of an ordinary letter, written by hand and sent\n" * 200,
    "program": b"".join(b"def function_%d(argument):\n    return some_other_function(argument, %d)\n" % (n, n) for n in range(200)),
    "key": b"-----BEGIN CERTIFICATE-----\n" + folded(base64.b64encode(bytes(range(256)) * 4), 64) + b"\n-----END CERTIFICATE-----\n",
    "checksums": b"".join(b"%064x  file-%d.txt\n" % (n * 7**70, n) for n in range(200)),
    "EMF of a chart": emf(*(struct.pack("<IIiiii", 43, 24, x, 0, x + 1, 9) for x in range(30))),
    "rich text": b"{\\rtf1\\ansi{\\fonttbl\\f0 Arial;}\\f0 words \\par words\\par}",
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("kind", DRAWN)
def test_what_draws_or_carries_the_picture_is_matched_in_whatever_it_comes(kind):
    for data in (DRAWN[kind], zip_of({"a": DRAWN[kind]})):
        found, reasons = looked(data, ViewSet.STANDARD)
        assert found, reasons
        assert found[0][0] <= 28, (found[:3], reasons)


def test_pieces_of_a_picture_are_laid_out_whatever_stands_before_their_address():
    """Nothing else in the page draws."""
    page = tiles().replace(b" style='line-height:0;font-size:0;width:240px'", b"").replace(b"<img ", b'<img alt=">" ')
    assert any(part.startswith("page \u203a ") for _, part in looked(page)[0])


@pytest.mark.parametrize(
    "means", [b"<!ENTITY a 'b'>", b"<p style='x'>", b"<svg>", b"<p onload=x()>", b"<a href='javascript:x()'>"]
)
def test_a_page_with_pictures_is_laid_out_where_anything_may_draw_them(means):
    """By elements, declared ones too, styles or scripts; words about addresses are words."""
    words = b"<p>url(a), url(b) and url(c)</p>"
    assert not may_draw(words)
    assert may_draw(means + words)


def test_yenc_is_decoded():
    data = b"=ybegin line=128 size=%d name=k.jpg\r\n" % len(JPEG) + YENC + b"\r\n=yend size=1\r\n"
    found, _ = looked(zip_of({"a.txt": data}))
    assert found
    assert found[0][0] <= 8


@pytest.mark.parametrize("kind", HELD)
def test_what_may_draw_more_than_is_drawn_here_is_held(kind):
    for data in (HELD[kind], zip_of({"a": HELD[kind]})):
        assert "not-rendered" in looked(data)[1]


@pytest.mark.parametrize("kind", PASS)
def test_what_is_ordinary_passes_within_an_archive(kind):
    assert looked(zip_of({"a": PASS[kind], "b.jpg": file_of(OTHER, "JPEG")}), ViewSet.STANDARD)[1] == []
    assert outcome(zip_of({"a": PASS[kind]})) == "allow"


SIGN = '<svg viewBox="0 0 24 24" {}><path d="M12 2C6.48 2 2 6.48 2 12s4.48 10 10 10z" fill={}/></svg>'


@pytest.mark.parametrize(
    "text",
    [
        "export const Sign = (props) => (\n  " + SIGN.format("{...props}", '{props.colour || "red"}') + "\n);\n",
        json.dumps({"body": SIGN.format('xmlns="http://www.w3.org/2000/svg"', '"red"')}),
        "<p>See: " + SIGN.format("width=24", "red") + "</p>",
    ],
    ids=["JSX", "JSON", "HTML"],
)
def test_a_sign_that_is_no_xml_passes_in_a_text(text):
    """Who takes it nevertheless shows a sign; with as many elements as a picture has, it is held."""
    assert outcome(text.encode(), profile=Profile.FILES) == "allow"
    many = text.replace("<path", "<path d='M1 2h3v4z'/>" * 300 + "<path", 1)
    assert outcome(many.encode(), profile=Profile.FILES) == "hold"


def test_the_first_element_says_what_markup_is():
    assert sniff(b"<!-- x --> <?x?> <!DOCTYPE svg [<!ENTITY a '>'>]> <a:svg>") is MediaType.SVG
    assert sniff(b"<rss><svg></svg></rss>") is None
    assert sniff(b"<!-- x --><table>") is MediaType.HTML
    assert sniff(b"<unclosed <svg") is None


def test_nothing_is_fetched_from_elsewhere(tmp_path):
    picture = tmp_path / "k.png"
    picture.write_bytes(file_of(KNOWN, "PNG"))
    drawing = svg(
        f'<image href="{picture}" width="60" height="45"/><image href="file://{picture}" width="60" height="45"/>'
    )
    page = (
        f'<html><img src="{picture}"><img src="file://{picture}"><img src="http://127.0.0.1:9/k.png"></html>'.encode()
    )
    for data in (drawing, page):
        found, _ = looked(data)
        assert not found or found[0][0] > 40


@pytest.mark.slow
def test_damaged_drawings_end_in_an_answer():
    for data in (*DRAWN.values(), *HELD.values()):
        for cut in (len(data) // 3, len(data) - 7):
            looked(zip_of({"a": data[:cut]}), timeout_s=20.0)
