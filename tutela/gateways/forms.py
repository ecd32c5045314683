"""What a body carries: the files in a form, in JSON, under a coding, each to be screened by itself.

By the strict grammar only. Where two programs could read a body differently, it cannot be read: content that one of
them overlooks would pass. Formats: RFC 7578 (multipart/form-data), RFC 2046 5.1, WHATWG URL 5.1, RFC 8259, RFC 2397.
"""

import contextlib
import re
import zlib
from collections.abc import Iterator, Mapping
from itertools import chain

from tutela.content.media.plain import SMALLEST_PICTURE
from tutela.gateways.pieced import counts_pieces
from tutela.gateways.texts import (
    MAX_FIELDS,
    FormError,
    Found,
    Piece,
    in_field,
    in_json,
    in_text,
    in_urlencoded,
    text_of,
    with_words,
)

__all__ = ["FormError", "as_mail", "pieces"]

_MAX_HEAD = 16 * 1024
_MAX_EXPANDED = 256 * 1024 * 1024
_BOUNDARY = re.compile(rb"(?!.*boundary=)[0-9A-Za-z'()+_\-./:=?]{1,70}", re.IGNORECASE)
"""Without spaces and commas, which RFC 2046 allows: PHP and Rack end it there, and no client uses them."""
_GUESSED = re.compile(rb"--([0-9A-Za-z'()+_\-./:=?]{1,70})\r\n")
_FIELD = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+:[^\r\n\x00]*")
_NAME = re.compile(rb";\s*+name=\"?([^\";]*)")
_WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_PARAMETER = re.compile(rf';[ \t]*({_WORD})=(?:({_WORD})|"([^"\\\x00-\x1f]*)")[ \t]*+')
_MEDIA_TYPE = re.compile(rf"[ \t]*({_WORD}/{_WORD})[ \t]*+((?:{_PARAMETER.pattern})*);?[ \t]*")
_PLAIN_CODINGS = frozenset({b"", b"7bit", b"8bit", b"binary"})


def pieces(content: memoryview, media_type: str, coding: str = "", query: str = "") -> Iterator[Piece]:
    """What is to be screened of a body with those `Content-Type` and `Content-Encoding`, and of what its address has
    behind the question mark, which many applications read as fields of the form. Raises FormError.

    A body without a type that begins like a form is read as one. What is no form is one piece: itself.
    """
    body = _decoded(content, coding)
    kind, parameters = _media_type(media_type)
    if not kind and (found := _GUESSED.match(bytes(body[:80]))):
        kind, parameters = "multipart/form-data", {"boundary": found[1].decode()}
    in_query = in_urlencoded(query) if len(query) >= SMALLEST_PICTURE else ()
    return with_words(chain(_found(body, kind, parameters), in_query))


def _found(body: memoryview, kind: str, parameters: Mapping[str, str]) -> Iterator[Found]:
    if kind.startswith("multipart/"):
        yield from _multipart(body, parameters)
    elif kind == "application/x-www-form-urlencoded":
        yield from in_urlencoded(text_of(body))
    elif kind == "application/json" or kind.endswith("+json"):
        yield from in_json(text_of(body))
    elif len(body):
        yield body
        yield from _strings_in(body)


def _strings_in(body: memoryview) -> Iterator[Piece]:
    """What the strings of JSON carry that does not say that it is JSON; the text itself is a piece already."""
    if bytes(body[:64]).lstrip()[:1] not in (b"{", b"["):
        return
    with contextlib.suppress(FormError):  # it is no form, and so cannot be a wrong one
        yield from (each for each in in_text(text_of(body)) if not isinstance(each, str))


def as_mail(media_type: str) -> bytes:
    """What stands before a form's body so that the whole is a message that can be unpacked; else nothing."""
    try:
        kind, parameters = _media_type(media_type)
    except FormError:
        return b""
    if not kind.startswith("multipart/") or "boundary" not in parameters:
        return b""
    boundary = parameters["boundary"].replace('"', "")
    head = f'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="{boundary}"\r\n\r\n'
    return head.encode("ascii", "ignore")


def _media_type(text: str) -> tuple[str, Mapping[str, str]]:
    """The type and its parameters (RFC 9110, 8.3.1)."""
    if not text.strip():
        return "", {}
    whole = _MEDIA_TYPE.fullmatch(text)
    if whole is None:
        raise FormError("a media type cannot be read")
    parameters: dict[str, str] = {}
    for name, token, quoted in _PARAMETER.findall(whole[2]):
        if name.lower() in parameters or "*" in name:
            raise FormError("a media type names a parameter twice")
        if name.lower() != "boundary" and "boundary" in f"{name}{token}{quoted}".lower():
            raise FormError("a media type has something that some programs take for its boundary")
        parameters[name.lower()] = token or quoted
    return whole[1].lower(), parameters


