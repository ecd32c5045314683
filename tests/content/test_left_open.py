"""What files leave open and viewers decide otherwise than our decoders, and where files are carried that nobody lists.

The first were shown by Chromium as the known picture while they were allowed: pieces of a profile behind the frame's
header or twice, a clean aperture, filters of a page.
"""

import base64
import io
import itertools
import json
import plistlib
import quopri
import shutil
import sqlite3
import struct
import subprocess
import time
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pikepdf
import pillow_heif
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.support import hostile_pictures as hostile
from tests.support.containers import compound_of, zip_of
from tests.support.looked import KNOWN, OTHER, looked, outcome
from tests.support.pictures import file_of
from tutela.content.media.confined.containers.rich_text import unpacked_rich_text
from tutela.content.media.profile import Profile

pytestmark = pytest.mark.slow

JPEG = file_of(KNOWN, "JPEG", quality=85)
NEGATIVE = hostile.negative(KNOWN)
SHEET = OTHER.resize((640, 480))
WIDTH, HEIGHT = KNOWN.size
FIELDS = np.asarray(KNOWN.resize((60, 45), Image.Resampling.BOX)).tolist()
PLACES = [(x, y, "#{:02x}{:02x}{:02x}".format(*FIELDS[y][x])) for y in range(45) for x in range(60)]
WHITE = Image.new("RGB", KNOWN.size, "white")


def segment(marker: int, content: bytes) -> bytes:
    return b"\xff" + bytes([marker]) + struct.pack(">H", len(content) + 2) + content


