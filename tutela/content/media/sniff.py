"""The type of content by its first bytes, never by its name or by what a header claims.

Signatures as in the WHATWG MIME Sniffing standard and the formats' own specifications. Nothing is skipped before a
signature: a browser shows a picture only if it begins at the first byte. What begins as nothing known and ends as a
ZIP is one: programs that unpack it look there.
"""

import re
import struct
from collections.abc import Mapping, Sequence
from enum import StrEnum

from tutela.content.media.markup import is_html, root_of
from tutela.content.media.plain import as_utf8, is_text


class MediaType(StrEnum):
    """Types that are told apart. Those in `PICTURES` are decoded; the others are recognised so as to be named."""

    JPEG = "image/jpeg"
    PNG = "image/png"
    GIF = "image/gif"
    WEBP = "image/webp"
    BMP = "image/bmp"
    TIFF = "image/tiff"
    AVIF = "image/avif"
    HEIC = "image/heic"
    JXL = "image/jxl"
    JPEG2000 = "image/jp2"
    ICO = "image/x-icon"
    PSD = "image/vnd.adobe.photoshop"
    TGA = "image/x-tga"
    PNM = "image/x-portable-anymap"
    QOI = "image/qoi"
    SVG = "image/svg+xml"
    MP4 = "video/mp4"
    WEBM = "video/webm"
    AVI = "video/x-msvideo"
    MPEG = "video/mpeg"
    MPEG_TS = "video/mp2t"
    FLV = "video/x-flv"
    WMV = "video/x-ms-wmv"
    OGG = "video/ogg"
    PDF = "application/pdf"
    ZIP = "application/zip"
    GZIP = "application/gzip"
    SEVEN_ZIP = "application/x-7z-compressed"
    RAR = "application/vnd.rar"
    HTML = "text/html"
    TAR = "application/x-tar"
    BZIP2 = "application/x-bzip2"
    XZ = "application/x-xz"
    ZSTD = "application/zstd"
    CAB = "application/vnd.ms-cab-compressed"
    ISO = "application/x-iso9660-image"
    AR = "application/x-archive"
    RPM = "application/x-rpm"
    OLE = "application/x-ole-storage"
    EMAIL = "message/rfc822"
    EMF = "image/emf"
    WMF = "image/wmf"
    SVM = "image/x-svm"
    POSTSCRIPT = "application/postscript"
    CMS = "application/pkcs7-mime"
    XPM = "image/x-xpixmap"


PICTURES = frozenset(
    {
        MediaType.JPEG,
        MediaType.PNG,
        MediaType.GIF,
        MediaType.WEBP,
        MediaType.BMP,
        MediaType.TIFF,
        MediaType.AVIF,
        MediaType.HEIC,
        MediaType.JXL,
        MediaType.JPEG2000,
        MediaType.ICO,
        MediaType.PSD,
        MediaType.TGA,
        MediaType.PNM,
        MediaType.QOI,
    }
)

VIDEOS = frozenset(
    {
        MediaType.MP4,
        MediaType.WEBM,
        MediaType.AVI,
        MediaType.MPEG,
        MediaType.MPEG_TS,
        MediaType.FLV,
        MediaType.WMV,
        MediaType.OGG,
    }
)

