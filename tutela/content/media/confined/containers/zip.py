"""ZIP, and what is one inside: Office documents (OOXML, ODF), EPUB, JAR, APK (APPNOTE.TXT, PKWARE).

The central directory says what the archive holds. Bytes that no member covers are looked at too: a viewer that reads
local headers shows files that the directory does not name, and an archive may stand behind anything.
"""

import contextlib
import re
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from tutela.content.media.confined.accounting import Extent, rest
from tutela.content.media.confined.budget import Budget, BudgetSpentError
from tutela.content.media.confined.carver import carve
from tutela.content.media.confined.fields import drawn
from tutela.content.media.confined.parts import (
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
from tutela.content.media.confined.streams import MemberReader, Zlib
from tutela.content.media.content import Content, Shortcoming
from tutela.content.media.plain import is_text
from tutela.errors import UnscreenableError

_ENCRYPTED = 0x1
_SIZES_FOLLOW = 0x8
_IN_ZIP64 = 0xFFFFFFFF
_NEWEST = 63
_LAST_METHOD = 99
_ENTRY = 46
"""Bytes of an entry of the directory before its name."""
_LOCAL_HEADER = struct.Struct("<4s5H3I2H")
_END = struct.Struct("<4s4H2IH")
_BYTES_A_MEMBER = 1024
"""More of the directory than this for each part that may be looked at is not read: its list alone would be a bomb."""
_LONGEST_END = 22 + 65_535 + 20 + 56
"""The end record with its longest comment, and the two records of ZIP64 before it."""
_DOCUMENT = frozenset({"[Content_Types].xml", "META-INF/container.xml", "mimetype"})
_NEVER_SHOWN = re.compile(r"xl/printerSettings/.*\.bin|(word|ppt)/fonts/.*\.(odttf|fntdata)|.*\.(otf|ttf|woff2?)")
"""What an Office document or an e-book carries in forms of its own: printers' settings, fonts made unreadable."""
_PREVIEW = re.compile(r"preview.*\.jpg|QuickLook/.*\.(jpg|pdf)")
_IWORK = re.compile(r"Index/.*\.iwa|Metadata/.*\.plist")
"""Text and layout of a document of iWork, whose pictures, and a preview of its first page, are files beside these."""
_XML = re.compile(rb"\s*(?:\xef\xbb\xbf)?\s*<|\xff\xfe<\0|\xfe\xff\0<|<\0|\0<")
_ODF_KEYS = b"manifest:encryption-data"


class Zip:
    """Members, and what lies between them."""

    def parts(self, content: Content, budget: Budget) -> Iterator[Part]:
        data = memoryview(content.data)
        _refuse_huge_directory(data, budget)
        try:
            archive = zipfile.ZipFile(file_over(data))
        except zipfile.BadZipFile:
            yield from _by_their_headers(data, budget)
            raise
        with archive:
            members = archive.infolist()
            never_shown = _never_shown({member.filename for member in members})
            markup: list[tuple[str, bytes]] = []
            for member in members:
                if not member.filename.endswith("/") or member.compress_size or member.file_size:
                    for part in _member(archive, member, data, budget):
                        may_be_unknown = never_shown is not None and bool(never_shown.fullmatch(member.filename))
                        yield replace(part, may_be_unknown=may_be_unknown) if isinstance(part, InnerFile) else part
                        if isinstance(part, InnerFile) and _XML.match(bytes(part.data[:64])):
                            markup.append((part.name, bytes(part.data)))
            yield from _drawn_by_fields(markup)
            yield from _differences(members, data)
            yield from rest(data, [*_accounted(members, data), *_directory(archive, members)], "trailing data", budget)


def _never_shown(names: set[str]) -> re.Pattern[str] | None:
    """The names of what no viewer of such a document shows as it is; None where the archive is no document."""
    if names & _DOCUMENT:
        return _NEVER_SHOWN
    if "Index/Document.iwa" in names and any(_PREVIEW.fullmatch(name) for name in names):
        return _IWORK
    return None


def _member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, data: memoryview, budget: Budget) -> Iterator[Part]:
    if member.flag_bits & _ENCRYPTED:
        yield Unread(member.filename, encrypted())
        return
    try:
        if member.compress_type == zipfile.ZIP_STORED:
            budget.check_time()
            yield InnerFile(member.filename, _stored(member, data))
            return
        if member.compress_type == zipfile.ZIP_DEFLATED:
            blocks = _inflated(member, data, budget)
        else:
            stream = archive.open(member)
            assert isinstance(stream, zipfile.ZipExtFile)
            blocks = blocks_of(Counted(stream, budget))
    except BudgetSpentError:
        raise
    except NotImplementedError:
        kind = f"compression {member.compress_type} is not supported"
        yield Unread(member.filename, UnscreenableError(Shortcoming.UNSUPPORTED_TYPE, kind))
    except Exception as error:  # whatever a hostile member makes of the library, the others are still looked at
        yield Unread(member.filename, unreadable("the member", error))
    else:
        for part in read_part(member.filename, "the member", blocks, budget.limits.max_bytes):
            yield part
            names_keys = isinstance(part, InnerFile) and _ODF_KEYS in bytes(part.data)
            if member.filename == "META-INF/manifest.xml" and names_keys:
                yield Unread(member.filename, encrypted())


