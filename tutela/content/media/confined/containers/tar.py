"""TAR in all its dialects (POSIX.1-2017 pax, GNU), plain or unpacked from a compressed stream."""

import io
import tarfile
from collections.abc import Iterator

from tutela._native import is_text
from tutela.content.media.confined.accounting import Extent, rest
from tutela.content.media.confined.budget import Budget
from tutela.content.media.confined.parts import (
    Counted,
    InnerFile,
    Part,
    Stream,
    blocks_of,
    file_over,
    read_part,
)
from tutela.content.media.content import Content

_EXTEND = frozenset(
    {tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK}
)
"""Types of headers that say more of the member that follows, or of all."""


class Tar:
    """Members where they lie, and what is between and behind them."""

    def parts(self, content: Content, budget: Budget) -> Iterator[Part]:
        return members_of(memoryview(content.data), budget)


def members_of(data: memoryview, budget: Budget) -> Iterator[Part]:
    """As `Tar`. Headers and members' bytes are accounted for, and text by which headers are extended is looked through
    together; whatever else they are extended by may be anything."""
    accounted: list[Extent] = []
    more: list[bytes] = []
    with tarfile.open(fileobj=file_over(data), mode="r:") as archive:
        begin = 0
        for member in archive:
            budget.check_time()
            for at, length in _extended(data, begin, member.offset_data - tarfile.BLOCKSIZE):
                accounted.append((at - tarfile.BLOCKSIZE, at))
                text = bytes(data[at : at + length]).rstrip(b"\0")
                if is_text(text):
                    accounted.append((at, at + length))
                    more.append(text)
            begin = archive.offset
            if not _is_file(member):
                accounted.append((member.offset_data - tarfile.BLOCKSIZE, member.offset_data))
                continue
            if member.issparse():
                blocks = blocks_of(Counted(_file(archive, member), budget))
                yield from read_part(member.name, "the member", blocks, budget.limits.max_bytes)
                continue
            end = member.offset_data + member.size
            accounted.append((member.offset_data - tarfile.BLOCKSIZE, end))
            yield InnerFile(member.name, data[member.offset_data : end])
    if more:
        yield InnerFile("headers", b"\n".join(more))
    yield from rest(data, accounted, "trailing data", budget)


def _extended(data: memoryview, begin: int, end: int) -> Iterator[tuple[int, int]]:
    """(place, length) of what extends a member's header and stands before it, as Python, git and GNU tar write it: with
    a header of its own, which alone would be taken for an archive that is cut short."""
    while begin + tarfile.BLOCKSIZE <= end:
        try:
            header = tarfile.TarInfo.frombuf(bytes(data[begin : begin + tarfile.BLOCKSIZE]), "latin-1", "strict")
        except tarfile.HeaderError:
            return
        if header.type not in _EXTEND or not 0 <= header.size <= end - begin - tarfile.BLOCKSIZE:
            return
        yield begin + tarfile.BLOCKSIZE, header.size
        begin += tarfile.BLOCKSIZE + -(-header.size // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE


def _is_file(member: tarfile.TarInfo) -> bool:
    """A member of a type that nobody knows is unpacked as a file."""
    return member.isreg() or member.type not in tarfile.SUPPORTED_TYPES


def _file(archive: tarfile.TarFile, member: tarfile.TarInfo) -> Stream:
    file = archive.extractfile(member)
    assert isinstance(file, io.BufferedReader)
    return file