_SIGNATURES = (
    (b"\xff\xd8\xff", MediaType.JPEG),
    (b"\x89PNG\r\n\x1a\n", MediaType.PNG),
    (b"GIF87a", MediaType.GIF),
    (b"GIF89a", MediaType.GIF),
    (b"BM", MediaType.BMP),
    (b"II*\x00", MediaType.TIFF),
    (b"MM\x00*", MediaType.TIFF),
    (b"II+\x00", MediaType.TIFF),
    (b"MM\x00+", MediaType.TIFF),
    (b"\xff\x0a", MediaType.JXL),
    (b"\x00\x00\x00\x0cJXL \r\n\x87\n", MediaType.JXL),
    (b"\x00\x00\x00\x0cjP  \r\n\x87\n", MediaType.JPEG2000),
    (b"\xff\x4f\xff\x51", MediaType.JPEG2000),
    (b"\x00\x00\x01\x00", MediaType.ICO),
    (b"8BPS", MediaType.PSD),
    (b"qoif", MediaType.QOI),
    (b"\x1a\x45\xdf\xa3", MediaType.WEBM),
    (b"\x00\x00\x01\xba", MediaType.MPEG),
    (b"\x00\x00\x01\xb3", MediaType.MPEG),
    (b"FLV\x01", MediaType.FLV),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", MediaType.WMV),
    (b"OggS", MediaType.OGG),
    (b"%PDF-", MediaType.PDF),
    (b"PK\x03\x04", MediaType.ZIP),
    (b"PK\x05\x06", MediaType.ZIP),
    (b"\x1f\x8b", MediaType.GZIP),
    (b"7z\xbc\xaf\x27\x1c", MediaType.SEVEN_ZIP),
    (b"Rar!\x1a\x07", MediaType.RAR),
    (b"BZh", MediaType.BZIP2),
    (b"\xfd7zXZ\x00", MediaType.XZ),
    (b"\x28\xb5\x2f\xfd", MediaType.ZSTD),
    (b"MSCF\x00\x00\x00\x00", MediaType.CAB),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", MediaType.OLE),
    (b"\xd7\xcd\xc6\x9a", MediaType.WMF),
    (b"\x01\x00\x09\x00\x00\x03", MediaType.WMF),
    (b"VCLMTF", MediaType.SVM),
    (b"%!PS", MediaType.POSTSCRIPT),
    (b"\xc5\xd0\xd3\xc6", MediaType.POSTSCRIPT),
    (b"/* XPM", MediaType.XPM),
    (b"!<arch>\n", MediaType.AR),
    (b"\xed\xab\xee\xdb", MediaType.RPM),
)

_BEGINNINGS: Mapping[int, Sequence[tuple[bytes, MediaType]]] = {
    first: tuple(each for each in _SIGNATURES if each[0][0] == first) for first in {each[0][0] for each in _SIGNATURES}
}
"""The same by their first byte."""
_EMAIL = re.compile(rb"(From .*\n)?([!-9;-~]+:.*\n([ \t].*\n)*)*?(MIME-Version|Content-Type|Received):", re.IGNORECASE)
"""Header fields from the first byte on, one of those that say what it is among them (RFC 5322, RFC 2045)."""
_PNM = re.compile(rb"P[1-6fF](\s|#[^\n]*\n)+[0-9]+\s")
"""Netpbm: the kind, then the width; a comment may stand between."""
_CMS = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07"
"""How the object identifiers of CMS begin: 1.2.840.113549.1.7 (RFC 5652)."""
_ISO_AT = 32_769
_SYNCS = 8
_LONGEST_ZIP_END = 22 + 65_535
_WORDS = frozenset({MediaType.BMP, MediaType.BZIP2})
"""Types whose signatures are also how words begin; their files never are text as far as the head goes."""
_HEIC_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"})
_AVIF_BRANDS = frozenset({b"avif", b"avis"})


