"""TAR in all its dialects (POSIX.1-2017 pax, GNU), plain or unpacked from a compressed stream."""

import io
import tarfile
from collections.abc import Iterator

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


class Tar:
    """Members where they lie, and what is between and behind them."""

    def parts(self, content: Content, budget: Budget) -> Iterator[Part]:
        return members_of(memoryview(content.data), budget)


def members_of(data: memoryview, budget: Budget) -> Iterator[Part]:
    """As `Tar`. Members' headers and bytes are accounted for: long names and extended headers may hold anything."""
    accounted: list[Extent] = []
    with tarfile.open(fileobj=file_over(data), mode="r:") as archive:
        for member in archive:
            budget.check_time()
            if not _is_file(member):
                accounted.append((member.offset_data - tarfile.BLOCKSIZE, member.offset_data))
                continue
            if member.issparse():
                blocks = blocks_of(Counted(_file(archive, member), budget))
                yield from read_part(member.name, "the member", blocks, budget.limits.max_bytes)
                continue
            begin, end = member.offset_data, member.offset_data + member.size
            accounted.append((begin - tarfile.BLOCKSIZE, end))
            yield InnerFile(member.name, data[begin:end])
    yield from rest(data, accounted, "trailing data", budget)


def _is_file(member: tarfile.TarInfo) -> bool:
    """A member of a type that nobody knows is unpacked as a file."""
    return member.isreg() or member.type not in tarfile.SUPPORTED_TYPES


def _file(archive: tarfile.TarFile, member: tarfile.TarInfo) -> Stream:
    file = archive.extractfile(member)
    assert isinstance(file, io.BufferedReader)
    return file
