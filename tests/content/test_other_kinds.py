"""Kinds that an enemy thought of: formulas, terminals, stickers, fields of films, subtitles, fonts, programs, layers.

Each shows or carries the known picture in one viewer or another: it is matched, or held by what is in it.
"""

import base64
import gzip
import io
import json
import struct
import zlib
from collections.abc import Callable
from fractions import Fraction

import av
import numpy as np
import pytest
from PIL import Image

from tests.support.containers import zip_of
from tests.support.looked import KNOWN, OTHER, outcome
from tests.support.pictures import file_of
from tutela.content.media.profile import Profile

JPEG = file_of(KNOWN, "JPEG", quality=85)
OTHER_JPEG, OTHER_PNG = file_of(OTHER, "JPEG", quality=85), file_of(OTHER, "PNG")
FIELDS = np.asarray(KNOWN.resize((60, 45), Image.Resampling.BOX)).tolist()
PLACES = [(x, y, *FIELDS[y][x]) for y in range(45) for x in range(60)]


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def with_chunk(kind: bytes, data: bytes) -> bytes:
    return OTHER_PNG[:-12] + chunk(kind, data) + OTHER_PNG[-12:]


def segments(marker: bytes, pieces: list[bytes]) -> bytes:
    put = b"".join(marker + struct.pack(">H", len(piece) + 2) + piece for piece in pieces)
    return OTHER_JPEG[:2] + put + OTHER_JPEG[2:]


def cut(data: bytes, length: int) -> list[bytes]:
    return [data[at : at + length] for at in range(0, len(data), length)]


def extended_xmp() -> bytes:
    packet = b"<x:xmpmeta GImage:Data='" + base64.b64encode(JPEG) + b"'/>"
    head = b"http://ns.adobe.com/xmp/extension/\0" + b"0" * 32
    pieces = [head + struct.pack(">II", len(packet), 4_000 * at) + piece for at, piece in enumerate(cut(packet, 4_000))]
    return segments(b"\xff\xe1", pieces)


def gif_comment() -> bytes:
    blocks = b"".join(bytes([len(piece)]) + piece for piece in cut(JPEG, 255))
    return file_of(OTHER, "GIF")[:-1] + b"\x21\xfe" + blocks + b"\0;"


def html_rows(cell: str) -> str:
    return "".join("<tr>" + "".join(cell.format(*colour) for colour in row) + "</tr>" for row in FIELDS)


def formulas() -> bytes:
    rows = html_rows("<mtd mathbackground='#{:02x}{:02x}{:02x}'> </mtd>").replace("tr>", "mtr>")
    return f"<html><math><mtable>{rows}</mtable></math></html>".encode()


def foreign() -> bytes:
    rows = html_rows("<td style='background:#{:02x}{:02x}{:02x};width:8px;height:8px'/>")
    page = f"<foreignObject width='480' height='360'><table xmlns='http://www.w3.org/1999/xhtml'>{rows}</table>"
    return f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 480 360'>{page}</foreignObject></svg>".encode()


def terminal() -> bytes:
    rows = ("".join(f"\x1b[48;2;{r};{g};{b}m  " for r, g, b in row) + "\x1b[0m" for row in FIELDS)
    return "\n".join(rows).encode()


def reversed_terminal() -> bytes:
    """In two tones: spaces, and spaces with the colours of ground and letters changed over."""
    tones = np.asarray(KNOWN.convert("L").resize((96, 36)).convert("1"))
    rows = ("".join("\x1b[7m " if white else "\x1b[27m " for white in row) + "\x1b[0m" for row in tones)
    return "\n".join(rows).encode()


def sixels() -> bytes:
    return b"\x1bPq#0;2;0;0;0" + b"#0" + b"?@AB" * 1_000 + b"\x1b\\"


