"""Whether a request brings one piece of a longer upload: nobody can screen what an application puts together later.

RFC 9110 14.4 (Content-Range), tus 1.0 and RFC drafts of resumable uploads (Upload-Offset), the parts of S3's and
Azure's uploads, and the fields with which scripts in browsers number their pieces.
"""

import re
from collections.abc import Callable, Sequence
from urllib.parse import parse_qsl

_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18})")
_NUMBERED = frozenset({"partnumber", "blockid"})
"""Parameters in the address: S3's UploadPart, Azure's Put Block."""
_COUNTS = frozenset(
    {b"dztotalchunkcount", b"resumabletotalchunks", b"flowtotalchunks", b"chunks", b"qqtotalparts", b"totalchunks"}
)
"""Fields that say how many pieces there are: Dropzone, Resumable.js, Flow.js, Plupload, Fine Uploader, Uppy's forks."""


def is_piece(headers: Callable[[str], Sequence[str]], query: str, length: int) -> bool:
    """Whether a request with those values of each header and so long a body is not a whole upload."""
    if not all(_is_whole_range(said) for said in headers("content-range")):
        return True
    offsets, lengths = set(headers("upload-offset")), set(headers("upload-length"))
    if (offsets or lengths) and (offsets - {"0"} or lengths != {str(length)}):
        return True
    if "?0" in headers("upload-complete") or "?1" in headers("upload-incomplete"):
        return True
    return any(name.lower() in _NUMBERED for name, _ in parse_qsl(query, keep_blank_values=True))


def counts_pieces(name: bytes, value: bytes) -> bool:
    """Whether a field of a form says that its file is one of several pieces."""
    return name.lower() in _COUNTS and value.strip() not in (b"", b"0", b"1")


def _is_whole_range(text: str) -> bool:
    found = _RANGE.fullmatch(text.strip())
    return found is not None and int(found[1]) == 0 and int(found[2]) + 1 == int(found[3])