def _by_their_headers(data: memoryview, budget: Budget) -> Iterator[Part]:
    """Members of an archive without a directory, as programs that unpack a stream read them."""
    at = 0
    while bytes(data[at : at + 4]) == b"PK\x03\x04" and at + _LOCAL_HEADER.size <= len(data):
        budget.spend_part()
        _, version, flags, method, _, _, _, packed, _, name_length, extra = _LOCAL_HEADER.unpack_from(data, at)
        if version & 0xFF > _NEWEST or method > _LAST_METHOD:
            break
        begin = at + _LOCAL_HEADER.size + name_length + extra
        name = bytes(data[at + _LOCAL_HEADER.size : at + _LOCAL_HEADER.size + name_length]).decode("utf-8", "replace")
        at = begin + packed
        if flags & _ENCRYPTED:
            yield Unread(name, encrypted())
        elif method == zipfile.ZIP_STORED:
            yield InnerFile(name, data[begin:at])
        elif method == zipfile.ZIP_DEFLATED:
            reader = MemberReader(data[begin:], 0, Zlib(-zlib.MAX_WBITS))
            yield from read_part(name, "the member", _counted(reader, budget), budget.limits.max_bytes)
            at = begin + reader.end
        if flags & _SIZES_FOLLOW:
            at = next((begin for begin in _followers(data, at)), len(data))
    yield from carve(data[min(at, len(data)) :], budget)


def _counted(blocks: Iterable[bytes], budget: Budget) -> Iterator[bytes]:
    for block in blocks:
        budget.spend_bytes(len(block))
        yield block


def _followers(data: memoryview, at: int) -> Iterator[int]:
    """Where the next header may be: behind the lengths that follow a member."""
    follows = bytes(data[at : at + 28]).find(b"PK\x03\x04")
    if follows >= 0:
        yield at + follows


def _inflated(member: zipfile.ZipInfo, data: memoryview, budget: Budget) -> Iterator[bytes]:
    """All that the member's bytes unpack to, whatever its length is said to be. Raises BadZipFile where more, or
    something else, comes out, or bytes are left."""
    begin = _start(member, data)
    reader = MemberReader(data[begin : begin + member.compress_size], 0, Zlib(-zlib.MAX_WBITS))
    checksum = length = 0
    for block in reader:
        checksum, length = zlib.crc32(block, checksum), length + len(block)
        budget.spend_bytes(len(block))
        yield block
    if (length, checksum) != (member.file_size, member.CRC) or reader.end != member.compress_size:
        raise zipfile.BadZipFile


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


def _accounted(members: Sequence[zipfile.ZipInfo], data: memoryview) -> Iterator[Extent]:
    """The fixed part of each member's header, and its bytes. Its extra fields may hold anything."""
    for member in members:
        with contextlib.suppress(UnscreenableError):
            begin = _start(member, data)
            fields = member.header_offset + _LOCAL_HEADER.size
            name = int.from_bytes(data[fields - 4 : fields - 2], "little")
            yield member.header_offset, fields + (name if is_text(data[fields : fields + name]) else 0)
            yield begin, begin + member.compress_size


def _directory(archive: zipfile.ZipFile, members: Sequence[zipfile.ZipInfo]) -> Iterator[Extent]:
    """The directory but for its extra fields and comments, and the record at its end but for its comment."""
    at = archive.start_dir
    for member in members:
        name = len(member.orig_filename.encode("utf-8" if member.flag_bits & 0x800 else "cp437", "replace"))
        yield at, at + _ENTRY + name
        at += _ENTRY + name + len(member.extra) + len(member.comment)
    yield at, at + _END.size


def _differences(members: Sequence[zipfile.ZipInfo], data: memoryview) -> Iterator[Part]:
    """Members whose own headers say otherwise than the directory: who unpacks a stream reads only these."""
    for member in members:
        header = data[member.header_offset : member.header_offset + _LOCAL_HEADER.size]
        if len(header) < _LOCAL_HEADER.size or bytes(header[:4]) != b"PK\x03\x04":
            continue  # said where it is read
        _, _, flags, method, _, _, checksum, packed, size, _, _ = _LOCAL_HEADER.unpack(header)
        differs = method != member.compress_type or (flags ^ member.flag_bits) & _ENCRYPTED
        if not flags & _SIZES_FOLLOW and packed != _IN_ZIP64:
            differs = differs or (packed, checksum) != (member.compress_size, member.CRC)
            differs = differs or (size != _IN_ZIP64 and size != member.file_size)
        if differs:
            reason = "its own header says otherwise than the directory of the archive"
            yield Unread(member.filename, UnscreenableError(Shortcoming.UNREADABLE, reason))


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