def sniff(data: bytes | memoryview) -> MediaType | None:
    """The type of the content, or None where its first bytes say nothing."""
    head = bytes(data[:512])
    if not head:
        return None
    for signature, media_type in _BEGINNINGS.get(head[0], ()):
        if head.startswith(signature) and not (media_type in _WORDS and is_text(head)):
            return media_type
    if head[:4] == b"RIFF":
        return {b"WEBP": MediaType.WEBP, b"AVI ": MediaType.AVI}.get(head[8:12])
    if head[4:8] == b"ftyp":
        return _iso_base_media(head)
    if head[4:8] in (b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"):  # QuickTime before it had a `ftyp`
        return MediaType.MP4
    if _is_transport_stream(data):
        return MediaType.MPEG_TS
    if head[:4] == b"\x01\x00\x00\x00" and head[40:44] == b" EMF":
        return MediaType.EMF
    if head[:1] == b"\x30" and _CMS in head[:24]:
        return MediaType.CMS
    if head.startswith(b"#define") and b"_width" in head and b"_bits" in head:
        return MediaType.XPM
    if _is_tar(head):
        return MediaType.TAR
    if bytes(data[_ISO_AT : _ISO_AT + 5]) == b"CD001":
        return MediaType.ISO
    if head[:4] == b"\x00\x00\x02\x00" and any(head[4:6]):  # a cursor; TGAs may begin so, too
        return MediaType.ICO
    if _PNM.match(head):
        return MediaType.PNM
    if (markup := _markup(data, head)) is not None:
        return markup
    if head[:1].isalpha() and _EMAIL.match(bytes(data[:8192])):
        return MediaType.EMAIL
    if _is_targa(head, bytes(data[-26:])):
        return MediaType.TGA
    return MediaType.ZIP if _ends_as_zip(data) else None


def _ends_as_zip(data: bytes | memoryview) -> bool:
    """Behind a program or a script that unpacks it: the record at the end, its comment reaching to the last byte, and
    the directory right before it (APPNOTE.TXT, 4.3)."""
    tail = bytes(data[-_LONGEST_ZIP_END:])
    at = tail.rfind(b"PK\x05\x06") if b"\x05" in tail else -1
    if at < 0 or len(tail) - at < 22 or at + 22 + int.from_bytes(tail[at + 20 : at + 22], "little") != len(tail):
        return False
    directory = len(data) - len(tail) + at - int.from_bytes(tail[at + 12 : at + 16], "little")
    return directory >= 0 and bytes(data[directory : directory + 4]) in (b"PK\x01\x02", b"PK\x05\x06")


def _is_targa(head: bytes, tail: bytes) -> bool:
    """By its footer, or by a header of which every field is one that such files have (Truevision TGA 2.0)."""
    if len(head) < 64:
        return False
    if tail[8:] == b"TRUEVISION-XFILE.\x00":
        return True
    mapped, kind = head[1], head[2]
    width, height, depth, described = *struct.unpack_from("<HH", head, 12), head[16], head[17]
    fits = {1: (8,), 9: (8,), 2: (15, 16, 24, 32), 10: (15, 16, 24, 32), 3: (8, 16), 11: (8, 16)}.get(kind, ())
    map_fits = head[7] in (15, 16, 24, 32) if mapped == 1 else mapped == 0 and not any(head[3:8])
    return depth in fits and map_fits and 0 < width <= 16384 and 0 < height <= 16384 and described & 0xC0 == 0


def _markup(data: bytes | memoryview, head: bytes) -> MediaType | None:
    """A drawing or a page, by its first element, however late that comes."""
    start = head.lstrip(b"\xef\xbb\xbf\t\n\x0c\r ")
    if start[:14].lower() == b"<!doctype html":
        return MediaType.HTML
    if start and not start.startswith(b"<") and head[:2] not in (b"\xff\xfe", b"\xfe\xff"):
        return None
    root = root_of(as_utf8(data))
    if root == "svg":
        return MediaType.SVG
    return MediaType.HTML if is_html(root) else None


def _is_tar(head: bytes) -> bool:
    """By the header's checksum (POSIX.1-2017, pax): old archives have no other mark."""
    if len(head) < 512 or not head[0]:
        return False
    try:
        claimed = int(head[148:156].strip(b" \x00") or b"-", 8)
    except ValueError:
        return False
    return claimed == sum(head[:148]) + 8 * 0x20 + sum(head[156:512])


def _is_transport_stream(data: bytes | memoryview) -> bool:
    """Sync bytes at the start of its packets, of 188 bytes or of 192 with a time before each (ISO/IEC 13818-1). A
    recording may begin inside a packet: then more of them tell."""
    head = bytes(data[: (_SYNCS + 1) * 192])
    if b"G" in (head[:1], head[4:5]):
        begins = (head[begin::size][:_SYNCS] for size, begin in ((188, 0), (192, 4)))
        if any(len(syncs) > 1 and not syncs.strip(b"G") for syncs in begins):
            return True
    inside = (head[begin::size][:_SYNCS] for size in (188, 192) for begin in range(size))
    return head.count(b"G") >= _SYNCS and b"G" * _SYNCS in inside and not is_text(head)


def _iso_base_media(head: bytes) -> MediaType:
    """By the brands of the `ftyp` box (ISO/IEC 14496-12): the major one first, then the compatible ones."""
    length = min(int.from_bytes(head[:4]), len(head))
    brands = [head[8:12], *(head[at : at + 4] for at in range(16, length - 3, 4))]
    for brand in brands:
        if brand in _AVIF_BRANDS:
            return MediaType.AVIF
    if any(brand in _HEIC_BRANDS for brand in brands):
        return MediaType.HEIC
    return MediaType.MP4
