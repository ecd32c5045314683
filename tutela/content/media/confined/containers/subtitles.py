"""Subtitles that are pictures, which players draw over a film (PGS, DVD, DVB, XSUB), and words of them that draw."""

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from tutela.content.media.confined.budget import Budget
from tutela.content.media.confined.parts import InnerFile, InnerPicture, Part, Unread
from tutela.content.media.content import Picture, Shortcoming
from tutela.errors import UnscreenableError

if TYPE_CHECKING:
    from typing_extensions import Buffer

with contextlib.suppress(ImportError):
    from av.container import InputContainer
    from av.subtitles.subtitle import BitmapSubtitle

_PGS = frozenset({"hdmv_pgs_subtitle", "pgssub"})
_DRAWN = _PGS | {"dvd_subtitle", "dvdsub", "dvb_subtitle", "dvbsub", "xsub"}
_MOST = 500
_SMALLEST = 64
"""Pixels of a side: lines of words are lower."""
_LEAST_TEXT = 4096
"""Bytes of words that may draw or carry anything."""
_PALETTE = 0x14


def drawn_subtitles(container: "InputContainer", budget: Budget) -> Iterator[Part]:
    """Every subtitle of an opened film that is a picture, up to a limit. One whose colours are not known here is held
    where it is too high for words."""
    streams = [stream for stream in container.streams.subtitles if stream.codec_context.name in _DRAWN]
    if not streams:
        return
    height = max((stream.height for stream in container.streams.video), default=0)
    number = 0
    lumas = np.zeros(256, np.uint8)
    for packet in container.demux(streams):
        is_pgs = packet.stream.codec_context.name in _PGS
        if is_pgs:
            _read_palette(bytes(packet), lumas)
        for shown in packet.decode():
            if not isinstance(shown, BitmapSubtitle) or min(shown.width, shown.height) < _SMALLEST:
                continue
            budget.check_time()
            number += 1
            if number > _MOST:
                reason = "it has more subtitles that are pictures than are looked at"
                yield Unread("subtitles", UnscreenableError(Shortcoming.PARTLY_SCREENED, reason))
                return
            if is_pgs:
                yield InnerPicture(f"subtitle {number}", _picture(shown, lumas))
            elif shown.height > 0.4 * height:
                reason = "a subtitle is a picture, and is not drawn here"
                yield Unread("subtitles", UnscreenableError(Shortcoming.NOT_RENDERED, reason))
                return


def written_subtitles(container: "InputContainer", budget: Budget) -> Iterator[Part]:
    """The words of each track of subtitles as a text: those of ASS may draw, and any may carry a file in letters."""
    for stream in container.streams.subtitles:
        if stream.codec_context.name in _DRAWN:
            continue
        container.seek(0)
        texts: list[bytes] = []
        for packet in container.demux(stream):
            budget.spend_bytes(packet.size)
            texts.append(bytes(packet))
        if sum(map(len, texts)) >= _LEAST_TEXT:
            yield InnerFile("words of subtitles", b"\n".join(texts), speculative=True)


def _read_palette(segments: bytes, lumas: np.ndarray[tuple[int], np.dtype[np.uint8]]) -> None:
    """Into `lumas`, by number, what the palettes among the segments say; what is transparent is black."""
    at = 0
    while at + 3 <= len(segments):
        kind, length = segments[at], int.from_bytes(segments[at + 1 : at + 3])
        if kind == _PALETTE:
            for entry in range(at + 5, min(at + 3 + length, len(segments) - 4), 5):
                number, luma, _, _, alpha = segments[entry : entry + 5]
                lumas[number] = luma * alpha // 255
        at += 3 + length


def _picture(shown: "BitmapSubtitle", lumas: np.ndarray[tuple[int], np.dtype[np.uint8]]) -> Picture:
    numbers: Buffer = shown.planes[0]  # type: ignore[assignment]  # its stub does not say that it is one
    lines = np.frombuffer(memoryview(numbers), np.uint8).reshape(shown.height, -1)[:, : shown.width]
    return Picture(np.ascontiguousarray(lumas[lines]), shown.width, shown.height)
