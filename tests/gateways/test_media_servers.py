"""Media servers by strict stand-ins: each takes its own server's forms and refuses every other, and each hook is read
as its server sends it."""

import base64
import hashlib
import hmac
import json
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from urllib.parse import unquote, urlencode

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey
from starlette.responses import Response
from starlette.testclient import TestClient

from tests.support.serving import serving
from tutela.foundation.http import HttpError
from tutela.foundation.options import Secret
from tutela.gateways.streams.base import Door, Hook
from tutela.gateways.streams.hooks import hook_application
from tutela.gateways.streams.options import HookOptions
from tutela.gateways.streams.process import Open, hook_server
from tutela.gateways.streams.registry import KINDS, kind
from tutela.gateways.streams.segments import SegmentFolder
from tutela.screening.streams.gate import Admission, Refusal, StreamGate
from tutela.screening.streams.model import Channel, Publication, Running
from tutela.screening.streams.service import Streams

SECRET = "a-secret-of-the-media-server-it-is-long-enough"


@pytest.fixture(autouse=True)
def secret(monkeypatch):
    monkeypatch.setenv("MEDIA_SECRET", SECRET)


@dataclass
class Asked(StreamGate):
    """What a gate is asked, and what it says."""

    allows: bool = True
    admitted: list[Publication] = field(default_factory=list)
    played: list[tuple[Channel, str, str]] = field(default_factory=list)
    gone: list[tuple[Channel, str]] = field(default_factory=list)
    left_: list[tuple[Channel, str]] = field(default_factory=list)

    def admit(self, publication: Publication) -> Admission:
        self.admitted.append(publication)
        return Admission(None if self.allows else Refusal.CUT_BEFORE)

    def play(self, channel: Channel, token: str, viewer: str) -> bool:
        self.played.append((channel, token, viewer))
        return self.allows

    def goes_on(self, channel: Channel, session: str) -> bool:
        return self.allows

    def shows(self, channel: Channel, token: str = "") -> bool:
        return self.allows

    def done(self, channel: Channel, session: str) -> None:
        self.gone.append((channel, session))

    def left(self, channel: Channel, viewer: str) -> None:
        self.left_.append((channel, viewer))


Api = Callable[[str, str, dict[str, str], bytes], tuple[int, object]]
"""What a stand-in answers to a method, path, headers and body."""


