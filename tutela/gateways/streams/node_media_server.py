"""node-media-server 4 (npm). Hooks are JSON, and a status other than 200 closes the session; publishers are listed and
ended by its API.

It fails open: a hook that is not answered lets the stream run, and one that is answered late lets it run until then
(`src/server/notify_server.js`: nobody waits for it, and what it raises is dropped). Viewers are shown what came before
the answer. So streams are compared with watches every few seconds, and what has no watch is ended.
"""

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote, urlencode

from pydantic import Field
from starlette.responses import Response

from tutela.foundation.http import HttpError
from tutela.gateways.streams.base import (
    TOKEN,
    Door,
    Hook,
    HttpServer,
    MediaServerKind,
    ServerOptions,
    document_of,
    text,
    yes,
)
from tutela.screening.streams.gate import StreamGate
from tutela.screening.streams.model import Channel, Publication, Running


class NodeMediaServerOptions(ServerOptions):
    """What is told of a node-media-server."""

    address: str = Field(default="rtmp://127.0.0.1:1935", description="Where its streams are read.")
    control: str = Field(default="http://127.0.0.1:8000", description="Where its API answers.")
    user: str = Field(default="admin", description="The user name there.")
    password: str = Field(description="The password, as env:NAME or file:/path.")


class NodeMediaServer(HttpServer):
    """One node-media-server."""

    fails_open = True
    keeps_viewers_out = True

    def __init__(self, name: str, options: NodeMediaServerOptions) -> None:
        super().__init__(name, options)
        self._user = options.user
        self._password = options.secret_of(options.password, f"media_servers.{name}.password")
        self._token = ""

    def address(self, channel: Channel, token: str) -> str:
        """Its RTMP address with the token, which `prePlay` hears."""
        return f"{super().address(channel, token)}?{urlencode({TOKEN: token})}"

    def cut(self, channel: Channel, session: str) -> int:
        """End the publisher's session, or whoever publishes there now."""
        if session and self._end(session):
            return 1
        return sum(self._end(running.session) for running in self.running() if running.channel == channel)

    def dismiss(self, channel: Channel, viewers: Sequence[str]) -> None:
        """End the sessions of these viewers."""
        for viewer in viewers:
            self._end(viewer)

    def running(self) -> Sequence[Running]:
        """Every stream that has a publisher."""
        answer = self._signed_in("GET", "/api/v1/streams")[1]
        return [
            Running(Channel(self.name, str(stream["app"]), str(stream["name"])), str(stream["publisher"]["id"]))
            for stream in answer["data"]["streams"]
            if stream["publisher"] is not None
        ]

    def credentials(self) -> dict[str, str]:
        """The token of the last signing in."""
        return {"Authorization": f"Bearer {self._token}"} if self._token else {}

    def _end(self, session: str) -> int:
        status, _ = self._signed_in("DELETE", f"/api/v1/sessions/{quote(session, safe='')}")
        return int(status == 200)

    def _signed_in(self, method: str, path: str) -> tuple[int, Any]:
        if self._token:
            status, answer = self.ask(method, path)
            if status != 401:
                return status, answer
        self._token = ""
        said = self.asked("POST", "/api/v1/login", {"username": self._user, "password": self._password})
        try:
            self._token = str(said["data"]["token"])
        except (KeyError, TypeError):
            raise HttpError("media server {name!r} gives no token", name=self.name) from None
        return self.ask(method, path)


def _answer(name: str, options: NodeMediaServerOptions, hook: Hook, gate: StreamGate) -> Response:
    said = document_of(hook)
    channel, session = Channel(name, str(said["app"]), str(said["name"])), str(said["id"])
    query = said.get("query") or {}
    match said["action"]:
        case "prePublish":
            who = str(query.get(options.publisher, "")) if options.publisher else ""
            return yes(gate.admit(Publication(channel, who, session, str(said.get("ip", "")))).allowed)
        case "prePlay" | "postPlay":
            return yes(gate.play(channel, str(query.get(TOKEN, "")), session))
        case "donePublish":
            gate.done(channel, session)
        case "donePlay":
            gate.left(channel, session)
        case "postPublish" | "postRecord" | "doneRecord":
            pass
        case other:
            raise ValueError(f"there is no action {other!r}")
    return text(200)


def _open(name: str, options: NodeMediaServerOptions) -> Door:
    return Door(
        NodeMediaServer(name, options),
        lambda hook, gate: _answer(name, options, hook, gate),
        settles="cannot be set; what is not watched is ended within streams.reconcile_s",
    )


KIND = MediaServerKind("node-media-server", "node-media-server 4", NodeMediaServerOptions, _open)
