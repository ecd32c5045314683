"""Content that no other container knows: searched for the signatures of pictures and archives."""

from collections.abc import Iterator
from dataclasses import replace

from tutela.content.media.confined.budget import Budget
from tutela.content.media.confined.carver import carve
from tutela.content.media.confined.containers.appended import headers_of
from tutela.content.media.confined.containers.database import of_property_list, picture_of, values_of
from tutela.content.media.confined.containers.resources import bitmaps, of_font
from tutela.content.media.confined.encodings import files_in, packed_in, runs_in
from tutela.content.media.confined.netpbm import behind_first
from tutela.content.media.confined.ordinary import length_of_tag, ordinary
from tutela.content.media.confined.parts import InnerFile, Part
from tutela.content.media.content import Content
from tutela.content.media.profile import FileKind
from tutela.content.media.sniff import MediaType, sniff


class Carved:
    """Whatever a signature gives away."""

    def parts(self, content: Content, budget: Budget) -> Iterator[Part]:
        budget.check_time()
        kind = ordinary(content.data, text=content.is_text) if content.media_type is None else None
        itself = headers_of(memoryview(content.data)) if content.media_type is MediaType.TIFF else ()
        for part in carve(memoryview(content.data), budget, begin=1, itself=itself):
            # A program that reads a format has its signature in it, but for that of WebP, which is in two pieces.
            by_chance = kind is not None and sniff(part.data) is not MediaType.WEBP
            yield replace(part, speculative=part.speculative or by_chance)
        if kind is not None and kind[0] is FileKind.FONT:
            yield from of_font(memoryview(content.data), budget)
        if kind is not None and kind[1] == "application/vnd.sqlite3":
            yield from values_of(content, budget)
        if kind is not None and kind[1] == "application/x-plist":
            yield from of_property_list(content, budget)
        if kind is not None and kind[1] == "application/x-npy":
            yield from picture_of(content, budget)
        if kind is not None and kind[0] in (FileKind.PROGRAM, FileKind.DATA):
            for data in packed_in(memoryview(content.data), budget):
                budget.spend_bytes(len(data))
                yield InnerFile("packed", data, speculative=True)
        if kind is not None and kind[0] is not FileKind.TEXT:
            for data in runs_in(bytes(content.data), budget):
                budget.spend_bytes(len(data))
                yield InnerFile("embedded", data, speculative=True)
        if kind is not None and kind[0] is FileKind.AUDIO:
            yield from _of_tag(memoryview(content.data), budget)
        if kind is not None and kind[0] is FileKind.PROGRAM:
            yield from bitmaps(memoryview(content.data))
        if content.media_type is MediaType.PNM and (rest := behind_first(memoryview(content.data))):
            yield InnerFile("next picture", rest)
        if b"=ybegin " in bytes(content.data):
            for name, data in files_in(bytes(content.data), budget):
                budget.spend_bytes(len(data))
                yield InnerFile(name, data)


def _of_tag(data: memoryview, budget: Budget) -> Iterator[Part]:
    """What an ID3 tag keeps otherwise than as it is: unsynchronised, or compressed (ID3v2.4.0, 4.1.2 and 6.1). Players
    that read tags alone show a cover where FFmpeg takes the file for no audio."""
    tag = bytes(data[: length_of_tag(data)])
    synchronised = tag.replace(b"\xff\x00", b"\xff")
    for read in dict.fromkeys((tag, synchronised)):
        budget.spend_bytes(len(read))
        if read != tag:
            yield InnerFile("tag", read, speculative=True)
        for packed in packed_in(memoryview(read), budget):
            budget.spend_bytes(len(packed))
            yield InnerFile("tag", packed, speculative=True)