@pytest.fixture
def served() -> Iterator[Callable[[Api], str]]:
    """Serves a stand-in; its address."""

    def serve(api: Api) -> str:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                status, document = api(self.command, self.path, headers, body)
                said = document if isinstance(document, bytes) else json.dumps(document).encode()
                said = b"" if document is None else said
                self.send_response(status)
                self.send_header("content-length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)

            do_GET = do_POST = do_DELETE = do_PUT = _answer

            def log_message(self, *_: object) -> None:
                pass

        server = running.enter_context(serving(ThreadingHTTPServer(("127.0.0.1", 0), Handler)))
        return f"http://127.0.0.1:{server.server_port}"

    with ExitStack() as running:
        yield serve


def door(name: str, control: str = "http://127.0.0.1:9", **options: object) -> Door:
    described = kind(name)
    known = {"key": "key"} if name == "livekit" else {}
    known |= {"kind": name, "address": "rtmp://127.0.0.1:1935", "control": control}
    for secret in ("password", "secret", "token", "access_token"):
        field_ = described.options.model_fields.get(secret)
        if field_ is not None and field_.is_required():
            known[secret] = "env:MEDIA_SECRET"
    return described.open("main", described.options(**known | options))


def hook(body: object, path: str = "", **headers: str) -> Hook:
    said = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Hook(path, {}, {name.replace("_", "-"): value for name, value in headers.items()}, said, "127.0.0.1")


def form(path: str = "", **fields: str) -> Hook:
    return Hook(path, {}, {}, urlencode(fields).encode(), "127.0.0.1")


def said(answer: Response) -> Any:
    return json.loads(bytes(answer.body))


CAM = Channel("main", "live", "cam")


@pytest.mark.parametrize("name", sorted(KINDS))
def test_a_hook_that_cannot_be_read_lets_nobody_in(name):
    gate = Asked()
    described = door(name)
    for body in (b"", b"\xff\xfe", b"[]", b"{}", b"null", b'{"action": 1}', b"a=b"):
        try:
            answer = described.answer(Hook("", {}, {}, body, "127.0.0.1"), gate)
        except (KeyError, ValueError, TypeError, AttributeError):
            continue  # refused by the application around it
        assert answer.status_code != 200 or b'"allowed": true' not in bytes(answer.body)
    assert gate.admitted == []
    assert gate.played == []


@pytest.mark.parametrize("name", sorted(KINDS))
def test_a_server_that_fails_open_says_so_and_what_to_set(name):
    described = door(name)
    assert described.settles
    if described.server.adopts:
        assert described.server.fails_open
    if described.server.subscribes_first:
        assert not described.server.fails_open


# --- nginx-rtmp


def test_nginx_asks_by_forms_and_is_answered_by_the_status():
    gate, nginx = Asked(), door("nginx-rtmp", publisher="user")
    more = {"app": "live", "name": "cam", "addr": "192.0.2.1", "clientid": "7"}
    assert nginx.answer(form(call="publish", user="m1", **more), gate).status_code == 200
    assert gate.admitted == [Publication(CAM, "m1", "7", "192.0.2.1")]
    assert nginx.answer(form(call="play", watcher="t0ken", **more), gate).status_code == 200
    assert gate.played == [(CAM, "t0ken", "7")]
    for call in ("update_publish", "update_play"):
        assert nginx.answer(form(call=call, **more), gate).status_code == 200
    assert nginx.answer(form(call="publish_done", **more), gate).status_code == 200
    assert gate.gone == [(CAM, "7")]
    gate.allows = False
    for call in ("publish", "play", "update_publish", "update_play", "something"):
        assert nginx.answer(form(call=call, **more), gate).status_code == 403
    assert (
        nginx.answer(Hook("segment", {"app": "live"}, {"x-original-uri": "/hls/cam-3.ts"}, b"", ""), gate).status_code
        == 403
    )


@pytest.mark.parametrize(
    "more", ["call=done", "call=publish_done", "call=play&watcher=x", "name=other", "app=x", "clientid=9", "user=m2"]
)
@pytest.mark.parametrize("call", ["publish", "play", "update_publish", "update_play"])
def test_nothing_in_a_strangers_address_stands_for_what_nginx_says(call, more):
    """nginx sends its own fields and the parameters of the address side by side."""
    gate, nginx = Asked(), door("nginx-rtmp", publisher="user")
    body = f"app=live&addr=192.0.2.1&clientid=7&call={call}&name=cam&user=m1&{more}".encode()
    with pytest.raises(ValueError, match="twice"):
        nginx.answer(Hook("", {}, {}, body, "127.0.0.1"), gate)
    assert (gate.admitted, gate.played) == ([], [])


class OneIsClear(Asked):
    """Only the stream `clear` may be seen."""

    def shows(self, channel: Channel, token: str = "") -> bool:
        return channel == Channel("main", "live", "clear")


@pytest.mark.parametrize(
    ("address", "may_be_fetched"),
    [
        ("/hls/clear.m3u8", True),
        ("/hls/clear-3.ts?x=/hls/cam.ts", True),
        ("/hls/cl%65ar-3.ts", True),
        ("/hls/clear-3.m4v", True),
        ("/hls/clear-init.m4a", True),
        ("/hls/clear/3.ts", True),
        ("/hls/clear/index.m3u8", True),
        ("/hls/clear/raw.m4v", True),
        ("/hls/live/clear-3.ts", True),
        ("/hls/clear/cam-3.ts", False),
        ("/hls/clear-1-3.ts", False),
        ("/hls/cam/3.ts", False),
        ("/hls/cam/index.m3u8", False),
        ("/hls/clear-x.ts", False),
        ("/hls/clear.ts", False),
        ("/hls/cam-3.ts", False),
        ("/hls/cam-3.ts?/clear-3.ts", False),
        ("/hls/cam-3.ts#/clear-3.ts", False),
        ("/hls/cam-3.ts#?/clear-3.ts", False),
        ("/hls/clear-3.ts/../cam-3.ts", False),
        ("/hls/x/..%2fcam-3.ts", False),
        ("/hls/clear-3.ts/..", False),
        ("/hls/cam-3.ts%23/clear-3.ts/..", False),
    ],
)
def test_a_segment_is_given_out_by_the_stream_whose_file_nginx_serves(address, may_be_fetched):
    asked = Hook("segment", {"app": "live"}, {"x-original-uri": address}, b"", "127.0.0.1")
    assert door("nginx-rtmp").answer(asked, OneIsClear()).status_code == (200 if may_be_fetched else 403)


# --- node-media-server


def test_node_media_server_is_signed_into_again_when_its_token_has_run_out(served):
    tokens, ended = [], []

    def api(method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, object]:
        if (method, path) == ("POST", "/api/v1/login"):
            if json.loads(body) != {"username": "admin", "password": SECRET}:
                return 401, {"success": False}
            tokens.append(f"token-{len(tokens)}")
            return 200, {"success": True, "data": {"token": tokens[-1]}}
        if headers.get("authorization") != f"Bearer {tokens[-1] if tokens else 'none'}":
            return 401, {"success": False}
        if (method, path) == ("GET", "/api/v1/streams"):
            publisher = {"id": "AB12", "ip": "127.0.0.1:1"}
            streams = [{"app": "live", "name": "cam", "publisher": publisher}]
            return 200, {"data": {"streams": [*streams, {"app": "live", "name": "idle", "publisher": None}]}}
        if method == "DELETE" and path.startswith("/api/v1/sessions/"):
            ended.append(path.rpartition("/")[2])
            return (200, {"success": True}) if ended[-1] == "AB12" else (404, {"success": False})
        return 404, None

    server = door("node-media-server", served(api)).server
    assert server.running() == [Running(CAM, "AB12")]
    tokens.append("another")  # as after it was started anew
    assert server.cut(CAM, "gone") == 1
    assert sorted(ended) == ["AB12", "gone"]


def test_node_media_server_tells_by_json():
    gate, node = Asked(), door("node-media-server", publisher="user")
    more = {
        "id": "AB12",
        "ip": "192.0.2.1:5",
        "app": "live",
        "name": "cam",
        "query": {"user": "m1"},
        "protocol": "rtmp",
    }
    assert node.answer(hook(more | {"action": "prePublish"}), gate).status_code == 200
    assert gate.admitted == [Publication(CAM, "m1", "AB12", "192.0.2.1:5")]
    node.answer(hook(more | {"action": "donePublish"}), gate)
    assert gate.gone == [(CAM, "AB12")]
    gate.allows = False
    for action in ("prePublish", "prePlay"):
        assert node.answer(hook(more | {"action": action}), gate).status_code == 403


# --- MediaMTX


def test_mediamtx_is_kicked_by_the_type_of_what_publishes(served):
    kicked = []

    def api(method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, object]:
        if (method, unquote(path)) == ("GET", "/v3/paths/get/live/cam"):
            return 200, {
                "name": "live/cam",
                "source": {"type": "srtConn", "id": "s1"},
                "readers": [{"type": "rtspSession", "id": "r1"}],
            }
        if method == "GET" and re.fullmatch(r"/v3/paths/list\?itemsPerPage=500&page=\d+", path):
            sources = [{"type": "srtConn", "id": "s1"}, None, {"type": "rpiCameraSource", "id": ""}]
            names = ("live/cam", "live/idle", "own")
            items = [{"name": name, "source": source} for name, source in zip(names, sources, strict=True)]
            return 200, {"pageCount": 1, "items": items}
        if method == "POST" and path in ("/v3/srtconns/kick/s1", "/v3/rtspsessions/kick/r1"):
            kicked.append(path)
            return 200, None
        return 404, {"error": "not found"}

    server = door("mediamtx", served(api)).server
    assert server.running() == [Running(CAM, "s1")]
    assert server.cut(CAM, "") == 1
    assert server.cut(Channel("main", "live", "other"), "") == 0
    server.dismiss(CAM, ["r1"])
    assert kicked == ["/v3/srtconns/kick/s1", "/v3/rtspsessions/kick/r1"]


def test_mediamtx_asks_about_publishers_and_readers_and_about_nothing_else():
    gate, mediamtx = Asked(), door("mediamtx", publisher="user")
    more = {
        "user": "",
        "password": "",
        "token": "",
        "ip": "192.0.2.1",
        "path": "live/cam",
        "protocol": "rtmp",
        "id": "c1",
    }
    ask = lambda action, query="": mediamtx.answer(hook(more | {"action": action, "query": query}), gate).status_code  # noqa: E731
    assert ask("publish", "user=m1") == 200
    assert gate.admitted == [Publication(CAM, "m1", "c1", "192.0.2.1")]
    assert ask("read", "watcher=t") == 200
    assert gate.played == [(CAM, "t", "c1")]
    for action in ("playback", "api", "metrics", "pprof"):
        assert ask(action) == 403
    gate.allows = False
    assert (ask("publish"), ask("read")) == (403, 403)


# --- SRS


def test_srs_is_answered_by_status_and_code_and_ends_clients(served):
    def api(method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, object]:
        if headers.get("authorization") != "Basic " + base64.b64encode(f"admin:{SECRET}".encode()).decode():
            return 401, None
        if (method, path) == ("GET", "/api/v1/streams/?count=10000"):
            publish = {"active": True, "cid": "c1"}
            return 200, {"code": 0, "streams": [{"app": "live", "name": "cam", "publish": publish}]}
        if method == "DELETE" and path.startswith("/api/v1/clients/"):
            return 200, {"code": 0 if path.endswith("/c1") else 2049}
        return 404, None

    srs = door("srs", served(api), user="admin", password="env:MEDIA_SECRET", publisher="user")
    assert srs.server.running() == [Running(CAM, "c1")]
    assert srs.server.cut(CAM, "c0") == 1
    gate = Asked()
    more = {"client_id": "c1", "ip": "192.0.2.1", "vhost": "__defaultVhost__", "app": "live", "stream": "cam"}
    answer = srs.answer(hook(more | {"action": "on_publish", "param": "?user=m1"}), gate)
    assert (answer.status_code, said(answer)) == (200, {"code": 0})
    assert gate.admitted == [Publication(CAM, "m1", "c1", "192.0.2.1")]
    gate.allows = False
    for action in ("on_publish", "on_play", "on_hls"):
        answer = srs.answer(hook(more | {"action": action}), gate)
        assert (answer.status_code, said(answer)) == (403, {"code": 1})
    assert said(srs.answer(hook(more | {"action": "on_unpublish"}), gate)) == {"code": 0}
    assert gate.gone == [(CAM, "c1")]


# --- OvenMediaEngine


def test_ovenmediaengine_is_heard_only_where_it_signed():
    gate, ome = Asked(), door("ovenmediaengine", publisher="user", address="rtmp://127.0.0.1")
    body: dict[str, Any] = {
        "client": {"address": "192.0.2.1", "port": 5, "real_ip": "198.51.100.7"},
        "request": {
            "direction": "incoming",
            "protocol": "rtmp",
            "status": "opening",
            "url": "rtmp://host:1935/live/cam?user=m1",
        },
    }

    def signed(document: object, secret: str = SECRET) -> Hook:
        raw = json.dumps(document).encode()
        signature = base64.urlsafe_b64encode(hmac.digest(secret.encode(), raw, hashlib.sha1)).decode().rstrip("=")
        return hook(raw, x_ome_signature=signature)

    assert said(ome.answer(signed(body), gate)) == {"allowed": True}
    assert gate.admitted == [Publication(CAM, "m1", "192.0.2.1:5", "198.51.100.7")]
    assert said(ome.answer(signed(body, "another"), gate))["allowed"] is False
    assert said(ome.answer(hook(body), gate))["allowed"] is False
    assert len(gate.admitted) == 1
    closing = body | {"request": body["request"] | {"status": "closing"}}
    assert said(ome.answer(signed(closing), gate)) == {}
    assert gate.gone == [(CAM, "192.0.2.1:5")]
    gate.allows = False
    outgoing = body | {"request": body["request"] | {"direction": "outgoing"}}
    for refused in (body, outgoing):
        assert said(ome.answer(signed(refused), gate))["allowed"] is False


def test_ovenmediaengine_deletes_the_stream(served):
    def api(method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, object]:
        if headers.get("authorization") != "Basic " + base64.b64encode(f"{SECRET}:".encode()).decode():
            return 401, None
        streams = "/v1/vhosts/default/apps/live/streams"
        if (method, path) == ("GET", streams):
            return 200, {"statusCode": 200, "response": ["cam"]}
        return (200, {"statusCode": 200}) if (method, path) == ("DELETE", f"{streams}/cam") else (404, None)

    server = door("ovenmediaengine", served(api), apps=("live",)).server
    assert server.running() == [Running(CAM)]
    assert server.cut(CAM, "") == 1
    assert server.cut(Channel("main", "live", "other"), "") == 0


# --- LiveKit


def test_livekit_is_called_with_tokens_of_its_form_and_webhooks_are_checked(served):
    calls = []

    def api(method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, object]:
        key = OctKey.import_key(SECRET)
        claims = jwt.decode(headers.get("authorization", "").removeprefix("Bearer "), key, algorithms=["HS256"]).claims
        if method != "POST" or claims["iss"] != "key" or claims["exp"] > time.time() + 600:
            return 401, {"code": "unauthenticated"}
        call, asked, grants = path.removeprefix("/twirp/livekit.RoomService/"), json.loads(body), claims["video"]
        calls.append((call, asked))
        if call == "ListRooms" and grants.get("roomList"):
            return 200, {"rooms": [{"name": "live"}]}
        if not grants.get("roomAdmin") or grants.get("room") != asked.get("room"):
            return 403, {"code": "permission_denied"}
        if call == "ListParticipants":
            people = [
                {"identity": "cam", "sid": "PA_1", "tracks": [{"type": "VIDEO"}]},
                {"identity": "quiet", "sid": "PA_2"},
            ]
            return 200, {"participants": people}
        return (200, {}) if call in ("RemoveParticipant", "UpdateParticipant") else (404, None)

    livekit = door("livekit", served(api))
    assert livekit.server.running() == [Running(CAM, "PA_1")]
    assert livekit.server.cut(CAM, "PA_1") == 1
    assert calls[-1][1]["identity"] == "cam"
    assert int(calls[-1][1]["revoke_token_ts"]) > time.time()
    gate = Asked()
    joined = {
        "event": "participant_joined",
        "room": {"name": "live"},
        "participant": {"identity": "cam", "sid": "PA_1"},
    }
    raw = json.dumps(joined).encode()

    def authorization(body: bytes, secret: str = SECRET) -> str:
        digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
        claims = {"iss": "key", "exp": int(time.time()) + 60, "sha256": digest}
        return jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(secret))

    assert livekit.answer(hook(raw, authorization=authorization(raw)), gate).status_code == 200
    assert gate.admitted == [Publication(CAM, "cam", "PA_1")]
    assert calls[-1][0] == "UpdateParticipant"
    assert calls[-1][1]["permission"]["can_publish"] is True
    for wrong in ("", "x", authorization(b"another"), authorization(raw, "another-secret-that-is-long-enough")):
        assert livekit.answer(hook(raw, authorization=wrong), gate).status_code == 401
    assert len(gate.admitted) == 1
    gate.allows = False
    track = joined | {"event": "track_published", "track": {"type": "VIDEO"}}
    raw = json.dumps(track).encode()
    livekit.answer(hook(raw, authorization=authorization(raw)), gate)
    assert calls[-1][0] == "RemoveParticipant"


