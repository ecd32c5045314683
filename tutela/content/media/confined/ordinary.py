"""Types of files that show no picture themselves: text, audio, fonts, signatures, programs, data. Known by its content.

Sources: the formats' own specifications, named beside each check. A check is as long as it takes for nothing else to
pass: a short signature is followed by a look at what must come after it.
"""

import re
from collections.abc import Callable, Sequence

from tutela.content.media.plain import as_utf8, is_text
from tutela.content.media.profile import FileKind

Named = tuple[FileKind, str]
"""What it is, and its media type."""


def ordinary(data: bytes | memoryview, *, text: bool | None = None) -> Named | None:
    """What content of no picture's, film's or container's type is; None where it is nothing that is known. `text` says
    whether it is text, where that was found out before."""
    view = memoryview(data)
    head = bytes(view[:64])
    for signature, kind, name in _SIGNATURES:
        if head.startswith(signature):
            return kind, name
    for check in _CHECKS:
        if (found := check(view, head)) is not None:
            return found
    is_text_of_a_kind = (is_text(view) if text is None else text) or _is_nearly_text(view)
    return (FileKind.TEXT, _text_type(as_utf8(view[:4096]))) if is_text_of_a_kind else None


_CONTROLS = bytes(number for number in range(1, 0x20) if number not in (0x09, 0x0A, 0x0C, 0x0D, 0x1B))


def _is_nearly_text(view: memoryview) -> bool:
    """Text with marks of its own in it, such as the separators of Info files: no picture has so few such bytes."""
    data = bytes(view)
    marks = len(data) - len(data.translate(None, _CONTROLS))
    return 0 < marks <= len(data) * _MOST_MARKS and b"\x00" not in data and b"\x7f" not in data


_MOST_MARKS = 0.005


def is_audio(data: bytes | memoryview) -> bool:
    """Whether content is audio, in a form of its own: not in the containers that films use too."""
    view = memoryview(data)
    head = bytes(view[:64])
    return head.startswith(_OF_AUDIO) or any(check(view, head) is not None for check in (_audio_chunks, _audio_frames))


_SIGNATURES: Sequence[tuple[bytes, FileKind, str]] = (
    (b"OTTO", FileKind.FONT, "font/otf"),
    (b"ttcf", FileKind.FONT, "font/collection"),
    (b"true\x00", FileKind.FONT, "font/ttf"),
    (b"wOFF", FileKind.FONT, "font/woff"),
    (b"wOF2", FileKind.FONT, "font/woff2"),
    (b"\x01fcp", FileKind.FONT, "application/x-font-pcf"),
    (b"\x00\x05\x16\x07\x00\x02\x00\x00", FileKind.SYSTEM, "application/applefile"),
    (b"Bud1", FileKind.SYSTEM, "application/x-ds-store"),
    (b"\x00\x00\x00\x01Bud1", FileKind.SYSTEM, "application/x-ds-store"),
    (b"fLaC", FileKind.AUDIO, "audio/flac"),
    (b"#!AMR", FileKind.AUDIO, "audio/amr"),
    (b"MThd\x00\x00\x00\x06", FileKind.AUDIO, "audio/midi"),
    (b".snd\x00\x00\x00", FileKind.AUDIO, "audio/basic"),
    (b"caff\x00\x01", FileKind.AUDIO, "audio/x-caf"),
    (b"wvpk", FileKind.AUDIO, "audio/x-wavpack"),
    (b"MAC \x96\x0f", FileKind.AUDIO, "audio/x-ape"),
    (b"TTA1", FileKind.AUDIO, "audio/x-tta"),
    (b"MPCK", FileKind.AUDIO, "audio/x-musepack"),
    (b"DSD \x1c\x00\x00\x00\x00\x00\x00\x00", FileKind.AUDIO, "audio/x-dsf"),
    (b"\x7fELF", FileKind.PROGRAM, "application/x-elf"),
    (b"\xfe\xed\xfa\xce", FileKind.PROGRAM, "application/x-mach-binary"),
    (b"\xfe\xed\xfa\xcf", FileKind.PROGRAM, "application/x-mach-binary"),
    (b"\xce\xfa\xed\xfe", FileKind.PROGRAM, "application/x-mach-binary"),
    (b"\xcf\xfa\xed\xfe", FileKind.PROGRAM, "application/x-mach-binary"),
    (b"\xca\xfe\xba\xbe\x00\x00\x00", FileKind.PROGRAM, "application/java-vm"),
    (b"\x00asm\x01\x00\x00\x00", FileKind.PROGRAM, "application/wasm"),
    (b"dex\n03", FileKind.PROGRAM, "application/vnd.android.dex"),
    (b"BC\xc0\xde", FileKind.PROGRAM, "application/x-llvm"),
    (b"SQLite format 3\x00", FileKind.DATA, "application/vnd.sqlite3"),
    (b"bplist00", FileKind.DATA, "application/x-plist"),
    (b"\xde\x12\x04\x95\x00\x00", FileKind.DATA, "application/x-gettext-translation"),
    (b"\x95\x04\x12\xde\x00\x00", FileKind.DATA, "application/x-gettext-translation"),
    (b"TZif", FileKind.DATA, "application/tzif"),
    (b"\x4c\x00\x00\x00\x01\x14\x02\x00\x00\x00\x00\x00\xc0\x00\x00\x00", FileKind.DATA, "application/x-ms-shortcut"),
    (b"\x93NUMPY", FileKind.DATA, "application/x-npy"),
    (b"\x89HDF\r\n\x1a\n", FileKind.DATA, "application/x-hdf5"),
    (b"PAR1", FileKind.DATA, "application/vnd.apache.parquet"),
    (b"\xd4\xc3\xb2\xa1\x02\x00\x04\x00", FileKind.DATA, "application/vnd.tcpdump.pcap"),
    (b"\x00\x01\x00\x00Standard Jet DB", FileKind.DATA, "application/x-msaccess"),
    (b"\x00\x01\x00\x00Standard ACE DB", FileKind.DATA, "application/x-msaccess"),
    (b"regf", FileKind.DATA, "application/x-windows-registry"),
    (b"\x3c\xb8\x64\x18\xca\xef\x9c\x95", FileKind.DATA, "application/x-qt-translation"),
    (b"DIRC\x00\x00\x00", FileKind.DATA, "application/x-git-index"),
    (b"d8:announce", FileKind.DATA, "application/x-bittorrent"),
    (b"d13:announce-list", FileKind.DATA, "application/x-bittorrent"),
)
_OF_AUDIO = tuple(signature for signature, kind, _ in _SIGNATURES if kind is FileKind.AUDIO)


