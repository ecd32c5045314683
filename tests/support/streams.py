"""Live streams for the tests: a real nginx with its RTMP module, publishers that are pushed by PyAV in real time, and a
watching process's parts around them."""

import contextlib
import dataclasses
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import av
import httpx
import numpy as np
import pytest
import uvicorn
from av.video.frame import PictureType

from tests.support.preloaded import start_tutela
from tests.support.service import free_port, is_up
from tests.support.videos import Pictures
from tests.support.waiting import PATIENCE_S, wait_until
from tutela.cli.demo import draw_scene, encoded
from tutela.cli.screening import samples_of
from tutela.content.media.content import Mode
from tutela.deployment.composition import Deployment
from tutela.gateways.streams.base import Door
from tutela.gateways.streams.options import HookOptions
from tutela.gateways.streams.process import Open, hook_server, opened
from tutela.lists.banks.model import Action, NewEntry, Policy
from tutela.screening.streams.examiner import Examiner
from tutela.screening.streams.model import LIVE, Channel, Publication, StreamState
from tutela.screening.streams.options import StreamOptions
from tutela.screening.streams.records import StreamRecords
from tutela.screening.streams.watch import Watch

MODULE = Path("/usr/lib/nginx/modules/ngx_rtmp_module.so")
PEERS = Path(__file__).parents[2] / ".peers"
RATE = 30


class Publisher:
    """A process that pushes a file in real time."""

    def __init__(self, file: Path, url: str, form: str = "flv", module: str = "stream_publisher") -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", f"tests.support.{module}", str(file), url, form],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=Path(__file__).parents[2],
        )
        self.sent_at: dict[int, float] = {}
        """When the sending of each frame began, on the monotonic clock."""
        self.ended_at: float | None = None
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            number, at = line.split()
            if number == "end":
                self.ended_at = float(at)
            else:
                self.sent_at[int(number)] = float(at)

    def wait(self) -> "Publisher":
        """Until it has ended."""
        self._process.wait(PATIENCE_S)
        self._thread.join()
        return self

    @property
    def refused(self) -> bool:
        """Whether the server did not let it in."""
        return self._process.wait(PATIENCE_S) == 1

    @property
    def broken(self) -> bool:
        """Whether the server ended its connection."""
        return self._process.wait(PATIENCE_S) == 2

    @property
    def ended(self) -> bool:
        """Whether it has ended."""
        return self._process.poll() is not None

    def stop(self) -> None:
        """End it."""
        self._process.kill()
        self.wait()


def film(
    path: Path,
    frames: Sequence[Pictures],
    key_frames: Sequence[int] = (),
    *,
    rate: int = RATE,
    options: dict[str, str] | None = None,
) -> Path:
    """A file of H.264 whose key frames are the first and those that are named; none comes out of order."""
    with av.open(str(path), "w", format="matroska") as output:
        stream = output.add_stream("libx264", rate=rate)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        stream.gop_size = 10_000
        chosen: dict[str, str] = {"preset": "ultrafast", "tune": "zerolatency", "sc_threshold": "0", "forced-idr": "1"}
        stream.options = {**chosen, **(options or {})}
        wanted = {0, *key_frames}
        for number, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), "rgb24")
            frame.pts, frame.time_base = number, Fraction(1, rate)
            frame.pict_type = PictureType.I if number in wanted else PictureType.NONE
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