# --- Janus


def test_janus_takes_the_token_from_the_room_before_it_kicks(served):
    asked, secrets_seen = [], set()

    def api(method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, object]:
        said = json.loads(body)
        if method != "POST" or not said.get("transaction") or said.get("apisecret") != SECRET:
            return 200, {"janus": "error", "error": {"code": 403}}
        done = {"janus": "success", "transaction": said["transaction"]}
        match path, said["janus"]:
            case "/janus", "create":
                return 200, done | {"data": {"id": 11}}
            case "/janus/11", "attach" if said["plugin"] == "janus.plugin.videoroom":
                return 200, done | {"data": {"id": 22}}
            case "/janus/11", "destroy":
                return 200, done
            case "/janus/11/22", "message":
                request = said["body"]
                secrets_seen.add(request.get("secret"))
                asked.append({name: value for name, value in request.items() if name != "secret"})
                data: dict[str, object] = {"videoroom": "success"}
                if request["request"] == "list":
                    data |= {"list": [{"room": 1234}]}
                if request["request"] == "listparticipants":
                    data |= {"participants": [{"id": 77, "publisher": True}, {"id": 78, "publisher": False}]}
                return 200, done | {"plugindata": {"plugin": "janus.plugin.videoroom", "data": data}}
        return 200, {"janus": "error", "error": {"code": 457}}

    janus = door("janus", served(api), room_secret="env:MEDIA_SECRET", api_secret="env:MEDIA_SECRET")
    channel, gate = Channel("main", "1234", "77"), Asked(allows=False)
    assert janus.server.running() == [Running(channel)]
    plugin: dict[str, Any] = {"type": 64, "event": {"plugin": "janus.plugin.videoroom"}}
    joined = {"event": "joined", "room": 1234, "id": 77, "token": "t"}
    published = {"event": "published", "room": 1234, "id": 77}
    events = [plugin | {"event": plugin["event"] | {"data": data}} for data in (joined, published)]
    asked.clear()
    assert janus.answer(hook(events), gate).status_code == 200
    assert gate.admitted == [Publication(channel)]
    assert asked == [
        {"request": "allowed", "room": 1234, "action": "remove", "allowed": ["t"]},
        {"request": "kick", "room": 1234, "id": 77},
    ]
    assert secrets_seen == {SECRET}


