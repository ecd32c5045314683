"""Live streams at the gate: a media server asks, a receiver reads, isolated workers look, and what is listed is cut.

The default tier has a stand-in for the media server that sends a film over TCP in real time; `peers` has nginx with its
RTMP module and publishers that push to it.
"""

import contextlib
import io
import operator
import os
import random
import re
import signal
import socket
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import av
import numpy as np
import pytest
from av.video.stream import VideoStream
from PIL import Image
from sqlalchemy import update

from tests.support.effort import effort
from tests.support.streams import RATE, film, list_scene, put_down
from tests.support.videos import Pictures
from tests.support.waiting import wait_until
from tutela.casework.cases.model import Queue
from tutela.casework.cases.options import EvidenceOptions
from tutela.casework.evidence.seal import ReviewKey, new_identity
from tutela.cli.demo import draw_scene
from tutela.deployment.casework import CaseworkOptions
from tutela.deployment.composition import Deployment, compose_deployment
from tutela.deployment.streams import open_streams
from tutela.foundation.outbox.service import Delivery
from tutela.foundation.outbox.worker import Progress
from tutela.foundation.store.database import now
from tutela.foundation.store.stream_tables import stream
from tutela.gateways.streams.metrics import exposition
from tutela.screening.streams.gate import Admission, Refusal
from tutela.screening.streams.model import LIVE, Channel, Publication, Running, StreamState
from tutela.screening.streams.options import StreamOptions
from tutela.screening.streams.service import Streams

pytestmark = pytest.mark.slow

SIZE = (320, 180)
LISTED = 3
CAM = Channel("stand-in", "live", "cam")


def scene(seed: int) -> Pictures:
    return np.asarray(draw_scene(seed, SIZE))


def shown(*parts: tuple[int, float]) -> list[Pictures]:
    """Frames of drawn scenes, each held for so many seconds."""
    return [frame for seed, seconds in parts for frame in [scene(seed)] * round(seconds * RATE)]


class StandIn:
    """A media server: one film a channel, sent to every subscriber in real time from its beginning once published."""

    name = "stand-in"
    fails_open = False
    subscribes_first = False
    adopts = False
    keeps_viewers_out = True

    def __init__(self) -> None:
        self.films: dict[str, bytes] = {}
        self.published: dict[str, float] = {}
        self.sent: set[str] = set()
        """Whose films were sent to their end."""
        self.cuts: list[tuple[str, float]] = []
        self.dismissed: list[str] = []
        self.purged: list[tuple[str, float]] = []
        self.spared: set[str] = set()
        """Names of other streams that purges were given."""
        self._closing = False

    def address(self, channel: Channel, token: str) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._accept, args=(listener, channel.name), daemon=True).start()
        return f"tcp://127.0.0.1:{listener.getsockname()[1]}"

    def publish(self, channel: Channel, film: bytes) -> None:
        self.films[channel.name] = film
        self.published[channel.name] = time.monotonic()

    def cut(self, channel: Channel, session: str) -> int:
        self.cuts.append((channel.name, time.monotonic()))
        return int(self.published.pop(channel.name, None) is not None)

    def dismiss(self, channel: Channel, viewers: Sequence[str]) -> None:
        self.dismissed += viewers

    def purge(self, channel: Channel, since: float, others: Collection[Channel] = ()) -> int:
        self.purged.append((channel.name, since))
        self.spared |= {other.name for other in others}
        return 0

    def running(self) -> list[Running]:
        return [Running(Channel(self.name, "live", name)) for name in self.published]

    def close(self) -> None:
        self._closing = True

    def _accept(self, listener: socket.socket, name: str) -> None:
        """The one watcher of a stream. It may come again where what it read so far told it nothing."""
        listener.settimeout(0.2)
        with listener:
            deadline = time.monotonic() + 30
            while not self._closing and time.monotonic() < deadline:
                with contextlib.suppress(TimeoutError):
                    connection, _ = listener.accept()
                    threading.Thread(target=self._send, args=(connection, name), daemon=True).start()

    def _send(self, connection: socket.socket, name: str) -> None:
        wait_until(lambda: name in self.published or name in self.sent or self._closing, "it is published")
        with connection:
            try:
                for at, part in timed(self.films[name]):
                    while time.monotonic() < self.published[name] + at:
                        time.sleep(0.002)
                    connection.sendall(part)
                self.sent.add(name)
                while name in self.published:
                    time.sleep(0.01)
            except (KeyError, OSError):
                pass  # cut, or the subscriber has gone


def timed(content: bytes) -> list[tuple[float, bytes]]:
    """A transport stream in pieces, with the time of each: as much as was muxed up to each of its frames."""
    return STAMPS[content]


STAMPS: dict[bytes, list[tuple[float, bytes]]] = {}


