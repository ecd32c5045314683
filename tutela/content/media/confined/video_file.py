"""Under `video.py`: content as a file that FFmpeg reads piece by piece, and the times of what it reads in seconds.

Runs in isolated workers.
"""

import contextlib
import io
import mmap

import av.error
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

_RELEASE_BYTES = 64 * 1024 * 1024


class Clock:
    """Times of one stream in seconds from its start, also where a file leaves some out."""

    def __init__(self, stream: VideoStream) -> None:
        self._stream = stream
        self._base = float(stream.time_base or 0) or 1 / 90_000
        self._start = stream.start_time or 0
        rate = float(stream.average_rate or stream.guessed_rate or 0)
        self.frame_s = 1 / rate if 0.1 < rate < 1000 else 1 / 25
        """How long a frame is shown, as far as the header says it."""
        self.furthest_s = 0.0
        """When the last of the packets so far is shown."""
        self._packet_s = 0.0
        self._shown_s = -self.frame_s

    def seek(self, container: InputContainer, seconds: float) -> None:
        """Go to the last key frame before that time. A file that does not allow it is read through from its start."""
        if seconds > 0:
            with contextlib.suppress(av.error.FFmpegError):
                timestamp = int(seconds / self._base) + self._start
                container.seek(timestamp, stream=self._stream, backward=True, any_frame=False)

    def packet_seconds(self, packet: "Packet[VideoStream]") -> float:
        """When a packet is shown; after the one before it where it does not say."""
        at = packet.pts if packet.pts is not None else packet.dts
        self._packet_s = self._packet_s + self.frame_s if at is None else (at - self._start) * self._base
        self.furthest_s = max(self.furthest_s, self._packet_s)
        return max(0.0, self._packet_s)

    def frame_seconds(self, frame: VideoFrame) -> float:
        """When a frame is shown; after the one before it where it does not say."""
        at = frame.pts if frame.pts is not None else frame.dts
        self._shown_s = self._shown_s + self.frame_s if at is None else (at - self._start) * self._base
        return max(0.0, self._shown_s)


class VideoReader(io.RawIOBase):
    """The content as a file, without a copy. Of a mapped file, what was read is given back to the system now and
    then, so that a worker's memory stays flat over a file of any length."""

    def __init__(self, data: bytes | memoryview) -> None:
        self._view = memoryview(data)
        self._at = 0
        self._read_since = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        begin = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: len(self._view)}[whence]
        self._at = max(0, begin + offset)
        return self._at

    def read(self, size: int = -1) -> bytes:
        end = len(self._view) if size < 0 else min(len(self._view), self._at + size)
        part = bytes(self._view[self._at : end]) if self._at < end else b""
        self._at += len(part)
        self._read_since += len(part)
        if self._read_since > _RELEASE_BYTES:
            self._read_since = 0
            if isinstance(self._view.obj, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
                self._view.obj.madvise(mmap.MADV_DONTNEED)
        return part
