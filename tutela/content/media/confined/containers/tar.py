"""TAR in all its dialects (POSIX.1-2017 pax, GNU), plain or as a stream that is being unpacked."""

import io
import tarfile
from collections.abc import Iterator
from typing import IO

from tutela.content.media.confined.budget import Budget
from tutela.content.media.confined.containers.base import (
    Counted,
    InnerFile,
    Part,
    Stream,
    blocks_of,
    file_over,
    read_part,
)
from tutela.content.media.confined.containers.gaps import between
from tutela.content.media.content import Content


class Tar:
    """Members where they lie, and what is between and behind them."""

    def parts(self, content: Content, budget: Budget) -> Iterator[Part]:
        data = memoryview(content.data)
        extents = []
        with tarfile.open(fileobj=file_over(data), mode="r:") as archive:
            for member in archive:
                budget.check_time()
                if not _is_file(member):
                    continue
                if member.issparse():
                    blocks = blocks_of(Counted(_file(archive, member), budget))
                    yield from read_part(member.name, "the member", blocks, budget.limits.max_bytes)
                    continue
                extents.append((member.offset, member.offset_data + member.size))
                yield InnerFile(member.name, data[member.offset_data : member.offset_data + member.size])
        yield from between(data, extents)


def parts_of_stream(stream: IO[bytes], budget: Budget) -> Iterator[Part]:
    """The members of an archive that comes as a stream whose bytes are counted already; one is in memory at a time."""
    with tarfile.open(fileobj=stream, mode="r|") as archive:
        for member in archive:
            budget.check_time()
            if _is_file(member):
                blocks = blocks_of(_file(archive, member))
                yield from read_part(member.name, "the member", blocks, budget.limits.max_bytes)


def _is_file(member: tarfile.TarInfo) -> bool:
    """A member of a type that nobody knows is unpacked as a file."""
    return member.isreg() or member.type not in tarfile.SUPPORTED_TYPES


def _file(archive: tarfile.TarFile, member: tarfile.TarInfo) -> Stream:
    file = archive.extractfile(member)
    assert isinstance(file, io.BufferedReader)
    return file