def transport_stream(path: Path, frames: Sequence[Pictures], keys: Sequence[int], **more) -> bytes:
    """Frames as an MPEG transport stream."""
    source = av.open(str(film(path, frames, keys, **more)))
    file, pieces = io.BytesIO(), []
    with av.open(file, "w", format="mpegts", options={"flush_packets": "1"}) as output:
        template = source.streams.video[0]
        stream = output.add_stream_from_template(template)
        told = 0
        for packet in source.demux(template):
            if packet.dts is None:
                continue
            at = float(packet.dts * packet.time_base)
            packet.stream = stream
            output.mux_one(packet)
            whole = file.getvalue()
            pieces.append((at, whole[told:]))
            told = len(whole)
    whole = file.getvalue()
    pieces.append((pieces[-1][0], whole[told:]))
    STAMPS[whole] = pieces
    return whole


@pytest.fixture(scope="module")
def identity() -> tuple[str, str]:
    return new_identity()


@pytest.fixture(scope="module")
def listing(tmp_path_factory, identity) -> Iterator[Deployment]:
    """A deployment that lists one drawn picture, and keeps evidence."""
    options = CaseworkOptions(evidence=EvidenceOptions(recipients=(identity[1],)))
    with compose_deployment(tmp_path_factory.mktemp("listing") / "home", decoders=1, casework=options) as deployment:
        list_scene(deployment, LISTED, SIZE)
        yield deployment


@pytest.fixture(scope="module")
def stand_in() -> Iterator[StandIn]:
    server = StandIn()
    yield server
    server.close()


@pytest.fixture(scope="module")
def streams(listing, stand_in) -> Iterator[Streams]:
    """Watched streams of the stand-in."""
    running = open_streams(
        listing, StreamOptions(second_hit_s=2.0, refused_minutes=1.0, first_frame_s=8.0), {"stand-in": stand_in}
    )
    running.start()
    yield running
    running.stop()


@pytest.mark.slow
def test_a_stream_is_watched_from_its_first_frame_and_cut_when_it_shows_what_is_listed(
    streams, stand_in, listing, identity, tmp_path
):
    content = transport_stream(tmp_path / "film.mkv", shown((11, 2), (LISTED, 3)), [30, 60, 90, 120])
    publication = Publication(CAM, "member-1", "session-1", "192.0.2.7")
    assert not streams.gate.play(CAM, "", "early")
    admission = streams.gate.admit(publication)
    assert admission.allowed
    assert not streams.gate.play(CAM, "", "early")
    stand_in.publish(CAM, content)
    wait_until(lambda: streams.gate.play(CAM, "", "viewer"), "a viewer is let in")
    assert streams.gate.goes_on(CAM, "session-1")
    assert not streams.gate.goes_on(CAM, "session-2")
    wait_until(lambda: streams.records.get(admission.stream_id).state is StreamState.CUT, "it is cut")
    assert not streams.gate.play(CAM, "", "late")
    assert not streams.gate.goes_on(CAM, "session-1")
    wait_until(lambda: "sealed" in kinds(streams, admission.stream_id), "it is sealed")
    facts = streams.records.get(admission.stream_id)
    assert facts.why == "certain-match"
    assert ("cam", pytest.approx(facts.cleared_at, abs=1.0)) in stand_in.purged
    assert kinds(streams, admission.stream_id)[:3] == ["admitted", "cleared", "cut"]
    # What was sealed is the last seconds, in a case of the publisher's; only the review key opens it.
    item = listing.casework.cases.of_verdict(facts.verdict)
    case = listing.casework.cases.get(item.case_id)
    assert (case.queue, item.item, item.media_type) == (Queue.MATCH, CAM.item, "video/mp2t")
    assert case.uploader is not None
    assert [found.bank for found in item.matches] == ["known"]
    clip = listing.casework.vault.content(item.evidence_id, ReviewKey(identity[0]), actor="test", purpose="test")
    with av.open(io.BytesIO(clip), "r") as container:
        assert sum(1 for _ in container.decode(video=0)) > RATE
    # Whoever was cut is refused, by another name of the channel too; a person lets them come again.
    again = Publication(Channel("stand-in", "live", "other"), "member-1")
    assert streams.gate.admit(again).refusal is Refusal.CUT_BEFORE
    assert not streams.records.refused(Publication(CAM, "member-2"))
    streams.records.admit_again(facts.id, "officer")
    assert not streams.records.refused(again)


def kinds(streams: Streams, stream_id: str) -> list[str]:
    return [event.kind for event in streams.records.time_line(stream_id)]


def admitted(streams: Streams, stand_in: StandIn, name: str, content: bytes) -> str:
    """A stream of that content, published; its id."""
    channel = Channel("stand-in", "live", name)
    stream_id = let_in(streams, Publication(channel, f"member-{name}"))
    stand_in.publish(channel, content)
    return stream_id


