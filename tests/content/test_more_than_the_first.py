"""What comes first does not end the search: a harmless file, stream or list of styles before the one that is shown.

Bytes are printed by programs that anyone has, and read back by them; what is at fault was allowed before.
"""

import base64
import binascii
import json
import shutil
import struct
import subprocess
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.support.containers import zip_of
from tests.support.looked import KNOWN, OTHER, outcome
from tests.support.pictures import file_of
from tutela.content.media.confined import fields
from tutela.content.media.confined.budget import Budget
from tutela.content.media.confined.containers import covers
from tutela.content.media.confined.dumps import dumped, from_uu, uuencoded
from tutela.content.media.confined.encodings import packed_in, runs_in
from tutela.content.media.confined.opened import OpenedContent
from tutela.content.media.confined.parts import Unread
from tutela.content.media.content import Mode
from tutela.content.media.limits import Limits
from tutela.content.media.profile import Profile
from tutela.errors import UnscreenableError

JPEG, OTHER_JPEG = file_of(KNOWN, "JPEG", quality=85), file_of(OTHER, "JPEG", quality=85)
LETTERS = base64.b64encode(JPEG).decode()
WORDS = zlib.compress(b"ordinary words, " * 100)
BUDGET = Budget(Limits(timeout_s=3600.0), 0)


def uu(data: bytes, name: str = "k.jpg", mode: str = "644", within: str = "") -> bytes:
    lines = [binascii.b2a_uu(data[at : at + 45]).decode() for at in range(0, len(data), 45)]
    return f"begin {mode} {name}\n{lines[0]}{within}{''.join(lines[1:])}`\nend\n".encode()


def printed(*command: str) -> bytes:
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not here")
    return subprocess.run(command, input=JPEG, capture_output=True, check=True).stdout


def records(line: str) -> bytes:
    pieces = [JPEG[at : at + 16] for at in range(0, len(JPEG), 16)]
    said = (line.format(length=len(each), at=16 * n % 65_536, data=each.hex().upper()) for n, each in enumerate(pieces))
    return "\n".join(said).encode()


def lines() -> list[bytes]:
    return base64.encodebytes(JPEG).split()


def percent(text: str, every: int) -> str:
    return "".join(f"%{ord(letter):02X}" if at % every == 0 else letter for at, letter in enumerate(text))


def image(address: str) -> bytes:
    return f'<html><img src="{address}"></html>'.encode()


def with_empty_blocks() -> bytes:
    """A stream of zlib that begins with a thousand blocks of nothing."""
    packer = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    packed = packer.compress(JPEG) + packer.flush()
    return b"\x78\x9c" + b"\0\0\0\xff\xff" * 1000 + packed + struct.pack(">I", zlib.adler32(JPEG))


DRAWING = f"""<svg xmlns='http://www.w3.org/2000/svg' xmlns:xlink='http://www.w3.org/1999/xlink'
 width='240' height='180'><image width='240' height='180' xlink:href='data:image/jpeg;base64,{LETTERS}'/></svg>"""
