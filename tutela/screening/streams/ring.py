"""The last seconds of a stream, as the packets they came in: what is sealed when it is cut. Never on disk."""

import io
from collections import deque
from collections.abc import Sequence
from typing import Any

MAX_BYTES = 64 * 1024 * 1024
_IN_TRANSPORT_STREAMS = frozenset({"h264", "hevc", "mpeg2video", "mpeg4", "aac", "mp3", "ac3", "eac3", "opus"})


class Ring:
    """Packets of all of a stream's tracks, as libav gives them."""

    def __init__(self, length_s: float, max_bytes: int = MAX_BYTES) -> None:
        self._length_s = length_s
        self._max_bytes = max_bytes
        self._packets: deque[tuple[float, Any]] = deque()
        self._bytes = 0

    def add(self, seconds: float, packet: Any) -> None:
        """One packet, which came then on our own clock: a sender's could be set so that nothing is kept."""
        self._packets.append((seconds, packet))
        self._bytes += packet.size
        while self._packets and (seconds - self._packets[0][0] > self._length_s or self._bytes > self._max_bytes):
            _, old = self._packets.popleft()
            self._bytes -= old.size

    def clip(self, tracks: Sequence[Any]) -> bytes:
        """The packets as a file, from the first key frame on: MPEG-TS, or Matroska where a codec needs it. Empty where
        there is none."""
        import av

        packets = [packet for _, packet in self._packets]
        begin = next((n for n, packet in enumerate(packets) if _is_key(packet)), None)
        if begin is None:
            return b""
        fits = all(track.codec_context.name in _IN_TRANSPORT_STREAMS for track in tracks)
        file = io.BytesIO()
        with av.open(file, "w", format="mpegts" if fits else "matroska") as container:
            outputs = {track.index: container.add_stream_from_template(track) for track in tracks}
            for packet in packets[begin:]:
                if packet.dts is None or packet.stream_index not in outputs:
                    continue
                packet.stream = outputs[packet.stream_index]
                container.mux(packet)
        return file.getvalue()


def _is_key(packet: Any) -> bool:
    return bool(packet.is_keyframe and packet.stream.type == "video")
