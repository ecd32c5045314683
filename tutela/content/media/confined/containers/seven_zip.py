"""7z, unpacked in memory by py7zr, within what the budget still allows."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from tutela.content.media.confined.accounting import Extent, rest
from tutela.content.media.confined.budget import Budget, BudgetSpentError
from tutela.content.media.confined.parts import InnerFile, Part, encrypted, file_over, unreadable
from tutela.content.media.content import Content, Shortcoming
from tutela.errors import UnscreenableError

if TYPE_CHECKING:
    import py7zr
    from typing_extensions import Buffer


class SevenZip:
    """Members. A solid archive comes out in one go; what came out before something failed is looked at all the same."""

    def parts(self, content: Content, budget: Budget) -> Iterator[Part]:
        try:
            import py7zr
        except ImportError:
            raise UnscreenableError(Shortcoming.UNSUPPORTED_TYPE, "7z needs the extra tutela[archives]") from None
        data = memoryview(content.data)
        extents: list[Extent] = []
        members = _Members(budget)
        failure: UnscreenableError | None = None
        try:
            with py7zr.SevenZipFile(file_over(data)) as archive:
                if archive.needs_password():
                    raise encrypted()
                extents = _extents(archive)
                archive.extractall(factory=members)
        except py7zr.PasswordRequired:
            failure = encrypted()
        except Exception as error:  # said once what came out has been looked at
            failure = error if isinstance(error, BudgetSpentError) else unreadable("the archive", error)
        while members.files:
            member = members.files.pop(0)
            yield InnerFile(member.name, member.getvalue())
        if failure is not None:
            raise failure
        yield from rest(data, extents, "trailing data", budget)


def _extents(archive: "py7zr.SevenZipFile") -> list[Extent]:
    """The signature header, the packed streams, which are checked as they come, and the header at the end."""
    begin = archive.afterheader
    extents = [(0, begin)]
    header = archive.sig_header
    extents.append((begin + header.nextheaderofs, begin + header.nextheaderofs + header.nextheadersize))
    streams = archive.header.main_streams
    if streams is not None and streams.packinfo is not None:
        at = begin + streams.packinfo.packpos
        extents.append((at, at + sum(streams.packinfo.packsizes)))
    return extents


class _Members:
    """Where py7zr writes: a file in memory for each member."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self.files: list[_Member] = []

    def create(self, filename: str) -> "_Member":
        """As py7zr's `WriterFactory`."""
        path = Path(filename)
        name = str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else filename
        self.files.append(_Member(name, self._budget))
        return self.files[-1]


class _Member(io.BytesIO):
    """As py7zr's `Py7zIO`. Spends the budget as it is written to; closing keeps what was written."""

    def __init__(self, name: str, budget: Budget) -> None:
        super().__init__()
        self.name = name
        self._budget = budget

    def write(self, data: "Buffer", /) -> int:
        self._budget.spend_bytes(memoryview(data).nbytes)
        return super().write(data)

    def size(self) -> int:
        """Bytes written."""
        return len(self.getbuffer())

    def close(self) -> None:
        """Nothing yet: it is read afterwards."""