class NginxRtmp:
    """A real nginx with its RTMP module in a folder."""

    def __init__(
        self, folder: Path, hooks: str, *, application: str = "", ports: tuple[int, int] | None = None
    ) -> None:
        if not MODULE.exists() or (nginx := shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")) is None:
            pytest.skip("nginx or its RTMP module (libnginx-mod-rtmp) is not installed")
        self.folder, (self.port, self.http_port) = folder, ports or (free_port(), free_port())
        self.hls = folder / "hls"
        self.hls.mkdir(parents=True)
        self.hls.chmod(0o777)
        folder.chmod(0o755)
        lines = "".join(
            f"on_{name} {hooks};" for name in ("publish", "play", "update", "publish_done", "play_done", "done")
        )
        (folder / "nginx.conf").write_text(f"""
load_module {MODULE};
daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log warn;
events {{ worker_connections 512; }}
rtmp {{ server {{ listen 127.0.0.1:{self.port};
  application live {{ live on; sync 10ms; wait_key off; {lines}
    notify_method post; notify_update_timeout 1s; notify_update_strict on;
    hls on; hls_path {self.hls}; hls_fragment 1s; hls_playlist_length 30s; hls_cleanup off; {application} }} }} }}
http {{ access_log off; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{ listen 127.0.0.1:{self.http_port};
    location /control {{ rtmp_control all; }} location /stat {{ rtmp_stat all; }}
    location /hls/ {{ auth_request /gate; alias {self.hls}/; }}
    location = /gate {{ internal; proxy_pass {hooks}segment?app=live; proxy_pass_request_body off;
      proxy_set_header Content-Length ""; proxy_set_header X-Original-URI $request_uri; }} }} }}
""")
        self.log = (folder / "out.log").open("ab")
        self.process = subprocess.Popen(
            [nginx, "-p", str(folder), "-c", str(folder / "nginx.conf")], stdout=self.log, stderr=self.log
        )
        wait_until(self._listens, "nginx listens")

    def _listens(self) -> bool:
        assert self.process.poll() is None, (self.folder / "out.log").read_text() + self._errors()
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            return True
        return False

    def _errors(self) -> str:
        path = self.folder / "error.log"
        return path.read_text()[-2000:] if path.exists() else ""

    def url(self, name: str, query: str = "") -> str:
        return f"rtmp://127.0.0.1:{self.port}/live/{name}{query}"

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(PATIENCE_S)
        self.log.close()


@contextlib.contextmanager
def watching(
    deployment: Deployment, doors: dict[str, Door], port: int, options: StreamOptions | None = None
) -> Iterator[Open]:
    """Streams that are watched, with the gate listening at that port."""
    with opened(deployment, options or StreamOptions(), doors) as running:
        server = hook_server(running, HookOptions(port=port))
        thread = threading.Thread(target=_serve, args=(server,), daemon=True)
        thread.start()
        wait_until(lambda: server.started, "the gate listens")
        try:
            yield running
        finally:
            server.should_exit = True
            thread.join(PATIENCE_S)


def _serve(server: uvicorn.Server) -> None:
    import asyncio

    asyncio.run(server.serve())


class NodeMediaServer:
    """A real node-media-server in a folder."""

    PASSWORD = "a-password-of-the-tests"

    def __init__(self, folder: Path, hooks: str, *, ports: tuple[int, int] | None = None) -> None:
        program = PEERS / "node" / "node_modules" / "node-media-server" / "bin" / "app.js"
        node = shutil.which("node")
        if node is None or not program.exists():
            pytest.skip("node-media-server is not installed: run .ci/peers")
        self.port, self.http_port = ports or (free_port(), free_port())
        user = {"username": "admin", "password": self.PASSWORD, "role": "admin"}
        settings = {
            "bind": "127.0.0.1",
            "notify": {"url": hooks},
            "store": {"path": str(folder / "data")},
            "auth": {"play": False, "publish": False, "secret": "", "jwt": {"secret": "s" * 40, "users": [user]}},
            "rtmp": {"port": self.port},
            "http": {"port": self.http_port},
            "record": {"auto": False, "path": str(folder / "record")},
        }
        (folder / "config.json").write_text(json.dumps(settings))
        self.log = (folder / "out.log").open("ab")
        self.process = subprocess.Popen(
            [node, str(program), "-c", str(folder / "config.json"), "--no-admin"],
            stdout=self.log,
            stderr=self.log,
            cwd=folder,
        )
        wait_until(self._listens, "node-media-server listens")

    def _listens(self) -> bool:
        assert self.process.poll() is None, Path(self.log.name).read_text()
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            return True
        return False

    def url(self, name: str, query: str = "") -> str:
        return f"rtmp://127.0.0.1:{self.port}/live/{name}{query}"

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()
        self.log.close()


class JanusServer:
    """A real Janus in a folder, with one room that only tokens open, and events that go to a gate."""

    ROOM, SECRET = 1234, "a-secret-of-the-tests"
    _PLUGINS = Path("/usr/lib/x86_64-linux-gnu/janus")
    _OTHER_WAYS = ("pfunix", "websockets", "rabbitmq", "mqtt", "nanomsg")

    def __init__(self, folder: Path, hooks: str) -> None:
        program = shutil.which("janus")
        if program is None or not (self._PLUGINS / "plugins").is_dir():
            pytest.skip("Janus is not installed: run .ci/peers")
        folder.mkdir()
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/janus"
        settings = {
            "janus.jcfg": f"""general: {{
  configs_folder = "{folder}"; plugins_folder = "{self._PLUGINS}/plugins"
  transports_folder = "{self._PLUGINS}/transports"; events_folder = "{self._PLUGINS}/events"
  loggers_folder = "{self._PLUGINS}/loggers"; debug_level = 4
  api_secret = "{self.SECRET}"; admin_secret = "{self.SECRET}"
}}
media: {{ rtp_port_range = "32100-32600" }}
transports: {{ disable = "{",".join(f"libjanus_{name}.so" for name in self._OTHER_WAYS)}" }}
events: {{ broadcast = true }}
""",
            "janus.transport.http.jcfg": f"""general: {{
  json = "compact"; base_path = "/janus"; http = true; port = {self.port}; ip = "127.0.0.1"; https = false }}
admin: {{ admin_http = false; admin_https = false }}
""",
            "janus.eventhandler.sampleevh.jcfg": f"""general: {{
  enabled = true; events = "plugins"; grouping = true; json = "compact"; backend = "{hooks}" }}
""",
            "janus.plugin.videoroom.jcfg": f"""general: {{ events = true }}
room-{self.ROOM}: {{
  description = "a room"; secret = "{self.SECRET}"; publishers = 6; bitrate = 1000000
  fir_freq = 2; videocodec = "h264" }}
""",
        }
        for name, text in settings.items():
            (folder / name).write_text(text)
        self.log = (folder / "out.log").open("ab")
        self.process = subprocess.Popen(
            [program, "-F", str(folder), "-C", str(folder / "janus.jcfg"), "-e"],
            stdout=self.log,
            stderr=self.log,
            cwd=folder,
        )
        wait_until(self._listens, "Janus listens")
        self.told({"request": "allowed", "action": "enable"})

    def _listens(self) -> bool:
        assert self.process.poll() is None, Path(self.log.name).read_text()[-3000:]
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            return True
        return False

    def told(self, body: dict[str, object]) -> dict[str, object]:
        """What the VideoRoom plug-in answers its platform about the room."""
        session = self._ask(self.url, janus="create")["data"]["id"]
        handle = self._ask(f"{self.url}/{session}", janus="attach", plugin="janus.plugin.videoroom")["data"]["id"]
        about = {"room": self.ROOM, "secret": self.SECRET, **body}
        answer = self._ask(f"{self.url}/{session}/{handle}", janus="message", body=about)["plugindata"]["data"]
        assert "error" not in answer, answer
        found: dict[str, object] = answer
        return found

    def publishers(self) -> list[int]:
        """Who is publishing."""
        people = cast(list[dict[str, int]], self.told({"request": "listparticipants"})["participants"])
        return [person["id"] for person in people if person["publisher"]]

    def _ask(self, place: str, **document: object) -> dict[str, Any]:
        asked = {"transaction": uuid.uuid4().hex, "apisecret": self.SECRET, **document}
        answer: dict[str, Any] = httpx.post(place, json=asked, timeout=PATIENCE_S).json()
        assert answer["janus"] == "success", answer
        return answer

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()
        self.log.close()


def list_scene(opened: Deployment, seed: int, size: tuple[int, int]) -> None:
    """Have a drawn scene in a bank that blocks."""
    picture = encoded(draw_scene(seed, size), "PNG")
    (sample,), _ = samples_of(picture, opened.pool, opened.screener.limits, Mode.EXACT, ["pdq"])
    opened.banks.create("known", policy=Policy(Action.BLOCK), actor="test")
    opened.banks.add("known", [NewEntry("pdq", sample.value, "operator", "x")], actor="test")
    opened.refresh()


def put_down(
    records: StreamRecords,
    name: str,
    state: StreamState = StreamState.RUNNING,
    *,
    why: str = "",
    refused_s: float = 0.0,
    server: str = "main",
) -> str:
    """Write down a stream that stands so; its id."""
    examiner = cast(Examiner, None)  # nothing is examined
    watch = Watch(
        uuid.uuid4().hex,
        Publication(Channel(server, "live", name), f"member-{name}"),
        "token",
        examiner,
        StreamOptions(),
        lambda *_: None,
        lambda *_: None,
    )
    records.admitted(watch)
    watch.cleared_at = watch.admitted_at
    watch.close(state, why)
    if state in LIVE:
        records.snapshot([watch])
        records.event(watch.id, state.value, {"why": why})
    else:
        facts = watch.facts()
        until = time.time() + refused_s if refused_s else None
        records.ended(dataclasses.replace(facts, refused_until=until))
    return watch.id


class Serving:
    """`tutela stream serve` as a process, with one media server's table in its settings."""

    def __init__(self, home: Path, recipient: str, media_server: str) -> None:
        self.home, self.port = home, free_port()
        self.config = home.parent / "tutela.toml"
        self.config.write_text(f"""
[evidence]
recipients = ["{recipient}"]
[stream_hooks]
port = {self.port}
[streams]
refused_minutes = 60
second_hit_s = 3
[media_servers.main]
{media_server}
""")
        self.log = (home.parent / "serve.log").open("ab")
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Return when it answers."""
        self.begin()
        wait_until(self._answers, "it watches")

    def begin(self) -> None:
        """Start it, and wait for nothing."""
        self.process = start_tutela(
            ["--home", str(self.home), "stream", "serve"],
            env=os.environ | {"TUTELA_CONFIG": str(self.config), "TUTELA_DECODERS": "1"},
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=self.log,
            start_new_session=True,
        )

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, Path(self.log.name).read_text()[-3000:]
        return is_up(f"http://127.0.0.1:{self.port}/readyz")

    def kill_process(self) -> None:
        """Kill it alone."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def kill(self) -> None:
        """End it with everything that it started, as a machine does that loses its power."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None
