"""ICAP's messages as bytes (RFC 3507): the request's own head, where the heads of HTTP lie that it carries, chunks.

No I/O. What is not by the grammar is a BadRequestError: a proxy that is answered 400 refuses the upload.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise

from tutela.errors import InputError

MAX_HEAD = 64 * 1024
"""Bytes of one head, of ICAP or of HTTP."""
_REQUEST = re.compile(rb"(OPTIONS|REQMOD|RESPMOD|[A-Z]{1,16}) icaps?://[^\s/]+/([^\s?]*)(?:\?\S*)? ICAP/1\.0")
_HEADER = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*+([^\r\n\x00]*)")
_ENTRY = re.compile(r"(req-hdr|res-hdr|req-body|res-body|opt-body|null-body)=(\d{1,8})")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;[ \t]*+([^\r\n]*))?")
_AMBIGUOUS = re.compile(rb"\r\n[ \t]|[^\r]\n|\r[^\n]|\x00")
_LISTS = {
    "REQMOD": {("req-hdr", "req-body"), ("req-hdr", "null-body"), ("req-body",)},
    "RESPMOD": {
        ("req-hdr", "res-hdr", "res-body"),
        ("req-hdr", "res-hdr", "null-body"),
        ("res-hdr", "res-body"),
        ("res-hdr", "null-body"),
        ("req-hdr", "res-body"),
        ("res-body",),
    },
}


class BadRequestError(InputError):
    """A request is not by the grammar."""

    code = "bad-request"


class Method(StrEnum):
    """What is asked."""

    OPTIONS = "OPTIONS"
    REQMOD = "REQMOD"
    RESPMOD = "RESPMOD"


@dataclass(frozen=True, slots=True)
class IcapHead:
    """A request's own head."""

    method: str
    service: str
    headers: Mapping[str, str]

    @property
    def preview(self) -> int | None:
        """Bytes of body that come before the peer waits; None where it does not wait."""
        text = self.headers.get("preview")
        if text is None:
            return None
        if not text.isdecimal() or len(text) > 9:
            raise BadRequestError("a preview is a number of bytes")
        return int(text)

    @property
    def allows_204(self) -> bool:
        """Whether `no modifications` may be said to a whole body."""
        return "204" in {token.strip() for token in self.headers.get("allow", "").split(",")}

    @property
    def closes(self) -> bool:
        """Whether nothing more follows on the connection."""
        return "close" in self.headers.get("connection", "").lower()


@dataclass(frozen=True, slots=True)
class Encapsulated:
    """Where the heads of HTTP lie and which body follows them."""

    names: tuple[str, ...]
    lengths: tuple[int, ...]
    """Of the heads, in order: one fewer than names."""

    @property
    def has_body(self) -> bool:
        """Whether a body follows."""
        return self.names[-1] != "null-body"


@dataclass(slots=True)
class HttpHeads:
    """The heads of HTTP that a request carries, by name, as bytes."""

    heads: dict[str, bytes] = field(default_factory=dict)

    def header(self, name: str, *, of: str) -> list[str]:
        """The values of a header field in one of the heads."""
        lines = self.heads.get(of, b"").split(b"\r\n")[1:]
        found = []
        for line in lines:
            field_name, colon, value = line.partition(b":")
            if colon and field_name.strip().lower() == name.encode():
                found.append(value.strip().decode("latin-1"))
        return found

    @property
    def query(self) -> str:
        """What stands behind the question mark in the request's address."""
        first = self.heads.get("req-hdr", b"").split(b"\r\n", 1)[0].split()
        return first[1].partition(b"?")[2].decode("latin-1") if len(first) > 1 else ""

    @property
    def status(self) -> int:
        """The status of the answer; 0 where there is none."""
        first = self.heads.get("res-hdr", b"").split(b"\r\n", 1)[0].split()
        return int(first[1]) if len(first) > 1 and first[1].isdigit() else 0


def parse_head(text: bytes) -> IcapHead:
    """The head of a request, without its empty line. Raises BadRequestError."""
    first, *lines = text.split(b"\r\n")
    found = _REQUEST.fullmatch(first)
    if found is None:
        raise BadRequestError("the first line is not of ICAP/1.0")
    headers: dict[str, str] = {}
    for line in lines:
        field_found = _HEADER.fullmatch(line)
        if field_found is None:
            raise BadRequestError("a header field cannot be read")
        name = field_found[1].decode("ascii").lower()
        if name in ("encapsulated", "preview") and name in headers:
            raise BadRequestError("{name} comes twice", name=name)
        value = field_found[2].decode("latin-1").strip()
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return IcapHead(found[1].decode(), found[2].decode("ascii", "replace").strip("/"), headers)


def parse_encapsulated(text: str, method: str) -> Encapsulated:
    """What a request carries. Raises BadRequestError."""
    entries = [_ENTRY.fullmatch(each.strip()) for each in text.split(",")]
    if not all(entries):
        raise BadRequestError("Encapsulated cannot be read")
    names = tuple(str(entry[1]) for entry in entries if entry)
    offsets = [int(entry[2]) for entry in entries if entry]
    if method == Method.OPTIONS:
        if names != ("null-body",) or offsets != [0]:
            raise BadRequestError("OPTIONS carries nothing")
        return Encapsulated(names, ())
    if names not in _LISTS[method]:
        raise BadRequestError("Encapsulated names what does not belong together")
    lengths = tuple(after - before for before, after in pairwise(offsets))
    if offsets[0] != 0 or any(not 4 <= length <= MAX_HEAD for length in lengths):
        raise BadRequestError("the offsets of Encapsulated are wrong")
    return Encapsulated(names, lengths)


def check_http_head(head: bytes) -> None:
    """Raises BadRequestError where bytes are not one head of HTTP with its empty line."""
    if not head.endswith(b"\r\n\r\n") or head.find(b"\r\n\r\n") != len(head) - 4:
        raise BadRequestError("an encapsulated head does not end where Encapsulated says")
    if _AMBIGUOUS.search(head):
        raise BadRequestError("an encapsulated head has folded lines, or lines that end otherwise")


def parse_chunk(line: bytes) -> tuple[int, bool]:
    """A chunk's length, and whether it is the end of a body that lies wholly in the preview. Raises BadRequestError."""
    found = _CHUNK.fullmatch(line)
    if found is None:
        raise BadRequestError("a chunk's length cannot be read")
    extensions = {each.strip().lower() for each in (found[2] or b"").split(b";")}
    return int(found[1], 16), b"ieof" in extensions
