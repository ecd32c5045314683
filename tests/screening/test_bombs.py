"""Bombs: little that claims or becomes much, of every kind of content that is opened. Each ends in a verdict."""

import bz2
import gzip
import lzma
import struct
import tarfile
import zlib
from collections.abc import Callable, Iterator

import pytest

from tests.support.containers import mail_of, seven_zip_of, zip_of
from tests.support.pictures import file_of, photos
from tests.support.quines import gzip_quine, zip_quine
from tutela.content.media.limits import Limits
from tutela.deployment.composition import Deployment, compose_deployment
from tutela.screening.decision import Decision

pytestmark = pytest.mark.slow

MUCH = 24 * 1024**2
"""Bytes that the packed ones become; more than the limit of the deployment here."""
SIDE = 60_000
"""Of pictures that claim to be large."""
SMALL = photos()[0].resize((64, 64))


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """Little may be taken, so that the bombs may be small: whatever takes long runs only when nothing else does."""
    limits = Limits(max_expanded_bytes=20 * 1024**2, max_memory_bytes=256 * 1024**2, timeout_s=3.0, video_timeout_s=6.0)
    with compose_deployment(tmp_path_factory.mktemp("bombs") / "home", decoders=1, limits=limits) as deployment:
        yield deployment


def zeros(times: Callable[[bytes], bytes]) -> Callable[[], bytes]:
    return lambda: times(bytes(MUCH))


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width: int, height: int, *before: bytes) -> bytes:
    """A PNG of one colour, all of its rows there."""
    rows = zlib.compressobj(9)
    body = b"".join(rows.compress(bytes(width + 1)) for _ in range(min(height, 1_000))) + rows.flush()
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(before) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def animated_png() -> bytes:
    """One that says it has four billion frames."""
    return png(64, 64, chunk(b"acTL", struct.pack(">II", 2**32 - 1, 0)))


def jpeg() -> bytes:
    """A small JPEG whose header says that it is as large as can be."""
    data = bytearray(file_of(SMALL, "JPEG"))
    at = data.index(b"\xff\xc0")
    data[at + 5 : at + 9] = struct.pack(">HH", 65_500, 65_500)
    return bytes(data)


def tiff() -> bytes:
    """One strip of a few bytes for a picture without measure."""
    entries = [
        (256, 4, SIDE),
        (257, 4, SIDE),
        (258, 3, 8),
        (259, 3, 1),
        (262, 3, 1),
        (273, 4, 8),
        (278, 4, SIDE),
        (279, 4, 8),
    ]
    packed = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in entries)
    return b"II*\0" + struct.pack("<I", 16) + bytes(8) + struct.pack("<H", len(entries)) + packed + bytes(4)


def bmp() -> bytes:
    head = struct.pack("<IiiHHIIiiII", 40, SIDE, SIDE, 1, 24, 0, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54, 0, 0, 54) + head + bytes(1_000)


def gif() -> bytes:
    """Frames of a full canvas, twenty thousand of them, each in a few bytes."""
    head = b"GIF89a" + struct.pack("<HHBBB", 5_000, 5_000, 0x80, 0, 0) + bytes(6)
    frame = b"," + struct.pack("<HHHHB", 0, 0, 5_000, 5_000, 0) + b"\x02\x02\x4c\x01\x00"
    return head + frame * 20_000 + b";"


def psd() -> bytes:
    return b"8BPS\0\1" + bytes(6) + struct.pack(">HIIHH", 3, 30_000, 30_000, 8, 3) + bytes(12) + b"\0\1" + bytes(1_000)


def tga() -> bytes:
    return struct.pack("<BBBHHBHHHHBB", 0, 0, 10, 0, 0, 0, 0, 0, 65_535, 65_535, 24, 0) + b"\xff\0\0\0" * 1_000


def webp() -> bytes:
    data = bytearray(file_of(SMALL, "WEBP", quality=50))
    at = data.index(b"\x9d\x01\x2a")
    data[at + 3 : at + 7] = struct.pack("<HH", 16_383, 16_383)
    return bytes(data)


def laughs(tail: str) -> str:
    """Ten entities, each ten times the one before."""
    entity, of = '<!ENTITY l{} "{}">', "&l{};"
    steps = "".join(entity.format(n, of.format(n - 1) * 10) for n in range(1, 10))
    return f'<?xml version="1.0"?><!DOCTYPE d [<!ENTITY l0 "laugh">{steps}]>{tail}'


def drawing_of_drawings() -> bytes:
    """An SVG in which each group uses the one before ten times."""
    group, use = '<g id="g{}">{}</g>', '<use href="#g{}"/>'
    groups = "".join(group.format(n, use.format(n - 1) * 10) for n in range(1, 10))
    first = group.format(0, '<rect width="9" height="9"/>')
    return drawing(9, f"<defs>{first}{groups}</defs>{use.format(9)}")


def drawing(side: int, inside: str) -> bytes:
    return f'<svg xmlns="http://www.w3.org/2000/svg" width="{side}" height="{side}">{inside}</svg>'.encode()


def pdf(*objects: bytes) -> bytes:
    numbered = b"".join(b"%d 0 obj\n%b\nendobj\n" % (number, body) for number, body in enumerate(objects, 1))
    return b"%%PDF-1.7\n%btrailer\n<< /Root 1 0 R /Size %d >>\n%%%%EOF\n" % (numbered, len(objects) + 1)