def _font(view: memoryview, head: bytes) -> Named | None:
    """TrueType: the tables that its directory counts lie within the file (OpenType, table directory)."""
    if not head.startswith(b"\x00\x01\x00\x00\x00") or len(head) < 28:
        return None
    tables = int.from_bytes(head[4:6])
    offset, length = int.from_bytes(head[20:24]), int.from_bytes(head[24:28])
    fits = 0 < tables < 128 and 12 + 16 * tables <= offset and offset + length <= len(view)
    return (FileKind.FONT, "font/ttf") if fits else None


def _audio_chunks(view: memoryview, head: bytes) -> Named | None:
    """RIFF WAVE and AIFF."""
    if head[:4] in (b"RIFF", b"RF64", b"RIFX") and head[8:12] == b"WAVE":
        return FileKind.AUDIO, "audio/wav"
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return FileKind.AUDIO, "audio/aiff"
    return None


def length_of_tag(view: memoryview) -> int:
    """How long the ID3 tags are with which a file begins (ID3v2.4.0, 3.1); 0 where there is none."""
    at = 0
    while bytes(view[at : at + 3]) == b"ID3" and at + 10 <= len(view):
        size = bytes(view[at + 6 : at + 10])
        if max(size) > 0x7F:
            return 0
        at += 10 + (size[0] << 21 | size[1] << 14 | size[2] << 7 | size[3]) + (10 if view[at + 5] & 0x10 else 0)
    return at


def _audio_frames(view: memoryview, head: bytes) -> Named | None:
    """MPEG audio and AAC: two frames that follow each other, behind an ID3 tag where there is one."""
    at = length_of_tag(view)
    tagged = at > 0
    if tagged:
        if bytes(view[at : at + 4]) == b"fLaC":
            return FileKind.AUDIO, "audio/flac"
        padding = bytes(view[at : at + 4096])
        at += len(padding) - len(padding.lstrip(b"\x00"))
    for name, length_of in (("audio/mpeg", _mpeg_frame), ("audio/aac", _aac_frame)):
        if (length := length_of(bytes(view[at : at + 6]))) and (
            length_of(bytes(view[at + length : at + length + 6])) or (tagged and at + length >= len(view))
        ):
            return FileKind.AUDIO, name
    return None


