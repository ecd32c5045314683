"""What text is: the one thing that is known to be no picture by its bytes alone."""

import contextlib

from tutela import _native

_UTF16 = (b"\xff\xfe", b"\xfe\xff")
SMALLEST_PICTURE = 256
"""Bytes. Whatever is smaller and of no known type shows nothing."""


def is_text(data: bytes | memoryview) -> bool:
    """Whether the data is text in UTF-8, UTF-16 or an 8-bit encoding: no picture has so few kinds of bytes."""
    return _native.is_text(as_utf8(data) if bytes(data[:2]) in _UTF16 else data)


def as_utf8(data: bytes | memoryview) -> bytes:
    """UTF-16 as UTF-8; everything else as it is."""
    whole = bytes(data)
    if whole[:2] in _UTF16:
        with contextlib.suppress(UnicodeDecodeError):
            return whole.decode("utf-16").encode("utf-8", "surrogatepass")
    return whole
