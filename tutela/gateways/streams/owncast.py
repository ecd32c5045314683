"""Owncast. One stream a server, admitted by its key alone; webhooks tell when it begins and ends. It fails open: the
stream is watched from its beginning on, through HLS, and ended by the admin API when it shows what is listed.

Its API document advises outside tools against the admin API; there is no other way to end a stream. Not run here.
"""

from collections.abc import Sequence

from pydantic import Field
from starlette.responses import Response

from tutela.gateways.streams.base import (
    Door,
    Hook,
    HttpServer,
    MediaServerKind,
    ServerOptions,
    basic,
    document_of,
    text,
)
from tutela.screening.streams.gate import StreamGate
from tutela.screening.streams.model import Channel, Publication, Running

_APP, _NAME = "hls", "stream"


class OwncastOptions(ServerOptions):
    """What is told of an Owncast."""

    address: str = Field(default="http://127.0.0.1:8080", description="Where it is seen.")
    control: str = Field(default="http://127.0.0.1:8080", description="Where its API answers.")
    user: str = Field(default="admin", description="Who signs in at the admin API.")
    password: str = Field(description="The password, as env:NAME or file:/path.")


class Owncast(HttpServer):
    """One Owncast."""

    fails_open = True
    adopts = True

    def __init__(self, name: str, options: OwncastOptions) -> None:
        super().__init__(name, options)
        self._credentials = basic(options.user, options.secret_of(options.password, f"media_servers.{name}.password"))

    def credentials(self) -> dict[str, str]:
        """Basic authentication of the admin."""
        return self._credentials

    def address(self, channel: Channel, token: str) -> str:
        """Its play list."""
        return f"{self.options.address.rstrip('/')}/hls/stream.m3u8"

    def cut(self, channel: Channel, session: str) -> int:
        """Disconnect the stream."""
        status, _ = self.ask("POST", "/api/admin/disconnect")
        return int(status == 200)

    def running(self) -> Sequence[Running]:
        """The stream, where it is online."""
        online = bool(self.asked("GET", "/api/status").get("online"))
        return [Running(Channel(self.name, _APP, _NAME))] if online else []


def _answer(server: Owncast, hook: Hook, gate: StreamGate) -> Response:
    event = document_of(hook)["type"]
    channel = Channel(server.name, _APP, _NAME)
    if event == "STREAM_STARTED" and not gate.admit(Publication(channel)).allowed:
        server.cut(channel, "")
    elif event == "STREAM_STOPPED":
        gate.done(channel, "")
    return text(200)


def _open(name: str, options: OwncastOptions) -> Door:
    server = Owncast(name, options)
    settles = "cannot be set; change the stream key where a publisher is to stay out"
    return Door(server, lambda hook, gate: _answer(server, hook, gate), settles)


KIND = MediaServerKind("owncast", "Owncast", OwncastOptions, _open)
