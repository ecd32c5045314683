"""WHIP (RFC 9725) before a media server that takes RTMP: `tutela stream whip`.

What browsers and encoders send by WebRTC is handed on, packet by packet, to the media server. Its hooks are answered by
the gate, so that a publisher is let in, watched and cut like any other; when the server ends the stream, the WebRTC
connection is ended. This process has no lists, keys or database, and decodes nothing.
"""

import asyncio
import contextlib
import hmac
import logging
import secrets
import shutil
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any
from urllib.parse import quote, urlencode

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tutela.errors import InputError

log = logging.getLogger(__name__)

MAX_OFFER_BYTES = 64 * 1024
STARTS_S = 20.0
"""A publisher that has sent no key frame so long after its offer is sent away."""
_UNREAD_BYTES = 8 * 1024 * 1024
"""A media server that takes in so little that this much waits has its publisher sent away."""
_VIDEO_CLOCK, _AUDIO_CLOCK = 90_000, 48_000
_PARAMETER_SETS = (b"\0\0\1\x67", b"\0\0\1\x27")
"""How a sequence parameter set of H.264 begins: decoding begins with it."""


@dataclass(frozen=True, slots=True)
class WhipOptions:
    """Where WebRTC publishers come, and where what they send goes."""

    to: str
    """The media server's application, as rtmp://host:1935/live."""
    token: str = ""
    """What publishers carry as their bearer token; empty where everybody may publish."""
    max_publishers: int = 50
    """One more is refused."""

    def __post_init__(self) -> None:
        if not self.to.startswith(("rtmp://", "rtmps://")):
            raise InputError("an address of a media server is like rtmp://127.0.0.1:1935/live", field="to")


@dataclass(frozen=True, slots=True)
class Encoded:
    """One frame as it was sent."""

    data: bytes
    timestamp: int


class _AsItIs:
    """Stands where aiortc has a decoder: frames go through as they were sent."""

    def decode(self, encoded: Any) -> list[Encoded]:
        """The one frame."""
        return [Encoded(bytes(encoded.data), int(encoded.timestamp))]


def _decode_nothing() -> None:
    """Have aiortc hand out frames as they were sent. Raises InputError where it is not installed."""
    try:
        from aiortc import rtcrtpreceiver
    except ImportError:
        raise InputError("WHIP needs the extra tutela[whip]") from None
    setattr(rtcrtpreceiver, "get_decoder", lambda codec: _AsItIs())  # noqa: B010  (a name of its module's own)


class TransportStream:
    """Frames of H.264 and Opus as an MPEG transport stream, as they come."""

    def __init__(self, with_sound: bool) -> None:
        import av

        self._file = _Taken()
        self._container: Any = av.open(self._file, "w", format="mpegts", options={"flush_packets": "1"})
        self._clocks = {"video": _Clock(_VIDEO_CLOCK)}
        self._streams: dict[str, Any] = {"video": self._container.add_mux_stream("h264", rate=30)}
        if with_sound:
            self._clocks["audio"] = _Clock(_AUDIO_CLOCK)
            self._streams["audio"] = self._container.add_mux_stream("opus", rate=_AUDIO_CLOCK)
        self.begun = False

    def take(self, kind: str, frame: Encoded, now: float) -> bytes:
        """What a frame adds; empty before the first from which a picture can be decoded."""
        from av.packet import Packet

        begins = kind == "video" and any(mark in frame.data for mark in _PARAMETER_SETS)
        if not self.begun and not begins:
            return b""
        self.begun = True
        packet = Packet(frame.data)
        packet.stream = self._streams[kind]
        packet.time_base = Fraction(1, self._clocks[kind].rate)
        packet.pts = packet.dts = self._clocks[kind].at(frame.timestamp, now)
        packet.is_keyframe = begins or kind == "audio"
        self._container.mux_one(packet)
        return self._file.taken()