# --- Owncast, PeerTube, Ant Media


def test_owncast_peertube_and_ant_media_are_asked_in_their_own_words(served):
    def owncast(method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, object]:
        if (method, path) == ("GET", "/api/status"):
            return 200, {"online": True}
        known = headers.get("authorization") == "Basic " + base64.b64encode(f"admin:{SECRET}".encode()).decode()
        return (
            (200, {"success": True}) if known and (method, path) == ("POST", "/api/admin/disconnect") else (401, None)
        )

    def peertube(method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, object]:
        if headers.get("authorization") != f"Bearer {SECRET}":
            return 401, None
        if method == "GET" and path.startswith("/api/v1/videos?isLive=true"):
            videos = [{"uuid": f"u{n}", "isLive": True, "state": {"id": state}} for n, state in enumerate((1, 4))]
            return 200, {"total": 2, "data": videos}
        wanted = (method, path) == ("POST", "/api/v1/videos/u0/blacklist") and "reason" in json.loads(body)
        return (204, None) if wanted else (404, None)

    def ant(method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, object]:
        place = "/live/rest/v2/broadcasts"
        if (method, path) == ("GET", f"{place}/list/0/50"):
            return 200, [{"streamId": "cam", "status": "broadcasting"}, {"streamId": "old", "status": "finished"}]
        return (200, {"success": True}) if (method, path) == ("POST", f"{place}/cam/stop") else (404, None)

    own = door("owncast", served(owncast)).server
    assert own.running() == [Running(Channel("main", "hls", "stream"))]
    assert own.cut(Channel("main", "hls", "stream"), "") == 1
    tube = door("peertube", served(peertube)).server
    assert tube.running() == [Running(Channel("main", "live", "u0"))]
    assert tube.cut(Channel("main", "live", "u0"), "") == 1
    media = door("ant-media", served(ant), apps=("live",))
    assert media.server.running() == [Running(CAM)]
    assert media.server.cut(CAM, "") == 1
    gate = Asked(allows=False)
    asked = Hook("publish", {}, {}, urlencode({"appName": "live", "name": "cam", "mode": "publish"}).encode(), "")
    assert media.answer(asked, gate).status_code == 403
    assert gate.admitted == [Publication(CAM)]