def let_in(streams: Streams, publication: Publication) -> str:
    """The id of a stream that is admitted; on a machine that lags its publisher tries again, as encoders do."""
    answers: list[Admission] = []

    def is_answered() -> bool:
        answers[:] = [streams.gate.admit(publication)]
        return answers[0].refusal is not Refusal.OVERLOADED

    wait_until(is_answered, "the machine has caught up")
    assert answers[0].allowed, answers[0]
    return answers[0].stream_id


def outcome(streams: Streams, stream_id: str) -> tuple[StreamState, str]:
    """How a stream ended, and why."""
    wait_until(lambda: streams.records.get(stream_id).ended_at is not None, "it has ended")
    facts = streams.records.get(stream_id)
    return facts.state, facts.why


def test_a_likeness_pauses_the_stream_and_a_second_one_cuts_it(streams, stand_in, tmp_path):
    """What is like the listed picture, and not near enough to be certain."""
    alike = np.asarray(likeness())
    frames = [*shown((11, 2)), *[alike] * (2 * RATE), *shown((12, 1))]
    stream_id = admitted(streams, stand_in, "alike", transport_stream(tmp_path / "f.mkv", frames, range(0, 200, 30)))
    channel = Channel("stand-in", "live", "alike")
    wait_until(lambda: streams.gate.play(channel, "", "viewer-9"), "it is clear at first")
    assert outcome(streams, stream_id) == (StreamState.CUT, "second-match")
    assert kinds(streams, stream_id)[:4] == ["admitted", "cleared", "paused", "cut"]
    wait_until(lambda: "viewer-9" in stand_in.dismissed, "viewers are sent away")


def likeness() -> Image.Image:
    """The listed picture, turned by a third of a degree: its hash is some twenty bits away."""
    return draw_scene(LISTED, SIZE).rotate(0.3)


def test_a_single_likeness_is_released_when_nothing_follows(streams, stand_in, tmp_path):
    frames = [*shown((11, 2)), np.asarray(likeness()), *shown((12, 6))]
    stream_id = admitted(streams, stand_in, "once", transport_stream(tmp_path / "f.mkv", frames, range(0, 300, 30)))
    channel = Channel("stand-in", "live", "once")
    wait_until(lambda: "paused" in kinds(streams, stream_id), "viewers are out")
    assert not streams.gate.shows(channel)
    wait_until(lambda: "released" in kinds(streams, stream_id), "viewers are in again")
    assert streams.gate.shows(channel)
    facts = streams.records.get(stream_id)
    assert facts.verdict is None
    stand_in.published.pop("once")
    wait_until(lambda: streams.records.get(stream_id).state is StreamState.ENDED, "it ends")
    assert streams.records.get(stream_id).pauses == 1


def test_a_stream_that_ends_while_it_is_in_doubt_comes_before_a_person(streams, stand_in, listing, tmp_path):
    frames = [*shown((11, 2)), np.asarray(likeness()), *shown((12, 0.5))]
    stream_id = admitted(streams, stand_in, "brief", transport_stream(tmp_path / "f.mkv", frames, [60, 61]))
    wait_until(lambda: "paused" in kinds(streams, stream_id), "viewers are out")
    stand_in.published.pop("brief", None)
    state, why = outcome(streams, stream_id)
    assert state is StreamState.CUT
    assert why in ("ended-in-doubt", "paused-for-too-long")  # the latter where the machine took so long to follow it
    wait_until(lambda: "sealed" in kinds(streams, stream_id), "it is sealed")
    assert listing.casework.cases.of_verdict(streams.records.get(stream_id).verdict) is not None
    assert streams.records.refused(Publication(CAM, "member-brief")) is (why == "paused-for-too-long")


def test_a_person_cuts_a_stream_and_it_becomes_a_case(streams, stand_in, listing, tmp_path):
    content = transport_stream(tmp_path / "f.mkv", shown((11, 8)), range(0, 300, 30))
    stream_id = admitted(streams, stand_in, "by-hand", content)
    wait_until(lambda: "cleared" in kinds(streams, stream_id), "it runs")
    streams.records.ask(stream_id, "cut", "officer")
    assert outcome(streams, stream_id) == (StreamState.CUT, "cut-by-person")
    wait_until(lambda: "sealed" in kinds(streams, stream_id), "it is sealed")
    item = listing.casework.cases.of_verdict(streams.records.get(stream_id).verdict)
    assert (item.matches, item.byte_length > 1_000) == ((), True)  # at least the frame that was cleared
    again = Publication(Channel("stand-in", "live", "other"), "member-by-hand")
    assert streams.gate.admit(again).refusal is Refusal.CUT_BEFORE, "its encoder is back within a second"
    streams.records.admit_again(stream_id, "officer")
    assert not streams.records.refused(again)