def _decoded(content: memoryview, coding: str) -> memoryview:
    codings = [each.strip().lower() for each in coding.split(",") if each.strip() not in ("", "identity")]
    if not codings:
        return content
    if codings not in (["gzip"], ["x-gzip"], ["deflate"]):
        raise FormError("the coding {coding!r} is not one that is undone here: gzip, deflate", coding=coding)
    whole, rest = bytearray(), bytes(content)
    try:
        while rest:
            inflating = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)  # finds out whether it is gzip or zlib
            whole += inflating.decompress(rest, _MAX_EXPANDED - len(whole) + 1)
            if len(whole) > _MAX_EXPANDED or not inflating.eof:
                raise FormError("a coded body expands too far, or is cut short")
            rest = inflating.unused_data
    except zlib.error as error:
        raise FormError("a coded body cannot be decoded") from error
    return memoryview(whole)


def _multipart(body: memoryview, parameters: Mapping[str, str]) -> Iterator[Found]:
    boundary = parameters.get("boundary", "").encode("latin-1", "replace")
    if not _BOUNDARY.fullmatch(boundary):
        raise FormError("a form has no boundary, or not a valid one")
    whole = _Searched(body)
    opening = b"--" + boundary
    if bytes(body[: len(opening) + 2]) == opening + b"--":
        _ends(body, len(opening) + 2)
        return
    if bytes(body[: len(opening) + 2]) != opening + b"\r\n":
        raise FormError("a form does not begin with its boundary")
    begin, parts = len(opening) + 2, 0
    while True:
        end = whole.find(opening, begin) - 2
        if end < begin or bytes(body[end : end + 2]) != b"\r\n":  # to some programs a boundary is one anywhere
            raise FormError("a form has no end, or its boundary stands where no line begins")
        parts += 1
        if parts > MAX_FIELDS:
            raise FormError("a form has too many parts")
        yield from _part(body, whole, begin, end)
        begin = end + 2 + len(opening)
        after = bytes(body[begin : begin + 2])
        if after == b"--":
            _ends(body, begin + 2)
            return
        if after != b"\r\n":
            raise FormError("a form holds something that is like its boundary")
        begin += 2


def _part(body: memoryview, whole: "_Searched", begin: int, end: int) -> Iterator[Found]:
    """A part is screened whole; a field is, besides, looked through for what it carries as text."""
    at = begin - 2 if bytes(body[begin : begin + 2]) == b"\r\n" else whole.find(b"\r\n\r\n", begin, begin + _MAX_HEAD)
    if at < 0 or at > end:
        raise FormError("a part of a form has no head")
    head = [] if at < begin else bytes(body[begin:at]).split(b"\r\n")
    if not all(_FIELD.fullmatch(line) for line in head):
        raise FormError("the head of a part cannot be read")
    fields = [line.split(b":", 1) for line in head]
    names = [name.lower() for name, _ in fields]
    if len(names) != len(set(names)):
        raise FormError("the head of a part says something twice")
    given = {name.lower(): value.strip().lower() for name, value in fields}
    if given.get(b"content-transfer-encoding", b"") not in _PLAIN_CODINGS:
        raise FormError("a part of a form is encoded once more")
    if given.get(b"content-type", b"").startswith(b"multipart/"):
        raise FormError("a form lies within a form")
    content = body[at + 4 : end]
    if not len(content):
        return
    if (name := _NAME.search(given.get(b"content-disposition", b""))) and counts_pieces(name[1], bytes(content[:16])):
        raise FormError("a form has one piece of a file")
    if b"filename" in given.get(b"content-disposition", b""):
        yield content
        yield from _strings_in(content)  # a browser names what a script puts into a form in one piece
    else:
        yield from in_field(content)


def _ends(body: memoryview, at: int) -> None:
    if bytes(body[at : at + 3]) not in (b"", b"\r\n"):
        raise FormError("something stands behind a form's end")


class _Searched:
    """Finds bytes in a view without copying it."""

    def __init__(self, body: memoryview) -> None:
        self._body = body

    def find(self, wanted: bytes, begin: int, end: int | None = None) -> int:
        limit = len(self._body) if end is None else min(end, len(self._body))
        size = 1024 * 1024
        while begin < limit:
            block = bytes(self._body[begin : min(limit, begin + size + len(wanted) - 1)])
            if (at := block.find(wanted)) >= 0:
                return begin + at
            begin += size
        return -1
