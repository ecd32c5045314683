"""Live streams with real media servers and publishers that push to them in real time: `make test-peers`."""

import contextlib
import io
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from io import BufferedIOBase
from pathlib import Path

import av
import httpx
import numpy as np
import pytest
from PIL import Image, ImageOps
from starlette.responses import Response

from tests.support.effort import effort
from tests.support.service import free_port, is_up
from tests.support.serving import serving
from tests.support.streams import (
    JanusServer,
    NginxRtmp,
    NodeMediaServer,
    Publisher,
    Serving,
    film,
    list_scene,
    watching,
)
from tests.support.videos import Pictures
from tests.support.waiting import wait_until
from tutela.casework.cases.options import EvidenceOptions
from tutela.casework.evidence.seal import ReviewKey, new_identity
from tutela.cli.demo import draw_scene
from tutela.deployment.casework import CaseworkOptions
from tutela.deployment.composition import Deployment, compose_deployment
from tutela.foundation.store.database import Store
from tutela.gateways.streams.base import Door, HttpServer, ServerOptions
from tutela.gateways.streams.janus import KIND as JANUS
from tutela.gateways.streams.janus import JanusOptions
from tutela.gateways.streams.nginx_rtmp import KIND, NginxRtmpOptions
from tutela.gateways.streams.node_media_server import KIND as NODE
from tutela.gateways.streams.node_media_server import NodeMediaServerOptions
from tutela.gateways.streams.process import Open
from tutela.screening.decision import Decision
from tutela.screening.streams.model import Channel, Publication, Running, StreamFacts, StreamState
from tutela.screening.streams.options import StreamOptions
from tutela.screening.streams.records import StreamRecords
from tutela.screening.streams.watch import Watch
from tutela.screening.verdict import Context

pytestmark = pytest.mark.peers

SIZE = (640, 360)
LISTED = 3
BENIGN = (11, 12, 13)
OPTIONS = StreamOptions(refused_minutes=0.01, second_hit_s=3.0)
Frames = list[Pictures]


def scene(seed: int) -> Pictures:
    return np.asarray(draw_scene(seed, SIZE))


