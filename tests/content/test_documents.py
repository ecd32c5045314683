"""Documents, archives and messages as people send them pass; what is carried in them in forms of their own is found."""

import base64
import random
import struct
import zlib

import pytest

from tests.support.containers import compound_of, mail_of, zip_of
from tests.support.looked import KNOWN, OTHER, outcome
from tests.support.pictures import file_of

COPY = file_of(KNOWN, "JPEG", quality=80)
PICTURE = file_of(OTHER, "JPEG")
BITMAP = file_of(KNOWN.convert("RGB"), "BMP")[14:]
NOISE = random.Random(5).randbytes(9_000)


def emf_of(bitmap: bytes) -> bytes:
    record = struct.pack("<II", 81, 80 + len(bitmap)) + bytes(40) + struct.pack("<4I", 80, 40, 120, len(bitmap) - 40)
    header = struct.pack("<II", 1, 108) + bytes(32) + b" EMF" + bytes(64)
    return header + record + bytes(16) + bitmap + struct.pack("<IIIII", 14, 20, 0, 0, 20)


def blip(kind: int, body: bytes) -> bytes:
    """A picture as Office keeps it: a record's header, then an identifier."""
    return struct.pack("<HHI", 0x3D40, kind, 16 + len(body)) + bytes(16) + body


PACKED_METAFILE = blip(0xF01A, bytes(34) + zlib.compress(emf_of(BITMAP)))
WORD = {"WordDocument": b"\xec\xa5" + bytes(5_000), "1Table": bytes(5_000)}
NATIVE = b"\x01Ole10Native".decode()


def record(kind: int, body: bytes) -> bytes:
    return struct.pack("<HH", kind, len(body)) + body


def workbook(*, coloured: bool) -> bytes:
    formats = b"".join(
        record(0xE0, bytes(14) + struct.pack("<IH", (coloured << 26), 8 + colour)) for colour in range(16)
    )
    cells = b"".join(record(0x201, struct.pack("<HHH", y, x, (x + y) % 16)) for y in range(20) for x in range(20))
    return formats + cells


def drawing_in_records(picture: bytes) -> bytes:
    """Excel cuts what is long in records of at most 8,224 bytes."""
    pieces = [picture[at : at + 4_000] for at in range(0, len(picture), 4_000)]
    return record(0xEB, pieces[0]) + b"".join(record(0x3C, piece) for piece in pieces[1:])


def native(file: bytes) -> bytes:
    body = struct.pack("<H", 2) + b"k.gz\0C:\\k.gz\0" + bytes(4) + struct.pack("<I", 6) + b"k.gz\0\0"
    body += struct.pack("<I", len(file)) + file
    return struct.pack("<I", len(body)) + body


