"""nginx with its RTMP module (Debian: libnginx-mod-rtmp). Hooks are forms, answered by their status; publishers are cut
by `rtmp_control` and listed by `rtmp_stat`.

It fails closed: a hook that is not answered refuses, and with `notify_update_strict on` an update that is not answered
ends the stream. https://github.com/arut/nginx-rtmp-module/wiki/Directives
"""

import re
from collections.abc import Sequence
from urllib.parse import quote, unquote, urlencode

from pydantic import Field
from starlette.responses import Response

from tutela.errors import TutelaError
from tutela.gateways.streams.base import (
    TOKEN,
    Door,
    Hook,
    HttpServer,
    MediaServerKind,
    ServerOptions,
    form_of,
    text,
    yes,
)
from tutela.screening.streams.gate import StreamGate
from tutela.screening.streams.model import Channel, Publication, Running

_REFUSED = 403
_LISTS = ("m3u8", "mpd")
_PIECE = re.compile(r"[0-9]+|init|raw|index")
"""NAME-7.ts or, nested, NAME/7.ts beside NAME/index.m3u8; so also of DASH."""


class NginxRtmpOptions(ServerOptions):
    """What is told of an nginx with the RTMP module."""

    address: str = Field(default="rtmp://127.0.0.1:1935", description="Where its streams are read.")
    control: str = Field(
        default="http://127.0.0.1:8088", description="Where `rtmp_control` (/control) and `rtmp_stat` (/stat) answer."
    )


class NginxRtmp(HttpServer):
    """One nginx."""

    subscribes_first = True
    keeps_viewers_out = True
    piece = _PIECE

    def address(self, channel: Channel, token: str) -> str:
        """Its RTMP address with the token, which `on_play` hears."""
        place = f"{quote(channel.app)}/{quote(channel.name)}"
        return f"{self.options.address.rstrip('/')}/{place}?{urlencode({TOKEN: token})}"

    def cut(self, channel: Channel, session: str) -> int:
        """Drop the publisher; as many as there were."""
        return self._drop("publisher", channel)

    def dismiss(self, channel: Channel, viewers: Sequence[str]) -> None:
        """Drop each viewer by the number of its connection; the watcher stays."""
        for viewer in viewers:
            self._drop("client", channel, clientid=viewer)

    def running(self) -> Sequence[Running]:
        """Every publisher in the statistics."""
        from lxml import etree

        answer = self.http.get(f"{self.options.control.rstrip('/')}/stat")
        try:
            root = etree.fromstring(answer.body, etree.XMLParser(resolve_entities=False, no_network=True))
        except etree.XMLSyntaxError as error:
            raise TutelaError("the statistics of nginx-rtmp are not XML") from error
        found = []
        for application in root.iter("application"):
            app = application.findtext("name") or ""
            for stream in application.iter("stream"):
                if stream.find("publishing") is not None:
                    name = stream.findtext("name") or ""
                    sessions = [
                        c.findtext("id") or "" for c in stream.iter("client") if c.find("publishing") is not None
                    ]
                    found.append(Running(Channel(self.name, app, name), next(iter(sessions), "")))
        return found

    def _drop(self, what: str, channel: Channel, **more: str) -> int:
        asked = {"app": channel.app, "name": channel.name, **more}
        answer = self.http.get(f"{self.options.control.rstrip('/')}/control/drop/{what}", asked, max_bytes=1024)
        count = answer.body.decode("ascii", "replace").strip()
        return int(count) if count.isdecimal() else 0


def _answer(name: str, options: NginxRtmpOptions, hook: Hook, gate: StreamGate) -> Response:
    if hook.path == "segment":
        return _segment(name, hook, gate)
    form = form_of(hook)
    channel, session = Channel(name, form["app"], form["name"]), form.get("clientid", "")
    call, token = form["call"], form.get(TOKEN, "")
    if call == "publish":
        who = form.get(options.publisher, "") if options.publisher else ""
        return yes(gate.admit(Publication(channel, who, session, form.get("addr", ""))).allowed)
    if call == "play":
        return yes(gate.play(channel, token, session))
    if call == "update_publish":
        return yes(gate.goes_on(channel, session))
    if call == "update_play":
        return yes(gate.shows(channel, token))
    if call in ("publish_done", "done", "play_done"):
        if call == "publish_done":
            gate.done(channel, session)
        gate.left(channel, session)
        return text(200)
    return text(_REFUSED)


def _segment(name: str, hook: Hook, gate: StreamGate) -> Response:
    """Asked by `auth_request` of the server that gives segments out: whether this one may be fetched."""
    path = unquote(re.split("[?#]", hook.headers["x-original-uri"], maxsplit=1)[0])
    *folders, file = path.split("/")
    if {".", ".."} & {*folders, file}:
        return text(_REFUSED)  # the server serves another file than is named last
    stem, _, kind = file.rpartition(".")
    stream, _, piece = stem.rpartition("-")
    if _PIECE.fullmatch(stem) and folders:  # nested
        stream = folders[-1]
    elif kind in _LISTS:
        stream = stem
    elif not _PIECE.fullmatch(piece):
        return text(_REFUSED)
    return yes(gate.shows(Channel(name, hook.query.get("app", ""), stream)))


def _open(name: str, options: NginxRtmpOptions) -> Door:
    return Door(
        NginxRtmp(name, options),
        lambda hook, gate: _answer(name, options, hook, gate),
        settles="notify_update_strict on; notify_update_timeout 1s; on_publish, on_play, on_update and on_publish_done",
    )


KIND = MediaServerKind("nginx-rtmp", "nginx with its RTMP module", NginxRtmpOptions, _open)
