"""TAR in all its dialects (POSIX.1-2017 pax, GNU), plain or as a stream that is being unpacked."""

import tarfile
from collections.abc import Callable, Iterator
from typing import IO

from tutela.media.budget import Budget, BudgetSpentError
from tutela.media.containers.base import InnerFile, Part, Unread, file_over, read_all, read_within, unreadable
from tutela.media.containers.gaps import between
from tutela.media.content import Content


class Tar:
    """Members where they lie, and what is between and behind them."""

    def parts(self, content: Content, budget: Budget) -> Iterator[Part]:
        data = memoryview(content.data)
        extents = []
        with tarfile.open(fileobj=file_over(data), mode="r:") as archive:
            for member in archive:
                budget.check_time()
                if not member.isreg():
                    continue
                if member.issparse():
                    yield from _read(archive, member, lambda stream: read_within(stream, budget))
                    continue
                extents.append((member.offset, member.offset_data + member.size))
                yield InnerFile(member.name, data[member.offset_data : member.offset_data + member.size])
        yield from between(data, extents)


def parts_of_stream(stream: IO[bytes], budget: Budget) -> Iterator[Part]:
    """The members of an archive that comes as a stream whose bytes are counted already; one is in memory at a time."""
    with tarfile.open(fileobj=stream, mode="r|") as archive:
        for member in archive:
            budget.check_time()
            if member.isreg():
                yield from _read(archive, member, lambda stream: read_all(stream, budget.limits.max_bytes))


def _read(archive: tarfile.TarFile, member: tarfile.TarInfo, read: Callable[[IO[bytes]], bytes]) -> Iterator[Part]:
    try:
        stream = archive.extractfile(member)
        assert stream is not None
        inner = read(stream)
    except BudgetSpentError:
        raise
    except Exception as error:
        yield Unread(member.name, unreadable("the member", error))
    else:
        yield InnerFile(member.name, inner)