def profile_in_pieces(order: Sequence[int], claimed: int | None = None) -> bytes:
    """Of five pieces, in an order; `claimed` is how many there are said to be."""
    profile = hostile.profile(hostile.inverse)
    size = -(-len(profile) // 5)
    pieces = [profile[at : at + size] for at in range(0, len(profile), size)]
    numbers = (bytes([number + 1, claimed or 5]) for number in order)
    return b"".join(segment(0xE2, b"ICC_PROFILE\0" + next(numbers) + pieces[number]) for number in order)


def before(data: bytes, mark: bytes, inserted: bytes) -> bytes:
    at = data.index(mark)
    return data[:at] + inserted + data[at:]


NEGATIVE_JPEG = file_of(NEGATIVE, "JPEG", quality=90)
PROFILES = {
    "twice": before(NEGATIVE_JPEG, b"\xff\xdb", profile_in_pieces([0, 1, 2, 3, 4, 0])),
    "counted wrong": before(NEGATIVE_JPEG, b"\xff\xdb", profile_in_pieces(range(5), 99)),
    "the last first": before(NEGATIVE_JPEG, b"\xff\xdb", profile_in_pieces([4, 3, 2, 1, 0])),
    "behind the frame's header": before(NEGATIVE_JPEG, b"\xff\xda", profile_in_pieces(range(5))),
}


@pytest.mark.parametrize("pieces", PROFILES)
def test_a_profile_in_pieces_is_put_together_in_each_way(pieces: str) -> None:
    assert outcome(PROFILES[pieces]) == "block"


def with_property(data: bytes, added: bytes) -> bytes:
    """A HEIC or AVIF with one more property of its first picture; places in the file are moved on."""
    at = data.index(b"ipco") - 4
    (length,) = struct.unpack_from(">I", data, at)
    number, inside = 1, at + 8
    while inside < at + length:
        inside += struct.unpack_from(">I", data, inside)[0]
        number += 1
    said = data.index(b"ipma") - 4
    (said_length,) = struct.unpack_from(">I", data, said)
    told = bytearray(data[said : said + said_length])
    told[18] += 1
    told[18 + told[18] : 18 + told[18]] = bytes([0x80 | number])
    struct.pack_into(">I", told, 0, len(told))
    grown = len(added) + 1
    out = bytearray(data[: at + length] + added + data[at + length : said] + told + data[said + said_length :])
    struct.pack_into(">I", out, at, length + len(added))
    for name in (b"iprp", b"meta"):
        box = out.index(name) - 4
        struct.pack_into(">I", out, box, struct.unpack_from(">I", out, box)[0] + grown)
    places = out.index(b"iloc") - 4
    own_number = 2 if out[places + 8] else 0
    offset_size, length_size, base_size = out[places + 12] >> 4, out[places + 12] & 15, out[places + 13] >> 4
    (count,) = struct.unpack_from(">H", out, places + 14)
    entry = places + 16
    for _ in range(count):
        entry += 4 + own_number + base_size
        (extents,) = struct.unpack_from(">H", out, entry)
        entry += 2
        for _ in range(extents):
            offset = int.from_bytes(out[entry : entry + offset_size]) + grown
            out[entry : entry + offset_size] = offset.to_bytes(offset_size)
            entry += offset_size + length_size
    return bytes(out)


QUICKLY: dict[str, dict[str, Any]] = {"AVIF": {"speed": 10}, "HEIF": {"enc_params": {"preset": "ultrafast"}}}


def cut_out(form: str, whole: Image.Image, box: tuple[int, int, int, int]) -> bytes:
    """A picture of which viewers that know clean apertures show a part."""
    left, top, right, bottom = box
    width, height = right - left, bottom - top
    across, down = left + right - whole.width, top + bottom - whole.height
    aperture = struct.pack(">I4s8i", 40, b"clap", width, 1, height, 1, across, 2, down, 2)
    return with_property(file_of(whole, form, quality=90, **QUICKLY[form]), aperture)


def test_what_a_clean_aperture_cuts_out_is_looked_at_and_so_is_the_whole() -> None:
    pillow_heif.register_heif_opener()
    sheet = OTHER.resize((640, 480))
    sheet.paste(KNOWN, (400, 200))
    assert outcome(file_of(sheet, "AVIF", quality=90, speed=10)) == "allow"
    assert outcome(cut_out("AVIF", sheet, (400, 200, 400 + WIDTH, 200 + HEIGHT))) == "block"
    assert outcome(cut_out("HEIF", sheet, (400, 200, 400 + WIDTH, 200 + HEIGHT))) == "block"
    assert outcome(cut_out("HEIF", KNOWN, (0, 0, 80, 60))) == "block"


def test_an_aperture_without_size_holds() -> None:
    aperture = struct.pack(">I4s8i", 40, b"clap", 10, 0, 10, 1, 0, 1, 0, 1)
    assert outcome(with_property(file_of(OTHER, "AVIF", quality=80), aperture)) == "hold"


def unnamed_channel_of_tiff() -> bytes:
    """White, with the picture in a channel of which nothing is said."""
    whole = WHITE.copy()
    whole.putalpha(KNOWN.convert("L"))
    data = bytearray(file_of(whole, "TIFF"))
    (at,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, at)
    for entry in range(at + 2, at + 2 + 12 * count, 12):
        if struct.unpack_from("<H", data, entry) == (338,):
            struct.pack_into("<H", data, entry + 8, 0)
    return bytes(data)


def bitmap(fourth: Image.Image, gap: bytes = b"") -> bytes:
    """White, in 32 bits, with fourth bytes that are no alpha by its header."""
    pixels = np.dstack([np.asarray(WHITE), np.asarray(fourth)])[::-1].tobytes()
    head = b"BM" + struct.pack("<IHHI", 54 + len(gap) + len(pixels), 0, 0, 54 + len(gap))
    return head + struct.pack("<IiiHHIIiiII", 40, WIDTH, HEIGHT, 1, 32, 0, len(pixels), 0, 0, 0, 0) + gap + pixels


DOTS = np.asarray(KNOWN.convert("1"))


def bitmap_of_sixteen_bits() -> bytes:
    """White, seen where the mask of alpha says so."""
    pixels = np.where(DOTS, 0xFFFF, 0x7FFF).astype("<u2")[::-1].tobytes()
    head = b"BM" + struct.pack("<IHHI", 70 + len(pixels), 0, 0, 70)
    head += struct.pack("<IiiHHIIiiII", 56, WIDTH, HEIGHT, 1, 16, 3, len(pixels), 0, 0, 0, 0)
    return head + struct.pack("<4I", 0x7C00, 0x3E0, 0x1F, 0x8000) + pixels


def icon_by_its_mask() -> bytes:
    """Black, without alpha: its mask of one bit a pixel draws."""
    mask = b"".join(np.packbits(line).tobytes().ljust(-(-WIDTH // 32) * 4, b"\0") for line in DOTS[::-1])
    header = struct.pack("<IiiHHIIiiII", 40, WIDTH, HEIGHT * 2, 1, 32, 0, 0, 0, 0, 0, 0)
    picture = header + bytes(4 * WIDTH * HEIGHT) + mask
    return struct.pack("<3H4B2H2I", 0, 1, 1, WIDTH, HEIGHT, 0, 0, 1, 32, len(picture), 22) + picture


def webp_that_denies_its_alpha() -> bytes:
    whole = WHITE.copy()
    whole.putalpha(KNOWN.convert("L"))
    data = bytearray(file_of(whole, "WEBP", quality=90))
    assert data[12:16] == b"VP8X"
    data[20] &= ~0x10
    return bytes(data)


def frames_that_leave_the_screen() -> bytes:
    data = bytearray(file_of(OTHER, "GIF", save_all=True, append_images=[KNOWN], duration=300))
    struct.pack_into("<HH", data, 6, 60, 45)
    return bytes(data)


def gain_map(base: Image.Image, shown: Image.Image) -> bytes:
    """Ultra HDR: a dim picture that a map of gains makes another one on bright displays."""
    light, wanted = (np.asarray(one.convert("L"), float) / 255 for one in (base, shown))
    dim = light**2.2 * 0.05 + 0.02
    gains = np.log2((wanted**2.2 * 4 + 1 / 64) / (dim + 1 / 64))
    least, most = gains.min(), gains.max()
    described = (
        f'<rdf:Description xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/" hdrgm:Version="1.0" '
        f'hdrgm:GainMapMin="{least:.4f}" hdrgm:GainMapMax="{most:.4f}"/>'
    )
    xmp = segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + described.encode())
    files = (dim ** (1 / 2.2), (gains - least) / (most - least))
    return b"".join(
        before(file_of(Image.fromarray((255 * one).astype(np.uint8)), "JPEG", quality=95), b"\xff\xdb", xmp)
        for one in files
    )


def by_filter(style: str) -> bytes:
    source = base64.b64encode(file_of(NEGATIVE, "PNG")).decode()
    return f'<html><body><img style="{style}" src="data:image/png;base64,{source}"></body></html>'.encode()


def svg(style: str, known: str, other: str) -> bytes:
    fields = "".join(f'<rect x="{x}" y="{y}" width="1.05" height="1.05" fill="{c}"/>' for x, y, c in PLACES)
    known, other = known.replace("FIELDS", fields), other.replace("FIELDS", fields)
    head = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 60 45">'
    return f"{head}<style>{style}</style>{known}{other}</svg>".encode()


def braille() -> bytes:
    """Eight dots a letter."""
    dots = np.asarray(KNOWN.resize((240, 180)).convert("1"))
    bits = ((0, 0, 0), (1, 0, 1), (2, 0, 2), (0, 1, 3), (1, 1, 4), (2, 1, 5), (3, 0, 6), (3, 1, 7))

    def letter(x: int, y: int) -> str:
        return chr(0x2800 + sum(1 << bit for down, across, bit in bits if dots[y + down, x + across]))

    return "\n".join("".join(letter(x, y) for x in range(0, 240, 2)) for y in range(0, 180, 4)).encode()


def map_of_fields() -> bytes:
    def field(x: int, y: int, colour: str) -> dict[str, object]:
        corners = [[x, -y], [x + 1, -y], [x + 1, -y - 1], [x, -y - 1], [x, -y]]
        return {"properties": {"fill": colour}, "geometry": {"type": "Polygon", "coordinates": [corners]}}

    return json.dumps({"type": "FeatureCollection", "features": [field(*place) for place in PLACES]}).encode()


def drawn_by_subtitles() -> bytes:
    """Advanced SubStation Alpha: each line draws a field over the film."""
    line = "Dialogue: 0,0:00:00.00,0:00:10.00,D,,0,0,0,,{{\\an7\\pos({},{})\\1c&H{}&\\p1}}m 0 0 l 8 0 8 8 0 8"
    lines = (line.format(x * 8, y * 8, c[5:7] + c[3:5] + c[1:3]) for x, y, c in PLACES)
    return "\n".join(["[Script Info]", "PlayResX: 480", "[Events]", *lines]).encode()


def article(kind: str) -> bytes:
    """A page of words with a mosaic of notes or fields that the document does not say how to draw."""
    document = pikepdf.new()
    document.add_blank_page(page_size=(595, 842))
    page = document.pages[0]
    notes = pikepdf.Array()
    for x, y, colour in PLACES:
        rgb = [round(int(colour[at : at + 2], 16) / 255, 3) for at in (1, 3, 5)]
        box = [300 + 3 * x, 300 - 3 * y, 303 + 3 * x, 303 - 3 * y]
        note = pikepdf.Dictionary(Type=pikepdf.Name.Annot, Rect=box, F=4)
        if kind == "fields":
            note.Subtype, note.FT, note.T = pikepdf.Name.Widget, pikepdf.Name.Tx, f"{x},{y}"
            note.MK = pikepdf.Dictionary(BG=rgb)
        else:
            note.Subtype, note.IC, note.C, note.BS = pikepdf.Name.Square, rgb, rgb, pikepdf.Dictionary(W=0)
        notes.append(document.make_indirect(note))
    page.obj.Annots = notes
    if kind == "fields":
        document.Root.AcroForm = pikepdf.Dictionary(Fields=notes, NeedAppearances=True)
    page.Resources = pikepdf.Dictionary(
        Font=pikepdf.Dictionary(
            F=pikepdf.Dictionary(Type=pikepdf.Name.Font, Subtype=pikepdf.Name.Type1, BaseFont=pikepdf.Name.Helvetica)
        )
    )
    words = b"(words of an article, and more of them in every line of it) Tj T* " * 20
    page.Contents = document.make_stream(b"BT /F 11 Tf 60 780 Td 14 TL " + words + b"ET")
    file = io.BytesIO()
    document.save(file)
    return file.getvalue()


def letters_of_word() -> bytes:
    run = '<w:r><w:rPr><w:shd w:val="clear" w:fill="{}"/></w:rPr><w:t>  </w:t></w:r>'
    text = "".join(("<w:p>" if x == 0 else "") + run.format(c[1:]) + ("</w:p>" if x == 59 else "") for x, _, c in ROWS)
    head = '<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body>'
    document = f'<?xml version="1.0"?>{head}{text}</w:body></w:document>'
    return zip_of({"[Content_Types].xml": b"<Types/>", "word/document.xml": document.encode()})


def circles() -> bytes:
    grey = np.asarray(KNOWN.convert("L").resize((80, 60)))
    return "\n".join("".join("⚪🔵🔴⚫"[3 - int(one) * 4 // 256] for one in line) for line in grey).encode()


def by_rules(style: str, of_each: str) -> bytes:
    """A drawing whose fields get their colours in ways that renderers of drawings alone do not know."""
    fields = "".join(
        f'<rect x="{x}" y="{y}" width="1.05" height="1.05" {of_each.format(60 * y + x, int(c[1:3], 16) / 255)}/>'
        for x, y, c in ROWS
    )
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 60 45"><style>{style}</style>{fields}</svg>'.encode()


def transformed() -> bytes:
    """XML that browsers make a page of."""
    rows = "".join(("<r>" if x == 0 else "") + f'<c v="{c[1:]}"/>' + ("</r>" if x == 59 else "") for x, _, c in ROWS)
    cells = '<xsl:for-each select="c"><td style="width:4px;height:4px;background:#{@v}"/></xsl:for-each>'
    page = f'<html><table><xsl:for-each select="//r"><tr>{cells}</tr></xsl:for-each></table></html>'
    sheet = f'<xsl:template match="/">{page}</xsl:template>'
    space = 'id="s" version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"'
    head = '<?xml version="1.0"?><?xml-stylesheet type="text/xsl" href="#s"?>'
    return f"{head}<d><xsl:stylesheet {space}>{sheet}</xsl:stylesheet>{rows}</d>".encode()


def coloured_letters() -> bytes:
    colours = "".join(f"\\red{grey}\\green{grey}\\blue{grey};" for grey in range(0, 256, 2))
    letters = "".join(("\\par " if x == 0 else "") + f"\\cf{int(c[1:3], 16) // 2 + 1} M" for x, _, c in ROWS)
    return f"{{\\rtf1{{\\colortbl;{colours}}}{letters}}}".encode()


ROWS = sorted(PLACES, key=lambda place: (place[1], place[0]))
TABLE = (
    "".join(("<tr>" if x == 0 else "") + f'<td width=4 height=4 bgcolor="{c}">' for x, _, c in ROWS)
    .join(("<html><body><table cellspacing=0 cellpadding=0>", "</table></body></html>"))
    .encode()
)
SHOWN: dict[str, Callable[[], bytes]] = {
    "TIFF, a channel without a name": unnamed_channel_of_tiff,
    "BMP, fourth bytes": lambda: bitmap(KNOWN.convert("L")),
    "BMP of 16 bits, alpha": bitmap_of_sixteen_bits,
    "an icon by its mask": icon_by_its_mask,
    "WebP that denies its alpha": webp_that_denies_its_alpha,
    "GIF, frames larger than the screen": frames_that_leave_the_screen,
    "a gain map": lambda: gain_map(OTHER, KNOWN),
    "a page that inverts": lambda: by_filter("filter: contrast(1) invert(100%)"),
    "a page that mixes": lambda: by_filter("mix-blend-mode: difference"),
    "a drawing for readers of German": lambda: svg(
        "", '<switch><g systemLanguage="de">FIELDS</g>', '<circle r="20"/></switch>'
    ),
    "a drawing under the pointer": lambda: svg(
        "#k {display: none} svg:hover #k {display: inline}", '<g id="k">FIELDS</g>', ""
    ),
    "a drawing with variables": lambda: by_rules(
        ":root {" + "".join(f"--c{60 * y + x}: {c};" for x, y, c in ROWS) + "}", 'style="fill: var(--c{0})"'
    ),
    "a drawing in other colours": lambda: by_rules("", 'style="fill: oklch({1:.3f} 0 0)"'),
    "a stylesheet": transformed,
    "a saved page": lambda: plistlib.dumps({"WebResourceData": TABLE}, fmt=plistlib.FMT_BINARY),
    "coloured letters of RTF": coloured_letters,
    "VML": lambda: "".join(
        f'<v:rect style="left:{x * 4}pt;top:{y * 4}pt;width:4pt;height:4pt" fillcolor="{c}"/>' for x, y, c in PLACES
    ).join(('<html xmlns:v="urn:schemas-microsoft-com:vml"><body>', "</body></html>")).encode(),
    "Braille": braille,
    "a map": map_of_fields,
    "a plot": lambda: "\n".join(f"set object rect from {x},{y} fc rgb '{c}'" for x, y, c in PLACES).encode(),
    "subtitles": drawn_by_subtitles,
    "fields of a form": lambda: article("fields"),
    "figures upon a page": lambda: article("figures"),
    "shaded letters": letters_of_word,
    "circles": circles,
    "an array": lambda: arrayed(np.asarray(KNOWN)),
    "an array of fractions, channels first": lambda: arrayed(np.moveaxis(np.asarray(KNOWN) / 255, -1, 0)),
}  # fmt: skip


@pytest.mark.parametrize("kind", SHOWN)
def test_what_some_viewers_show_is_matched_or_held(kind: str) -> None:
    assert outcome(SHOWN[kind](), profile=Profile.FILES) in ("block", "hold")


def arrayed(values: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, values)
    return file.getvalue()


def packed(data: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


def database(value: bytes | str, rows: int = 1) -> bytes:
    with sqlite3.connect(":memory:") as connection:
        connection.execute('create table "a ""quoted"" name" (value)')
        connection.executemany('insert into "a ""quoted"" name" values (?)', [(value,)] * rows)
    return connection.serialize()


def between_scans(inserted: bytes) -> bytes:
    data = file_of(SHEET, "JPEG", progressive=True)
    at = [place for place in range(len(data)) if data.startswith(b"\xff\xda", place)][2]
    at = data.rindex(b"\xff\xc4", 0, at)
    return data[:at] + inserted + data[at:]


def message_of_outlook() -> bytes:
    """With a body in compressed RTF that holds a picture in hexadecimal."""
    rtf = b"{\\rtf1 {\\pict\\jpegblip " + JPEG.hex().encode() + b"}}"
    packed = b"".join(b"\0" + rtf[at : at + 8] for at in range(0, len(rtf), 8))
    text = struct.pack("<IIII", len(packed) + 12, len(rtf), 0x75465A4C, 0) + packed
    return compound_of({"__properties_version1.0": bytes(5000), "__substg1.0_10090102": text})


LETTERS = base64.b64encode(JPEG)
DIAGRAM = b'<mxCell style="shape=image;image=data:image/jpeg,' + LETTERS + b'"/>'
CARRIED: dict[str, Callable[[], bytes]] = {
    "a segment between two scans": lambda: between_scans(segment(0xEB, JPEG)),
    "a comment between two scans": lambda: between_scans(segment(0xFE, LETTERS)),
    "letters between two segments": lambda: before(file_of(SHEET, "JPEG"), b"\xff\xdb", LETTERS),
    "letters before the end marker": lambda: file_of(SHEET, "JPEG")[:-2] + LETTERS + b"\xff\xd9",
    "a gap before the pixels of a BMP": lambda: bitmap(OTHER.convert("L"), zip_of({"a": JPEG})),
    "a diagram": lambda: b"<mxfile><diagram>" + base64.b64encode(packed(DIAGRAM)) + b"</diagram></mxfile>",
    "zlib in base64": lambda: b"state: " + base64.b64encode(zlib.compress(JPEG)),
    "a literal of Python": lambda: b"data = " + repr(JPEG).encode(),
    "a string of JSON": lambda: json.dumps({"data": JPEG.decode("latin-1")}).encode(),
    "quoted-printable": lambda: b"a note\n\n" + quopri.encodestring(JPEG),
    "numbered lines": lambda: b"\n".join(
        b"%5d  %b" % (number, LETTERS[at : at + 60])
        for number, at in enumerate(range(0, len(LETTERS), 60), start=1)
    ),
    "a value of a database": lambda: database(JPEG),
    "letters in a database": lambda: database(LETTERS.decode()),
    "a message of Outlook": message_of_outlook,
    "zlib in HDF5": lambda: b"\x89HDF\r\n\x1a\n" + bytes(500) + zlib.compress(JPEG) + bytes(300),
    "zlib in a program": lambda: b"\x7fELF\2\1\1" + b"\x78\x9c" * 90 + zlib.compress(JPEG) + bytes(300),
    "a property list": lambda: plistlib.dumps({"k": JPEG}),
}  # fmt: skip


@pytest.mark.parametrize("kind", CARRIED)
def test_what_is_carried_where_nobody_lists_it_is_matched_or_held(kind: str) -> None:
    assert outcome(CARRIED[kind](), profile=Profile.FILES) in ("block", "hold")


def article_with_fields(count: int) -> bytes:
    document = pikepdf.new()
    document.add_blank_page(page_size=(595, 842))
    fields = pikepdf.Array()
    for number in range(count):
        field = pikepdf.Dictionary(Type=pikepdf.Name.Annot, Subtype=pikepdf.Name.Widget, FT=pikepdf.Name.Tx, F=4)
        field.Rect, field.T = [60, 800 - 18 * number, 300, 814 - 18 * number], f"field {number}"
        field.MK = pikepdf.Dictionary(BG=[0.9, 0.95, 1.0])
        fields.append(document.make_indirect(field))
    document.pages[0].obj.Annots = fields
    document.Root.AcroForm = pikepdf.Dictionary(Fields=fields, NeedAppearances=True)
    file = io.BytesIO()
    document.save(file)
    return file.getvalue()


WORDS = b"{\\rtf1 " + b"words and words " * 900 + b"}"
PLAIN_RICH_TEXT = struct.pack("<IIII", len(WORDS) + 12, len(WORDS), 0x414C454D, 0) + WORDS
ORDINARY: dict[str, Callable[[], bytes]] = {
    "photo with a gain map": lambda: gain_map(OTHER, OTHER),
    "BMP": lambda: bitmap(Image.new("L", KNOWN.size, 0)),
    "JPEG with a profile in pieces": lambda: before(file_of(OTHER, "JPEG"), b"\xff\xdb", profile_in_pieces(range(5))),
    "JPEG with a comment between two scans": lambda: between_scans(segment(0xFE, b"a comment " * 30)),
    "page with filters": lambda: by_filter("filter: grayscale(1) blur(0)"),
    "drawing with variables": lambda: by_rules(":root {--a: #123456}", 'style="fill: #0f8"').replace(
        b"#0f8", b"var(--a)", 40
    ),
    "property list": lambda: plistlib.dumps({"names": ["a name" * 60] * 50}, fmt=plistlib.FMT_BINARY),
    "code in RTF": lambda: b"{\\rtf1 " + b"\\cf1 if \\cf2 x \\cf3 then" * 900 + b"}",
    "feed with a stylesheet": lambda: b'<?xml version="1.0"?><?xml-stylesheet href="/feed.xsl"?><rss>' + b"<i/>" * 99,
    "change log": lambda: b"".join(b"- mended (#%06d)\n" % (number * 37) for number in range(3_000)),
    "map": lambda: json.dumps([{"fill": f"#{step:02x}aa88"} for step in range(12)] * 300).encode(),
    "database": lambda: database("words and words " * 40, rows=2_000),
    "subtitles": lambda: b"\n".join(b"Dialogue: 0,0:00:01.00,0:00:02.00,D,,0,0,0,,{\\i1}words" for _ in range(900)),
    "form": lambda: article_with_fields(40),
    "message of Outlook": lambda: compound_of(
        {"__properties_version1.0": bytes(5000), "__substg1.0_10090102": PLAIN_RICH_TEXT}
    ),
    "array of numbers": lambda: arrayed(np.arange(10_000, dtype=np.float32)),
    "tokens": lambda: b"\n".join(base64.b64encode(bytes([number % 251] * 400)) for number in range(50)),
    "quoted-printable": lambda: quopri.encodestring("Grüße aus Köln, schöne Grüße. ".encode() * 60),
    "names of bytes": lambda: b"x = b'" + b"\\x00\\x01ab" * 300 + b"'",
}


@pytest.mark.parametrize("kind", ORDINARY)
def test_what_is_like_these_and_ordinary_passes(kind: str) -> None:
    found, shortcomings = looked(ORDINARY[kind](), profile=Profile.FILES)
    assert (shortcomings, [near for near in found if near[0] <= 31]) == ([], [])


def test_a_database_without_end_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """A view of its own would count for ever; tables only are read, and the time that there is ends the rest."""
    with sqlite3.connect(":memory:") as connection:
        counted = "with recursive n(i) as (select 1 union all select i + 1 from n) select hex(zeroblob(900)) from n"
        connection.execute(f"create view endless as {counted}")
        connection.execute("create table held (value)")
        connection.execute("insert into held values (?)", (JPEG,))
    assert outcome(connection.serialize(), profile=Profile.FILES, timeout_s=5.0) == "block"


@pytest.mark.parametrize(
    "data",
    [b"\x89HDF\r\n\x1a\n" + b"\x78\x9c" * 100_000, b"\x7fELF\2\1\1" + zlib.compress(bytes(900))[:200] * 10_000],
    ids=["marks alone", "beginnings alone"],
)
def test_beginnings_of_zlib_without_end_are_ended(data: bytes) -> None:
    started = time.process_time()
    assert outcome(data, profile=Profile.FILES, timeout_s=2.0) in ("hold", "allow")
    assert time.process_time() - started < 15


def test_each_piece_of_an_aperture_has_a_place() -> None:
    boxes = list(itertools.product((0, 300), (0, 200)))
    for left, top in boxes:
        sheet = OTHER.resize((600, 400))
        sheet.paste(KNOWN, (left, top))
        assert outcome(cut_out("AVIF", sheet, (left, top, left + WIDTH, top + HEIGHT))) == "block"


@pytest.mark.parametrize(
    ("packed_text", "text"),
    [
        (
            "2D0000002B0000004C5A4675F1C5C7A703000A007263706731323542320AF32068656C090020627705B06C647D0A800FA0",
            b"{\\rtf1\\ansi\\ansicpg1252\\pard hello world}\r\n",
        ),
        ("1A0000001C0000004C5A4675E2D44B51410004205758595A0D6E7D010EB0", b"{\\rtf1 WXYZWXYZWXYZWXYZWXYZ}"),
    ],
)
def test_the_rich_text_of_messages_is_unpacked(packed_text: str, text: bytes) -> None:
    """The examples of [MS-OXRTFCP], 3.1."""
    assert unpacked_rich_text(bytes.fromhex(packed_text)) == text
    assert unpacked_rich_text(bytes.fromhex(packed_text)[:-4]) is None


@given(st.binary(max_size=200))
def test_no_bytes_make_the_unpacking_of_rich_text_fail(data: bytes) -> None:
    unpacked_rich_text(struct.pack("<IIII", len(data) + 12, 90, 0x75465A4C, 0) + data)


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs the program ffmpeg")
def test_subtitles_that_draw_within_a_film_hold_it(tmp_path: Path) -> None:
    OTHER.save(tmp_path / "o.png")
    (tmp_path / "s.ass").write_bytes(drawn_by_subtitles())
    inputs = ("-loop", "1", "-t", "2", "-i", "o.png", "-i", "s.ass")
    command = ("ffmpeg", "-v", "error", *inputs, "-c:v", "libx264", "-pix_fmt", "yuv420p", "-c:s", "ass", "f.mkv")
    subprocess.run(command, cwd=tmp_path, check=True)
    assert "not-rendered" in looked(zip_of({"film": (tmp_path / "f.mkv").read_bytes()}), profile=Profile.FILES)[1]


@pytest.mark.parametrize("begin", [0, 54])
def test_pixels_of_a_bitmap_are_read_from_where_it_says(begin: int) -> None:
    """Of its beginning, or of its palette, browsers make pixels; to Pillow they follow the palette, turned round."""
    bitmap = bytearray(file_of(KNOWN.convert("L"), "BMP"))
    struct.pack_into("<I", bitmap, 10, begin)
    pixels = bytes(bitmap[54 + 1024 :])
    turned = bytes(bitmap[: 54 + 1024]) + pixels[54 + 1024 - begin :] + bytes(54 + 1024 - begin)
    assert outcome(turned) == "block"


def test_numbers_beyond_the_palette_of_a_bitmap_are_black() -> None:
    shown, other = np.asarray(KNOWN.convert("1")), np.asarray(OTHER.convert("L"))
    bitmap = bytearray(file_of(Image.fromarray(np.where(shown, 99, 100 + other // 2).astype(np.uint8)), "BMP"))
    struct.pack_into("<I", bitmap, 46, 100)
    assert outcome(bytes(bitmap)) == "block"


@pytest.mark.parametrize("kind", ["icon", "cursor", "icon whose list is short"])
@pytest.mark.parametrize("mode", ["L", "RGB", "1"])
def test_what_the_mask_of_an_icon_shows_is_looked_at(kind: str, mode: str) -> None:
    """All of one dark colour, and the rest is the mask: to Pillow a mask begins where it would without a palette."""
    hidden = KNOWN.resize((256, 192)).convert("1")
    bitmap = bytearray(file_of(Image.new(mode, hidden.size), "BMP")[14:])
    struct.pack_into("<i", bitmap, 8, 2 * hidden.height)
    mask = hidden.transpose(Image.Transpose.FLIP_TOP_BOTTOM).tobytes()
    length = len(bitmap) + len(mask) - (40 if kind == "icon whose list is short" else 0)
    entry = struct.pack("<BBBBHHII", 0, hidden.height, 0, 0, 1, 8, length, 22)
    icon = struct.pack("<HHH", 0, 2 if kind == "cursor" else 1, 1) + entry + bytes(bitmap) + mask
    assert outcome(icon) == "block"
