"""Ant Media Server. `webhookAuthenticateURL` asks before somebody publishes, `listenerHookURL` tells what happens, and
its REST interface ends a broadcast. Read in its documentation, not run here.
"""

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from pydantic import Field
from starlette.responses import Response

from tutela.gateways.streams.base import (
    Door,
    Hook,
    HttpServer,
    MediaServerKind,
    ServerOptions,
    document_of,
    form_of,
    text,
    yes,
)
from tutela.screening.streams.gate import StreamGate
from tutela.screening.streams.model import Channel, Publication, Running

_PAGE = 50


class AntMediaOptions(ServerOptions):
    """What is told of an Ant Media Server."""

    address: str = Field(default="rtmp://127.0.0.1:1935", description="Where its streams are read.")
    control: str = Field(default="http://127.0.0.1:5080", description="Where its REST interface answers.")
    apps: tuple[str, ...] = Field(default=("LiveApp",), description="The applications whose streams are watched.")
    token: str = Field(default="", description="A JWT of its REST filter, as env:NAME or file:/path.")


class AntMedia(HttpServer):
    """One Ant Media Server."""

    def __init__(self, name: str, options: AntMediaOptions) -> None:
        super().__init__(name, options)
        self._apps = options.apps
        self._token = options.secret_of(options.token, f"media_servers.{name}.token") if options.token else ""

    def credentials(self) -> dict[str, str]:
        """The token, where the REST filter wants one."""
        return {"Authorization": self._token} if self._token else {}

    def cut(self, channel: Channel, session: str) -> int:
        """Stop the broadcast."""
        status, answer = self.ask("POST", f"{self._broadcasts(channel.app)}/{quote(channel.name, safe='')}/stop")
        return int(status == 200 and bool((answer or {}).get("success")))

    def running(self) -> Sequence[Running]:
        """Every broadcast that goes on."""
        found = []
        for app in self._apps:
            at, page = 0, [None] * _PAGE
            while len(page) == _PAGE:
                page = self.asked("GET", f"{self._broadcasts(app)}/list/{at}/{_PAGE}")
                at += _PAGE
                found += [
                    Running(Channel(self.name, app, str(each["streamId"])))
                    for each in page
                    if each["status"] == "broadcasting"
                ]
        return found

    def _broadcasts(self, app: str) -> str:
        return f"/{quote(app, safe='')}/rest/v2/broadcasts"


def _answer(server: AntMedia, hook: Hook, gate: StreamGate) -> Response:
    said: dict[str, Any] = (
        document_of(hook)
        if hook.headers.get("content-type", "").startswith("application/json")
        else form_of(hook) | dict(hook.query)
    )
    app = str(said.get("appName") or said.get("app") or hook.query["app"])
    channel = Channel(server.name, app, str(said.get("name") or said.get("streamId") or said["id"]))
    match hook.path, said.get("mode"), said.get("action"):
        case "publish", _, _:
            return yes(gate.admit(Publication(channel)).allowed)
        case "play", _, _:
            return yes(gate.play(channel, str(said.get("watcher", "")), str(said.get("sessionId", ""))))
        case "events", _, "liveStreamEnded":
            gate.done(channel, "")
    return text(200)


def _open(name: str, options: AntMediaOptions) -> Door:
    server = AntMedia(name, options)
    settles = "webhookAuthenticateURL …/publish, webhookPlayAuthUrl …/play, listenerHookURL …/events"
    return Door(server, lambda hook, gate: _answer(server, hook, gate), settles)


KIND = MediaServerKind("ant-media", "Ant Media Server", AntMediaOptions, _open)