_BIT_RATES = {
    (3, 1): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (3, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (3, 3): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
}
_BIT_RATES_LOW = {
    1: (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    2: (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    3: (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
}
_SAMPLES_A_SECOND = (44_100, 48_000, 32_000)


def _mpeg_frame(head: bytes) -> int:
    """The length of the MPEG audio frame that begins here (ISO/IEC 11172-3, 2.4.1.3); 0 where none does."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return 0
    version, layer = head[1] >> 3 & 3, head[1] >> 1 & 3
    rate, frequency = head[2] >> 4, head[2] >> 2 & 3
    if version == 1 or layer == 0 or not 0 < rate < 15 or frequency == 3:
        return 0
    kbits = _BIT_RATES[3, layer][rate - 1] if version == 3 else _BIT_RATES_LOW[layer][rate - 1]
    hertz = _SAMPLES_A_SECOND[frequency] >> {3: 0, 2: 1, 0: 2}[version]
    padding = head[2] >> 1 & 1
    if layer == 3:
        return (12_000 * kbits // hertz + padding) * 4
    return (72_000 if layer == 1 and version != 3 else 144_000) * kbits // hertz + padding


def _aac_frame(head: bytes) -> int:
    """The length of the ADTS frame that begins here (ISO/IEC 14496-3, 1.A.2.2); 0 where none does."""
    if len(head) < 6 or head[0] != 0xFF or head[1] & 0xF6 != 0xF0:
        return 0
    length = (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5
    return length if length >= 7 else 0


def _signature(view: memoryview, head: bytes) -> Named | None:
    """A structure in DER that is as long as the file: what S/MIME signatures and certificates are (ITU-T X.690)."""
    if head[:1] == b"\x30" and len(head) > 6 and 0x81 <= head[1] <= 0x84:
        count = head[1] & 0x7F
        if 2 + count + int.from_bytes(head[2 : 2 + count]) == len(view):
            return FileKind.SIGNATURE, "application/pkcs7-signature"
    return (FileKind.SIGNATURE, "application/pgp-signature") if _is_openpgp(view) else None


_SIGNING = frozenset({2, 4, 6, 13, 14})
"""OpenPGP packets of signatures and public keys (RFC 9580, 5): nothing in them is encrypted."""
_MOST_PACKETS = 10_000


def _is_openpgp(view: memoryview) -> bool:
    at = count = 0
    while at + 2 < len(view) and count < _MOST_PACKETS:
        tag = view[at]
        if not tag & 0x80:
            return False
        first = view[at + 1]
        if tag & 0x40:
            kind = tag & 0x3F
            if first < 192:
                start, length = at + 2, first
            elif first < 224:
                start, length = at + 3, (first - 192 << 8) + view[at + 2] + 192
            else:
                start, length = at + 6, int.from_bytes(view[at + 2 : at + 6])
        else:
            kind, size = tag >> 2 & 0xF, 1 << (tag & 3)
            start, length = at + 1 + size, int.from_bytes(view[at + 1 : at + 1 + size])
        if kind not in _SIGNING or start + length > len(view):
            return False
        at, count = start + length, count + 1
    return count > 0 and at == len(view)


def _program(view: memoryview, head: bytes) -> Named | None:
    """Windows: `MZ`, and where it says, `PE` (Microsoft, PE Format). Python: a compiled module, a pickle."""
    if head[:2] == b"MZ" and len(head) == 64:
        at = int.from_bytes(head[60:64], "little")
        if bytes(view[at : at + 4]) == b"PE\x00\x00":
            return FileKind.PROGRAM, "application/vnd.microsoft.portable-executable"
    if head[:2] in (b"\x80\x03", b"\x80\x04", b"\x80\x05") and bytes(view[-1:]) == b".":
        return FileKind.DATA, "application/x-python-pickle"
    if head[2:4] == b"\r\n" and head[4:8] in (b"\0\0\0\0", b"\1\0\0\0", b"\3\0\0\0") and head[16:17] in (b"\xe3", b"c"):
        return FileKind.PROGRAM, "application/x-python-code"
    return None


def _data(view: memoryview, head: bytes) -> Named | None:
    """A colour profile (ICC.1, 7.2)."""
    is_profile = head[36:40] == b"acsp" and int.from_bytes(head[:4]) == len(view)
    return (FileKind.DATA, "application/vnd.iccprofile") if is_profile else None


_CHECKS: Sequence[Callable[[memoryview, bytes], Named | None]] = (
    _font,
    _audio_chunks,
    _audio_frames,
    _signature,
    _program,
    _data,
)
_TEXTS = (
    (re.compile(rb"\s*BEGIN:VCARD", re.IGNORECASE), "text/vcard"),
    (re.compile(rb"\s*BEGIN:VCALENDAR", re.IGNORECASE), "text/calendar"),
    (re.compile(rb"WEBVTT[\s]"), "text/vtt"),
    (re.compile(rb"\s*\d+\r?\n\d\d:\d\d:\d\d,\d{3} --> "), "application/x-subrip"),
    (re.compile(rb"-----BEGIN PGP SIGNATURE-----"), "application/pgp-signature"),
    (re.compile(rb"-----BEGIN [A-Z0-9 ]+-----"), "application/x-pem-file"),
    (re.compile(rb"\s*[\[{]\s*[\"\[{\]}\d]"), "application/json"),
    (re.compile(rb"<\?xml\s"), "text/xml"),
    (re.compile(rb"#!\s*/"), "text/x-script"),
)


def _text_type(text: bytes) -> str:
    text = text.removeprefix(b"\xef\xbb\xbf")
    return next((name for pattern, name in _TEXTS if pattern.match(text)), "text/plain")