def test_what_runs_without_a_watch_is_ended_and_said(streams, stand_in):
    stranger = Channel("stand-in", "live", "stranger")
    stand_in.publish(stranger, b"")
    before = streams.totals().unknown
    streams.reconcile()
    assert streams.totals().unknown == before + 1
    assert stand_in.cuts[-1][0] == "stranger"
    assert "stranger" not in stand_in.published


@pytest.mark.slow
def test_a_stream_too_many_is_refused_and_none_is_sampled_less(streams, stand_in, tmp_path, monkeypatch):
    content = transport_stream(tmp_path / "f.mkv", shown((11, 4)), range(0, 200, 30))
    first = admitted(streams, stand_in, "one", content)
    most = len(streams.watches.live())
    monkeypatch.setattr(Streams, "most", property(lambda _: most))
    assert streams.gate.admit(Publication(Channel("stand-in", "live", "two"))).refusal is Refusal.OVERLOADED
    assert streams.gate.admit(Publication(Channel("stand-in", "live", "one"))).refusal is Refusal.TAKEN
    assert streams.gate.admit(Publication(Channel("nobody", "live", "x"))).refusal is Refusal.UNKNOWN_SERVER
    assert outcome(streams, first)[0] in (StreamState.ENDED, StreamState.DROPPED)
    assert streams.records.get(first).samples >= 4


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["garbage", "audio-less-header", "mutated", "larger-frames"])
def test_a_hostile_stream_is_never_shown_unseen_and_harms_nothing(streams, stand_in, tmp_path, kind):
    """Nothing that opens, bytes changed at random, and a switch to far larger frames in mid-stream."""
    name = f"hostile-{kind}"
    dice = random.Random(5)
    whole = transport_stream(tmp_path / "f.mkv", shown((11, 4)), range(0, 200, 30))
    pieces = list(STAMPS[whole])
    if kind == "garbage":
        pieces = [(n / 30, dice.randbytes(3000)) for n in range(90)]
    elif kind == "audio-less-header":
        pieces = pieces[:1]
    elif kind == "mutated":
        pieces = [pieces[0], *((at, mutated(part, dice)) for at, part in pieces[1:])]
    else:
        large = [np.asarray(draw_scene(12, (3840, 2160)))] * 4
        after = transport_stream(tmp_path / "l.mkv", large, [0])
        pieces += [(4.0 + at, part) for at, part in STAMPS[after]]
    content = kind.encode()
    STAMPS[content] = pieces
    workers = streams.examiner.pool.starts
    stream_id = admitted(streams, stand_in, name, content)
    channel = Channel("stand-in", "live", name)
    state, why = outcome(streams, stream_id)
    assert not streams.gate.shows(channel)
    assert state in (StreamState.CUT, StreamState.DROPPED, StreamState.ENDED), why
    if kind in ("garbage", "audio-less-header"):
        assert "cleared" not in kinds(streams, stream_id)
    assert streams.examiner.pool.starts - workers <= 1
    assert streams.hindrance() is None


# --- streams of every form


Pieces = list[tuple[float, bytes]]


@dataclass(frozen=True)
class Form:
    """How pictures become a stream."""

    codec: str = "libx264"
    pixels: str = "yuv420p"
    tracks: int = 1
    stamp: Callable[[int], int] = lambda number: number
    """The time of each frame, in frames."""
    container: str = "mpegts"
    options: Mapping[str, str] = field(default_factory=dict)

    def pieces(self, frames: Sequence[Pictures], begin_s: float = 0.0, every: int = RATE) -> Pieces:
        """What is sent when, with key frames so many frames apart."""
        file, pieces, told = io.BytesIO(), [], 0
        with av.open(file, "w", format=self.container, options={"flush_packets": "1"}) as output:
            tracks = []
            for _ in range(self.tracks):
                track = cast(VideoStream, output.add_stream(self.codec, rate=RATE))
                track.height, track.width = frames[0].shape[:2]
                track.pix_fmt, track.gop_size = self.pixels, every
                track.options = {"preset": "ultrafast", "tune": "zerolatency", **self.options}
                tracks.append(track)
            for number, pixels in enumerate(frames):
                for track in tracks:
                    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), "rgb24")
                    frame.pts, frame.time_base = self.stamp(round(begin_s * RATE) + number), Fraction(1, RATE)
                    for packet in track.encode(frame):
                        output.mux_one(packet)
                pieces.append((begin_s + number / RATE, file.getvalue()[told:]))
                told = len(file.getvalue())
            for track in tracks:
                output.mux(track.encode(None))
        return [*pieces, (begin_s + len(frames) / RATE, file.getvalue()[told:])]


def of_changing_sizes(*parts: tuple[int, float]) -> Pieces:
    """Each second in another size."""
    pieces: Pieces = []
    for number, pixels in enumerate(shown(*parts)[::RATE]):
        size = [(320, 180), (480, 270), (160, 90)][number % 3]
        seen = np.asarray(Image.fromarray(pixels).resize(size))
        pieces += Form().pieces([seen] * RATE, float(number))
    return pieces


