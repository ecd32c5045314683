"""LiveKit. Its webhooks only tell: nothing is asked before somebody publishes, so it fails open. Give out tokens
without `canPublish`: whoever is watched is granted it, and a participant who publishes unwatched is removed.

A room is watched through its egress: what that pushes to is the `address`. Read in its protocol files, and the tokens
and signatures are checked with the published client `livekit-api`; its server was not run here.
"""

import base64
import hashlib
import hmac
import time
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey
from pydantic import Field
from starlette.responses import Response

from tutela.foundation.http import HttpError
from tutela.gateways.streams.base import Door, Hook, HttpServer, MediaServerKind, ServerOptions, document_of, text, yes
from tutela.screening.streams.gate import StreamGate
from tutela.screening.streams.model import Channel, Publication, Running

_TOKEN_S = 60
_VIDEO = ("VIDEO", 1)


class LiveKitOptions(ServerOptions):
    """What is told of a LiveKit server."""

    control: str = Field(default="http://127.0.0.1:7880", description="Where its API answers.")
    key: str = Field(description="The API key.")
    secret: str = Field(description="The API key's secret, as env:NAME or file:/path.")


class LiveKit(HttpServer):
    """One LiveKit server. A channel's application is the room, its name the participant's identity."""

    fails_open = True

    def __init__(self, name: str, options: LiveKitOptions) -> None:
        super().__init__(name, options)
        self._key = options.key
        self._secret = OctKey.import_key(options.secret_of(options.secret, f"media_servers.{name}.secret"))

    def cut(self, channel: Channel, session: str) -> int:
        """Remove the participant, and void the tokens that it has."""
        asked = {"room": channel.app, "identity": channel.name, "revoke_token_ts": str(int(time.time()) + _TOKEN_S)}
        status, _ = self._call("RemoveParticipant", {"roomAdmin": True, "room": channel.app}, asked)
        return int(status == 200)

    def running(self) -> Sequence[Running]:
        """Every participant who publishes video."""
        rooms = self._told("ListRooms", {"roomList": True}, {})
        found = []
        for room in rooms.get("rooms", ()):
            people = self._told("ListParticipants", {"roomAdmin": True, "room": room["name"]}, {"room": room["name"]})
            found += [
                Running(Channel(self.name, room["name"], person["identity"]), person.get("sid", ""))
                for person in people.get("participants", ())
                if any(track.get("type") in _VIDEO for track in person.get("tracks", ()))
            ]
        return found

    def allow(self, channel: Channel) -> bool:
        """Let a participant who is watched publish."""
        permission = {"can_subscribe": True, "can_publish": True, "can_publish_data": True}
        asked = {"room": channel.app, "identity": channel.name, "permission": permission}
        return self._call("UpdateParticipant", {"roomAdmin": True, "room": channel.app}, asked)[0] == 200

    def token(self, grants: Mapping[str, Any]) -> str:
        """A token of our own with these grants, for one call."""
        now = int(time.time())
        claims = {"iss": self._key, "nbf": now - 5, "exp": now + _TOKEN_S, "video": dict(grants)}
        return jwt.encode({"alg": "HS256"}, claims, self._secret)

    def is_signed(self, authorization: str, body: bytes) -> bool:
        """Whether a webhook is this server's: a token whose claim `sha256` is the body's digest."""
        try:
            claims = jwt.decode(authorization, self._secret, algorithms=["HS256"]).claims
            jwt.JWTClaimsRegistry(leeway=60, iss={"essential": True, "value": self._key}).validate(claims)
        except (JoseError, ValueError):
            return False
        digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
        return hmac.compare_digest(digest, str(claims.get("sha256", "")))

    def _told(self, method: str, grants: Mapping[str, Any], asked: Mapping[str, Any]) -> dict[str, Any]:
        status, answer = self._call(method, grants, asked)
        if status != 200 or not isinstance(answer, dict):
            raise HttpError("media server {name!r} answers {answered}", name=self.name, answered=status, status=status)
        return answer

    def _call(self, method: str, grants: Mapping[str, Any], asked: Mapping[str, Any]) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {self.token(grants)}"}
        return self.ask("POST", f"/twirp/livekit.RoomService/{method}", dict(asked), headers)

    def address(self, channel: Channel, token: str) -> str:
        """Where its egress of that participant is read."""
        return f"{self.options.address.rstrip('/')}/{quote(channel.app, safe='')}/{quote(channel.name, safe='')}"


def _answer(server: LiveKit, hook: Hook, gate: StreamGate) -> Response:
    if not server.is_signed(hook.headers.get("authorization", ""), hook.body):
        return text(401)
    said = document_of(hook)
    event, room = str(said["event"]), str((said.get("room") or {}).get("name", ""))
    person = said.get("participant") or {}
    channel, session = Channel(server.name, room, str(person.get("identity", ""))), str(person.get("sid", ""))
    if event == "participant_joined":
        if gate.admit(Publication(channel, channel.name, session)).allowed:
            server.allow(channel)
    elif event == "track_published" and (said.get("track") or {}).get("type") in _VIDEO:
        if not gate.goes_on(channel, session):
            server.cut(channel, session)
    elif event in ("participant_left", "track_unpublished"):
        gate.done(channel, session)
    return yes(True)


def _open(name: str, options: LiveKitOptions) -> Door:
    server = LiveKit(name, options)
    settles = "give out tokens without canPublish; the gate grants it to who is watched"
    return Door(server, lambda hook, gate: _answer(server, hook, gate), settles)


KIND = MediaServerKind("livekit", "LiveKit", LiveKitOptions, _open)