def pages_of_pages() -> bytes:
    """A tree of pages that has itself for a child, and says that it has a billion."""
    return pdf(b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Kids [2 0 R 2 0 R] /Count 1000000000 >>")


def packed_page() -> bytes:
    """What a page draws, packed twice."""
    packed = zlib.compress(zlib.compress(b"0 0 1 1 re f\n" * (MUCH // 13), 9), 9)
    stream = b"<< /Filter [/FlateDecode /FlateDecode] /Length %d >>\nstream\n%b\nendstream" % (len(packed), packed)
    page = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 200 200] /Contents 4 0 R >>"
    return pdf(b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>", page, stream)


def sparse_tar() -> bytes:
    """A TAR whose one member says that it is eight gigabytes."""
    info = tarfile.TarInfo("a.bin")
    info.size = 8 * 1024**3 - 1
    return info.tobuf(tarfile.GNU_FORMAT) + bytes(10_240)


def many_names_of_one() -> bytes:
    """A ZIP in which six thousand names stand for the same packed bytes."""
    data = zip_of({"a": bytes(1_000_000)})
    at, end = data.index(b"PK\x01\x02"), data.index(b"PK\x05\x06")
    record = data[at:end]
    records = record * 6_000
    tail = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 6_000, 6_000, len(records), at, 0)
    return data[:at] + records + tail


def nested(levels: int, wrap: Callable[[bytes], bytes], data: bytes) -> bytes:
    for _ in range(levels):
        data = wrap(data)
    return data


def document() -> bytes:
    """A document of an office whose text is entities of entities."""
    text = laughs(
        '<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main">&l9;</w:document>'
    )
    kinds = '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>'
    return zip_of({"[Content_Types].xml": kinds.encode(), "word/document.xml": text.encode()})


BOMBS: dict[str, Callable[[], bytes]] = {
    "gzip of zeros": zeros(lambda data: gzip.compress(data, 9)),
    "gzip in gzip": zeros(lambda data: gzip.compress(gzip.compress(data, 9), 9)),
    "bzip2 of zeros": zeros(bz2.compress),
    "xz of zeros": zeros(lambda data: lzma.compress(data, preset=0)),
    "7z of zeros": zeros(lambda data: seven_zip_of({"a": data})),
    "ZIP of zeros": zeros(lambda data: zip_of({"a": data})),
    "ZIP of many names for one member": many_names_of_one,
    "ZIP in ZIP, forty times": lambda: nested(40, lambda data: zip_of({"a.zip": data}), file_of(SMALL, "PNG")),
    "ZIP that holds itself": zip_quine,
    "gzip that holds itself": gzip_quine,
    "ZIP of six thousand members": lambda: zip_of({f"{n}.txt": b"" for n in range(6_000)}),
    "TAR of a member without end": sparse_tar,
    "mail in mail, twelve times": lambda: nested(12, lambda data: mail_of(data, forwarded=True), file_of(SMALL, "PNG")),
    "PNG of 3,600 megapixels": lambda: png(SIDE, SIDE),
    "PNG of four billion frames": animated_png,
    "JPEG of 4,290 megapixels": jpeg,
    "TIFF of 3,600 megapixels": tiff,
    "BMP of 3,600 megapixels": bmp,
    "GIF of twenty thousand full frames": gif,
    "PSD of 900 megapixels": psd,
    "TGA of 4,290 megapixels": tga,
    "WebP of 268 megapixels": webp,
    "PNM of 3,600 megapixels": lambda: b"P6\n60000 60000\n255\n" + bytes(1_000),
    "QOI of 3,600 megapixels": lambda: (
        struct.pack(">4sIIBB", b"qoif", SIDE, SIDE, 3, 0) + b"\xfd" * 1_000 + bytes(7) + b"\1"
    ),
    "SVG of a billion laughs": lambda: laughs(drawing(9, "<text>&l9;</text>").decode()).encode(),
    "SVG of a billion drawings": drawing_of_drawings,
    "SVG of 3,600 megapixels": lambda: drawing(SIDE, '<rect width="9" height="9"/>'),
    "a document of a billion laughs": document,
    "PDF of pages of pages": pages_of_pages,
    "PDF of a page packed twice": packed_page,
}

NOTHING_COMES_OF_IT = {
    "ZIP that holds itself",
    "gzip that holds itself",  # the same content is looked at once
    "PNG of four billion frames",  # it has one, which is compared
    "SVG of 3,600 megapixels",  # drawn at the size that is compared
    "a document of a billion laughs",  # text, which is not expanded
}
"""All of these is looked at, so they are allowed."""


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_ends_in_a_verdict_and_what_is_not_seen_is_held(deployment: Deployment, name: str) -> None:
    data = BOMBS[name]()
    assert len(data) < 2_000_000
    verdict = deployment.screener.screen(data)
    print(name, len(data), verdict.decision.value, [reason.code for reason in verdict.reasons])
    assert verdict.decision is (Decision.ALLOW if name in NOTHING_COMES_OF_IT else Decision.HOLD)


def test_a_harmless_picture_is_allowed_after_them(deployment: Deployment) -> None:
    for _ in range(3):
        assert deployment.screener.screen(file_of(photos()[0], "JPEG")).decision is Decision.ALLOW
