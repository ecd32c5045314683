"""The processes that read streams, `python -m` this module: one child for each stream, forked from a nursery that has
everything loaded, so that a watcher subscribes in milliseconds.

A child opens the one connection that it is told of, gives up everything else, takes packets apart and decodes none. It
keeps the last seconds of the stream in memory and hands the frames that are to be looked at to its watcher.
"""

import contextlib
import json
import os
import re
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from random import Random
from typing import Any

from tutela import _native
from tutela.content.media.confined.confinement import confine_connected
from tutela.screening.streams.model import Codec, Look, Packet
from tutela.screening.streams.reading import StreamReading
from tutela.screening.streams.ring import Ring
from tutela.screening.streams.sampling import Sampler, Timeline, begins_anew
from tutela.screening.streams.wire import Message, WireLine, codec_fields, send_look

BEAT_S = 0.25
"""The watcher hears so often that packets come."""
STAYS_S = 15.0
"""After the stream's end, the clip can still be asked for so long."""
_AGAIN_S = 0.1
_MAX_REQUEST = 64 * 1024
_MAX_TRACKS = 8
"""Of video; a stream that has more is not watched."""
_TRACKS_EVERY_S = 2.0
"""It is looked so often whether tracks have come to those that are watched."""
_CONNECTED_ONCE = ("rtmp", "rtmps", "rtsp", "rtsps", "tcp", "srt", "udp")
"""Schemes that need no further connection once a stream is open."""
_PROBES: tuple[dict[str, str], ...] = ({"probesize": "5000", "analyzeduration": "1"}, {})
"""Little is read to find out what a stream is: that takes none of its frames away, and no time."""


class StreamReceiver:
    """Reads one stream, in a process of its own."""

    def __init__(self, line: WireLine, asked: StreamReading) -> None:
        self._line = line
        self._asked = asked
        self._writing = threading.Lock()
        self._ring = Ring(asked.clip_s)
        self._ring_lock = threading.Lock()
        self._tracks: list[Any] = []
        self._commands: list[Message] = []
        self._opened_things = contextlib.ExitStack()
        """What is open stays so until the process ends: the clip is made of its packets."""
        self._ended = threading.Event()

    def run(self) -> None:
        """Read until the stream ends, then wait for what is still asked."""
        threading.Thread(target=self._listen, name="commands", daemon=True).start()
        try:
            why = self._read()
        except Exception as error:
            why = type(error).__name__
        with contextlib.suppress(OSError):
            self._say("end", {"why": why})
            self._ended.wait(STAYS_S)

    def _read(self) -> str:
        import av
        import av.error

        deadline = time.monotonic() + self._asked.open_s
        while True:
            try:
                container = self._opened(self._opened_things)
                break
            except (av.error.FFmpegError, OSError, ValueError) as error:
                if time.monotonic() > deadline:
                    return f"not-opened ({type(error).__name__})"
                time.sleep(_AGAIN_S)  # a server that takes no subscriber before there is a publisher
        videos = container.streams.video
        if not videos:
            return "no-video"
        if len(videos) > _MAX_TRACKS:
            return "too-many-tracks"
        self._tracks = [*videos, *container.streams.audio[:1]]
        scheme = self._asked.url.partition(":")[0]
        refusals = confine_connected(alone=scheme in _CONNECTED_ONCE and not self._asked.pipe)
        self._say("open", {"codecs": [codec_fields(_codec(track)) for track in videos], "refusals": refusals})
        seed, plan = self._asked.seed, self._asked.plan
        samplers = {
            track.index: Sampler(plan, Random(f"{seed}/{number}"), number)  # noqa: S311  (the seed is secret)
            for number, track in enumerate(videos)
        }
        try:
            return self._demux(container, videos, samplers)
        except av.error.FFmpegError as error:
            return "ended" if isinstance(error, av.error.EOFError) else type(error).__name__
        finally:
            for sampler in samplers.values():
                self._send(sampler.finish())

    def _opened(self, stack: contextlib.ExitStack) -> Any:
        import av

        patience = (self._asked.open_s, self._asked.silence_s)
        for probe in _PROBES:
            options = {**probe, "rw_timeout": str(int(1e6 * self._asked.open_s))}
            if self._asked.url.startswith("rtsp"):
                options["rtsp_transport"] = "tcp"
            if self._asked.pipe:
                import subprocess

                child = subprocess.Popen(  # noqa: S603
                    self._asked.pipe, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
                )
                stack.callback(child.kill)
                return stack.enter_context(av.open(child.stdout, format="mpegts", options={"probesize": "100000"}))
            container = av.open(self._asked.url, options=options, timeout=patience)
            if container.streams.video:
                return stack.enter_context(container)
            container.close()
        return stack.enter_context(av.open(self._asked.url, timeout=patience))

    def _demux(self, container: Any, videos: Sequence[Any], samplers: Mapping[int, Sampler]) -> str:
        """Hand on what is to be looked at, to the end; why it ended."""
        numbers = {track.index: number for number, track in enumerate(videos)}
        codecs = {track.index: _codec(track) for track in videos}
        given: dict[int, float] = {}
        """By track: the time of the last frame that had one. Those without are frames all the same."""
        timelines: dict[int, Timeline] = {}
        beat_at, late, tracks_at = 0.0, False, 0.0
        for packet in container.demux(self._tracks):
            self._obey(samplers)
            if packet.size == 0:
                continue
            now, index = time.monotonic(), packet.stream_index
            if not timelines:
                begin = _seconds(packet, packet.dts, packet.pts)
                timelines = {track: Timeline(begin, now) for track in samplers}
                given = dict.fromkeys(samplers, begin)
            with self._ring_lock:
                self._ring.add(now, packet)
            if now - tracks_at >= _TRACKS_EVERY_S:
                tracks_at = now
                if _videos_now(container) > len(videos):
                    return "tracks-changed"
            if index not in samplers:
                continue
            sampler = samplers[index]
            if packet.has_sidedata("new_extradata"):
                self._send(sampler.restart())
                codecs[index] = _codec(videos[numbers[index]], bytes(packet.get_sidedata("new_extradata")))
                self._say("codec", {"track": numbers[index], "codec": codec_fields(codecs[index])})
            given[index] = _seconds(packet, packet.pts, packet.dts, given[index])
            shown = timelines[index].of(given[index], now)
            data, codec = bytes(packet), codecs[index]
            key = bool(packet.is_keyframe) and begins_anew(codec.name, codec.extradata, data)
            self._send(sampler.take(Packet(round(shown, 4), data, key, bool(packet.is_disposable))))
            if now - beat_at >= BEAT_S or sampler.late_keys != late:
                beat_at, late = now, sampler.late_keys
                self._say("beat", {"seconds": round(shown, 3), "late_keys": late})
        return "ended"

    def _obey(self, samplers: Mapping[int, Sampler]) -> None:
        while self._commands:
            message = self._commands.pop(0)
            for sampler in samplers.values():
                if message.kind == "closely":
                    self._send(sampler.closely(message.fields.get("step_s")))
                elif message.kind == "attend":
                    sampler.attend(bool(message.fields.get("whole")))

    def _listen(self) -> None:
        try:
            while True:
                message = self._line.receive()
                assert message is not None
                if message.kind == "clip":
                    self._say("clip", {}, self._clip())
                else:
                    self._commands.append(message)
        except (EOFError, OSError, ValueError):
            os._exit(0)  # nobody watches any more

    def _clip(self) -> bytes:
        with self._ring_lock:
            try:
                return self._ring.clip(self._tracks)
            except Exception:  # what libav says of a hostile stream: the case is opened without its clip
                return b""

    def _send(self, looks: Sequence[Look]) -> None:
        for look in looks:
            handed_at = time.monotonic()
            with self._writing:
                send_look(self._line, look, handed_at)

    def _say(self, kind: str, fields: Mapping[str, Any] | None = None, body: bytes = b"") -> None:
        with self._writing:
            self._line.send(kind, fields, body)


