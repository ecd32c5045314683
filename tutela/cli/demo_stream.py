"""`tutela demo stream`: a benign film with a listed picture in it is pushed to nginx-rtmp, and cut.

Needs nginx with its RTMP module and the extra `video`; everything else is drawn and encoded here.
"""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from tutela.cli.demo import draw_scene, encoded
from tutela.cli.output import out
from tutela.cli.screening import samples_of
from tutela.content.media.content import Mode
from tutela.deployment.casework import opened_casework
from tutela.deployment.installation import Plan, install, keys_beside
from tutela.deployment.settings import Settings
from tutela.errors import ConflictError, InputError, TutelaError
from tutela.foundation.home import database_url
from tutela.foundation.store.database import Store
from tutela.lists.banks.model import Action, NewEntry, Policy
from tutela.screening.streams.model import StreamFacts, StreamState
from tutela.screening.streams.records import StreamRecords

_BANK = "demo-known"
_SIZE, _RATE, _GROUP = (1280, 720), 30, 60
_LISTED, _LISTED_AT_S, _LENGTH_S = 3, 5, 12
_MODULES = ("/usr/lib/nginx/modules", "/usr/lib64/nginx/modules", "/usr/share/nginx/modules")
_START_S = 120.0
_NEEDS = "this needs nginx with its RTMP module; on Debian and Ubuntu: apt-get install nginx-light libnginx-mod-rtmp"


def run(given: Settings) -> int:
    """Do it all. Returns the exit code: 0 where the stream was cut. Raises InputError where a program is missing."""
    nginx, module = _programs()
    home = given.home.absolute()
    settings = install(Plan(home, keys_beside(home), database=given.database)).settings
    folder = home / "demo-stream"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    _list_picture(settings)
    film = _film(folder / "film.mkv")
    ports = [_free_port() for _ in range(3)]
    with _nginx(nginx, module, folder, *ports), _watching(settings, folder, *ports):
        out.print(f"a film is pushed to rtmp://127.0.0.1:{ports[0]}/live/demo; its listed picture comes in second 5")
        began = time.time()
        pushed = subprocess.run(  # noqa: S603
            [sys.executable, "-m", "tutela.cli.demo_publisher", str(film), f"rtmp://127.0.0.1:{ports[0]}/live/demo"],
            capture_output=True,
            text=True,
            check=False,
        )
        sent = json.loads(pushed.stdout or "{}")
        return _told(settings, began, sent)


def _told(settings: Settings, began: float, sent: dict[str, float]) -> int:
    store = Store.open(database_url(settings.home, settings.database_text))
    try:
        records = StreamRecords(store)
        facts = _ended(records, began)
        for event in records.time_line(facts.id):
            detail = "  ".join(f"{name}={value}" for name, value in event.detail.items() if value not in ("", None))
            out.print(f"  {event.at - facts.since:6.2f} s  {event.kind:9} {detail}", highlight=False)
    finally:
        store.close()
    if facts.state is not StreamState.CUT:
        out.print(f"the stream was not cut: it is {facts.state.value} ({facts.why})")
        return 1
    if "listed" in sent:
        out.print(f"cut {sent['ended'] - sent['listed']:.2f} s after the listed picture was sent", highlight=False)
    with opened_casework(settings.home, settings.database_text, settings.casework) as casework:
        item = casework.cases.of_verdict(facts.verdict or "")
    if item is not None:
        out.print(f"its last seconds are sealed, in case {item.case_id}: tutela case show {item.case_id[:8]}")
    return 0


def _ended(records: StreamRecords, began: float) -> StreamFacts:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        for facts in records.all(live=False, limit=5):
            kinds = {event.kind for event in records.time_line(facts.id)}
            if facts.since >= began - 1 and (facts.state is not StreamState.CUT or "sealed" in kinds):
                return facts
        time.sleep(0.1)
    raise TutelaError("the stream did not end; see demo-stream/watch.log in the home")


