"""Publishes a film by WHIP with aiortc, `python -m` this module FILE URL TOKEN: lines as of `stream_publisher`. The
film is decoded, and encoded anew in real time, as a browser does."""

import asyncio
import sys
import time
import urllib.error
import urllib.request
from typing import Any

import av
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCRtpSender, RTCSessionDescription


class Film(MediaStreamTrack):
    """A film in real time; `over` when all of it was given."""

    kind = "video"

    def __init__(self, path: str) -> None:
        super().__init__()
        self._frames = iter(av.open(path).decode(video=0))
        self._number = 0
        self._began = 0.0
        self.over = asyncio.Event()

    async def recv(self) -> Any:
        frame = next(self._frames, None)
        if frame is None:
            self.over.set()
            await asyncio.sleep(3600)
        assert frame is not None
        self._began = self._began or time.monotonic()
        at = float(frame.time or 0.0)
        await asyncio.sleep(max(0.0, self._began + at - time.monotonic()))
        print(self._number, f"{time.monotonic():.4f}", flush=True)
        self._number += 1
        return frame


async def _published(path: str, url: str, token: str) -> int:
    connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    film, gone = Film(path), asyncio.Event()
    connection.addTrack(film)
    (transceiver,) = connection.getTransceivers()
    codecs = RTCRtpSender.getCapabilities("video").codecs
    transceiver.setCodecPreferences([codec for codec in codecs if codec.mimeType == "video/H264"])

    @connection.on("connectionstatechange")
    def changed() -> None:
        if connection.connectionState in ("closed", "failed"):
            gone.set()

    await connection.setLocalDescription(await connection.createOffer())
    headers = {"Content-Type": "application/sdp", "Authorization": f"Bearer {token}"}
    asked = urllib.request.Request(url, connection.localDescription.sdp.encode(), headers, method="POST")
    try:
        with await asyncio.to_thread(urllib.request.urlopen, asked) as answer:
            said = answer.read().decode()
    except urllib.error.HTTPError as error:
        print("end", f"{time.monotonic():.4f}", flush=True)
        return 1 if error.code in (400, 401, 503) else 3
    await connection.setRemoteDescription(RTCSessionDescription(said, "answer"))
    over = [asyncio.create_task(event.wait()) for event in (film.over, gone)]
    await asyncio.wait(over, return_when=asyncio.FIRST_COMPLETED)
    print("end", f"{time.monotonic():.4f}", flush=True)
    cut = gone.is_set()
    await connection.close()
    return 2 if cut else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(_published(*sys.argv[1:])))
