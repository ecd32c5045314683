"""The lines of a list, whatever system ended them: of bounded length, so that memory stays flat whatever is claimed."""

import codecs
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

MAX_LINE = 4 * 1024 * 1024
"""Bytes of a line: as long as a video's list of frames."""
_CHUNK = 1 << 20
_END = re.compile(rb"\r\n|\r|\n")


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that could not be read, and why."""

    line: int
    reason: str


def text_lines(stream: BinaryIO, skip: int) -> Iterator[tuple[int, str] | BadLine]:
    """Each line with its number, without its end. The first `skip` are passed over."""
    for number, raw in enumerate(_raw_lines(stream), start=1):
        if number <= skip:
            continue
        if raw is None:
            yield BadLine(number, f"the line is longer than {MAX_LINE:,} bytes")
            continue
        try:
            yield number, (raw.removeprefix(codecs.BOM_UTF8) if number == 1 else raw).decode("utf-8")
        except UnicodeDecodeError:
            yield BadLine(number, "the line is not UTF-8")


def _raw_lines(stream: BinaryIO) -> Iterator[bytes | None]:
    """The lines, None in the place of one that is too long."""
    waiting, too_long = b"", False
    while chunk := stream.read(_CHUNK):
        if chunk.endswith(b"\r"):
            chunk += stream.read(1)  # its other half may follow
        *whole, waiting = _END.split(waiting + chunk)
        for line in whole:
            yield None if too_long or len(line) > MAX_LINE else line
            too_long = False
        if len(waiting) > MAX_LINE:
            waiting, too_long = b"", True
    if waiting or too_long:
        yield None if too_long or len(waiting) > MAX_LINE else waiting


def joined_frames(lines: Iterable[tuple[int, str] | BadLine]) -> Iterator[tuple[int, str] | BadLine]:
    """The published lines of a video's frames, one frame a line, as one line; another video begins after a blank line
    or where the frames are numbered anew. What is on one line already stays."""
    gathered: list[str] = []
    last_line, last_frame = 0, -1
    for item in lines:
        if isinstance(item, BadLine):
            yield item
            continue
        number, line = item
        line = line.partition("#")[0].strip()
        frame = int(head) if (head := line.partition(",")[0]).isdecimal() and len(head) < 16 else last_frame + 1
        whole = ";" in line or line.startswith("[")
        if gathered and (not line or whole or frame <= last_frame):
            yield last_line, ";".join(gathered)
            gathered, last_frame = [], -1
        if whole:
            yield number, line
        elif line:
            gathered.append(line)
            last_line, last_frame = number, frame
    if gathered:
        yield last_line, ";".join(gathered)