PROGRAM = b"\x7fELF" + bytes(60)
CARRIED: dict[str, Callable[[], bytes]] = {
    "the second of two in uuencode": lambda: uu(OTHER_JPEG, "a.jpg") + uu(JPEG),
    "the second, behind a small one": lambda: uu(b"hello", "a.txt") + b"\n" + uu(JPEG),
    "uuencode with a beginning within": lambda: uu(JPEG, within="begin 644 a.txt\n"),
    "uuencode with an empty line within": lambda: uu(JPEG, within="\n`\n"),
    "uuencode with a mode of Git": lambda: uu(JPEG, mode="100644"),
    "base32 as the command writes it": lambda: printed("base32"),
    "base32 in small letters": lambda: base64.b32encode(JPEG).lower(),
    "xxd": lambda: printed("xxd"),
    "xxd in 32 columns": lambda: printed("xxd", "-c", "32"),
    "hexdump": lambda: printed("hexdump", "-v"),
    "hexdump -x": lambda: printed("hexdump", "-v", "-x"),
    "od": lambda: printed("od", "-v"),
    "od -c": lambda: printed("od", "-v", "-c"),
    "od -b": lambda: printed("od", "-v", "-b"),
    "od -x": lambda: printed("od", "-v", "-x"),
    "od -tx1, decimal places": lambda: printed("od", "-v", "-Ad", "-tx1"),
    "signed bytes": lambda: json.dumps(np.frombuffer(JPEG, np.int8).tolist()).encode(),
    "numbers with spaces": lambda: " ".join(map(str, JPEG)).encode(),
    "numbers, one a line": lambda: json.dumps(list(JPEG), indent=12).encode(),
    "numbers with their places": lambda: json.dumps({str(at): value for at, value in enumerate(JPEG)}).encode(),
    "numbers in two notations": lambda: ", ".join(f"{v:#x}" if v % 2 else str(v) for v in JPEG).encode(),
    "braced escapes": lambda: b'"' + b"".join(b"\\u{%02x}" % value for value in JPEG) + b'"',
    "bits": lambda: "".join(f"{value:08b}" for value in JPEG).encode(),
    "Intel HEX": lambda: records(":{length:02X}{at:04X}00{data}00"),
    "S-records": lambda: records("S1{length:02X}{at:04X}{data}00"),
    "base64 in groups": lambda: b" ".join(LETTERS[at : at + 8].encode() for at in range(0, len(LETTERS), 8)),
    "base64 in elements": lambda: b"<a>" + b"".join(b"<l>%b</l>" % line for line in lines()) + b"</a>",
    "base64 joined by points": lambda: b'<?php $a = "' + b'" .\n"'.join(lines()) + b'";',
    "base85 in JSON": lambda: json.dumps({"a": base64.b85encode(JPEG).decode()}, separators=(",", ":")).encode(),
    "base85 in lines": lambda: base64.a85encode(JPEG, wrapcol=72),
    "an address with a long head": lambda: image(f"data:image/jpeg;x={'y' * 300};base64,{percent(LETTERS, 30)}"),
    "an address with a tab": lambda: image(f"da\tta:image/jpeg;base64,{percent(LETTERS, 30)}"),
    "an address with spaces": lambda: image(f"data: image/jpeg ; base64 ,{percent(LETTERS, 30)}"),
    "an address with quotes": lambda: image(f"data:image/jpeg;x='a<b';base64,{percent(LETTERS, 30)}"),
    "a drawing in percent": lambda: image("da\nta:image/svg+xml," + percent(DRAWING, 7)),
    "an address of bytes": lambda: image(
        "da\nta:a/b;" + "y" * 300 + "," + "".join(chr(b) if chr(b).isalnum() and b < 128 else f"%{b:02x}" for b in JPEG)
    ),
    "a form": lambda: b"picture=" + percent(LETTERS, 30).encode() + b"&a=b",
    "behind a packed text": lambda: base64.b64encode(WORDS + JPEG),
    "a second packed stream": lambda: base64.b64encode(WORDS + zlib.compress(JPEG)),
    "packed behind nothing": lambda: base64.b64encode(with_empty_blocks()),
    "packed in a program behind nothing": lambda: PROGRAM + with_empty_blocks(),
}  # fmt: skip


@pytest.mark.parametrize("kind", CARRIED)
@pytest.mark.parametrize("profile", Profile)
def test_what_stands_behind_something_else_or_in_another_notation_is_found(kind: str, profile: Profile) -> None:
    assert outcome(zip_of({"a": CARRIED[kind]()}), profile=profile) == "block"