def sticker() -> bytes:
    shapes = [
        {"ty": "gr", "it": [{"ty": "rc", "p": {"k": [x, y]}}, {"ty": "fl", "c": {"k": [r / 255, g / 255, b / 255]}}]}
        for x, y, r, g, b in PLACES
    ]
    return gzip.compress(json.dumps({"v": "5.5.2", "tgs": 1, "layers": [{"ty": 4, "shapes": shapes}]}).encode())


def rtf() -> bytes:
    colours: dict[tuple[int, ...], int] = {}
    rows = ""
    for row in FIELDS:
        numbers = [colours.setdefault(tuple(colour), len(colours) + 1) for colour in row]
        rows += "\\trowd" + "".join(f"\\clcbpat{number}\\cellx{at * 200}" for at, number in enumerate(numbers, 1))
        rows += "\\cell" * len(row) + "\\row\n"
    table = "".join(f"\\red{r}\\green{g}\\blue{b};" for r, g, b in colours)
    return f"{{\\rtf1{{\\colortbl;{table}}}{rows}}}".encode()


def woff() -> bytes:
    table = file_of(KNOWN, "TIFF")
    packed = zlib.compress(table)
    entry = b"sbix" + struct.pack(">IIII", 64, len(packed), len(table), 0)
    counts = struct.pack(">IHHIHHIIIII", 64 + len(packed), 1, 0, 999, 1, 0, 0, 0, 0, 0, 0)
    return b"wOFF\0\1\0\0" + counts + entry + packed


def woff_2() -> bytes:
    head = b"wOF2\0\1\0\0" + struct.pack(">IHHIIHHIIIII", 400, 2, 0, 999, 300, 1, 0, 0, 0, 0, 0, 0)
    return head + b"\x00\x10" + b"\x25\x81\x10" + bytes(341)


def program(icon: bool) -> bytes:
    bitmap = bytearray(file_of(KNOWN.resize((256, 256)), "BMP")[14:])
    if icon:
        bitmap[8:12] = struct.pack("<i", 512)
    stub = b"MZ" + bytes(58) + struct.pack("<I", 64) + b"PE\0\0"
    return stub + bytes(400) + bytes(bitmap) + bytes(256 * 32)


def dump(repeated: bool = False) -> bytes:
    data = file_of(KNOWN.resize((160, 120)), "BMP") if repeated else JPEG
    lines, last = [], b""
    for at in range(0, len(data), 16):
        piece = data[at : at + 16]
        if not repeated:
            lines.append(
                f"{at:08x}: " + " ".join(piece[i : i + 2].hex() for i in range(0, 16, 2)) + "  ................"
            )
        elif piece != last:
            lines.append(f"{at:08x}  " + " ".join(f"{byte:02x}" for byte in piece) + "  |................|")
        elif lines[-1] != "*":
            lines.append("*")
        last = piece
    return "\n".join(lines).encode() + b"\n"


def layered() -> bytes:
    """A page whose only layer is off at first."""
    boxes = b"".join(
        b"%.3f %.3f %.3f rg %d %d 8 8 re f " % (r / 255, g / 255, b / 255, 8 * x, 352 - 8 * y)
        for x, y, r, g, b in PLACES
    )
    content = b"/OC /O BDC " + boxes + b"EMC"
    objects = [
        b"<</Type/Catalog/Pages 2 0 R/OCProperties<</OCGs[5 0 R]/D<</OFF[5 0 R]>>>>>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 480 360]/Contents 4 0 R/Resources<</Properties<</O 5 0 R>>>>>>",
        b"<</Length %d>>stream\n" % len(content) + content + b"\nendstream",
        b"<</Type/OCG/Name(x)>>",
    ]
    file, places = b"%PDF-1.7\n", []
    for number, item in enumerate(objects, 1):
        places.append(len(file))
        file += b"%d 0 obj\n" % number + item + b"\nendobj\n"
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    end = b"trailer <</Size 6/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % len(file)
    return file + b"xref\n0 6\n0000000000 65535 f \n" + table + end