def signed(content: bytes, *, kind: int = 2, pieces: int = 1) -> bytes:
    """A message in CMS, its content in so many pieces."""

    def element(tag: int, body: bytes) -> bytes:
        return bytes([tag, 0x84]) + len(body).to_bytes(4) + body

    identifier = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07"
    size = -(-len(content) // pieces)
    octets = b"".join(element(4, content[at : at + size]) for at in range(0, len(content), size))
    inner = element(0x30, identifier + b"\x01" + element(0xA0, element(0x24, octets)))
    return element(0x30, identifier + bytes([kind]) + element(0xA0, element(0x30, inner)))


OPEN_DOCUMENT = {"mimetype": b"application/vnd.oasis.opendocument.text", "content.xml": b"<office:document-content/>"}
IWORK = {
    "Index/Document.iwa": b"\x00\xa0\x0f\x00" + NOISE[:4_000],
    "Metadata/DocumentIdentifier": b"0E0E0E0E",
    "Metadata/Properties.plist": b"bplist00" + bytes(300),
    "preview.jpg": PICTURE,
}

PASS = {
    "Word 97": compound_of(WORD | {"\x05SummaryInformation": bytes(4_500), "\x01CompObj": bytes(4_500)}),
    "Word 97 with a picture": compound_of(WORD | {"Data": bytes(68) + blip(0xF01D, b"\xff" + PICTURE)}),
    "Excel 97": compound_of({"Workbook": workbook(coloured=False)}),
    "Excel with macros": zip_of(
        {
            "[Content_Types].xml": b"<Types/>",
            "xl/vbaProject.bin": compound_of({"dir": NOISE, "_VBA_PROJECT": NOISE, "ThisWorkbook": NOISE}),
        }
    ),
    "message of Outlook": compound_of(
        {"__properties_version1.0": bytes(4_500), "__substg1.0_1000001F": b"w\0" * 4_000}
    ),
    "Thumbs.db": compound_of({"Catalog": bytes(4_500), "256_5f2c": b"\x18\0\0\0" + bytes(20) + PICTURE}),
    "OpenDocument with a chart": zip_of(
        OPEN_DOCUMENT | {"ObjectReplacements/Object 1": b"VCLMTF\x01\x00" + struct.pack("<I", 40) + bytes(60)}
    ),
    "Pages": zip_of(IWORK),
    "chart": zip_of({"[Content_Types].xml": b"<Types/>", "word/charts/chart1.xml": b"<c:chart>" + b"<c:dPt>" * 20}),
}

FOUND = {
    "packed metafile in Word": compound_of(WORD | {"Data": bytes(68) + PACKED_METAFILE}),
    "packed metafile in PowerPoint": compound_of({"PowerPoint Document": bytes(5_000), "Pictures": PACKED_METAFILE}),
    "bitmap in Word": compound_of(WORD | {"Data": bytes(68) + blip(0xF01F, b"\xff" + BITMAP)}),
    "picture that Excel cut": compound_of({"Workbook": drawing_in_records(blip(0xF01D, b"\xff" + COPY))}),
    "attachment of Outlook": compound_of({"__properties_version1.0": bytes(4_500), "__substg1.0_37010102": COPY}),
    "packaged file": compound_of(WORD | {NATIVE: native(base64.b64encode(COPY))}),
    "Thumbs.db": compound_of({"Catalog": bytes(4_500), "256_5f2c": b"\x18\0\0\0" + bytes(20) + COPY}),
    "chart of OpenDocument": zip_of(
        OPEN_DOCUMENT | {"ObjectReplacements/Object 1": b"VCLMTF\x01\x00" + struct.pack("<I", 40) + bytes(40) + BITMAP}
    ),
    "Pages": zip_of(IWORK | {"Data/k.jpg": COPY}),
    "preview of Pages": zip_of(IWORK | {"preview.jpg": COPY}),
    "signed mail": signed(mail_of(COPY)),
    "signed mail in pieces": signed(mail_of(COPY), pieces=7),
    "signed mail in a mail": mail_of(signed(mail_of(COPY), pieces=3)),
}

HELD = {
    "Word 97 that is locked": compound_of({"WordDocument": b"\xec\xa5" + bytes(9) + b"\x01" + bytes(5_000)}),
    "Excel 97 that is locked": compound_of({"Workbook": record(0x2F, bytes(54)) + workbook(coloured=False)}),
    "Excel 97 whose cells are coloured": compound_of({"Workbook": workbook(coloured=True)}),
    "Word 97 of shapes": compound_of(WORD | {"1Table": struct.pack("<HHI8x", 0x12, 0xF00A, 8) * 500}),
    "Word 97 with a stream unknown": compound_of(WORD | {"stowed": NOISE}),
    "compound file of no known kind": compound_of({"x": NOISE}),
    "OpenDocument that is locked": zip_of(
        OPEN_DOCUMENT | {"META-INF/manifest.xml": b"<manifest:encryption-data/>", "Pictures/1": NOISE}
    ),
    "Pages without a preview": zip_of({"Index/Document.iwa": NOISE}),
    "enveloped mail": signed(NOISE, kind=3),
    "PGP message": b"-----BEGIN PGP MESSAGE-----\n\n" + base64.encodebytes(NOISE) + b"-----END PGP MESSAGE-----\n",
}


@pytest.mark.parametrize("kind", PASS)
def test_ordinary_documents_pass(kind):
    assert outcome(PASS[kind]) == "allow"
    assert outcome(zip_of({"a": PASS[kind]})) == "allow"


@pytest.mark.parametrize("kind", FOUND)
def test_pictures_are_found_in_the_forms_that_documents_keep_them_in(kind):
    assert outcome(FOUND[kind]) == "block"


@pytest.mark.parametrize("kind", HELD)
def test_what_is_locked_or_draws_by_itself_is_held(kind):
    assert outcome(HELD[kind]) == "hold"