class _Clock:
    """Times of one track: RTP's 32 bits, carried on, from when its first frame came."""

    def __init__(self, rate: int) -> None:
        self.rate = rate
        self._last: int | None = None
        self._at = 0

    def at(self, timestamp: int, now: float) -> int:
        if self._last is None:
            self._at = round(now * self.rate)
        else:
            step = (timestamp - self._last + 2**31) % 2**32 - 2**31
            self._at += max(1, step)  # a sender's clock that goes back is not followed
        self._last = timestamp
        return self._at


class _Taken:
    """What was written since it was last taken."""

    def __init__(self) -> None:
        self._written = bytearray()

    def write(self, data: bytes) -> int:
        self._written += data
        return len(data)

    def taken(self) -> bytes:
        written = bytes(self._written)
        self._written.clear()
        return written


class WhipPublisher:
    """One WebRTC publisher and the program that hands its stream on."""

    def __init__(self, url: str) -> None:
        from aiortc import RTCConfiguration, RTCPeerConnection

        self._url = url
        self._connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._tasks: list[asyncio.Task[None]] = []
        self._program: asyncio.subprocess.Process | None = None
        self._starting = asyncio.Lock()
        self._stream: TransportStream | None = None
        self.ended = asyncio.Event()

    async def answer(self, offer: str) -> str:
        """The answer to its offer. Raises ValueError where that holds no video that can be handed on."""
        from aiortc import RTCRtpReceiver, RTCSessionDescription

        connection = self._connection
        tracks: list[Any] = []
        connection.on("track", tracks.append)
        await connection.setRemoteDescription(RTCSessionDescription(offer, "offer"))
        capable = getattr(RTCRtpReceiver.getCapabilities("video"), "codecs", [])
        for transceiver in connection.getTransceivers():
            if transceiver.kind == "video":
                transceiver.setCodecPreferences([codec for codec in capable if codec.mimeType == "video/H264"])
        kinds = [track.kind for track in tracks]
        if kinds.count("video") != 1 or kinds.count("audio") > 1:
            raise ValueError("an offer is of one video track, and of one of sound at most")
        await connection.setLocalDescription(await connection.createAnswer())
        self._stream = TransportStream("audio" in kinds)
        connection.on("connectionstatechange", self._look_at_state)
        self._tasks = [asyncio.create_task(self._hand_on(track)) for track in tracks]
        self._tasks.append(asyncio.create_task(self._end_unless_begun()))
        return str(connection.localDescription.sdp)

    async def end(self) -> None:
        """End its connection and the program."""
        if self.ended.is_set():
            return
        self.ended.set()
        for task in self._tasks:
            if task is not asyncio.current_task():
                task.cancel()
        if self._program is not None and self._program.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._program.kill()
        await self._connection.close()

    async def _look_at_state(self) -> None:
        if self._connection.connectionState in ("failed", "closed", "disconnected"):
            await self.end()

    async def _end_unless_begun(self) -> None:
        await asyncio.sleep(STARTS_S)
        if self._stream is None or not self._stream.begun:
            await self.end()

    async def _hand_on(self, track: Any) -> None:
        from aiortc.mediastreams import MediaStreamError

        loop = asyncio.get_running_loop()
        try:
            while not self.ended.is_set():
                frame = await track.recv()
                assert self._stream is not None
                await self._write(self._stream.take(track.kind, frame, loop.time()))
        except MediaStreamError:
            pass  # its end
        except Exception:
            log.exception("a WebRTC publisher's stream could not be handed on")
        await self.end()

    async def _write(self, part: bytes) -> None:
        if not part:
            return
        async with self._starting:  # picture and sound come at once, and are one stream
            if self._program is None:
                self._program = await asyncio.create_subprocess_exec(
                    *_handing_on(self._url),
                    stdin=asyncio.subprocess.PIPE,
                    stdout=asyncio.subprocess.DEVNULL,
                    stderr=asyncio.subprocess.DEVNULL,
                )
                self._tasks.append(asyncio.create_task(self._end_with(self._program)))
        stdin = self._program.stdin
        assert stdin is not None
        if stdin.transport.get_write_buffer_size() > _UNREAD_BYTES:
            log.error("the media server takes in too little: its publisher is sent away")
            await self.end()
        else:
            stdin.write(part)

    async def _end_with(self, program: asyncio.subprocess.Process) -> None:
        """The media server ended the stream, or never took it: so is the publisher's connection."""
        await program.wait()
        await self.end()


