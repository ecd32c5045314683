"""PostScript and EPS: programs that draw. They are searched for files, a preview among them, and held as not drawn."""

from collections.abc import Iterator

from tutela.content.media.confined.budget import Budget
from tutela.content.media.confined.carver import carve
from tutela.content.media.confined.encodings import files_in, runs_in
from tutela.content.media.confined.parts import InnerFile, Part, Unread
from tutela.content.media.content import Content, Shortcoming
from tutela.errors import UnscreenableError


class PostScript:
    """What is written in it, in letters too."""

    def parts(self, content: Content, budget: Budget) -> Iterator[Part]:
        budget.check_time()
        yield from carve(memoryview(content.data), budget)
        text = bytes(content.data)
        for number, data in enumerate([*(data for _, data in files_in(text, budget)), *runs_in(text, budget)], start=1):
            budget.spend_bytes(len(data))
            yield InnerFile(f"embedded {number}", data, speculative=True)
        yield Unread("drawing", UnscreenableError(Shortcoming.NOT_RENDERED, "PostScript is not drawn"))
