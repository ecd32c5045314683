"""OvenMediaEngine. Its admission webhooks are signed JSON; the answer says whether somebody is allowed. No answer in
its `Timeout` refuses. Streams are ended by its API. Read in its documentation, not run here.
"""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from urllib.parse import parse_qs, quote, urlencode, urlsplit

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


class OvenMediaEngineOptions(ServerOptions):
    """What is told of an OvenMediaEngine."""

    address: str = Field(default="rtmp://127.0.0.1:1935", description="Where its streams are read.")
    control: str = Field(default="http://127.0.0.1:8081", description="Where its API answers.")
    access_token: str = Field(description="The API's access token, USER:PASSWORD, as env:NAME or file:/path.")
    secret: str = Field(description="`SecretKey` of its admission webhooks, as env:NAME or file:/path.")
    virtual_host: str = Field(default="default", description="The virtual host whose streams are watched.")
    apps: tuple[str, ...] = Field(default=("app",), description="The applications whose streams are watched.")


class OvenMediaEngine(HttpServer):
    """One OvenMediaEngine."""

    def __init__(self, name: str, options: OvenMediaEngineOptions) -> None:
        super().__init__(name, options)
        self._host, self._apps = options.virtual_host, options.apps
        token = options.secret_of(options.access_token, f"media_servers.{name}.access_token")
        user, _, password = token.partition(":")
        self._credentials = basic(user, password)

    def credentials(self) -> dict[str, str]:
        """Basic authentication with the access token."""
        return self._credentials

    def address(self, channel: Channel, token: str) -> str:
        """Its address with the token, which the webhook of an outgoing session hears."""
        return f"{super().address(channel, token)}?{urlencode({TOKEN: token})}"

    def cut(self, channel: Channel, session: str) -> int:
        """Delete the stream; the sender may come back at once, and is refused by the webhook then."""
        status, _ = self.ask("DELETE", f"{self._streams(channel.app)}/{quote(channel.name, safe='')}")
        return int(status == 200)

    def running(self) -> Sequence[Running]:
        """The streams of each application."""
        found = []
        for app in self._apps:
            answer = self.asked("GET", self._streams(app))
            found += [Running(Channel(self.name, app, str(name))) for name in answer["response"]]
        return found

    def _streams(self, app: str) -> str:
        return f"/v1/vhosts/{quote(self._host, safe='')}/apps/{quote(app, safe='')}/streams"


def _answer(name: str, options: OvenMediaEngineOptions, secret: bytes, hook: Hook, gate: StreamGate) -> Response:
    signature = base64.urlsafe_b64encode(hmac.digest(secret, hook.body, hashlib.sha1)).rstrip(b"=")
    given = hook.headers.get("x-ome-signature", "").encode().rstrip(b"=")
    if not hmac.compare_digest(signature, given):
        return answer_json(403, {"allowed": False, "reason": "the signature is wrong"})
    said = document_of(hook)
    client, request = said["client"], said["request"]
    parts = urlsplit(str(request["url"]))
    app, _, stream = parts.path.strip("/").partition("/")
    channel, query = Channel(name, app, stream.partition("/")[0]), parse_qs(parts.query)
    session = f"{client['address']}:{client['port']}"
    opening = request["status"] == "opening"
    if request["direction"] == "incoming":
        if not opening:
            gate.done(channel, session)
            return answer_json(200, {})
        who = query.get(options.publisher, [""])[0] if options.publisher else ""
        admission = gate.admit(Publication(channel, who, session, str(client.get("real_ip") or client["address"])))
        return _said(admission.allowed)
    if not opening:
        gate.left(channel, session)
        return answer_json(200, {})
    return _said(gate.play(channel, query.get(TOKEN, [""])[0], session))


def _said(allowed: bool) -> Response:
    return answer_json(200, {"allowed": allowed} | ({} if allowed else {"reason": "not now"}))


def _open(name: str, options: OvenMediaEngineOptions) -> Door:
    secret = options.secret_of(options.secret, f"media_servers.{name}.secret").encode()
    return Door(
        OvenMediaEngine(name, options),
        lambda hook, gate: _answer(name, options, secret, hook, gate),
        settles="AdmissionWebhooks with Providers and Publishers, and a Timeout above streams.admit_s",
    )


KIND = MediaServerKind("ovenmediaengine", "OvenMediaEngine", OvenMediaEngineOptions, _open)
