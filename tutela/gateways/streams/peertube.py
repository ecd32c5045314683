"""PeerTube. It asks nobody: live videos that it lists are watched from then on, and blocked when they show what is
listed, which ends their session. Read in its source and API document, not run here.
"""

from collections.abc import Sequence
from urllib.parse import quote

from pydantic import Field
from starlette.responses import Response

from tutela.gateways.streams.base import Door, Hook, HttpServer, MediaServerKind, ServerOptions, document_of, text
from tutela.screening.streams.gate import StreamGate
from tutela.screening.streams.model import Channel, Publication, Running

_APP = "live"
_PUBLISHED = 1
"""State of a video that is shown."""


class PeerTubeOptions(ServerOptions):
    """What is told of a PeerTube."""

    address: str = Field(default="http://127.0.0.1:9000", description="Where it is seen.")
    control: str = Field(default="http://127.0.0.1:9000", description="Where its API answers.")
    token: str = Field(description="A moderator's OAuth token, as env:NAME or file:/path.")


class PeerTube(HttpServer):
    """One PeerTube. A channel's name is the video's UUID."""

    fails_open = True
    adopts = True

    def __init__(self, name: str, options: PeerTubeOptions) -> None:
        super().__init__(name, options)
        self._token = options.secret_of(options.token, f"media_servers.{name}.token")

    def credentials(self) -> dict[str, str]:
        """The moderator's token."""
        return {"Authorization": f"Bearer {self._token}"}

    def address(self, channel: Channel, token: str) -> str:
        """Its play list."""
        return f"{self.options.address.rstrip('/')}/static/streaming-playlists/hls/{quote(channel.name)}/master.m3u8"

    def cut(self, channel: Channel, session: str) -> int:
        """Put the video on the block list."""
        asked = {"reason": "cut by screening", "unfederate": True}
        status, _ = self.ask("POST", f"/api/v1/videos/{quote(channel.name, safe='')}/blacklist", asked)
        return int(status in (200, 204))

    def running(self) -> Sequence[Running]:
        """Every live video that is shown now."""
        answer = self.asked("GET", "/api/v1/videos?isLive=true&include=1&count=100")
        return [
            Running(Channel(self.name, _APP, str(video["uuid"])))
            for video in answer["data"]
            if video.get("isLive") and video["state"]["id"] == _PUBLISHED
        ]


def _answer(server: PeerTube, hook: Hook, gate: StreamGate) -> Response:
    """What a plug-in may tell from `action:live.video.state.updated`: {"uuid", "live"}. None is needed."""
    said = document_of(hook)
    channel = Channel(server.name, _APP, str(said["uuid"]))
    if not said["live"]:
        gate.done(channel, "")
    elif not gate.admit(Publication(channel)).allowed:
        server.cut(channel, "")
    return text(200)


def _open(name: str, options: PeerTubeOptions) -> Door:
    server = PeerTube(name, options)
    settles = "cannot be set; live videos are watched from when they are listed"
    return Door(server, lambda hook, gate: _answer(server, hook, gate), settles)


KIND = MediaServerKind("peertube", "PeerTube", PeerTubeOptions, _open)