@pytest.mark.parametrize("name", sorted(KINDS))
def test_a_server_that_answers_nonsense_is_an_error_and_never_an_empty_list(name, served):
    for status, answer in ((500, {"error": "no"}), (200, b"<html>"), (404, None)):
        server = door(name, served(lambda *_, s=status, a=answer: (s, a))).server
        with pytest.raises((HttpError, Exception)) as caught:
            running = server.running()
            assert running, "nothing runs, says a server that gave no answer"
        assert not isinstance(caught.value, AssertionError), (name, status)


# --- segments


def purged(folder: Path, name: str, since: float, others: Sequence[str] = (), app: str = "live") -> int:
    """Of a server whose files may be called in many ways."""
    known = [Channel("main", "live", other) for other in others]
    return SegmentFolder(folder).purge(Channel("main", app, name), since, known)


def test_only_segments_of_that_stream_that_were_written_to_after_the_moment_are_removed(tmp_path):
    now = time.time()
    for file, age_s in (
        ("cam-0.ts", 20.0),
        ("cam-1.ts", 1.0),
        ("cam.m3u8", 30.0),
        ("camera-1.ts", 1.0),
        ("cam-1.txt", 1.0),
        ("other-1.ts", 1.0),
    ):
        (tmp_path / file).write_bytes(b"x")
        os.utime(tmp_path / file, (now - age_s, now - age_s))
    (tmp_path / "cam").mkdir()
    (tmp_path / "cam" / "7.m4s").write_bytes(b"x")
    assert purged(tmp_path, "cam", now - 5) == 3
    assert files_in(tmp_path) == {"cam-0.ts", "camera-1.ts", "cam-1.txt", "other-1.ts"}


