"""Publishes a film to a room of Janus with aiortc, `python -m` this module FILE URL ROOM/ID/TOKEN/SECRET: lines as of
`stream_publisher`. The film is decoded, and encoded anew in real time, as a browser does."""

import asyncio
import json
import secrets
import sys
import time
import urllib.request
from typing import Any

from aiortc import RTCConfiguration, RTCPeerConnection, RTCRtpSender, RTCSessionDescription

from tests.support.whip_publisher import Film

_UNAUTHORIZED = 433


class _Handle:
    """A handle of the VideoRoom plug-in in a session of its own, over HTTP."""

    def __init__(self, url: str, secret: str) -> None:
        self._url, self._secret, self._place, self._session = url, secret, url, url

    async def begin(self) -> None:
        self._session = f"{self._url}/{(await self._ask(self._url, janus='create'))['data']['id']}"
        attached = await self._ask(self._session, janus="attach", plugin="janus.plugin.videoroom")
        self._place = f"{self._session}/{attached['data']['id']}"

    async def message(self, body: dict[str, Any], jsep: dict[str, str] | None = None) -> None:
        await self._ask(self._place, janus="message", body=body, **({"jsep": jsep} if jsep else {}))

    async def event(self) -> dict[str, Any]:
        """The next thing that happens here."""
        while True:
            said = await asyncio.to_thread(self._open, f"{self._session}?maxev=1&apisecret={self._secret}", None)
            if said.get("janus") != "keepalive":
                return said

    async def _ask(self, place: str, **document: Any) -> dict[str, Any]:
        document |= {"transaction": secrets.token_hex(8), "apisecret": self._secret}
        answer = await asyncio.to_thread(self._open, place, json.dumps(document).encode())
        if answer["janus"] not in ("success", "ack"):
            raise RuntimeError(answer)
        return answer

    @staticmethod
    def _open(url: str, body: bytes | None) -> dict[str, Any]:
        asked = urllib.request.Request(url, body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(asked, timeout=60) as answer:
            found: dict[str, Any] = json.load(answer)
            return found


async def _published(path: str, url: str, who: str) -> int:
    room, own_id, token, secret = who.split("/")
    handle, connection = _Handle(url, secret), RTCPeerConnection(RTCConfiguration(iceServers=[]))
    film, gone = Film(path), asyncio.Event()

    @connection.on("connectionstatechange")
    def changed() -> None:
        if connection.connectionState in ("closed", "failed"):
            gone.set()

    async def listen() -> None:
        while True:
            said = await handle.event()
            data = said.get("plugindata", {}).get("data", {})
            if said["janus"] in ("hangup", "detached", "timeout") or data.get("leaving") == "ok":
                gone.set()

    await handle.begin()
    joining = {"request": "join", "ptype": "publisher", "room": int(room), "id": int(own_id), "token": token}
    await handle.message(joining)
    joined = (await handle.event())["plugindata"]["data"]
    if joined["videoroom"] != "joined":
        print("end", f"{time.monotonic():.4f}", flush=True)
        return 1 if joined.get("error_code") == _UNAUTHORIZED else 3
    connection.addTrack(film)
    (transceiver,) = connection.getTransceivers()
    codecs = RTCRtpSender.getCapabilities("video").codecs
    transceiver.setCodecPreferences([codec for codec in codecs if codec.mimeType == "video/H264"])
    await connection.setLocalDescription(await connection.createOffer())
    offer = {"type": "offer", "sdp": connection.localDescription.sdp}
    await handle.message({"request": "publish", "audio": False, "video": True}, offer)
    while "jsep" not in (said := await handle.event()):
        pass
    await connection.setRemoteDescription(RTCSessionDescription(said["jsep"]["sdp"], "answer"))
    listening = asyncio.create_task(listen())
    over = [asyncio.create_task(event.wait()) for event in (film.over, gone)]
    await asyncio.wait([*over, listening], return_when=asyncio.FIRST_COMPLETED)
    print("end", f"{time.monotonic():.4f}", flush=True)
    cut = not film.over.is_set()
    listening.cancel()
    await connection.close()
    return 2 if cut else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(_published(*sys.argv[1:])))