def interlaced() -> bytes:
    """One field the known picture, one the other."""
    both = np.asarray(OTHER.resize((640, 480)).convert("RGB")).copy()
    both[::2] = np.asarray(KNOWN.resize((640, 480)).convert("RGB"))[::2]
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=10)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 640, 480, "yuv420p"
        stream.options = {"crf": "12", "x264-params": "tff=1", "preset": "fast"}
        for number in range(20):
            frame = av.VideoFrame.from_ndarray(both, "rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 10)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()


def subtitled() -> bytes:
    """A film of the other picture, with a Blu-ray subtitle in 255 colours over it."""
    mapped = KNOWN.resize((320, 240)).convert("L").quantize(255)
    palette = (mapped.getpalette() or [])[: 3 * 255 : 3]
    places = np.random.default_rng(1).permutation(255)  # numbers in no order of brightness
    numbers = places[np.asarray(mapped)] + 1
    lines = b"".join(bytes(line) + b"\0\0" for line in numbers.astype(np.uint8))
    entries = b"".join(bytes([places[at] + 1, luma, 128, 128, 255]) for at, luma in enumerate(palette))
    shown = struct.pack(">HH", 320, 240) + lines
    parts = [
        (0x16, struct.pack(">HHBHBBBB", 640, 480, 16, 0, 128, 0, 0, 1) + struct.pack(">HBBHH", 0, 0, 0, 100, 100)),
        (0x17, b"\1" + struct.pack(">BHHHH", 0, 100, 100, 320, 240)),
        (0x14, b"\0\0" + entries),
        *(
            (
                0x15,
                struct.pack(">HBB", 0, 0, mark) + (struct.pack(">I", len(shown))[1:] if mark & 0x80 else b"") + piece,
            )
            for mark, piece in ((0x80, shown[:60_000]), (0x40, shown[60_000:]))
        ),
        (0x80, b""),
    ]
    sup = b"".join(b"PG" + struct.pack(">IIBH", 9_000, 0, kind, len(data)) + data for kind, data in parts)
    file = io.BytesIO()
    with av.open(file, "w", format="matroska") as container, av.open(io.BytesIO(sup), format="sup") as subtitles:
        film = container.add_stream("libx264", rate=10)
        assert isinstance(film, av.VideoStream)
        film.width, film.height, film.pix_fmt = 640, 480, "yuv420p"
        assert isinstance(subtitles, av.container.InputContainer)
        words = container.add_stream_from_template(subtitles.streams.subtitles[0])
        for number in range(20):
            frame = av.VideoFrame.from_image(OTHER.resize((640, 480)))
            frame.pts, frame.time_base = number, Fraction(1, 10)
            container.mux(film.encode(frame))
        container.mux(film.encode(None))
        for packet in subtitles.demux(subtitles.streams.subtitles[0]):
            if packet.size:
                packet.stream = words
                container.mux(packet)
    return file.getvalue()


def octal() -> bytes:
    return b"printf '" + b"".join(b"\\%03o" % byte for byte in JPEG) + b"'"


ELF = b"\x7fELF\2\1\1" + bytes(9) + bytes(range(1, 256)) * 30
KEY = b"\x30\x83" + struct.pack(">I", len(JPEG) + 5)[1:] + b"\x04\x83" + struct.pack(">I", len(JPEG))[1:] + JPEG


def array(size: tuple[int, int]) -> bytes:
    file = io.BytesIO()
    np.save(file, np.asarray(KNOWN.resize(size)))
    return file.getvalue()


def tagged(frame: bytes, *, unsynchronised: bool, packed: bool = False) -> bytes:
    """An ID3v2.3 tag with a cover, before a frame of silence that no decoder takes for audio."""
    body = b"\0image/jpeg\0\x03\0" + frame
    size = len(body)
    if packed:
        body = struct.pack(">I", size) + zlib.compress(body)
        size = len(body)
    tag = b"APIC" + struct.pack(">I", size) + (b"\0\x80" if packed else b"\0\0") + body
    tag = tag.replace(b"\xff", b"\xff\0") if unsynchronised else tag
    length = bytes(len(tag) >> shift & 0x7F for shift in (21, 14, 7, 0))
    return b"ID3\3\0" + (b"\x80" if unsynchronised else b"\0") + length + tag + b"\xff\xfb\x90\0" + bytes(413)


def in_classes(lightest: int) -> bytes:
    """A table whose cells have their greys, from 0 to the lightest, by classes."""
    mode = "L" if lightest > 1 else "1"
    grey = np.asarray(KNOWN.resize((64, 48)).convert(mode).convert("L")) // (256 // (lightest + 1))
    style = "".join(f".c{n}{{background:rgb({(v := n * 255 // lightest)},{v},{v})}}" for n in range(lightest + 1))
    rows = ("<tr>" + "".join(f"<td class=c{value}>&nbsp;</td>" for value in row) for row in grey)
    return f"<style>{style}</style><table>{''.join(rows)}</table>".encode()


KINDS: dict[str, Callable[[], bytes]] = {
    "base64 twice": lambda: base64.b64encode(base64.b64encode(JPEG)),
    "base64 in hexadecimal": lambda: base64.b64encode(JPEG).hex().encode(),
    "base64 of a token": lambda: b"eyJhbGciOiJub25lIn0." + base64.b64encode(json.dumps([JPEG.hex()]).encode()) + b".",
    "base64 behind noise": lambda: base64.b64encode(np.random.default_rng(1).bytes(300_000) + JPEG),
    "key in PEM": lambda: b"-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(KEY) + b"-----END CERTIFICATE-----\n",
    "base64 in a program": lambda: ELF + b"x" + base64.b64encode(JPEG),
    "cover that is unsynchronised": lambda: tagged(JPEG, unsynchronised=True),
    "cover that is packed": lambda: tagged(file_of(KNOWN, "BMP"), unsynchronised=False, packed=True),
    "cover that is both": lambda: tagged(file_of(KNOWN, "BMP"), unsynchronised=True, packed=True),
    "array": lambda: array((300, 225)),
    "large array": lambda: array((2_051, 1_539)),
    "formulas": formulas,
    "a page within a drawing": foreign,
    "cells with gaps": lambda: f"<html><table>{html_rows('<td bgcolor=#{:02x}{:02x}{:02x}>')}</table></html>".encode(),
    "cells of classes with gaps": lambda: in_classes(15),
    "cells of two classes with gaps": lambda: in_classes(1),
    "terminal": terminal,
    "terminal in two tones": reversed_terminal,
    "sixels": sixels,
    "sticker": sticker,
    "cells of RTF": rtf,
    "WOFF": woff,
    "WOFF 2": woff_2,
    "bitmap of a program": lambda: program(icon=False),
    "icon of a program": lambda: program(icon=True),
    "several Netpbm pictures": lambda: file_of(OTHER, "PPM") + file_of(KNOWN, "PPM"),
    "a layer that is off": layered,
    "one field of a film": interlaced,
    "subtitle of a film": subtitled,
    "octal": octal,
    "xxd": dump,
    "hexdump -C, lines left out": lambda: dump(repeated=True),
    "base32": lambda: base64.b32encode(JPEG),
    "base85": lambda: base64.b85encode(JPEG),
    "text of a PNG": lambda: with_chunk(b"tEXt", b"Comment\0" + base64.b64encode(JPEG)),
    "packed text of a PNG": lambda: with_chunk(b"zTXt", b"Comment\0\0" + zlib.compress(base64.b64encode(JPEG))),
    "comments of a JPEG": lambda: segments(b"\xff\xfe", cut(JPEG, 3_000)),
    "extended XMP": extended_xmp,
    "comment of a GIF": gif_comment,
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_shows_or_carries_the_picture_is_matched_or_held(kind: str) -> None:
    data = KINDS[kind]()
    assert outcome(zip_of({"a": data}), profile=Profile.FILES) in ("block", "hold")


SIGNATURES = [b"GIF89a", b"%PDF-", b"II*\0", b"\xff\xd8\xff\xe0", b"PK\3\4", b"\x1f\x8b\x08", b"RIFFxxxxWEBPVP8 "]
SAID = b" ".join(SIGNATURES)
CUT: dict[str, bytes] = {
    "JPEG": JPEG[:2] + b"\xff\xfe" + struct.pack(">H", len(SAID) + 2) + SAID + JPEG[2:-2],
    "JPEG, far behind its beginning": JPEG[:2] + b"\xff\xfe" + struct.pack(">H", 999) + SAID.rjust(997) + JPEG[2:-2],
    "PNG": (png := file_of(KNOWN, "PNG"))[:33] + chunk(b"tEXt", b"Comment\0" + SAID) + png[33:-12],
    "GIF": (gif := file_of(KNOWN, "GIF"))[:781] + b"\x21\xfe" + bytes([len(SAID)]) + SAID + b"\0" + gif[781:-1],
    "WebP": file_of(KNOWN, "WEBP", quality=80)[:-20],
}
"""Pictures that have lost their end, which browsers show all the same; signatures stand in their comments."""


@pytest.mark.parametrize("kind", CUT)
def test_a_picture_without_an_end_is_found_in_other_data_whatever_looks_like_a_signature_in_it(kind: str) -> None:
    """Of what had no end, only the bytes up to the next signature were looked at."""
    assert outcome(ELF + CUT[kind], profile=Profile.FILES) == ("hold" if kind == "WebP" else "block")


@pytest.mark.parametrize("size", [(300, 225), (511, 513), (1_537, 1_153), (2_051, 1_539)])
def test_an_array_of_any_size_is_looked_at(size: tuple[int, int]) -> None:
    """What was brought down to be hashed was said to be whole, so that the examination failed."""
    assert outcome(array(size), profile=Profile.FILES) == "block"


ORDINARY: dict[str, bytes] = {
    "key in PEM": b"-----BEGIN X-----\n" + base64.encodebytes(bytes(range(256)) * 8) + b"-----END X-----\n",
    "words in base64 in base64": base64.b64encode(base64.b64encode(b"ordinary words, over and over. " * 40)),
    "audio with a tag": tagged(OTHER_JPEG, unsynchronised=True),
    "array": array((8, 8)),
    "sticker": gzip.compress(json.dumps({"tgs": 1, "layers": [{"shapes": [{"ty": "fl"}] * 200}]}).encode()),
    "coloured log": b"\n".join(b"\x1b[32mok\x1b[0m test %d" % number for number in range(2_000)),
    "session of a shell that marks lines without an end": b"\x1b[1m\x1b[7m%\x1b[27m\x1b[1m\x1b[0m   \r~ $ ls\r\n" * 900,
    "WOFF 2 of letters": b"wOF2\0\1\0\0" + struct.pack(">IHHIIHHIIIII", 400, 1, 0, 999, 300, 1, 0, 0, 0, 0, 0, 0)
    + b"\x00\x10" + bytes(341),
    "program": b"MZ" + bytes(58) + struct.pack("<I", 64) + b"PE\0\0" + bytes(range(256)) * 40,
    "rich text": b"{\\rtf1 " + b"\\highlight1 word \\highlight0 " * 50 + b"}",
    "random words of digits": b" ".join(b"%x" % (number * 7**40 % 16 ** (1 + number % 12)) for number in range(20_000)),
}  # fmt: skip


@pytest.mark.parametrize("kind", ORDINARY)
def test_what_is_like_these_and_ordinary_passes(kind: str) -> None:
    assert outcome(zip_of({"a": ORDINARY[kind]}), profile=Profile.FILES) == "allow"