def _handing_on(url: str) -> tuple[str, ...]:
    program = shutil.which("ffmpeg")
    if program is None:
        raise InputError("streams are handed on by the program ffmpeg, which is not installed")
    reading = ("-probesize", "100000", "-analyzeduration", "500000", "-f", "mpegts")
    writing = ("-c:v", "copy", "-c:a", "aac", "-flvflags", "no_duration_filesize", "-f", "flv", url)
    return (program, "-nostdin", "-loglevel", "quiet", *reading, "-i", "pipe:0", *writing)


def whip_application(options: WhipOptions) -> Starlette:
    """The application that publishers come to: `POST /NAME`, with an offer. Raises InputError."""
    _decode_nothing()
    _handing_on(options.to)
    publishers: dict[str, WhipPublisher] = {}

    async def publish(request: Request) -> Response:
        if not _carries(request.headers, options.token):
            return Response(status_code=401, headers={"WWW-Authenticate": "Bearer"})
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/sdp":
            return Response("an offer is of type application/sdp", 415)
        offer = bytearray()
        async for part in request.stream():
            offer += part
            if len(offer) > MAX_OFFER_BYTES:
                return Response(status_code=413)
        if len(publishers) >= options.max_publishers:
            return Response(status_code=503, headers={"Retry-After": "10"})
        number = secrets.token_urlsafe(16)
        publisher = publishers[number] = WhipPublisher(_place(options.to, request))
        try:
            answer = await publisher.answer(offer.decode())
        except Exception as error:  # whatever aiortc says of a strange offer
            log.info("an offer is refused: %r", error)
            del publishers[number]
            await publisher.end()
            return Response("this offer cannot be answered: offer one track of H.264, and one of Opus at most", 400)
        asyncio.create_task(_forget(publishers, number)).add_done_callback(lambda _: None)
        headers = {"Location": f"/sessions/{number}", "Content-Type": "application/sdp"}
        return Response(answer, 201, headers)

    async def session(request: Request) -> Response:
        if not _carries(request.headers, options.token):
            return Response(status_code=401, headers={"WWW-Authenticate": "Bearer"})
        publisher = publishers.get(request.path_params["number"])
        if publisher is None:
            return Response(status_code=404)
        await publisher.end()
        return Response(status_code=200)

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        for publisher in list(publishers.values()):
            await publisher.end()

    routes = [
        Route("/sessions/{number}", session, methods=["DELETE"]),
        Route("/{name}", publish, methods=["POST"]),
    ]
    return Starlette(routes=routes, lifespan=lifespan)


async def _forget(publishers: dict[str, WhipPublisher], number: str) -> None:
    await publishers[number].ended.wait()
    del publishers[number]


def _carries(headers: Mapping[str, str], token: str) -> bool:
    scheme, _, given = headers.get("authorization", "").partition(" ")
    return not token or (scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), token.encode()))


def _place(to: str, request: Request) -> str:
    """Where a publisher's stream goes: its name and what it says of itself are the media server's to hear."""
    told = urlencode(list(request.query_params.multi_items()))
    return f"{to.rstrip('/')}/{quote(request.path_params['name'], safe='')}{'?' if told else ''}{told}"


def run(options: WhipOptions, host: str, port: int) -> None:
    """Take publishers until told to stop."""
    import uvicorn

    uvicorn.run(whip_application(options), host=host, port=port, log_config=None, access_log=False, server_header=False)