OTHER_PNG = file_of(OTHER, "PNG")
CANNOT_BE_SEEN = {
    "a JPEG that was cut": OTHER_JPEG[: len(OTHER_JPEG) * 2 // 3],
    "a PNG that was cut": OTHER_PNG[: len(OTHER_PNG) // 2],
    "7z": b"7z\xbc\xaf\x27\x1c\0\x04" + bytes(range(256)) * 16,
    "a film": b"\0\0\0\x18ftypisom\0\0\0\0isommp42" + bytes(range(256)) * 16,
    "an office file": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(range(256)) * 16,
}


@pytest.mark.parametrize("kind", CANNOT_BE_SEEN)
def test_what_counts_for_little_in_one_place_counts_whole_in_the_next(kind: str) -> None:
    """Letters that stand for a file are a guess, and may stand for none; the file itself, or in itself, is none."""
    data = CANNOT_BE_SEEN[kind]
    letters = base64.b64encode(data)
    for guesses in ({"a": letters}, {"a": letters, "b": zip_of({"c": letters})}):
        assert outcome(zip_of(guesses), profile=Profile.FILES) == "allow"
    for parts in ({"a": letters, "b": data}, {"a": data, "b": letters}, {"a": letters, "b": zip_of({"c": data})}):
        assert outcome(zip_of(parts), profile=Profile.FILES) == "hold", list(parts)


@pytest.mark.parametrize("begin", ["data:", "&#100;ata:", "data&colon;", "\\64 ata:"])
def test_a_picture_that_was_cut_holds_however_a_page_shows_it(begin: str) -> None:
    letters = base64.b64encode(CANNOT_BE_SEEN["a JPEG that was cut"]).decode()
    page = f'<!doctype html><p style="background: url({begin}image/jpeg;base64,{letters})">words</p>'
    assert outcome(page.encode(), profile=Profile.FILES) == "hold"


def test_more_than_is_unpacked_of_a_stream_holds() -> None:
    """What came out first was looked at, and the rest left out without a word."""
    packed = zlib.compress(b" " * (65 * 1024 * 1024) + JPEG)
    letters = base64.b64encode(packed)
    for find in (lambda: list(packed_in(memoryview(PROGRAM + packed), BUDGET)), lambda: list(runs_in(letters, BUDGET))):
        with pytest.raises(UnscreenableError, match="more is packed"):
            find()


@pytest.mark.parametrize("length", [200, 255, 256, 4_097])
def test_a_dump_is_read_back_whole(length: int) -> None:
    data = np.random.default_rng(length).bytes(length)
    for command in (["xxd"], ["xxd", "-c", "7"], ["hexdump", "-vC"], ["od", "-v"], ["od", "-vtx1"], ["od", "-vb"]):
        if shutil.which(command[0]) is not None:
            text = subprocess.run(command, input=data, capture_output=True, check=True).stdout
            # What stands alone in the last line is no line of a dump.
            assert any(data[: length - 16] in found for found in dumped(text)), command


def test_uuencode_is_read_back_whole() -> None:
    found = [(name, from_uu(lines)) for name, lines in uuencoded(uu(b"one" * 99, "a") + b"words\n\n" + uu(b"two" * 99))]
    assert found == [("a", b"one" * 99), ("k.jpg", b"two" * 99)]


ORDINARY = {
    "a sheet of numbers": b"\n".join(b"%d, %d, %d" % (n % 256, n * 7 % 256, n * 31 % 256) for n in range(2_000)),
    "a log with addresses": b"\n".join(b"GET /a%%20b/%d?q=%%3Cb%%3E 200" % n for n in range(2_000)),
    "settings": json.dumps({str(n): n % 7 for n in range(2_000)}).encode(),
    "a list of words": b"\n".join(b"word%d" % n for n in range(3_000)),
    "a mail about uuencode": b"write\n\nbegin 644 name\n\nand lines, then\n\nend\n" * 20,
    "prose about data": b"The data: a/b, c and d. Data: this, that and the other. " * 200,
}


@pytest.mark.parametrize("kind", ORDINARY)
def test_what_is_like_these_and_ordinary_passes(kind: str) -> None:
    assert outcome(zip_of({"a": ORDINARY[kind]}), profile=Profile.FILES) == "allow"


FIELDS = np.asarray(KNOWN.resize((60, 45), Image.Resampling.BOX).convert("L")) // 16
SHEETS = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
WORDS_OF = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
OPEN = " ".join(
    f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"' for name in ("office", "style", "table", "fo")
)


def grey(number: int) -> str:
    return f"{number * 16 + 8:02x}" * 3


def rows(row: str, cell: Callable[[int], str]) -> str:
    return "".join(f"<{row}>{''.join(map(cell, line))}</{row.split()[0]}>" for line in FIELDS.tolist())


def sheet(before: str = "", encoding: str = "utf-8") -> bytes:
    said = f'<?xml version="1.0" encoding="{encoding}"?>{before}<worksheet {SHEETS}><sheetData>'
    return (said + rows("row", '<c s="{}"/>'.format) + "</sheetData></worksheet>").encode(encoding)


def styles(encoding: str = "utf-8") -> bytes:
    fills = "".join(f'<fill><patternFill><fgColor rgb="FF{grey(n)}"/></patternFill></fill>' for n in range(16))
    formats = "".join(f'<xf fillId="{n}"/>' for n in range(16))
    text = f'<?xml version="1.0" encoding="{encoding}"?><styleSheet {SHEETS}><fills>{fills}</fills><cellXfs>{formats}'
    return f"{text}</cellXfs></styleSheet>".encode(encoding)


def book(sheet: bytes = sheet(), **others: bytes) -> dict[str, bytes]:
    return {"[Content_Types].xml": b"<Types/>", **others, "xl/styles.xml": styles(), "xl/worksheets/sheet1.xml": sheet}


def open_styles(name: str = "c", rest: str = "") -> str:
    begin = '<style:style style:family="table-cell" style:name='
    inner = '<style:table-cell-properties fo:background-color="#{}"/>'
    return "".join(f'{begin}"{name}{n}"{rest.format(n)}>{inner.format(grey(n))}</style:style>' for n in range(16))


def inheriting() -> str:
    begin = '<style:style style:family="table-cell" style:name='
    return "".join(f'{begin}"d{n}" style:parent-style-name="c{n}"/>' for n in range(16)) + open_styles()


def open_document(kind: str, automatic: str = "", common: str = "", name: str = "c") -> dict[str, bytes]:
    table = rows("table:table-row", lambda n: f'<table:table-cell table:style-name="{name}{n}"/>')
    body = f"<office:body><office:{kind}><table:table>{table}</table:table></office:{kind}></office:body>"
    return {
        "mimetype": b"application/vnd.oasis.opendocument",
        "content.xml": f"<office:document-content {OPEN}>{automatic}{body}</office:document-content>".encode(),
        "styles.xml": f"<office:document-styles {OPEN}>{common}</office:document-styles>".encode(),
    }


def words(inside: str) -> dict[str, bytes]:
    text = f"<w:document {WORDS_OF}><w:body>{inside}</w:body></w:document>".encode()
    return {"[Content_Types].xml": b"<Types/>", "word/document.xml": text}


def slide(prefix: str, shapes: int = 900, encoding: str = "utf-8") -> dict[str, bytes]:
    named = f"{prefix}:" if prefix else ""
    text = f"<{named}sld>{f'<{named}sp><a:off/></{named}sp>' * shapes}</{named}sld>"
    return {"ppt/slides/slide1.xml": f'<?xml version="1.0" encoding="{encoding}"?>{text}'.encode(encoding)}


def table(shade: Callable[[int], str]) -> dict[str, bytes]:
    cells = rows("w:tr", lambda n: f"<w:tc><w:tcPr><w:shd {shade(n)}/></w:tcPr></w:tc>")
    return words(f"<w:tbl>{cells}</w:tbl>")


def workbook_of_2003() -> dict[str, bytes]:
    named = "".join(f'<Style ss:ID="s{n}"><Interior ss:Color="#{grey(n)}"/></Style>' for n in range(16))
    space = 'xmlns:ss="urn:schemas-microsoft-com:office:spreadsheet"'
    cells = rows("Row", '<Cell ss:StyleID="s{}"/>'.format)
    return {"a.xml": f"<Workbook {space}><Styles>{named}</Styles><Table>{cells}</Table></Workbook>".encode()}


DOCUMENTS: dict[str, Callable[[], dict[str, bytes]]] = {
    "other styles before those of the sheet": lambda: book(**{"xl/a.xml": f"<styleSheet {SHEETS}/>".encode()}),
    "an element in a comment before the root": lambda: book(sheet("<!-- <x > -->")),
    "a long comment before the root": lambda: book(sheet(f"<!-- {'x' * 5000} -->")),
    "an instruction before the root": lambda: book(sheet("<?a <x > ?>")),
    "UTF-16": lambda: book(sheet(encoding="utf-16"), **{"xl/a.xml": styles("utf-16")}),
    "OpenDocument": lambda: open_document("spreadsheet", open_styles()),
    "styles of the document": lambda: open_document("spreadsheet", common=open_styles()),
    "styles upon styles": lambda: open_document("spreadsheet", inheriting(), name="d"),
    "a table of a text": lambda: open_document("text", open_styles()),
    "a table of a presentation": lambda: open_document("presentation", open_styles()),
    "another prefix": lambda: {
        name: data.replace(b"office:", b"o:") for name, data in open_document("spreadsheet", open_styles()).items()
    },
    "shades of a theme": lambda: table(lambda n: f'w:themeFill="background1" w:themeFillShade="{n * 16 + 8:02X}"'),
    "shades by patterns": lambda: table(lambda n: f'w:val="pct{max(5, 95 - 6 * n)}" w:color="000000" w:fill="auto"'),
    "shades of letters": lambda: words(
        rows("w:p", lambda n: f'<w:r><w:rPr><w:shd w:fill="{grey(n)}"/></w:rPr><w:t> </w:t></w:r>')
    ),
    "shapes of another prefix": lambda: slide("q"),
    "shapes without a prefix": lambda: slide(""),
    "shapes in UTF-16": lambda: slide("p", encoding="utf-16"),
    "XML Spreadsheet 2003": workbook_of_2003,
}


@pytest.mark.parametrize("kind", DOCUMENTS)
def test_what_a_document_draws_is_found_whatever_stands_before_it_and_however_it_is_named(kind: str) -> None:
    assert outcome(zip_of(DOCUMENTS[kind]())) in ("block", "hold")


def test_more_lists_of_styles_than_are_read_hold() -> None:
    others = {f"xl/{number}.xml": styles().replace(b"FF", b"00") for number in range(9)}
    assert outcome(zip_of(book(b"<worksheet/>", **others))) == "hold"


PATHS = b"<path d='M0 0'/>" * 900
ORDINARY_DOCUMENTS = {
    "a few shapes": slide("p", shapes=300),
    "a drawing of many paths": {"a.svg": b'<svg xmlns="http://www.w3.org/2000/svg">' + PATHS + b"</svg>"},
    "a page of many paths": {"a.html": b"<html><meta charset=utf-8><svg>" + PATHS + b"</svg></html>"},
    "a sheet without colours": book(sheet().replace(b' s="', b' t="')),
    "words that are marked": words('<w:r><w:rPr><w:shd w:fill="FFFF00"/></w:rPr><w:t>a</w:t></w:r>' * 900),
}  # fmt: skip


@pytest.mark.parametrize("kind", ORDINARY_DOCUMENTS)
def test_ordinary_documents_like_these_pass(kind: str) -> None:
    assert outcome(zip_of(ORDINARY_DOCUMENTS[kind])) == "allow"


CLASSES = "".join(f".c{n}{{background:#{grey(n)}}}" for n in range(16)) + "i{float:left;width:8px;height:8px}"
STYLED = "<div style='width:480px'>" + rows("div", "<i class=c{}></i>".format) + "</div>"
STYLE = base64.b64encode(CLASSES.encode()).decode()
PAINT = b"c.getContext('2d').fillRect(1,1,1,1);"
PAGES = {
    "styles behind an address": f"<html><link rel=stylesheet href='data:text/css;base64,{STYLE}'>{STYLED}</html>",
    "styles that are imported": f"<html><style>@import url(data:text/css;base64,{STYLE});</style>{STYLED}</html>",
    "a script in an attribute": f'<html><canvas id=c></canvas><body onload="{PAINT.decode()}"></html>',
    "an escaped script": '<html><canvas id=c></canvas><body onload="c.&#103;etContext(1)"></html>',
    "a script behind a link": '<html><canvas id=c></canvas><a href="javascript:c.getContext(1)">a</a></html>',
    "a script behind an address": "<html><canvas id=c></canvas><script src='data:text/javascript;base64,"
    + base64.b64encode(PAINT).decode()
    + "'></script></html>",
}


@pytest.mark.parametrize("kind", PAGES)
def test_styles_and_scripts_of_a_page_count_wherever_they_stand(kind: str) -> None:
    assert outcome(zip_of({"a.html": PAGES[kind].encode()}), profile=Profile.FILES) in ("block", "hold")


def test_a_page_with_handlers_and_words_about_painting_passes() -> None:
    page = b"<html><a href=\"javascript:void(0)\" onclick='show()'>a</a><p>getContext is a method</p></html>"
    assert outcome(zip_of({"a.html": page}), profile=Profile.FILES) == "allow"


PNG, WEBP, BITMAP = file_of(OTHER, "PNG"), file_of(OTHER, "WEBP", quality=80), file_of(KNOWN, "BMP")


def with_chunk(kind: bytes, data: bytes) -> bytes:
    put = struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    return PNG[:-12] + put + PNG[-12:]


def with_segments(marker: int, head: Callable[[int], bytes], data: bytes = JPEG) -> bytes:
    pieces = [head(at) + data[at : at + 3_000] for at in range(0, len(data), 3_000)]
    put = b"".join(struct.pack(">BBH", 0xFF, marker, len(piece) + 2) + piece for piece in pieces)
    return OTHER_JPEG[:2] + put + OTHER_JPEG[2:]


def with_webp_chunk(kind: bytes) -> bytes:
    body = WEBP[8:] + kind + struct.pack("<I", len(JPEG)) + JPEG + bytes(len(JPEG) % 2)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def woff(length: int) -> bytes:
    packed = zlib.compress(bytes(100) + BITMAP)
    head = struct.pack(">IHHIHHIIIII", 64 + len(packed), 1, 0, 99, 1, 0, 0, 0, 0, 0, 0)
    return b"wOFF\0\1\0\0" + head + b"CBDT" + struct.pack(">IIII", 64, len(packed), length, 0) + packed


def small_window() -> bytes:
    packer = zlib.compressobj(9, wbits=12)
    return packer.compress(base64.b64encode(JPEG)) + packer.flush()


METADATA: dict[str, Callable[[], bytes]] = {
    "a text in a long language": lambda: with_chunk(b"iTXt", b"K\0\1\0" + b"l" * 600 + b"\0\0" + zlib.compress(JPEG)),
    "a second stream of a text": lambda: with_chunk(b"zTXt", b"K\0\0" + WORDS + zlib.compress(JPEG)),
    "a text with a small window": lambda: with_chunk(b"zTXt", b"K\0\0" + small_window()),
    "a chunk of a program's own": lambda: with_chunk(b"prVt", zlib.compress(JPEG)),
    "letters far behind": lambda: with_chunk(b"tEXt", b"K\0" + b" " * (4 << 20) + base64.b64encode(BITMAP)),
    "packed in a segment": lambda: with_segments(0xEB, lambda at: b"x\0", zlib.compress(JPEG)),
    "several segments of Photoshop": lambda: with_segments(0xED, lambda at: b"Photoshop 3.0\0"),
    "several segments of FlashPix": lambda: with_segments(0xE2, lambda at: b"FPXR\0\0\2" + struct.pack(">HI", 0, at)),
    "several segments of JUMBF": lambda: with_segments(0xEB, lambda at: struct.pack(">2sHIQ", b"JP", 1, at, 0)),
    "another chunk of a WebP": lambda: with_webp_chunk(b"ABCD"),
    "a table of a font longer than it says": lambda: woff(120),
}


@pytest.mark.parametrize("kind", METADATA)
def test_what_metadata_carry_in_pieces_or_packed_is_found(kind: str) -> None:
    data = METADATA[kind]()
    assert outcome(zip_of({"a": data}), profile=Profile.FILES) in ("block", "hold")


def test_more_files_behind_a_photo_than_are_looked_at_for_a_gain_map_hold() -> None:
    said = b"http://ns.adobe.com/xap/1.0/\0hdrgm:Version hdrgainmap"
    photo = OTHER_JPEG[:2] + struct.pack(">BBH", 0xFF, 0xE1, len(said) + 2) + said + OTHER_JPEG[2:]
    small = [file_of(OTHER.resize((16 + number, 16)), "JPEG") for number in range(9)]
    assert outcome(photo + b"".join(small[:8])) == "allow"
    assert outcome(photo + b"".join(small)) == "hold"


def test_more_attached_pictures_than_are_looked_at_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    content = OpenedContent(film_with_attachments(2), Mode.FAST, Limits())
    for most, held in ((2, False), (1, True)):
        monkeypatch.setattr(covers, "_MOST", most)
        parts = list(covers.Covers().parts(content, BUDGET))
        assert any(isinstance(part, Unread) for part in parts) is held


def film_with_attachments(count: int) -> bytes:
    if shutil.which("ffmpeg") is None:
        pytest.skip("ffmpeg is not here")
    with tempfile.TemporaryDirectory() as folder:
        picture, film = Path(folder, "a.jpg"), Path(folder, "a.mkv")
        picture.write_bytes(OTHER_JPEG)
        command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc=d=1:s=64x64:r=2"]
        for number in range(count):
            command += ["-attach", str(picture), f"-metadata:s:t:{number}", "mimetype=application/octet-stream"]
        subprocess.run([*command, "-c:v", "mjpeg", str(film)], check=True)
        return film.read_bytes()


def test_empty_cells_to_the_end_of_a_row_are_looked_up_at_once(monkeypatch):
    """Each of the 16,381 that a program writes behind the last was looked up for itself: 4,000 rows were held."""
    asked: list[str] = []
    colour = fields._Styles.colour

    def counted(self: fields._Styles, name: str) -> int | None:
        asked.append(name)
        return colour(self, name)

    monkeypatch.setattr(fields._Styles, "colour", counted)
    column = '<table:table-column table:number-columns-repeated="{}" table:default-cell-style-name="c{}"/>'
    cells = '<table:table-cell/><table:table-cell table:number-columns-repeated="16381"/>'
    table = column.format(3, 1) + column.format(16_381, 99) + f"<table:table-row>{cells}</table:table-row>" * 100
    text = (
        f"<office:document-content {OPEN}>{open_styles()}<table:table>{table}</table:table></office:document-content>"
    )
    (grid,) = fields._open_document(text.encode(), [])
    assert {column for _, column in grid.colours} == {0, 1, 2}
    assert asked == ["c1", "c1", "c99"] * 100


@pytest.mark.parametrize(("shapes", "held"), [(180, False), (401, True)])
def test_a_shape_with_an_outline_of_its_own_counts_once(shapes, held):
    """A map of the world has a freeform for each country: each counted three times, and the slide was held."""
    outline = "<a:custGeom><a:rect/><a:pathLst><a:path><a:moveTo/></a:path></a:pathLst></a:custGeom>"
    slide = f"<p:sld xmlns:p='p' xmlns:a='a'>{f'<p:sp>{outline}</p:sp>' * shapes}</p:sld>"
    assert bool(list(fields.drawn([("ppt/slides/slide1.xml", slide.encode())]))) is held