def _seconds(packet: Any, stamp: int | None, other: int | None, none: float = 0.0) -> float:
    """The packet's time by the first of two stamps that it has."""
    stamp = other if stamp is None else stamp
    return none if stamp is None else float(stamp * packet.time_base)


def _videos_now(container: Any) -> int:
    """How many video tracks libav knows now; PyAV keeps to those that were there when the stream was opened, and gives
    no packet of another."""
    import av

    av.logging.set_level(av.logging.INFO)
    try:
        return len(set(re.findall(r"^ *Stream (#\d+:\d+).*: Video: ", container.dumps_format(), re.MULTILINE)))
    finally:
        av.logging.set_level(None)


def _codec(track: Any, extradata: bytes | None = None) -> Codec:
    context = track.codec_context
    given = bytes(context.extradata or b"") if extradata is None else extradata
    return Codec(str(context.name), given, int(context.width or 0), int(context.height or 0))


def _requests(control: socket.socket) -> Iterator[tuple[StreamReading, int]]:
    """What the service asks for, with the socket of each watch; ends with the service."""
    while True:
        text, descriptors, _, _ = socket.recv_fds(control, _MAX_REQUEST, 1)
        if not text:
            return
        yield StreamReading.read(json.loads(text)), descriptors[0]


def main() -> None:
    """The nursery: fork a receiver for each request."""
    import av

    av.logging.set_level(None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    _native.end_with_parent()
    control = socket.socket(fileno=int(sys.argv[1]))
    for asked, descriptor in _requests(control):
        if os.fork():
            os.close(descriptor)
            continue
        _native.end_with_parent()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        control.close()
        line = WireLine(socket.socket(fileno=descriptor))
        line.send("born", {"process": os.getpid()})
        StreamReceiver(line, asked).run()
        os._exit(0)


if __name__ == "__main__":
    main()
