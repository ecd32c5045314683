"""One compressed stream, or several joined: the file inside, or the members of the TAR that it is; what is behind."""

from collections.abc import Iterator

from tutela.content.media.confined.accounting import rest
from tutela.content.media.confined.budget import Budget, BudgetSpentError
from tutela.content.media.confined.containers.tar import members_of
from tutela.content.media.confined.parts import InnerFile, Part, Unread, unreadable
from tutela.content.media.confined.streams import Members
from tutela.content.media.content import Content, Shortcoming
from tutela.content.media.sniff import MediaType, sniff
from tutela.errors import UnscreenableError


class Compressed:
    """All that comes out is one file; it is unpacked before it is looked at."""

    def parts(self, content: Content, budget: Budget) -> Iterator[Part]:
        data = memoryview(content.data)
        assert content.media_type is not None
        members = Members(data, content.media_type, budget)
        come = bytearray()
        error: UnscreenableError | None = None
        try:
            for block in members:
                come += block
        except BudgetSpentError:
            raise
        except Exception as reason:  # whatever a hostile stream makes of its library, what came of it is looked at
            error = unreadable("the stream", reason)
        inner = memoryview(come)
        if sniff(inner) is MediaType.TAR:
            yield from members_of(inner, budget)
        elif len(come) > budget.limits.max_bytes:
            limit = f"it is longer than the limit of {budget.limits.max_bytes:,} bytes"
            yield Unread("content", UnscreenableError(Shortcoming.TOO_MANY_BYTES, limit))
        elif come or error is None:
            yield InnerFile("content", inner)
        if error is not None:
            yield Unread("content", error)
        if members.accounted:
            yield from rest(data, members.accounted, "trailing data", budget)
