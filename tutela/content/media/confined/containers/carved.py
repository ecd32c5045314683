"""Content that no other container knows: searched for the signatures of pictures and archives."""

from collections.abc import Iterator
from dataclasses import replace

from tutela.content.media.confined.budget import Budget
from tutela.content.media.confined.carver import carve
from tutela.content.media.confined.encodings import files_in
from tutela.content.media.confined.ordinary import ordinary
from tutela.content.media.confined.parts import InnerFile, Part
from tutela.content.media.content import Content


class Carved:
    """Whatever a signature gives away."""

    def parts(self, content: Content, budget: Budget) -> Iterator[Part]:
        budget.check_time()
        # A program that reads a format has its signature in it.
        known = content.media_type is None and ordinary(content.data) is not None
        for part in carve(memoryview(content.data), begin=1):  # never itself
            yield replace(part, speculative=part.speculative or known)
        if b"=ybegin " in bytes(content.data):
            for name, data in files_in(bytes(content.data)):
                budget.spend_bytes(len(data))
                yield InnerFile(name, data)