@pytest.mark.parametrize("name", ["../x", "", "..", "/etc", "a/../../x", "x\0"])
def test_no_name_of_a_stream_leads_out_of_the_folder(tmp_path, name):
    (tmp_path / "x-1.ts").write_bytes(b"x")
    (tmp_path / "hls" / "a").mkdir(parents=True)
    for folder in (SegmentFolder(tmp_path / "hls"), SegmentFolder(tmp_path / "hls", re.compile("[0-9]+"))):
        assert folder.purge(Channel("main", "live", name), 0.0) == 0
    assert files_in(tmp_path) == {"x-1.ts"}


def files_in(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


STREAMS = ("cam", "cam-1", "cam_1", "cam.1", "cam-1-2", "cam-", "ca", "camera", "cam-low")
NAMINGS = ["{name}-{number}.ts", "{name}/{number}.ts", "{name}-{number}.m4v", "{name}_{number}.mp4"]


@pytest.mark.parametrize("naming", [*NAMINGS, "live/{name}-{number}.ts", "live/{name}/{number}.ts"])
def test_the_purge_of_a_stream_removes_nothing_of_another_whose_name_begins_or_ends_as_its_own(tmp_path, naming):
    owners = written(tmp_path, naming, STREAMS)
    for name in STREAMS:
        for file in owners:
            (tmp_path / file).write_bytes(b"x")
        purged(tmp_path, name, time.time() - 600, STREAMS)
        assert files_in(tmp_path) == {file for file, owner in owners.items() if owner != name}


@pytest.mark.parametrize("naming", ["{name}-{number}.ts", "{name}/{number}.ts", "{name}-{number}.m4v"])
def test_of_nginx_a_purge_spares_even_streams_that_nobody_watches(tmp_path, naming):
    """Its names can be read in one way only: NAME-NUMBER, and NAME/NUMBER where they are nested."""
    owners = written(tmp_path, naming, STREAMS)
    server = door("nginx-rtmp", segments=tmp_path).server
    for name in STREAMS:
        for file in owners:
            (tmp_path / file).write_bytes(b"x")
        assert server.purge(Channel("main", "live", name), time.time() - 600) == list(owners.values()).count(name)
        assert files_in(tmp_path) == {file for file, owner in owners.items() if owner != name}


def written(folder: Path, naming: str, names: Sequence[str]) -> dict[str, str]:
    """Which stream each file of the folder is of."""
    owners: dict[str, str] = {}
    for name in names:
        place = naming.partition("{name}")[0]
        nested = (f"{place}{name}/index.m3u8",) if "{name}/" in naming else ()
        lists = (f"{place}{name}.m3u8", f"{place}{name}.mpd", *nested)
        for file in (*lists, *(naming.format(name=name, number=number) for number in range(16))):
            (folder / file).parent.mkdir(exist_ok=True, parents=True)
            assert file not in owners
            owners[file] = name
    return owners


def test_what_a_server_may_have_called_after_another_stream_is_removed_where_nobody_knows_of_that(tmp_path):
    """Nothing that was not cleared may be left; what was written before stays."""
    for file, age_s in (("cam-1-7.ts", 1.0), ("cam-1.m3u8", 1.0), ("cam-1-6.ts", 60.0), ("camera-1.ts", 1.0)):
        (tmp_path / file).write_bytes(b"x")
        os.utime(tmp_path / file, (time.time() - age_s,) * 2)
    assert purged(tmp_path, "cam", time.time() - 5) == 2
    assert files_in(tmp_path) == {"cam-1-6.ts", "camera-1.ts"}


def test_whoever_calls_a_stream_as_an_application_has_nothing_of_its_streams_removed(tmp_path):
    for file in ("live/cam-1.ts", "live/cam/2.ts", "live/3.ts"):
        (tmp_path / file).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / file).write_bytes(b"x")
    purged(tmp_path, "live", 0.0, ["cam"], app="x")
    assert files_in(tmp_path) == {"live/cam-1.ts", "live/cam/2.ts"}
    door("nginx-rtmp", segments=tmp_path).server.purge(Channel("main", "x", "live"), 0.0)
    assert files_in(tmp_path) == {"live/cam-1.ts", "live/cam/2.ts"}


