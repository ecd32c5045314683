"""What text is: the one thing that is known to be no picture by its bytes alone."""

import contextlib

_TEXT = bytes([0x09, 0x0A, 0x0C, 0x0D, 0x1B, *range(0x20, 0x7F), *range(0x80, 0x100)])
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
