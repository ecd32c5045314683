"""ZIP, and what is one inside: Office documents (OOXML, ODF), EPUB, JAR, APK (APPNOTE.TXT, PKWARE).

The central directory says what the archive holds. Bytes that no member covers are looked at too: a viewer that reads
local headers shows files that the directory does not name, and an archive may stand behind anything.
"""

import re
import struct
import zipfile
from collections.abc import Iterator
from dataclasses import replace

from tutela.content.media.confined.budget import Budget, BudgetSpentError
from tutela.content.media.confined.containers.base import (
    Counted,
    InnerFile,
    InnerPicture,
    Part,
    Unread,
    blocks_of,
    encrypted,
    file_over,
    read_part,
    unreadable,
)
from tutela.content.media.confined.containers.gaps import between
from tutela.content.media.confined.fields import drawn
from tutela.content.media.content import Content, Shortcoming
from tutela.errors import UnscreenableError

_ENCRYPTED = 0x1
_LOCAL_HEADER = struct.Struct("<4s5H3I2H")
_END = struct.Struct("<4s4H2IH")
_BYTES_A_MEMBER = 1024
"""More of the directory than this for each part that may be looked at is not read: its list alone would be a bomb."""
_LONGEST_END = 22 + 65_535 + 20 + 56
"""The end record with its longest comment, and the two records of ZIP64 before it."""
_DOCUMENT = frozenset({"[Content_Types].xml", "META-INF/container.xml"})
_NEVER_SHOWN = re.compile(r"xl/printerSettings/.*\.bin|(word|ppt)/fonts/.*\.(odttf|fntdata)|.*\.(otf|ttf|woff2?)")
"""What an Office document or an e-book carries in forms of its own: printers' settings, fonts made unreadable."""
_XML = re.compile(rb"\s*(?:\xef\xbb\xbf)?\s*<")
_ODF_KEYS = b"manifest:encryption-data"


class Zip:
    """Members, and what lies between them."""

    def parts(self, content: Content, budget: Budget) -> Iterator[Part]:
        data = memoryview(content.data)
        _refuse_huge_directory(data, budget)
        with zipfile.ZipFile(file_over(data)) as archive:
            members = archive.infolist()
            document = any(member.filename in _DOCUMENT for member in members)
            markup: list[tuple[str, bytes]] = []
            for member in members:
                if not member.filename.endswith("/"):
                    for part in _member(archive, member, data, budget):
                        may_be_unknown = document and bool(_NEVER_SHOWN.fullmatch(member.filename))
                        yield replace(part, may_be_unknown=may_be_unknown) if isinstance(part, InnerFile) else part
                        if isinstance(part, InnerFile) and _XML.match(bytes(part.data[:64])):
                            markup.append((part.name, bytes(part.data)))
            yield from _drawn_by_fields(markup)
            yield from between(data, [_extent(member, data) for member in members])


def _member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, data: memoryview, budget: Budget) -> Iterator[Part]:
    if member.flag_bits & _ENCRYPTED:
        yield Unread(member.filename, encrypted())
        return
    try:
        if member.compress_type == zipfile.ZIP_STORED:
            budget.check_time()
            yield InnerFile(member.filename, _stored(member, data))
            return
        stream = archive.open(member)
        assert isinstance(stream, zipfile.ZipExtFile)
    except BudgetSpentError:
        raise
    except NotImplementedError:
        kind = f"compression {member.compress_type} is not supported"
        yield Unread(member.filename, UnscreenableError(Shortcoming.UNSUPPORTED_TYPE, kind))
    except Exception as error:  # whatever a hostile member makes of the library, the others are still looked at
        yield Unread(member.filename, unreadable("the member", error))
    else:
        blocks = blocks_of(Counted(stream, budget))
        for part in read_part(member.filename, "the member", blocks, budget.limits.max_bytes):
            yield part
            names_keys = isinstance(part, InnerFile) and _ODF_KEYS in bytes(part.data)
            if member.filename == "META-INF/manifest.xml" and names_keys:
                yield Unread(member.filename, encrypted())


def _drawn_by_fields(markup: list[tuple[str, bytes]]) -> Iterator[Part]:
    for name, found in drawn(markup):
        if isinstance(found, UnscreenableError):
            yield Unread("fields", found, within=name)
        else:
            yield InnerPicture("fields", found, within=name)


def _stored(member: zipfile.ZipInfo, data: memoryview) -> memoryview:
    """A member that is not compressed, where it lies: nothing is copied, and its checksum is not asked."""
    start = _start(member, data)
    return data[start : start + member.compress_size]


def _start(member: zipfile.ZipInfo, data: memoryview) -> int:
    """Where a member's bytes begin, behind its local header."""
    header = data[member.header_offset : member.header_offset + _LOCAL_HEADER.size]
    if len(header) < _LOCAL_HEADER.size or bytes(header[:4]) != b"PK\x03\x04":
        raise UnscreenableError(Shortcoming.UNREADABLE, "the member is not where the directory says")
    *_, name, extra = _LOCAL_HEADER.unpack(header)
    return int(member.header_offset + _LOCAL_HEADER.size + name + extra)


def _extent(member: zipfile.ZipInfo, data: memoryview) -> tuple[int, int]:
    try:
        return member.header_offset, _start(member, data) + member.compress_size
    except UnscreenableError:
        return member.header_offset, member.header_offset


def _refuse_huge_directory(data: memoryview, budget: Budget) -> None:
    tail = bytes(data[-_LONGEST_END:])
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) - at < _END.size:
        return
    length = _END.unpack_from(tail, at)[5]
    if length == 0xFFFFFFFF and (at := tail.rfind(b"PK\x06\x06")) >= 0:  # ZIP64
        length = int.from_bytes(tail[at + 40 : at + 48], "little")
    if length > budget.limits.max_parts * _BYTES_A_MEMBER:
        raise UnscreenableError(Shortcoming.TOO_MANY_PARTS, "its list of members is longer than the limits allow")
