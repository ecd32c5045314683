"""The page that a browser shows which takes the file for one, by its name or by what a server says it is: markup in the
comments of a picture, in its pixels, in a program. Everything else is letters to it.
"""

import re
from collections.abc import Iterator

from tutela._native import markup_runs
from tutela.content.media.confined.budget import Budget
from tutela.content.media.confined.containers.block_letters import are_many_in_bytes
from tutela.content.media.confined.containers.page import may_show
from tutela.content.media.confined.parts import InnerFile, Part, Unread
from tutela.content.media.content import Content, Shortcoming
from tutela.errors import UnscreenableError

_LEAST = 2_048
"""Bytes of markup without which there is no picture, however it is drawn."""
_OTHERS = re.compile(rb"<[^<>]*+>|[^\t\n\f\r -~]+")
_AS_LETTERS = bytes(n if 0x20 <= n < 0x7F or n in b"\t\n\f\r" else ord("x") for n in range(256))


class Markup:
    """The markup without what stands between, and each long run by itself, where it may show something."""

    def parts(self, content: Content, budget: Budget) -> Iterator[Part]:
        data = memoryview(content.data)
        if are_many_in_bytes(data):
            yield Unread("markup", UnscreenableError(Shortcoming.NOT_RENDERED, "it draws with letters that are blocks"))
        runs = markup_runs(data)
        if sum(end - begin for begin, end in runs) < _LEAST:
            return
        each = [_OTHERS.sub(_as_shown, bytes(data[begin:end])) for begin, end in runs]
        for text in dict.fromkeys((b"".join(each), *(run for run in each if len(run) >= _LEAST))):
            budget.check_time()
            if may_show(text):
                budget.spend_bytes(len(text))
                yield InnerFile("markup", text, speculative=True)


def _as_shown(found: re.Match[bytes]) -> bytes:
    """Bytes that are no text are letters of attributes within an element; between elements they show no picture."""
    return found.group().translate(_AS_LETTERS) if found.group().startswith(b"<") else b""
