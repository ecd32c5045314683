"""SRS. Hooks are JSON and must be answered by status 200 and the code 0; anything else and no answer refuses. Clients
are ended by its API. Read in its source and documentation, not run here.
"""

from collections.abc import Sequence
from urllib.parse import parse_qs, quote, urlencode

from pydantic import Field
from starlette.responses import Response

from tutela.gateways.streams.base import (
    TOKEN,
    Door,
    Hook,
    HttpServer,
    MediaServerKind,
    ServerOptions,
    answer_json,
    basic,
    document_of,
)
from tutela.screening.streams.gate import StreamGate
from tutela.screening.streams.model import Channel, Publication, Running


class SrsOptions(ServerOptions):
    """What is told of an SRS."""

    address: str = Field(default="rtmp://127.0.0.1:1935", description="Where its streams are read.")
    control: str = Field(default="http://127.0.0.1:1985", description="Where its API answers.")
    user: str = Field(default="", description="Who signs in at its API, where `http_api.auth` is on.")
    password: str = Field(default="", description="The password, as env:NAME or file:/path.")


class Srs(HttpServer):
    """One SRS."""

    keeps_viewers_out = True

    def __init__(self, name: str, options: SrsOptions) -> None:
        super().__init__(name, options)
        known = bool(options.user)
        secret = options.secret_of(options.password, f"media_servers.{name}.password") if known else ""
        self._credentials = basic(options.user, secret) if known else {}

    def credentials(self) -> dict[str, str]:
        """Basic authentication, where it is on."""
        return self._credentials

    def address(self, channel: Channel, token: str) -> str:
        """Its RTMP address with the token, which `on_play` hears."""
        return f"{super().address(channel, token)}?{urlencode({TOKEN: token})}"

    def cut(self, channel: Channel, session: str) -> int:
        """End the client that publishes there."""
        if session and self._end(session):
            return 1
        return sum(self._end(running.session) for running in self.running() if running.channel == channel)

    def dismiss(self, channel: Channel, viewers: Sequence[str]) -> None:
        """End these clients."""
        for viewer in viewers:
            self._end(viewer)

    def running(self) -> Sequence[Running]:
        """Every stream with a publisher."""
        answer = self.asked("GET", "/api/v1/streams/?count=10000")
        return [
            Running(Channel(self.name, str(stream["app"]), str(stream["name"])), str(stream["publish"].get("cid", "")))
            for stream in answer["streams"]
            if stream["publish"]["active"]
        ]

    def _end(self, client: str) -> int:
        status, answer = self.ask("DELETE", f"/api/v1/clients/{quote(client, safe='')}")
        return int(status == 200 and (answer or {}).get("code") == 0)


def _answer(name: str, options: SrsOptions, hook: Hook, gate: StreamGate) -> Response:
    said = document_of(hook)
    channel, client = Channel(name, str(said["app"]), str(said["stream"])), str(said["client_id"])
    query = parse_qs(str(said.get("param", "")).removeprefix("?"))
    match said["action"]:
        case "on_publish":
            who = query.get(options.publisher, [""])[0] if options.publisher else ""
            return _said(gate.admit(Publication(channel, who, client, str(said.get("ip", "")))).allowed)
        case "on_play":
            return _said(gate.play(channel, query.get(TOKEN, [""])[0], client))
        case "on_hls":
            return _said(gate.shows(channel))
        case "on_unpublish":
            gate.done(channel, client)
        case "on_stop":
            gate.left(channel, client)
        case other:
            raise ValueError(f"there is no action {other!r}")
    return _said(True)


def _said(allowed: bool) -> Response:
    return answer_json(200 if allowed else 403, {"code": 0 if allowed else 1})


def _open(name: str, options: SrsOptions) -> Door:
    return Door(
        Srs(name, options),
        lambda hook, gate: _answer(name, options, hook, gate),
        settles="http_hooks { enabled on; on_publish, on_unpublish, on_play, on_stop }",
    )


KIND = MediaServerKind("srs", "SRS", SrsOptions, _open)
