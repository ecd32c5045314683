"""The covers of audio and of films: pictures that players show while they play, in whatever form the tags keep them.

FFmpeg brings out what tags keep in forms of their own: ID3 (unsynchronised or not), FLAC and Vorbis comments, MP4,
Matroska, APEv2, ASF.
"""

import contextlib
from collections.abc import Iterator

from tutela.content.media.confined.budget import Budget
from tutela.content.media.confined.containers.subtitles import drawn_subtitles, written_subtitles
from tutela.content.media.confined.ffmpeg import OPENING
from tutela.content.media.confined.parts import InnerFile, Part, Unread, file_over
from tutela.content.media.content import Content, Shortcoming
from tutela.errors import UnscreenableError

_FAILURES: tuple[type[Exception], ...] = (NameError, ValueError)
with contextlib.suppress(ImportError):
    import av
    from av.container import InputContainer
    from av.stream import Disposition

    _FAILURES = (av.FFmpegError, ValueError)

_MOST = 64


class Covers:
    """Every picture that is attached to the file, and the subtitles of a film that are pictures."""

    def parts(self, content: Content, budget: Budget) -> Iterator[Part]:
        budget.check_time()
        try:
            container = av.open(file_over(memoryview(content.data)), "r", metadata_errors="ignore", options=OPENING)
        except _FAILURES:
            return  # said where the file itself is looked at
        with container:
            for number, data in enumerate(_attached(container), start=1):
                budget.spend_bytes(len(data))
                yield InnerFile(f"cover {number}", data)
            if max(len(container.streams.video), len(container.streams.attachments)) > _MOST:
                reason = "it has more pictures attached than are looked at"
                yield Unread("covers", UnscreenableError(Shortcoming.TOO_MANY_PARTS, reason))
            if container.streams.subtitles:
                with contextlib.suppress(*_FAILURES):
                    container.seek(0)
                    yield from drawn_subtitles(container, budget)
                    yield from written_subtitles(container, budget)


def _attached(container: "InputContainer") -> Iterator[bytes]:
    attached = [stream for stream in container.streams.video if stream.disposition & Disposition.attached_pic]
    with contextlib.suppress(av.FFmpegError):
        for stream in attached[:_MOST]:
            for packet in container.demux(stream):
                if packet.size:
                    yield bytes(packet)
                    break
    for attachment in container.streams.attachments[:_MOST]:
        if attachment.data:
            yield bytes(attachment.data)
