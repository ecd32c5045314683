"""What is known to be no picture: text, and files of a few types that documents and archives carry beside pictures."""

import contextlib

_TEXT = bytes([0x09, 0x0A, 0x0C, 0x0D, 0x1B, *range(0x20, 0x7F), *range(0x80, 0x100)])
_SIGNATURES = (
    b"\x00\x01\x00\x00\x00",  # TrueType
    b"OTTO",
    b"ttcf",
    b"true\x00",
    b"wOFF",
    b"wOF2",
    b"\x00\x05\x16\x07\x00\x02\x00\x00",  # AppleDouble: what macOS puts beside each file in a ZIP
    b"Bud1",
    b"\x00\x00\x00\x01Bud1",  # .DS_Store
)
SMALLEST_PICTURE = 256
"""Bytes. Whatever is smaller and of no known type shows nothing."""


def is_text(data: bytes | memoryview) -> bool:
    """Whether the data is text in UTF-8, UTF-16 or an 8-bit encoding: no picture has so few kinds of bytes."""
    return not as_utf8(data).translate(None, _TEXT)


def as_utf8(data: bytes | memoryview) -> bytes:
    """UTF-16 as UTF-8; everything else as it is."""
    whole = bytes(data)
    if whole[:2] in (b"\xff\xfe", b"\xfe\xff"):
        with contextlib.suppress(UnicodeDecodeError):
            return whole.decode("utf-16").encode("utf-8", "surrogatepass")
    return whole


def carries_no_picture(data: bytes | memoryview) -> bool:
    """Whether content of no known type is a font or the like."""
    return bytes(data[:16]).startswith(_SIGNATURES)