def sound(seconds: float) -> Pieces:
    """Silence, and no picture."""
    file = io.BytesIO()
    with av.open(file, "w", format="mpegts") as output:
        track = output.add_stream("aac", rate=48_000)
        for _ in range(round(seconds * 48_000 / 1024)):
            silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
            silence.sample_rate = 48_000
            output.mux(track.encode(silence))
        output.mux(track.encode(None))
    whole = file.getvalue()
    return [(at * seconds / 100, whole[at * len(whole) // 100 : (at + 1) * len(whole) // 100]) for at in range(100)]


def apart(pieces: Pieces, times: float) -> Pieces:
    """The same, so many times more slowly."""
    return [(at * times, part) for at, part in pieces]


def of_jumping_times(*parts: tuple[int, float]) -> Pieces:
    """Each second hours later or earlier than the one before."""
    pieces: Pieces = []
    for number in range(len(shown(*parts)) // RATE):
        ahead = 3600 * RATE * (5, 1, 3)[number % 3]
        second = shown(*parts)[number * RATE : (number + 1) * RATE]
        pieces += Form(stamp=partial(operator.add, ahead)).pieces(second, float(number))
    return pieces


KNOWN, OTHER = ((11, 3), (LISTED, 3)), ((11, 3), (12, 3))
SEEN: dict[str, Callable[[tuple[tuple[int, float], ...]], Pieces]] = {
    "ten-bit-hevc": lambda parts: Form("libx265", "yuv420p10le", options={"x265-params": "log-level=0"}).pieces(
        shown(*parts)
    ),
    "another-size-each-second": lambda parts: of_changing_sizes(*parts),
    "times-that-jump-by-hours": lambda parts: of_jumping_times(*parts),
    "no-times": lambda parts: Form(container="h264").pieces(shown(*parts)),
    "frames-out-of-order-before-the-first-key-frame": lambda parts: Form(
        options={"tune": "film", "bf": "3", "b-adapt": "0", "open-gop": "1"}
    ).pieces(shown((13, 1), *parts))[12:],
    "no-second-key-frame": lambda parts: Form(options={"sc_threshold": "0"}).pieces(shown(*parts), every=10_000),
    "eight-tracks": lambda parts: Form(tracks=8).pieces(shown(*parts)),
}
"""Forms in which a stream can be watched."""


def sent(streams: Streams, stand_in: StandIn, name: str, pieces: Pieces) -> str:
    """The id of a stream of these pieces."""
    content = name.encode()
    STAMPS[content] = pieces
    return admitted(streams, stand_in, name, content)


@pytest.mark.parametrize("form", SEEN)
def test_what_is_listed_is_found_in_every_form(streams, stand_in, form):
    stream_id = sent(streams, stand_in, f"known-{form}", SEEN[form](KNOWN))
    state, _ = outcome(streams, stream_id)
    facts = streams.records.get(stream_id)
    assert (state, facts.hits > 0) == (StreamState.CUT, True)
    assert facts.unwatched_s <= 5.0


@pytest.mark.parametrize("form", SEEN)
def test_what_is_not_listed_is_shown_in_every_form(streams, stand_in, form):
    name = f"other-{form}"
    stream_id = sent(streams, stand_in, name, SEEN[form](OTHER))
    wait_until(lambda: name in stand_in.sent or streams.records.get(stream_id).ended_at is not None, "it is sent")
    stand_in.published.pop(name, None)
    state, why = outcome(streams, stream_id)
    facts = streams.records.get(stream_id)
    assert (state, facts.hits, facts.pauses) == (StreamState.ENDED, 0, 0), why
    assert "cleared" in kinds(streams, stream_id)


UNSEEN: dict[str, tuple[str, Callable[[], Pieces]]] = {
    "a-track-that-comes-later": (
        "tracks-changed",
        lambda: Form().pieces(shown((11, 4))) + Form(tracks=2).pieces(shown((11, 8)), 4.0),
    ),
    "nine-tracks": ("too-many-tracks", lambda: Form(tracks=9).pieces(shown((11, 8)))),
    "sound-alone": ("no-video", lambda: sound(8.0)),
    "a-frame-every-five-seconds": ("unwatched", lambda: apart(Form().pieces(shown((11, 0.1))), 150.0)),
}
"""Forms in which a stream cannot be watched, or not all of it: why each is ended."""


@pytest.mark.parametrize("form", UNSEEN)
def test_a_stream_of_which_something_cannot_be_watched_is_ended(streams, stand_in, form):
    reason, pieces = UNSEEN[form]
    stream_id = sent(streams, stand_in, f"unseen-{form}", pieces())
    state, why = outcome(streams, stream_id)
    assert (state, why) in ((StreamState.DROPPED, reason), (StreamState.DROPPED, "no-frame-cleared"))
    if form != "a-frame-every-five-seconds":
        assert not streams.gate.shows(Channel("stand-in", "live", f"unseen-{form}"))


def mutated(part: bytes, dice: random.Random) -> bytes:
    """A few bytes changed in every packet of a transport stream but in its heads."""
    changed = bytearray(part)
    for begin in range(0, len(changed) - 188, 188):
        for _ in range(3):
            changed[begin + dice.randrange(12, 188)] = dice.randrange(256)
    return bytes(changed)


def test_two_threads_remove_the_segments_of_a_cut_at_once(streams, stand_in, monkeypatch):
    """Its own and the clock's, or that of another cut: neither keeps the other from sealing its clip."""
    monkeypatch.setattr("tutela.screening.streams.service.PURGED_FOR_S", -1.0)
    removed: list[str] = []

    def purge(channel: Channel, since: float, others: Collection[Channel] = ()) -> int:
        removed.append(channel.name)  # those of earlier streams too
        if removed.count("purged") == 1 and channel.name == "purged":
            with ThreadPoolExecutor(1) as other:
                other.submit(streams._tick).result()
        return 0

    monkeypatch.setattr(stand_in, "purge", purge)
    streams._end_connection(Publication(Channel("stand-in", "live", "purged"), "member-purged"), 0.0)
    assert removed.count("purged") == 2
    assert not [purge for purge in streams._purges if purge.channel.name == "purged"]


def test_a_purge_is_told_of_every_stream_that_is_watched_for_itself(streams, stand_in):
    """Also of those that only the database knows: a cut may be delivered long after it, by another process."""
    put_down(streams.records, "near-1", StreamState.ENDED, server="stand-in")
    put_down(streams.records, "nearby", server="stand-in")
    put_down(streams.records, "near-2")
    put_down(streams.records, "far", server="stand-in")
    delivery = SimpleNamespace(
        payload={"stream": "x", "since": 0.0, "server": "stand-in", "app": "live", "name": "near", "session": ""}
    )
    stand_in.spared.clear()
    streams.deliver_cut(cast(Delivery, delivery), cast(Progress, None))
    assert {"near-1", "nearby", "far"} <= stand_in.spared
    assert "near-2" not in stand_in.spared, "it is on another server"
    delivery.payload |= {"since": time.time() + 60}
    stand_in.spared.clear()
    streams.deliver_cut(cast(Delivery, delivery), cast(Progress, None))
    assert "nearby" in stand_in.spared and "near-1" not in stand_in.spared


def test_a_cut_whose_process_died_before_it_sealed_anything_becomes_a_case_all_the_same(streams, listing, monkeypatch):
    stream_id = put_down(streams.records, "died", StreamState.CUT, why="certain-match")
    with listing.store.write() as connection:
        long_ago = now() - 3_600_000_000
        values = {"verdict_id": "d" * 32, "ended_at": long_ago, "matches": []}
        connection.execute(update(stream).where(stream.c.id == stream_id).values(**values))
    streams._finish_cases()
    item = listing.casework.cases.of_verdict("d" * 32)
    assert item is not None
    assert streams.records.unfinished() == []


# --- mutated streams


def torn(content: bytes, dice: random.Random) -> bytes:
    """A stream as a hostile or broken sender gives it: bytes, packets and tags changed, left out, repeated, moved."""
    changed = bytearray(content)
    unit = 188 if content[:1] == b"G" else dice.choice([11, 64, 512])
    for _ in range(dice.choice([1, 3, 10, 40])):
        at = dice.randrange(0, max(1, len(changed) - unit)) // unit * unit
        match dice.randrange(7):
            case 0:
                changed[at + dice.randrange(unit)] = dice.randrange(256)
            case 1:
                changed[at : at + unit] = dice.randbytes(unit)
            case 2:
                del changed[at : at + unit * dice.randrange(1, 20)]
            case 3:
                changed[at:at] = changed[at : at + unit * dice.randrange(1, 20)]
            case 4:
                other = dice.randrange(0, max(1, len(changed) - unit)) // unit * unit
                changed[at : at + unit], changed[other : other + unit] = (
                    changed[other : other + unit],
                    changed[at : at + unit],
                )
            case 5:
                field_at = at + dice.randrange(12)
                changed[field_at : field_at + 4] = dice.choice([b"\xff" * 4, bytes(4), dice.randbytes(4)])
            case _:
                changed[at:at] = dice.randbytes(dice.randrange(1, 4 * unit))
    return bytes(changed[: dice.choice([len(changed), dice.randrange(1, len(changed) + 1)])])


@pytest.fixture(scope="module")
def sound_films(tmp_path_factory) -> list[bytes]:
    """The same film as a transport stream and as FLV."""
    folder = tmp_path_factory.mktemp("sound")
    whole = transport_stream(folder / "f.mkv", shown((11, 1), (12, 1)), [15, 30, 45])
    file = io.BytesIO()
    with av.open(str(folder / "f.mkv")) as source, av.open(file, "w", format="flv") as output:
        stream = output.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                output.mux(packet)
    return [whole, file.getvalue()]


def test_no_torn_stream_harms_anything_or_stays(streams, stand_in, sound_films, tmp_path):
    """Each is ended or cut, and what is listed is found afterwards as before."""
    dice = random.Random(17)
    outcomes: Counter[str] = Counter()
    nursery, starts = streams.nursery.pid, streams.examiner.pool.starts
    count = effort(16, 1_000, least=8)

    def one(number: int) -> None:
        content = b"torn %d" % number
        STAMPS[content] = [(0.0, torn(sound_films[number % 2], random.Random(number)))]
        channel = Channel("stand-in", "live", f"torn-{number}")
        stream_id = let_in(streams, Publication(channel, f"member-torn-{number}"))
        stand_in.publish(channel, content)
        ended = streams.records.get
        wait_until(lambda: channel.name in stand_in.sent or ended(stream_id).ended_at is not None, "it is sent")
        stand_in.published.pop(channel.name, None)  # the connection ends, and what came is examined
        state, why = outcome(streams, stream_id)
        assert not streams.gate.shows(channel)
        outcomes[f"{state.value} {why}"] += 1
        outcomes["samples"] += streams.records.get(stream_id).samples
        del STAMPS[content]

    with ThreadPoolExecutor(4) as several:
        list(several.map(one, (dice.randrange(2**32) for _ in range(count))))
    print(dict(outcomes), f"{streams.examiner.pool.starts - starts} workers were started anew")
    assert outcomes.pop("samples") > count
    assert outcomes.total() == count
    assert streams.nursery.pid == nursery
    wait_until(lambda: streams.hindrance() is None, "all is well")
    listed = transport_stream(tmp_path / "after.mkv", shown((11, 1), (LISTED, 2)), range(0, 90, 15))
    assert outcome(streams, admitted(streams, stand_in, "after", listed)) == (StreamState.CUT, "certain-match")


# --- the machine lags


class Halting:
    """Lets a process run for a moment in every second and a half, as on a machine that has too much to do."""

    def __init__(self, processes: Callable[[], Sequence[int]]) -> None:
        self._processes = processes
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.is_set():
            stopped = list(self._processes())
            self._tell(stopped, signal.SIGSTOP)
            self._over.wait(1.5)
            self._tell(stopped, signal.SIGCONT)
            self._over.wait(0.05)

    def _tell(self, processes: Sequence[int], what: signal.Signals) -> None:
        for process in processes:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, what)


def test_while_decoding_lags_nobody_is_admitted_and_no_sample_is_left_out(streams, stand_in, tmp_path):
    content = transport_stream(tmp_path / "f.mkv", shown((11, 20)), range(0, 600, 15))
    stream_id = admitted(streams, stand_in, "lagging", content)
    channel = Channel("stand-in", "live", "lagging")
    wait_until(lambda: streams.gate.shows(channel), "it runs")
    refused = Publication(Channel("stand-in", "live", "further"), "member-further")
    with Halting(streams.examiner.pool.processes):
        wait_until(lambda: streams.hindrance() is Refusal.OVERLOADED, "looks lag")
        assert streams.gate.admit(refused).refusal is Refusal.OVERLOADED
        said = exposition(streams).decode()
        assert "tutela_streams_overloaded 1.0" in said
        assert 'tutela_streams_refused_total{why="overloaded"}' in said
        (lag_s,) = re.findall(r"^tutela_stream_lag_seconds (\S+)$", said, re.MULTILINE)
        assert float(lag_s) > 1.0
    wait_until(lambda: streams.hindrance() is None, "it has caught up")
    assert "tutela_streams_overloaded 0.0" in exposition(streams).decode()
    stand_in.published.pop("lagging")
    outcome(streams, stream_id)
    facts = streams.records.get(stream_id)
    # Every key frame that came, whatever the lag was: two in a second of the stream.
    assert facts.samples >= 2 * (facts.ended_at - facts.since - 5.0)
    assert facts.unwatched_s == 0.0


# --- a server that does not answer, or not as it should


@dataclass
class Silent(StandIn):
    """A server whose answers are waited for without end, or are of no form."""

    name: str = "silent"
    is_mute: bool = True
    asked: int = 0

    def __post_init__(self) -> None:
        super().__init__()
        self.speaks = threading.Event()

    def _answer(self) -> None:
        self.asked += 1
        if self.is_mute:
            self.speaks.wait(60)
        raise KeyError("publisher")

    def running(self) -> list[Running]:
        self._answer()
        return []

    def cut(self, channel: Channel, session: str) -> int:
        self._answer()
        return 0

    def dismiss(self, channel: Channel, viewers: Sequence[str]) -> None:
        self._answer()


@contextlib.contextmanager
def beside_a_silent_server(listing: Deployment, silent: Silent) -> Iterator[tuple[Streams, StandIn]]:
    """Streams of two servers, one of which fell silent after they began."""
    hearing, speaks = StandIn(), silent.is_mute
    silent.is_mute = False
    options = StreamOptions(second_hit_s=2.0, reconcile_s=0.5, lease_s=3.0)
    running = open_streams(listing, options, {"silent": silent, "stand-in": hearing})
    running.start()
    silent.is_mute = speaks
    try:
        yield running, hearing
    finally:
        silent.speaks.set()
        running.stop()
        hearing.close()
        silent.close()


@pytest.mark.parametrize("is_mute", [True, False])
def test_a_server_that_does_not_answer_keeps_nobody_from_ending_the_streams_of_another(listing, is_mute):
    silent = Silent(is_mute=is_mute)
    with beside_a_silent_server(listing, silent) as (_, hearing):
        wait_until(lambda: silent.asked > 1, "the silent one is asked")
        stranger = Channel("stand-in", "live", "stranger")
        hearing.publish(stranger, b"")
        published_at = time.monotonic()
        wait_until(lambda: "stranger" not in hearing.published, "it is ended")
        assert time.monotonic() - published_at < 3.0


def test_a_stream_is_examined_on_and_cut_while_its_server_does_not_say_that_viewers_are_gone(listing, tmp_path):
    """A pause sends viewers away; whether that is answered, or there are thousands, delays no look."""
    silent = Silent()
    frames = [*shown((11, 2)), *[np.asarray(likeness())] * (3 * RATE), *shown((12, 1))]
    content = transport_stream(tmp_path / "f.mkv", frames, range(0, 200, 30))
    with beside_a_silent_server(listing, silent) as (running, _):
        channel = Channel("silent", "live", "alike")
        admission = running.gate.admit(Publication(channel, "member-of-the-silent"))
        assert admission.allowed
        silent.publish(channel, content)
        wait_until(lambda: running.gate.play(channel, "", "viewer-9"), "it is clear at first")
        watch = running.watches.of(channel)
        assert watch is not None
        wait_until(lambda: watch.state not in LIVE, "it is cut")
        assert (watch.state, watch.why) == (StreamState.CUT, "second-match")
        assert not running.gate.goes_on(channel, "")
        assert watch.counts.unwatched_s == 0.0


# --- the database is away


@contextlib.contextmanager
def database_held(deployment: Deployment) -> Iterator[None]:
    """Somebody else writes for as long as the block lasts: nothing can be written down."""
    connection = sqlite3.connect(deployment.home / "tutela.db", isolation_level=None, check_same_thread=False)
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")
        connection.close()


def test_a_cut_while_the_database_is_away_is_made_at_once_and_its_clip_waits_sealed(
    streams, stand_in, listing, identity, tmp_path
):
    content = transport_stream(tmp_path / "film.mkv", shown((11, 2), (LISTED, 6)), range(0, 300, 30))
    stream_id = admitted(streams, stand_in, "away", content)
    channel = Channel("stand-in", "live", "away")
    wait_until(lambda: streams.gate.shows(channel), "it runs")
    folder = listing.home / "streams"
    with database_held(listing):
        wait_until(lambda: "away" not in stand_in.published, "it is cut")
        wait_until(lambda: list(folder.glob("*.sealed")), "its clip waits")
        (file,) = folder.glob("*.sealed")
        waits = file.read_bytes()
        assert len(waits) > 10_000
        for told in (b"member-away", b"certain-match", b"\x47\x40\x00\x10\x00"):  # the last is how a clip begins
            assert told not in waits
        assert streams.unwritten == 1
        back = Publication(Channel("stand-in", "live", "away-again"), "member-away")
        assert streams.gate.admit(back).refusal is Refusal.CUT_BEFORE, "encoders come back before it is written down"
    wait_until(lambda: streams.unwritten == 0, "it is brought in")
    facts = streams.records.get(stream_id)
    assert (facts.state, facts.why) == (StreamState.CUT, "certain-match")
    assert kinds(streams, stream_id)[-2:] == ["cut", "sealed"]
    assert streams.gate.admit(Publication(channel, "member-away")).refusal is Refusal.CUT_BEFORE
    item = listing.casework.cases.of_verdict(facts.verdict or "")
    assert item is not None
    clip = listing.casework.vault.content(item.evidence_id, ReviewKey(identity[0]), actor="test", purpose="test")
    with av.open(io.BytesIO(clip), "r") as container:
        assert sum(1 for _ in container.decode(video=0)) > RATE
    assert not list(folder.iterdir())