def moving(seed: int, count: int, size: tuple[int, int] = SIZE) -> Frames:
    """A camera that wanders slowly over a drawn scene."""
    large = draw_scene(seed, (size[0] + 80, size[1] + 80))
    return [
        np.asarray(large.crop((i % 80, i // 2 % 80, i % 80 + size[0], i // 2 % 80 + size[1]))) for i in range(count)
    ]


@pytest.fixture(scope="module")
def key() -> tuple[str, str]:
    return new_identity()


@pytest.fixture(scope="module")
def deployment(tmp_path_factory, key) -> Iterator[Deployment]:
    options = CaseworkOptions(evidence=EvidenceOptions(recipients=(key[1],)))
    with compose_deployment(tmp_path_factory.mktemp("peers") / "home", decoders=2, casework=options) as opened:
        list_scene(opened, LISTED, SIZE)
        yield opened


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def nginx(tmp_path_factory, port) -> Iterator[NginxRtmp]:
    server = NginxRtmp(tmp_path_factory.mktemp("nginx"), f"http://127.0.0.1:{port}/main/")
    yield server
    server.stop()


@pytest.fixture(scope="module")
def running(deployment, nginx, port) -> Iterator[Open]:
    door = KIND.open(
        "main",
        NginxRtmpOptions(
            kind="nginx-rtmp",
            address=f"rtmp://127.0.0.1:{nginx.port}",
            control=f"http://127.0.0.1:{nginx.http_port}",
            segments=nginx.hls,
            publisher="user",
        ),
    )
    with watching(deployment, {"main": door}, port, OPTIONS) as streams:
        yield streams


_numbers = iter(range(10_000))


def pushed(running: Open, nginx: NginxRtmp, path: Path) -> tuple[Publisher, StreamFacts]:
    """A film that is pushed to its end or its cut, and what became of the stream."""
    name = f"s{next(_numbers)}"
    publisher = Publisher(path, nginx.url(name, f"?user=member-{name}")).wait()
    return publisher, ended(running, name)


def ended(running: Open, name: str) -> StreamFacts:
    found: list[StreamFacts] = []

    def is_over() -> bool:
        found[:] = [facts for facts in running.streams.records.all(live=False) if facts.channel.name == name]
        return bool(found) and (found[0].state is not StreamState.CUT or "sealed" in kinds(running, found[0].id))

    wait_until(is_over, "the stream has ended and what it led to is sealed")
    return found[0]


def kinds(running: Open, stream_id: str) -> list[str]:
    return [event.kind for event in running.streams.records.time_line(stream_id)]


def with_listed(at: int, length: int, total: int) -> Frames:
    """A moving film with the listed picture held from one frame on."""
    frames = moving(BENIGN[0], total)
    frames[at : at + length] = [scene(LISTED)] * length
    return frames


# --- how long it takes from a listed frame to the end of the publisher's connection


@pytest.mark.parametrize("offset", [0, 1, 30, 59])
def test_a_stream_is_cut_soon_after_a_listed_frame_wherever_it_is_between_key_frames(running, nginx, tmp_path, offset):
    """At once on a key frame; else with the next one at the latest, 2 s later."""
    at = 120 + offset
    path = film(tmp_path / "film.mkv", with_listed(at, 150, at + 150), range(0, 400, 60))
    for _ in range(effort(1, 20)):
        publisher, facts = pushed(running, nginx, path)
        assert publisher.broken
        assert facts.state is StreamState.CUT
        assert publisher.ended_at is not None
        after_s = publisher.ended_at - publisher.sent_at[at]
        print(f"cut {after_s:.3f} s after the listed frame, {offset} frames behind a key frame")
        assert after_s <= (0.5 if offset == 0 else 2.5)


def test_whoever_was_cut_is_refused_however_soon_they_come_back(deployment, tmp_path):
    """By the same connection's next attempt, under the same name and under another."""
    options = StreamOptions(refused_minutes=1.0)
    server, path = NginxRtmp(tmp_path / "nginx", f"http://127.0.0.1:{(gate := free_port())}/main/"), tmp_path / "f.mkv"
    film(path, with_listed(30, 60, 90), [0])
    told = NginxRtmpOptions(
        kind="nginx-rtmp",
        address=f"rtmp://127.0.0.1:{server.port}",
        control=f"http://127.0.0.1:{server.http_port}",
        publisher="user",
    )
    try:
        with watching(deployment, {"main": KIND.open("main", told)}, gate, options) as running:
            assert Publisher(path, server.url("cam", "?user=m")).broken
            for name in ("cam", "cam", "other"):
                assert Publisher(path, server.url(name, "?user=m")).refused
            assert not running.streams.watches.live()
    finally:
        server.stop()


@dataclass(frozen=True)
class Hidden:
    """A film whose sender keeps what is listed away from key frames."""

    frames: Callable[[], Frames]
    keys: range = range(0)
    first_listed: int = 60
    options: Mapping[str, str] = field(default_factory=dict)


HOSTILE = {
    "listed-only-between-key-frames": Hidden(
        lambda: [scene(BENIGN[0]) if n % 60 == 0 or n < 60 else scene(LISTED) for n in range(420)],
        range(0, 420, 60),
        first_listed=61,
    ),
    "black-key-frames": Hidden(
        lambda: [
            np.zeros((SIZE[1], SIZE[0], 3), np.uint8) if n % 60 == 0 else scene(BENIGN[0] if n < 60 else LISTED)
            for n in range(420)
        ],
        range(0, 420, 60),
        first_listed=61,
    ),
    "one-key-frame-in-30-s": Hidden(lambda: with_listed(60, 600, 660)),
    "intra-refresh": Hidden(
        lambda: with_listed(60, 360, 420), options={"intra-refresh": "1", "x264-params": "keyint=60"}
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_a_sender_hides_from_key_frames_is_found_all_the_same(running, nginx, tmp_path, name):
    hidden = HOSTILE[name]
    path = film(tmp_path / "film.mkv", hidden.frames(), hidden.keys, options=dict(hidden.options))
    for _ in range(effort(1, 20)):
        publisher, facts = pushed(running, nginx, path)
        assert facts.state is StreamState.CUT, name
        assert publisher.ended_at is not None
        after_s = publisher.ended_at - publisher.sent_at[hidden.first_listed]
        print(f"{name}: cut {after_s:.3f} s after the first listed frame")
        assert after_s <= 5.0


@pytest.mark.parametrize("frames", [90, 1])
def test_nobody_is_let_in_to_a_stream_that_begins_with_what_is_listed(running, nginx, tmp_path, frames):
    path = film(tmp_path / "film.mkv", with_listed(0, frames, 90), [0, 60])
    for _ in range(effort(2, 20)):
        name = f"s{next(_numbers)}"
        early = viewer(nginx.url(name))
        publisher = Publisher(path, nginx.url(name, f"?user=member-{name}"))
        others = [viewer(nginx.url(name)) for _ in range(2)]
        publisher.wait()
        facts = ended(running, name)
        assert facts.state is StreamState.CUT
        assert "cleared" not in kinds(running, facts.id)
        for each in (early, *others):
            assert seen(each) == 0


def viewer(url: str) -> "subprocess.Popen[bytes]":
    """A player, which says how many frames it was given."""
    code = (
        "import av, sys\n"
        "count = 0\n"
        "try:\n"
        "    with av.open(sys.argv[1], timeout=(8, 3), options={'probesize': '5000', 'analyzeduration': '1'}) as c:\n"
        "        for packet in c.demux(video=0):\n"
        "            count += packet.size > 0\n"
        "except av.error.FFmpegError:\n"
        "    pass\n"
        "print(count)\n"
    )
    return subprocess.Popen([sys.executable, "-c", code, url], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)


def seen(player: "subprocess.Popen[bytes]") -> int:
    said, _ = player.communicate(timeout=60)
    return int(said or b"0")


def test_a_viewer_of_a_clear_stream_is_let_in_and_sent_away_when_it_is_cut(running, nginx, tmp_path):
    path = film(tmp_path / "film.mkv", with_listed(360, 120, 480), range(0, 480, 60))
    name = f"s{next(_numbers)}"
    publisher = Publisher(path, nginx.url(name, f"?user=member-{name}"))
    channel = Channel("main", "live", name)
    wait_until(lambda: running.streams.gate.shows(channel), "a frame is cleared")
    player = viewer(nginx.url(name))
    publisher.wait()
    assert 10 < seen(player) < 380
    assert ended(running, name).state is StreamState.CUT


# --- publishers and viewers who try to get past the gate


@pytest.mark.parametrize("query", ["call=done", "call=publish_done", "name=other", "call=play", "app=x", "clientid=1"])
def test_no_parameter_of_an_address_gets_past_the_gate(running, nginx, tmp_path, query):
    """nginx writes the parameters of an address behind its own fields."""
    path = film(tmp_path / "film.mkv", moving(BENIGN[0], 240), range(0, 240, 60))
    name = f"s{next(_numbers)}"
    assert Publisher(path, nginx.url(name, f"?{query}")).refused
    publisher = Publisher(path, nginx.url(name, f"?user=member-{name}"))
    channel = Channel("main", "live", name)
    wait_until(lambda: running.streams.gate.shows(channel), "a frame is cleared")
    assert seen(viewer(nginx.url(name, f"?{query}"))) == 0
    publisher.wait()
    assert ended(running, name).state is StreamState.ENDED


def test_of_two_publishers_at_one_name_the_first_stays(running, nginx, tmp_path):
    path = film(tmp_path / "film.mkv", moving(BENIGN[0], 240), range(0, 240, 60))
    name = f"s{next(_numbers)}"
    first, _ = watched_publisher(running, nginx, path, name)
    assert Publisher(path, nginx.url(name, "?user=somebody-else")).refused
    assert not first.ended
    assert not first.wait().broken


def test_whoever_comes_back_at_once_is_watched_each_time(running, nginx, tmp_path):
    """The connection breaks off again and again; what is listed comes in the last."""
    path = film(tmp_path / "film.mkv", moving(BENIGN[0], 300), range(0, 300, 60))
    last = film(tmp_path / "last.mkv", [scene(LISTED)] * 120, range(0, 120, 60))
    name = f"s{next(_numbers)}"
    for number in range(4):
        publisher, _ = watched_publisher(running, nginx, path, name)
        time.sleep(0.3 * number)
        publisher.stop()
    publisher = Publisher(last, nginx.url(name, f"?user=member-{name}"))
    while publisher.refused:  # as encoders do, until the last watch is over
        publisher = Publisher(last, nginx.url(name, f"?user=member-{name}"))
    assert publisher.broken
    wait_until(
        lambda: any(facts.channel.name == name for facts in running.streams.records.all(live=False) if facts.verdict),
        "it is cut",
    )
    assert "cleared" not in kinds(running, ended(running, name).id)


def test_a_server_that_is_started_anew_in_mid_stream_ends_the_watch_and_begins_another(deployment, tmp_path):
    port, ports = free_port(), (free_port(), free_port())
    path = film(tmp_path / "film.mkv", moving(BENIGN[0], 900), range(0, 900, 60))
    options = NginxRtmpOptions(
        kind="nginx-rtmp",
        address=f"rtmp://127.0.0.1:{ports[0]}",
        control=f"http://127.0.0.1:{ports[1]}",
        publisher="user",
    )
    with watching(deployment, {"main": KIND.open("main", options)}, port, OPTIONS) as running:
        for number in range(2):
            server = NginxRtmp(tmp_path / f"nginx-{number}", f"http://127.0.0.1:{port}/main/", ports=ports)
            try:
                publisher, watch = watched_publisher(running, server, path, f"cam{number}")
            finally:
                server.stop()
            assert publisher.wait().broken
            facts = ended(running, f"cam{number}")
            assert facts.id == watch.id
            assert facts.state in (StreamState.ENDED, StreamState.DROPPED)
            assert (facts.unwatched_s, facts.refused_until) == (0.0, None)


# --- what is left


def test_after_a_cut_nothing_that_was_not_cleared_can_be_fetched_and_the_clip_opens_only_with_the_key(
    running, nginx, deployment, tmp_path, key
):
    path = film(tmp_path / "film.mkv", with_listed(240, 150, 390), range(0, 400, 60))
    name = f"s{next(_numbers)}"
    address = f"http://127.0.0.1:{nginx.http_port}/hls/{name}.m3u8"
    publisher = Publisher(path, nginx.url(name, f"?user=member-{name}"))
    wait_until(lambda: is_up(address) or publisher.ended, "segments can be fetched")
    publisher.wait()
    facts = ended(running, name)
    assert facts.state is StreamState.CUT
    server = running.streams.servers["main"]
    # nginx writes the last segment when it closes the stream; what is there then is removed.
    wait_until(lambda: all(each.channel.name != name for each in server.running()), "nginx closes the stream")
    wait_until(lambda: not (nginx.hls / f"{name}.m3u8").exists(), "its play list is removed")
    wait_until(lambda: not any(map(has_listed, nginx.hls.glob(f"{name}-*.ts"))), "nothing that is listed is left")
    assert httpx.get(address).status_code == 403
    for segment in nginx.hls.glob(f"{name}-*.ts"):
        assert httpx.get(f"http://127.0.0.1:{nginx.http_port}/hls/{segment.name}").status_code == 403
    item = deployment.casework.cases.of_verdict(facts.verdict or "")
    assert item is not None
    clip = deployment.casework.vault.content(item.evidence_id, ReviewKey(key[0]), actor="test", purpose="test")
    with av.open(io.BytesIO(clip), "r") as container:
        times = [float(frame.pts * frame.time_base) for frame in container.decode(video=0)]
    assert times[-1] - times[0] >= 6.0
    assert shows_listed(clip)
    # Nothing of it is anywhere in clear: neither the clip nor a piece of it.
    piece = clip[len(clip) // 2 : len(clip) // 2 + 64]
    for path in deployment.home.rglob("*"):
        assert not path.is_file() or piece not in path.read_bytes(), path


def has_listed(segment: Path) -> bool:
    try:
        return shows_listed(segment.read_bytes())
    except FileNotFoundError:
        return False


def shows_listed(content: bytes) -> bool:
    with av.open(io.BytesIO(content), "r") as container:
        return any(map(_is_listed, container.decode(video=0)))


def _is_listed(frame: av.VideoFrame) -> bool:
    return bool(np.abs(frame.to_ndarray(format="rgb24").astype(int) - scene(LISTED).astype(int)).mean() < 20)


# --- a whole volume is searched


@pytest.fixture
def volume(tmp_path) -> Iterator[tuple[Path, Path]]:
    """A file system of its own in a file, and where it is mounted; it is unmounted when the test says so, or at the
    end."""
    mkfs = shutil.which("mkfs.ext4", path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    image, mounted = tmp_path / "volume", tmp_path / "mounted"
    mounted.mkdir()
    with image.open("wb") as file:
        file.truncate(200 * 1024 * 1024)
    if mkfs is None or subprocess.run([mkfs, "-q", "-F", image], check=False).returncode:
        pytest.skip("no file system can be made here")
    if subprocess.run(["mount", "-o", "loop", image, mounted], capture_output=True, check=False).returncode:
        pytest.skip("no file system can be mounted here: this needs root and loop devices")
    yield image, mounted
    subprocess.run(["umount", mounted], capture_output=True, check=False)


def test_no_piece_of_a_cut_stream_is_anywhere_on_the_volume_but_sealed(volume, tmp_path, monkeypatch, key):
    """Home, logs and temporary files lie on it; every block is searched, those of removed files too."""
    image, mounted = volume
    (mounted / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(mounted / "tmp"))
    before_s = effort(8, 24)
    frames = moving(BENIGN[0], before_s * 30) + [scene(LISTED)] * 90
    path = film(tmp_path / "film.mkv", frames, range(0, len(frames), 60), options={"preset": "veryfast"})
    with compose_deployment(mounted / "home", decoders=1) as opened:
        list_scene(opened, LISTED, SIZE)
    ground = Ground(mounted / "home", key[1])
    with nginx_served(ground, tmp_path / "nginx") as (_, server):
        assert Publisher(path, server.url("cam", "?user=m1")).wait().broken
        with ground.records() as store:
            records = StreamRecords(store)
            wait_until(lambda: [one for one in records.all(live=False) if records.is_kept(one.id)], "it is sealed")
            (facts,) = records.all(live=False)
    options = CaseworkOptions(evidence=EvidenceOptions(recipients=(key[1],)))
    with compose_deployment(ground.home, decoders=1, casework=options) as opened:
        item = opened.casework.cases.of_verdict(facts.verdict or "")
        assert item is not None
        clip = opened.casework.vault.content(item.evidence_id, ReviewKey(key[0]), actor="test", purpose="test")
    with av.open(io.BytesIO(clip), "r") as container:
        listed = [_is_listed(frame) for frame in container.decode(video=0)]
    assert listed.index(True) >= 30 * min(20, before_s - 2), "it holds what came before the match"
    written = max(path.read_bytes() for path in ground.home.rglob("*") if path.is_file() and path.suffix != ".db")
    subprocess.run(["umount", mounted], check=True)
    everything = image.read_bytes()
    assert everything.find(written[:64]) >= 0, "what was written is found"
    pieces = [clip[at : at + 32] for at in range(188, len(clip) - 32, len(clip) // 200)]
    telling = [piece for piece in pieces if len(set(piece)) > 20]
    assert len(telling) > 100
    assert not [piece for piece in telling if piece in everything]


# --- altered copies


def bordered(picture: Image.Image) -> Image.Image:
    """With a border a fifth as wide as the picture on each side."""
    return ImageOps.expand(picture, border=(SIZE[0] // 5, SIZE[1] // 5), fill=(0, 0, 0)).resize(SIZE)


def inset(picture: Image.Image) -> Image.Image:
    """A quarter of the area of another picture."""
    ground = draw_scene(BENIGN[1], SIZE).copy()
    ground.paste(picture.resize((SIZE[0] // 2, SIZE[1] // 2)), (40, 60))
    return ground


@pytest.mark.parametrize(
    "change", [ImageOps.mirror, bordered, inset], ids=["mirrored", "bordered", "picture-in-picture"]
)
def test_altered_copies_are_cut_as_they_are_found_in_uploads(running, nginx, tmp_path, change):
    altered = np.asarray(change(draw_scene(LISTED, SIZE)).convert("RGB"))
    frames = moving(BENIGN[2], 120) + [altered] * 180
    path = film(tmp_path / "film.mkv", frames, range(0, 300, 60), options={"crf": "30"})
    for _ in range(effort(1, 20)):
        _, facts = pushed(running, nginx, path)
        assert facts.state is StreamState.CUT


def test_480p_at_400_kbit_a_second_is_cut(running, nginx, tmp_path):
    """Another size than what was listed, and as poor as what mobile encoders send."""
    size = (854, 480)
    frames = moving(BENIGN[2], 120, size) + [np.asarray(draw_scene(LISTED, SIZE).resize(size))] * 180
    rate = {"preset": "veryfast", "b": "400k", "maxrate": "400k", "bufsize": "400k"}
    path = film(tmp_path / "film.mkv", frames, range(0, 300, 60), options=rate)
    assert path.stat().st_size * 8 / 10 < 450_000
    for _ in range(effort(1, 20)):
        publisher, facts = pushed(running, nginx, path)
        assert (facts.state, publisher.broken) == (StreamState.CUT, True)
        assert publisher.ended_at is not None
        print(f"480p at 400 kbit/s: cut {publisher.ended_at - publisher.sent_at[120]:.3f} s after the listed frame")


def test_a_benign_stream_runs_to_its_end_and_is_seen_every_two_seconds(running, nginx, tmp_path):
    path = film(tmp_path / "film.mkv", moving(BENIGN[0], 150) + moving(BENIGN[1], 150), range(0, 300, 60))
    publisher, facts = pushed(running, nginx, path)
    assert not publisher.broken
    assert (facts.state, facts.pauses, facts.hits) == (StreamState.ENDED, 0, 0)
    assert facts.samples >= 5
    assert facts.unwatched_s == 0.0


# --- whatever dies


def is_alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def watched_publisher(running: Open, nginx: NginxRtmp, path: Path, name: str) -> tuple[Publisher, Watch]:
    """A publisher that viewers are let in to; it tries again where it is refused, as encoders do."""
    publisher = Publisher(path, nginx.url(name, f"?user=member-{name}"))
    channel = Channel("main", "live", name)

    def runs() -> bool:
        nonlocal publisher
        if publisher.ended:
            publisher = Publisher(path, nginx.url(name, f"?user=member-{name}"))
        return running.streams.gate.shows(channel)

    wait_until(runs, "it runs")
    watch = running.streams.watches.of(channel)
    assert watch is not None
    return publisher, watch


def test_whatever_is_killed_no_stream_goes_on_unwatched(running, nginx, tmp_path):
    """The receiver, the nursery of receivers, a decoding worker, or the worker that follows the stream."""
    path = film(tmp_path / "film.mkv", moving(BENIGN[0], 900), [])
    dice = random.Random(7)
    streams = running.streams
    for _ in range(effort(4, 100)):
        name = f"s{next(_numbers)}"
        publisher, watch = watched_publisher(running, nginx, path, name)
        channel = Channel("main", "live", name)
        time.sleep(dice.uniform(0.0, 3.0))
        candidates = {
            "receiver": watch.receiver_pid,
            "nursery": streams.nursery.pid,
            "worker": next(filter(is_alive, streams.examiner.pool.processes()), None),
            "follower": watch.follower_pid,
        }
        what = dice.choice([name for name, pid in candidates.items() if pid])
        os.kill(candidates[what] or 0, signal.SIGKILL)
        killed_at = time.monotonic()
        # Either it is watched on, each sample in its time, or its publisher is cut off.
        while time.monotonic() - killed_at < 5.0 and not publisher.ended:
            time.sleep(0.05)
        goes_on = not publisher.ended
        print(f"{what} killed: {'watched on' if goes_on else 'ended'}")
        assert not goes_on or streams.gate.goes_on(channel, "")
        publisher.stop()
        facts = ended(running, name)
        assert facts.unwatched_s <= 5.0


# --- the process that watches dies, with its gate, its index and all that it started


@dataclass(frozen=True)
class Ground:
    """A home that lists the picture, and a database that anybody may hold."""

    home: Path
    recipient: str

    @contextlib.contextmanager
    def database_held(self) -> Iterator[None]:
        connection = sqlite3.connect(self.home / "tutela.db", isolation_level=None)
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            connection.execute("ROLLBACK")
            connection.close()

    def records(self) -> contextlib.closing[Store]:
        return contextlib.closing(Store.open(f"sqlite:///{self.home / 'tutela.db'}"))


@pytest.fixture
def ground(tmp_path, key) -> Ground:
    home = tmp_path / "home"
    with compose_deployment(home, decoders=1) as opened:
        list_scene(opened, LISTED, SIZE)
    return Ground(home, key[1])


@contextlib.contextmanager
def nginx_served(ground: Ground, folder: Path | None = None) -> Iterator[tuple[Serving, NginxRtmp]]:
    folder = folder or ground.home.parent / "nginx"
    folder.mkdir()
    ports = {"rtmp": free_port(), "http": free_port()}
    serving = Serving(
        ground.home,
        ground.recipient,
        f"""kind = "nginx-rtmp"
address = "rtmp://127.0.0.1:{ports["rtmp"]}"
control = "http://127.0.0.1:{ports["http"]}"
publisher = "user"
""",
    )
    server = NginxRtmp(folder, f"http://127.0.0.1:{serving.port}/main/", ports=(ports["rtmp"], ports["http"]))
    try:
        serving.start()
        yield serving, server
    finally:
        serving.kill()
        serving.log.close()
        server.stop()


def is_clear(ground: Ground, name: str) -> bool:
    with ground.records() as store:
        live = StreamRecords(store).all()
    return any(facts.channel.name == name and facts.cleared_at for facts in live)


def test_when_the_process_that_watches_dies_its_streams_are_cut_off(ground, tmp_path):
    """Gate, watcher, workers, receivers and index at once, at any moment; the next process admits again."""
    path = film(tmp_path / "film.mkv", moving(BENIGN[0], 600), range(0, 600, 60))
    dice = random.Random(11)
    with nginx_served(ground) as (serving, server):
        for number in range(effort(2, 20)):
            publisher = Publisher(path, server.url(f"k{number}", f"?user=m{number}"))
            wait_until(partial(is_clear, ground, f"k{number}"), "it runs")
            time.sleep(dice.uniform(0.0, 2.0))
            serving.kill()
            killed_at = time.monotonic()
            publisher.wait()
            assert publisher.broken
            assert publisher.ended_at is not None
            after_s = publisher.ended_at - killed_at
            print(f"the watching process killed: cut off {after_s:.2f} s later")
            assert after_s <= 5.0
            serving.start()


def test_a_clip_that_was_sealed_while_the_database_was_away_is_brought_in_by_the_next_process(ground, tmp_path, key):
    path = film(tmp_path / "film.mkv", with_listed(120, 600, 720), range(0, 720, 60))
    with nginx_served(ground) as (serving, server):
        publisher = Publisher(path, server.url("away", "?user=m1"))
        wait_until(lambda: is_clear(ground, "away"), "it runs")
        with ground.database_held():
            assert publisher.wait().broken
            wait_until(lambda: list((ground.home / "streams").glob("*.sealed")), "its clip waits")
            serving.kill()
        serving.start()
        with ground.records() as store:
            records = StreamRecords(store)
            wait_until(lambda: records.all(live=False), "its end is written down")
            (facts,) = records.all(live=False)
            wait_until(lambda: records.is_kept(facts.id), "its clip is brought in")
            assert (facts.state, facts.why) == (StreamState.CUT, "certain-match")
            assert records.refused(Publication(Channel("main", "live", "other"), "m1"))
        serving.kill()
    options = CaseworkOptions(evidence=EvidenceOptions(recipients=(key[1],)))
    with compose_deployment(ground.home, decoders=1, casework=options) as opened:
        item = opened.casework.cases.of_verdict(facts.verdict or "")
        assert item is not None
        clip = opened.casework.vault.content(item.evidence_id, ReviewKey(key[0]), actor="test", purpose="test")
    assert shows_listed(clip)


@pytest.mark.parametrize("what", ["process", "machine"])
def test_what_runs_on_where_a_server_fails_open_is_ended(ground, tmp_path, monkeypatch, what):
    """node-media-server runs its streams on. A child that the process leaves ends them within seconds; where everything
    has died, the next process does, before anything else."""
    monkeypatch.setenv("NODE_MEDIA_PASSWORD", NodeMediaServer.PASSWORD)
    path = film(tmp_path / "film.mkv", moving(BENIGN[0], 1800), range(0, 1800, 60))
    ports = (free_port(), free_port())
    serving = Serving(
        ground.home,
        ground.recipient,
        f"""kind = "node-media-server"
address = "rtmp://127.0.0.1:{ports[0]}"
control = "http://127.0.0.1:{ports[1]}"
password = "env:NODE_MEDIA_PASSWORD"
""",
    )
    (tmp_path / "node").mkdir()
    server = NodeMediaServer(tmp_path / "node", f"http://127.0.0.1:{serving.port}/main/", ports=ports)
    try:
        serving.start()
        publisher = Publisher(path, server.url("cam"))
        wait_until(lambda: is_clear(ground, "cam"), "it runs")
        if what == "machine":
            serving.kill()
        else:
            serving.kill_process()
        killed_at = time.monotonic()
        if what == "machine":
            serving.begin()
        assert publisher.wait().broken
        assert publisher.ended_at is not None
        after_s = publisher.ended_at - killed_at
        print(f"node-media-server: ended {after_s:.2f} s after the watching {what} was killed")
        if what == "process":
            assert after_s <= 5.0
            again = Publisher(path, server.url("again")).wait()  # and so is who comes before the next process
            assert again.broken or again.refused
            serving.start()
            third = Publisher(path, server.url("third"))
            wait_until(lambda: is_clear(ground, "third") or third.ended, "it is watched again")
            third.stop()
    finally:
        serving.kill()
        server.stop()


# --- node-media-server, which fails open


@pytest.fixture
def node(tmp_path, monkeypatch) -> Iterator[tuple[NodeMediaServer, int]]:
    monkeypatch.setenv("NODE_MEDIA_PASSWORD", NodeMediaServer.PASSWORD)
    port = free_port()
    server = NodeMediaServer(tmp_path, f"http://127.0.0.1:{port}/node/")
    yield server, port
    server.stop()


def node_door(server: NodeMediaServer) -> Door:
    options = NodeMediaServerOptions(
        kind="node-media-server",
        address=f"rtmp://127.0.0.1:{server.port}",
        control=f"http://127.0.0.1:{server.http_port}",
        password="env:NODE_MEDIA_PASSWORD",
        publisher="user",
    )
    return NODE.open("node", options)


def test_node_media_server_is_cut_like_any_other_and_refuses_whoever_was(deployment, node, tmp_path):
    server, port = node
    path = film(tmp_path / "film.mkv", with_listed(120, 150, 270), range(0, 300, 60))
    options = StreamOptions(second_hit_s=3.0, reconcile_s=1.0)
    with watching(deployment, {"node": node_door(server)}, port, options) as running:
        publisher = Publisher(path, server.url("cam", "?user=m1")).wait()
        facts = ended(running, "cam")
        assert (facts.state, publisher.broken) == (StreamState.CUT, True)
        assert publisher.ended_at is not None
        after_s = publisher.ended_at - publisher.sent_at[120]
        print(f"node-media-server: cut {after_s:.3f} s after the listed frame")
        assert after_s <= 0.5
        again = Publisher(path, server.url("cam2", "?user=m1")).wait()
        assert not again.sent_at or max(again.sent_at) < 60, "it was sent away at once"


def test_a_stream_that_begins_while_no_hook_is_answered_is_found_and_ended(deployment, node, tmp_path):
    """The server runs on while its hooks are not answered; whatever runs unwatched is ended within five seconds."""
    server, _ = node
    path = film(tmp_path / "film.mkv", moving(BENIGN[0], 600), range(0, 600, 60))
    elsewhere = free_port()
    with watching(deployment, {"node": node_door(server)}, elsewhere, StreamOptions(reconcile_s=2.0)) as running:
        publisher = Publisher(path, server.url("early", "?user=m2")).wait()
        assert publisher.broken
        assert publisher.ended_at is not None
        ran_s = publisher.ended_at - publisher.sent_at[0]
        print(f"found and ended after {ran_s:.1f} s")
        assert ran_s < 5.0
        assert running.streams.totals().unknown == 1


# --- other ways in: SRT through ffmpeg, RTSP, HLS, and WHIP before nginx


class PulledSource(HttpServer):
    """A media server from which a stream can only be read: its publisher is a process."""

    def __init__(self, address: str) -> None:
        super().__init__("pulled", ServerOptions(kind="pulled", address=address))
        self.channel = Channel("pulled", "live", f"s{next(_numbers)}")
        self.publisher: subprocess.Popen[bytes] | None = None

    def cut(self, channel: Channel, session: str) -> int:
        if self.publisher is None or self.publisher.poll() is not None:
            return 0
        self.publisher.kill()
        return 1

    def running(self) -> Sequence[Running]:
        runs = self.publisher is not None and self.publisher.poll() is None
        return [Running(self.channel)] if runs else []


def cut_from(deployment: Deployment, server: PulledSource, command: list[str], lease_s: float = 3.0) -> StreamFacts:
    """What becomes of a stream that a process publishes and that is pulled from there."""
    door = Door(server, lambda hook, gate: Response(status_code=403))
    with watching(
        deployment, {"pulled": door}, free_port(), StreamOptions(first_frame_s=30.0, lease_s=lease_s)
    ) as running:
        assert running.streams.gate.admit(Publication(server.channel)).allowed
        server.publisher = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        try:
            facts = ended(running, server.channel.name)
            assert server.publisher.wait(10) != 0
            assert "cleared" in kinds(running, facts.id)
        finally:
            server.publisher.kill()
            server.publisher.wait()
    return facts


def ffmpeg() -> str:
    program = shutil.which("ffmpeg")
    if program is None:
        pytest.skip("ffmpeg is not installed")
    return program


def test_a_stream_that_is_read_by_srt_is_cut(deployment, tmp_path):
    path = film(tmp_path / "film.mkv", with_listed(150, 240, 390), range(0, 400, 60))
    place = f"srt://127.0.0.1:{free_port()}"
    server = PulledSource(f"{place}?mode=caller&transtype=live&latency=120000&streamid={{name}}")
    listening = f"{place}?mode=listener&transtype=live&latency=120000"
    command = [ffmpeg(), "-loglevel", "error", "-re", "-i", str(path), "-c", "copy", "-f", "mpegts", listening]
    facts = cut_from(deployment, server, command)
    assert (facts.state, facts.why) == (StreamState.CUT, "certain-match")


RTSP_SERVER = """
import sys, gi
gi.require_version("Gst", "1.0"); gi.require_version("GstRtspServer", "1.0")
from gi.repository import Gst, GstRtspServer, GLib
Gst.init(None)
server, factory = GstRtspServer.RTSPServer(), GstRtspServer.RTSPMediaFactory()
server.set_address("127.0.0.1"); server.set_service(sys.argv[2])
factory.set_launch(f"( filesrc location={sys.argv[1]} ! matroskademux ! h264parse ! rtph264pay name=pay0 pt=96 )")
server.get_mount_points().add_factory(sys.argv[3], factory)
server.attach(None)
GLib.MainLoop().run()
"""


def test_a_stream_that_is_read_by_rtsp_is_cut(deployment, tmp_path):
    """From GStreamer's server (Debian: gir1.2-gst-rtsp-server-1.0)."""
    python = "/usr/bin/python3"
    needs = "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import GstRtspServer"
    if not Path(python).exists() or subprocess.run([python, "-c", needs], capture_output=True, check=False).returncode:
        pytest.skip("GStreamer's RTSP server is not installed: run .ci/peers")
    path = film(tmp_path / "film.mkv", with_listed(150, 240, 390), range(0, 400, 60))
    port = free_port()
    server = PulledSource(f"rtsp://127.0.0.1:{port}")
    facts = cut_from(
        deployment, server, [python, "-c", RTSP_SERVER, str(path), str(port), f"/live/{server.channel.name}"]
    )
    assert (facts.state, facts.why) == (StreamState.CUT, "certain-match")


@pytest.fixture
def folder_served(tmp_path) -> Iterator[tuple[Path, str]]:
    """A folder behind a plain HTTP server, and its address."""
    folder = tmp_path / "served"
    folder.mkdir()

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    with serving(ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))) as server:
        yield folder, f"http://127.0.0.1:{server.server_port}"


def segmenting(path: Path, to: str, *more: str) -> list[str]:
    """ffmpeg as a publisher of HLS."""
    hls = ["-f", "hls", "-hls_time", "1", "-hls_list_size", "6", *more, to]
    return [ffmpeg(), "-loglevel", "error", "-re", "-i", str(path), "-c", "copy", *hls]


def test_a_stream_that_is_pulled_by_hls_is_cut(deployment, tmp_path, folder_served):
    folder, address = folder_served
    path = film(tmp_path / "film.mkv", with_listed(180, 420, 600), range(0, 600, 30))
    server = PulledSource(f"{address}/{{app}}/{{name}}.m3u8")
    (folder / "live").mkdir()
    # A segment holds a second, and comes when it is whole: what came is examined later than a lease of three seconds.
    facts = cut_from(
        deployment, server, segmenting(path, str(folder / "live" / f"{server.channel.name}.m3u8")), lease_s=8.0
    )
    assert (facts.state, facts.why) == (StreamState.CUT, "certain-match")


def test_segments_that_are_pushed_are_screened_as_the_uploads_that_they_are(deployment, tmp_path):
    """Before one stands in a play list: whatever shows what is listed is blocked, all others are not."""
    path = film(tmp_path / "film.mkv", with_listed(90, 60, 210), range(0, 210, 30))
    verdicts: dict[str, Decision] = {}

    class Taking(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            body = read_chunks(self.rfile) if self.headers.get("transfer-encoding") == "chunked" else b""
            if self.path.endswith(".ts"):
                verdicts[self.path] = deployment.screener.screen(body, Context(self.path)).decision
            self.send_response(201)
            self.send_header("content-length", "0")
            self.end_headers()

        do_POST = do_PUT
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Taking)) as server:
        to = f"http://127.0.0.1:{server.server_port}/cam.m3u8"
        done = subprocess.run(segmenting(path, to, "-method", "PUT"), capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
        wait_until(lambda: len(verdicts) == 7, "the last one is screened, whose answer ffmpeg does not wait for")
    assert [verdicts[name] for name in sorted(verdicts)] == [
        *[Decision.ALLOW] * 3,
        *[Decision.BLOCK] * 2,
        *[Decision.ALLOW] * 2,
    ]


def read_chunks(file: BufferedIOBase) -> bytes:
    """A body in chunks (RFC 9112, 7.1)."""
    body = b""
    while size := int(file.readline().split(b";")[0], 16):
        body += file.read(size)
        file.readline()
    file.readline()
    return body


class Whip:
    """`tutela stream whip` before a media server."""

    TOKEN = "a-token-of-the-tests"

    def __init__(self, to: str) -> None:
        self.port = free_port()
        arguments = ["-m", "tutela", "stream", "whip", "--to", to, "--token", "env:WHIP_TOKEN"]
        self.process = subprocess.Popen(
            [sys.executable, *arguments, "--port", str(self.port)],
            env=os.environ | {"WHIP_TOKEN": self.TOKEN},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_until(self._answers, "it takes publishers")

    def _answers(self) -> bool:
        assert self.process.poll() is None
        with contextlib.suppress(httpx.HTTPError):
            return httpx.post(f"http://127.0.0.1:{self.port}/x", verify=False).status_code == 401
        return False

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.port}/{name}?user=member-{name}"


@pytest.fixture
def whip(nginx) -> Iterator[Whip]:
    pytest.importorskip("aiortc")
    ffmpeg()
    server = Whip(f"rtmp://127.0.0.1:{nginx.port}/live")
    yield server
    server.process.kill()
    server.process.wait()


def test_a_stream_that_comes_by_whip_is_cut_like_any_other(running, nginx, whip, tmp_path):
    path = film(tmp_path / "film.mkv", with_listed(180, 300, 480), range(0, 480, 60))
    name = f"s{next(_numbers)}"
    publisher = Publisher(path, whip.url(name), Whip.TOKEN, "whip_publisher").wait()
    facts = ended(running, name)
    assert (facts.state, publisher.broken) == (StreamState.CUT, True)
    assert publisher.ended_at is not None
    print(f"WHIP: cut {publisher.ended_at - publisher.sent_at[180]:.3f} s after the listed frame")
    assert "cleared" in kinds(running, facts.id)
    # Whoever was cut is refused when they come again: the server does not take what is handed on.
    assert running.streams.records.refused(Publication(Channel("main", "live", "other"), f"member-{name}"))


def test_a_benign_stream_that_comes_by_whip_is_shown_to_its_end(running, nginx, whip, tmp_path):
    path = film(tmp_path / "film.mkv", moving(BENIGN[0], 300), range(0, 300, 60))
    name = f"s{next(_numbers)}"
    publisher = Publisher(path, whip.url(name), Whip.TOKEN, "whip_publisher").wait()
    assert not publisher.broken
    facts = ended(running, name)
    assert (facts.state, facts.hits) == (StreamState.ENDED, 0)
    assert facts.samples >= 3


def test_whip_refuses_strangers_and_what_is_no_offer(whip):
    url, sdp = whip.url("x"), {"Content-Type": "application/sdp"}
    bearer = {"Authorization": f"Bearer {Whip.TOKEN}"}
    assert httpx.post(url, headers=sdp).headers["www-authenticate"] == "Bearer"
    assert httpx.post(url, headers=sdp | {"Authorization": "Bearer other"}).status_code == 401
    assert httpx.post(url, headers=bearer, json={}).status_code == 415
    for wrong in (b"", b"v=0", b"\xff\xfe", b"v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n"):
        assert httpx.post(url, headers=bearer | sdp, content=wrong).status_code == 400, wrong
    assert httpx.post(url, headers=bearer | sdp, content=bytes(100_000)).status_code == 413
    assert httpx.delete(url.replace("x?", "sessions/none?"), headers=bearer).status_code == 404
    assert whip.process.poll() is None


# --- Janus, whose events only tell


def test_a_publisher_in_a_room_of_janus_is_kicked_and_its_token_opens_the_room_no_more(
    deployment, tmp_path, monkeypatch
):
    """The platform forwards the publisher's RTP (`rtp_forward`), which ffmpeg makes readable by SRT."""
    pytest.importorskip("aiortc")
    monkeypatch.setenv("JANUS_SECRET", JanusServer.SECRET)
    hooks, srt, rtp = free_port(), free_port(), free_port()
    server = JanusServer(tmp_path / "janus", f"http://127.0.0.1:{hooks}/rooms/")
    secret, control = "env:JANUS_SECRET", f"http://127.0.0.1:{server.port}"
    address = f"srt://127.0.0.1:{srt}?mode=caller&transtype=live&latency=120000&streamid={{name}}"
    options = JanusOptions(kind="janus", address=address, control=control, room_secret=secret, api_secret=secret)
    path = film(tmp_path / "film.mkv", with_listed(240, 600, 840), range(0, 840, 60))
    (tmp_path / "rtp.sdp").write_text(
        f"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=video {rtp} RTP/AVP 96\r\n"
        "a=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1\r\n"
    )
    forwarding = [
        *(ffmpeg(), "-loglevel", "error", "-protocol_whitelist", "file,udp,rtp", "-i", str(tmp_path / "rtp.sdp")),
        *("-c", "copy", "-f", "mpegts", f"srt://127.0.0.1:{srt}?mode=listener&transtype=live&latency=120000"),
    ]
    who = f"{JanusServer.ROOM}/42/a-token/{JanusServer.SECRET}"
    watched = StreamOptions(first_frame_s=60.0, second_hit_s=3.0, refused_minutes=1.0)
    forwarder: subprocess.Popen[bytes] | None = None
    try:
        with watching(deployment, {"rooms": JANUS.open("rooms", options)}, hooks, watched) as running:
            server.told({"request": "allowed", "action": "add", "allowed": ["a-token"]})
            forwarder = subprocess.Popen(forwarding, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            publisher = Publisher(path, server.url, who, "janus_publisher")
            wait_until(lambda: server.publishers() == [42] or publisher.ended, "it is published")
            assert running.streams.gate is not None
            server.told(
                {"request": "rtp_forward", "publisher_id": 42, "host": "127.0.0.1", "video_port": rtp, "video_pt": 96}
            )
            facts = ended(running, "42")
            publisher.wait()
            assert (facts.state, facts.why, publisher.broken) == (StreamState.CUT, "certain-match", True)
            assert "cleared" in kinds(running, facts.id)
            assert publisher.ended_at is not None
            print(
                f"Janus: kicked {publisher.ended_at - publisher.sent_at[240]:.3f} s after the listed frame was encoded"
            )
            assert server.publishers() == []
            again = Publisher(path, server.url, who, "janus_publisher").wait()
            assert again.refused, "the token opens the room no more"
    finally:
        if forwarder is not None:
            forwarder.kill()
            forwarder.wait()
        server.stop()