def _programs() -> tuple[str, Path]:
    """nginx and its module. Raises InputError."""
    nginx = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    modules = [Path(folder) / "ngx_rtmp_module.so" for folder in _MODULES]
    module = next((path for path in modules if path.exists()), None)
    if nginx is None or module is None:
        raise InputError(_NEEDS)
    return nginx, module


def _list_picture(settings: Settings) -> None:
    with replace(settings, decoders=1).open() as deployment:
        with contextlib.suppress(ConflictError):
            deployment.banks.create(
                _BANK,
                description="Benign pictures that stand for known ones",
                policy=Policy(Action.BLOCK),
                actor="demo",
            )
        picture = encoded(draw_scene(_LISTED, _SIZE), "PNG")
        found, _ = samples_of(picture, deployment.pool, deployment.screener.limits, Mode.EXACT, ["pdq"])
        entries = [NewEntry(sample.signal, sample.value, "demo", "a frame") for sample in found]
        deployment.banks.add(_BANK, entries, actor="demo")


def _film(path: Path) -> Path:
    """Some drawn scenes, and from the fifth second on the listed one."""
    import av

    scenes = [np.asarray(draw_scene(seed, _SIZE)) for seed in (11, 12, 13, 14, 15, _LISTED)]
    with av.open(str(path), "w", format="matroska") as output:
        stream = output.add_stream("libx264", rate=_RATE)
        stream.width, stream.height = _SIZE
        stream.pix_fmt = "yuv420p"
        stream.gop_size = _GROUP
        stream.options = {"preset": "ultrafast", "tune": "zerolatency"}
        for number in range(_LENGTH_S * _RATE):
            frame = av.VideoFrame.from_ndarray(scenes[min(number // _RATE, _LISTED_AT_S)], "rgb24")
            frame.pts, frame.time_base = number, Fraction(1, _RATE)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


@contextlib.contextmanager
def _nginx(nginx: str, module: Path, folder: Path, rtmp: int, control: int, gate: int) -> Iterator[None]:
    hooks = f"http://127.0.0.1:{gate}/demo/"
    calls = " ".join(f"on_{name} {hooks};" for name in ("publish", "play", "update", "publish_done", "play_done"))
    (folder / "nginx.conf").write_text(f"""
load_module {module};
daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/nginx.log warn;
events {{ worker_connections 64; }}
rtmp {{ server {{ listen 127.0.0.1:{rtmp};
  application live {{ live on; sync 10ms; {calls} notify_method post;
    notify_update_timeout 1s; notify_update_strict on; }} }} }}
http {{ access_log off; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{ listen 127.0.0.1:{control};
    location /control {{ rtmp_control all; }} location /stat {{ rtmp_stat all; }} }} }}
""")
    with (folder / "nginx.out").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603
            [nginx, "-p", str(folder), "-c", str(folder / "nginx.conf")], stdout=log, stderr=log
        )
    try:
        _wait_for(rtmp, process, folder / "nginx.out")
        yield
    finally:
        process.terminate()
        process.wait()


@contextlib.contextmanager
def _watching(settings: Settings, folder: Path, rtmp: int, control: int, gate: int) -> Iterator[None]:
    own = settings.file.read_text() if settings.file is not None else ""
    config = settings.home.absolute() / "demo-stream.toml"  # beside the operator's, whose paths it repeats
    config.write_text(f"""{own}
[media_servers.demo]
kind = "nginx-rtmp"
address = "rtmp://127.0.0.1:{rtmp}"
control = "http://127.0.0.1:{control}"
""")
    chosen = {
        "TUTELA_CONFIG": str(config),
        "TUTELA_STREAM_HOOKS__PORT": str(gate),
        "TUTELA_STREAMS__REFUSED_MINUTES": "0.05",
    }
    arguments = ["-m", "tutela", "--home", str(settings.home.absolute()), "stream", "serve"]
    with (folder / "watch.log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603
            [sys.executable, *arguments],
            env=os.environ | settings.environment(1) | chosen,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        _wait_for(gate, process, folder / "watch.log")
        yield
    finally:
        process.terminate()
        process.wait()


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.1)
    raise TutelaError("what the demonstration needs did not start; see {log}", log=log)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
