"""Janus with its VideoRoom plug-in. Event handlers only tell, so it fails open: keep rooms with `allowed` tokens, and
hand out a token only for who may publish. Whoever is cut loses the token first, since a kick alone lets them rejoin.
"""

import secrets
from collections.abc import Sequence
from typing import Any

from pydantic import Field
from starlette.responses import Response

from tutela.errors import TutelaError
from tutela.foundation.http import HttpError
from tutela.gateways.streams.base import Door, Hook, HttpServer, MediaServerKind, ServerOptions, text, yes
from tutela.screening.streams.gate import StreamGate
from tutela.screening.streams.model import Channel, Publication, Running

_PLUGIN = "janus.plugin.videoroom"


class JanusOptions(ServerOptions):
    """What is told of a Janus."""

    control: str = Field(default="http://127.0.0.1:8088", description="Where its HTTP interface answers.")
    room_secret: str = Field(default="", description="The rooms' secret, as env:NAME or file:/path.")
    api_secret: str = Field(default="", description="`api_secret` of its settings, as env:NAME or file:/path.")


class Janus(HttpServer):
    """One Janus. A channel's application is the room, its name the publisher's id."""

    fails_open = True

    def __init__(self, name: str, options: JanusOptions) -> None:
        super().__init__(name, options)
        place = f"media_servers.{name}"
        self._room = options.secret_of(options.room_secret, f"{place}.room_secret") if options.room_secret else ""
        self._api = options.secret_of(options.api_secret, f"{place}.api_secret") if options.api_secret else ""
        self._tokens: dict[Channel, str] = {}

    def cut(self, channel: Channel, session: str) -> int:
        """Take the publisher's token from the room, then kick it."""
        room = _number(channel.app)
        asked: list[dict[str, Any]] = []
        if token := self._tokens.pop(channel, ""):
            asked.append({"request": "allowed", "room": room, "action": "remove", "allowed": [token]})
        asked.append({"request": "kick", "room": room, "id": _number(channel.name)})
        return sum(answer.get("videoroom") == "success" for answer in self._told(*asked)[-1:])

    def running(self) -> Sequence[Running]:
        """Every publisher of every room."""
        (listed,) = self._told({"request": "list"})
        rooms = [room["room"] for room in listed.get("list", ())]
        answers = self._told(*({"request": "listparticipants", "room": room} for room in rooms))
        return [
            Running(Channel(self.name, str(room), str(person["id"])))
            for room, answer in zip(rooms, answers, strict=True)
            for person in answer.get("participants", ())
            if person.get("publisher")
        ]

    def remember(self, channel: Channel, token: str) -> None:
        """By which token somebody joined."""
        if token:
            self._tokens[channel] = token

    def _told(self, *asked: dict[str, Any]) -> list[dict[str, Any]]:
        """The plug-in's answers to requests, in a session of their own."""
        if not asked:
            return []
        session = self._janus("/janus", {"janus": "create"})["data"]["id"]
        try:
            handle = self._janus(f"/janus/{session}", {"janus": "attach", "plugin": _PLUGIN})["data"]["id"]
            secret = {"secret": self._room} if self._room else {}
            place = f"/janus/{session}/{handle}"
            answers = [self._janus(place, {"janus": "message", "body": {**body, **secret}}) for body in asked]
            return [dict(answer.get("plugindata", {}).get("data", {})) for answer in answers]
        finally:
            self._janus(f"/janus/{session}", {"janus": "destroy"})

    def _janus(self, path: str, asked: dict[str, Any]) -> dict[str, Any]:
        secret = {"apisecret": self._api} if self._api else {}
        answer = self.asked("POST", path, {**asked, "transaction": secrets.token_hex(8), **secret})
        if not isinstance(answer, dict) or answer.get("janus") not in ("success", "ack"):
            raise HttpError("media server {name!r} refuses {janus}", name=self.name, janus=asked["janus"])
        return answer


def _number(text_: str) -> int | str:
    """Ids of rooms and people are numbers, unless its settings say that they are texts."""
    return int(text_) if text_.isdecimal() else text_


def _answer(server: Janus, hook: Hook, gate: StreamGate) -> Response:
    import json

    events = json.loads(hook.body)
    for event in events if isinstance(events, list) else [events]:
        if event.get("type") != 64 or event["event"].get("plugin") != _PLUGIN:
            continue
        said = event["event"]["data"]
        channel = Channel(server.name, str(said["room"]), str(said["id"]))
        try:
            if said["event"] == "joined":
                server.remember(channel, str(said.get("token", "")))
            elif said["event"] == "published" and not gate.admit(Publication(channel)).allowed:
                server.cut(channel, "")
            elif said["event"] in ("unpublished", "leaving", "kicked"):
                gate.done(channel, "")
        except TutelaError:
            return text(503)
    return yes(True)


def _open(name: str, options: JanusOptions) -> Door:
    server = Janus(name, options)
    settles = "rooms with `allowed` tokens; what is not watched is ended within streams.reconcile_s"
    return Door(server, lambda hook, gate: _answer(server, hook, gate), settles)


KIND = MediaServerKind("janus", "Janus with VideoRoom", JanusOptions, _open)