def test_what_a_stream_s_own_play_lists_name_is_removed_whatever_else_is_called_so(tmp_path):
    """Renditions, names that no rule knows, and a stream that somebody gave the name of the next piece."""
    files = {
        "cam.m3u8": "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\ncam_low.m3u8\n",
        "cam_low.m3u8": '#EXTM3U\n#EXT-X-MAP:URI="first.mp4"\n#EXTINF:2.0,\n/hls/cam_low-1.ts?x=1\n'
        "#EXTINF:2.0,\ncam7.ts\n#EXTINF:2.0,\ncam-17-3.ts\ncam.m3u8\n",
        "cam_low-1.ts": "",
        "cam-17-3.ts": "",
        "cam7.ts": "",
        "first.mp4": "",
        "cam7.m3u8": "",
        "cam8.ts": "",
        "cam-17.m3u8": "cam-17-4.ts",
        "cam-17-4.ts": "",
    }
    for file, content in files.items():
        (tmp_path / file).write_text(content)
    purged(tmp_path, "cam", time.time() - 600, ["cam-17", "cam_low"])
    assert files_in(tmp_path) == {"cam7.m3u8", "cam8.ts", "cam-17.m3u8", "cam-17-4.ts"}


def test_play_lists_are_followed_into_folders_and_not_out_of_the_servers_own(tmp_path):
    """As Owncast writes its renditions: stream.m3u8, 0/stream.m3u8, 0/stream-x-1.ts."""
    files = {
        "kept.ts": "",
        "hls/stream.m3u8": "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n0/stream.m3u8\nhttps://cdn.example.org/hls/1/a.m3u8\n"
        "../kept.ts\n1/../../kept.ts\n",
        "hls/0/stream.m3u8": "#EXTINF:2.0,\nstream-x-1.ts\n../2/b%20c.ts\n",
        "hls/0/stream-x-1.ts": "",
        "hls/2/b c.ts": "",
        "hls/1/a.m3u8": '#EXT-X-PART:DURATION=0.3,URI="p.mp4"',
        "hls/1/p.mp4": "",
        "hls/1/of-another.ts": "",
    }
    for file, content in files.items():
        (tmp_path / file).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / file).write_text(content)
    purged(tmp_path / "hls", "stream", time.time() - 600, app="hls")
    assert files_in(tmp_path) == {"kept.ts", "hls/1/of-another.ts"}


