"""MediaMTX. Its HTTP authentication asks about every publisher and reader; any 20x lets them in, anything else and no
answer refuses. Connections are ended by its API. Read in its source and API document (2026-08), not run here.
"""

from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qs, quote, urlencode

from pydantic import Field
from starlette.responses import Response

from tutela.gateways.streams.base import TOKEN, Door, Hook, HttpServer, MediaServerKind, ServerOptions, document_of, yes
from tutela.screening.streams.gate import StreamGate
from tutela.screening.streams.model import Channel, Publication, Running

_KINDS = {
    "rtmpConn": "rtmpconns",
    "rtmpsConn": "rtmpsconns",
    "rtspSession": "rtspsessions",
    "rtspsSession": "rtspssessions",
    "srtConn": "srtconns",
    "webRTCSession": "webrtcsessions",
    "moqSession": "moqsessions",
    "hlsSession": "hlssessions",
}
"""The collections of its API by the type of a source or reader."""


class MediaMtxOptions(ServerOptions):
    """What is told of a MediaMTX."""

    address: str = Field(default="rtmp://127.0.0.1:1935", description="Where its streams are read.")
    control: str = Field(default="http://127.0.0.1:9997", description="Where its API answers.")


class MediaMtx(HttpServer):
    """One MediaMTX."""

    keeps_viewers_out = True

    def address(self, channel: Channel, token: str) -> str:
        """Its address with the token, which the authentication hears."""
        return f"{self.options.address.rstrip('/')}/{path_of(channel)}?{urlencode({TOKEN: token})}"

    def cut(self, channel: Channel, session: str) -> int:
        """Kick whatever publishes at the path."""
        status, path = self.ask("GET", f"/v3/paths/get/{quote(path_of(channel), safe='')}")
        if status == 404 or not path or not path.get("source"):
            return 0
        return self._kick(path["source"])

    def dismiss(self, channel: Channel, viewers: Sequence[str]) -> None:
        """Kick these readers of the path."""
        status, path = self.ask("GET", f"/v3/paths/get/{quote(path_of(channel), safe='')}")
        for reader in (path or {}).get("readers", ()) if status == 200 else ():
            if reader["id"] in viewers:
                self._kick(reader)

    def running(self) -> Sequence[Running]:
        """Every path that has a source of somebody's."""
        found, page, pages = [], 0, 1
        while page < pages:
            answer = self.asked("GET", f"/v3/paths/list?itemsPerPage=500&page={page}")
            page, pages = page + 1, int(answer["pageCount"])
            found += [
                Running(channel_of(self.name, item["name"]), str(item["source"]["id"]))
                for item in answer["items"]
                if item.get("source") and item["source"]["type"] in _KINDS
            ]
        return found

    def _kick(self, who: Any) -> int:
        collection = _KINDS.get(str(who["type"]))
        if collection is None:
            return 0
        status, _ = self.ask("POST", f"/v3/{collection}/kick/{quote(str(who['id']), safe='')}")
        return int(status == 200)


def path_of(channel: Channel) -> str:
    """The path of a channel."""
    return f"{channel.app}/{channel.name}" if channel.app else channel.name


def channel_of(server: str, path: str) -> Channel:
    """The channel of a path: its last part is the name."""
    app, _, name = path.rpartition("/")
    return Channel(server, app, name)


def _answer(name: str, options: MediaMtxOptions, hook: Hook, gate: StreamGate) -> Response:
    said = document_of(hook)
    query = parse_qs(str(said.get("query", "")))
    channel, session = channel_of(name, str(said["path"])), str(said["id"])
    match said["action"]:
        case "publish":
            who = query.get(options.publisher, [""])[0] if options.publisher else str(said.get("user", ""))
            return yes(gate.admit(Publication(channel, who, session, str(said.get("ip", "")))).allowed)
        case "read":
            return yes(gate.play(channel, query.get(TOKEN, [""])[0], session))
        case _:
            return yes(False)  # playback of recordings, its API, metrics: not through this gate


def _open(name: str, options: MediaMtxOptions) -> Door:
    return Door(
        MediaMtx(name, options),
        lambda hook, gate: _answer(name, options, hook, gate),
        settles="authMethod: http, and authHTTPExclude for api, metrics and pprof",
    )


KIND = MediaServerKind("mediamtx", "MediaMTX", MediaMtxOptions, _open)
