"""A damaged picture that shows nothing: gateways are asked about it, to see that they hold what cannot be screened."""

import hashlib
import struct
import zlib


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


_HEADER = struct.pack(">IIBBBBB", 64, 64, 8, 2, 0, 0, 0)
_COMMENT = b"Comment\0Tutela asks whether this is held: it is a PNG without its pixels."

PROBE = b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", _HEADER) + _chunk(b"tEXt", _COMMENT) + struct.pack(">I", 4096) + b"IDAT"
"""The same bytes in every installation: nobody needs to look at them, so no case is opened for them."""
PROBE_SHA256 = hashlib.sha256(PROBE).hexdigest()