def test_a_play_list_of_a_stream_that_ended_before_is_kept_with_its_pieces(tmp_path):
    for file in ("cam-1.m3u8", "cam-1-7.ts"):
        (tmp_path / file).write_bytes(b"x")
        os.utime(tmp_path / file, (time.time() - 60,) * 2)
    assert purged(tmp_path, "cam", time.time() - 5) == 0


# --- who may ask


@pytest.fixture
def asking() -> Iterator[Callable[..., tuple[int, Asked]]]:
    """What an address is answered that posts a hook, and what the gate was asked."""

    def ask(
        address: str,
        options: HookOptions,
        query: str = "",
        body: bytes = FORM,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, Asked]:
        gate = Asked()
        streams = cast(Streams, SimpleNamespace(gate=gate))
        app = hook_application(streams, {"main": door("nginx-rtmp")}, options, lambda: b"")
        client = TestClient(app, client=(address, 50_000))
        return client.post(f"/main/{query}", content=body, headers=headers).status_code, gate

    yield ask


FORM = b"app=live&addr=192.0.2.1&clientid=7&call=publish&name=cam"
APART = HookOptions(host="0.0.0.0", allow=("10.0.0.0/8",), secret=Secret("env:MEDIA_SECRET"))


@pytest.mark.parametrize(
    ("address", "query", "answered"),
    [
        ("127.0.0.1", f"?secret={SECRET}", 200),
        ("10.1.2.3", f"?secret={SECRET}", 200),
        ("::ffff:10.1.2.3", f"?secret={SECRET}", 200),
        ("10.1.2.3", "", 403),
        ("10.1.2.3", "?secret=other", 403),
        ("10.1.2.3", f"?secret=other&secret={SECRET}x", 403),
        ("192.0.2.1", f"?secret={SECRET}", 403),
        ("::ffff:192.0.2.1", f"?secret={SECRET}", 403),
        ("fe80::1%eth0", f"?secret={SECRET}", 403),
    ],
)
def test_only_media_servers_that_are_named_are_answered(asking, address, query, answered):
    claims = dict.fromkeys(("X-Forwarded-For", "X-Real-IP"), "127.0.0.1") | {"Forwarded": "for=127.0.0.1"}
    status, gate = asking(address, APART, query, headers=claims)
    assert (status, len(gate.admitted)) == (answered, int(answered == 200))


@pytest.mark.parametrize(
    ("body", "answered"),
    [(b"", 400), (b"\xff\xfe", 400), (FORM + b"&call=done", 400), (FORM + b"&x=" + b"y" * 70_000, 413)],
)
def test_a_hook_that_cannot_be_read_is_refused_by_its_status(asking, body, answered):
    status, gate = asking("127.0.0.1", HookOptions(), body=body)
    assert (status, gate.admitted) == (answered, [])


def test_the_gate_believes_no_header_about_who_asks():
    """uvicorn would put what a proxy claims in the place of who is connected."""
    streams = cast(Streams, SimpleNamespace(gate=Asked()))
    running = Open(streams, {"main": door("nginx-rtmp")})
    assert not hook_server(running, HookOptions()).config.proxy_headers
