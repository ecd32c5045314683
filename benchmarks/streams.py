"""Live streams that one core watches, beside bare decoding of their key frames by PyAV."""

import gc
import socket
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path
from random import Random

import av
from pydantic_core import from_json, to_json

from benchmarks.hashes import random_hashes
from benchmarks.hd_films import RATE, hd_film
from benchmarks.http_screening import build_index
from benchmarks.report import Scale, Table, in_turns
from tutela.content.media.confined.frame_luma import readings
from tutela.content.media.content import Picture
from tutela.content.media.limits import Limits
from tutela.content.signals.pdq import PDQ
from tutela.content.views.view_set import ViewSet
from tutela.deployment.composition import compose_deployment
from tutela.lists.banks.model import Action, NewEntry, Policy
from tutela.screening.streams.examiner import Lookup
from tutela.screening.streams.model import Codec, Look, Packet, ScreenedFrames
from tutela.screening.streams.sampling import Sampler, SamplingPlan
from tutela.screening.streams.task import read_seen, task
from tutela.screening.streams.wire import WireLine, codec_fields, packet_fields, read_look, send_look
from tutela.screening.video.task import sample_fields

_SECONDS = {Scale.TINY: 3, Scale.USUAL: 20, Scale.FULL: 60}
_ROUNDS = {Scale.TINY: 1, Scale.USUAL: 3, Scale.FULL: 5}
_DRAWS = {Scale.TINY: 1, Scale.USUAL: 8, Scale.FULL: 16}
"""Random moments are drawn so many times: what leads to one costs by how late it comes."""
_HD, _SMALL = (1280, 720, 2_500_000), (640, 360, 800_000)
_CASES = (
    ("720p30", _HD, 2.0, 0.0001),
    ("720p30", _HD, 2.0, 0.25),
    ("720p30", _HD, 2.0, 1.0),
    ("720p30", _HD, 250 / RATE, 0.25),
    ("360p30", _SMALL, 2.0, 0.0001),
    ("360p30", _SMALL, 2.0, 0.25),
    ("360p30", _SMALL, 2.0, 1.0),
)
"""Name, picture and bits a second, seconds between key frames, and the share of intervals with a random frame."""

_FIRST = {Scale.TINY: len(_CASES) - 3, Scale.USUAL: 0, Scale.FULL: 0}


_LISTED = {Scale.TINY: 100, Scale.USUAL: 100_000, Scale.FULL: 1_000_000}


def run(scale: Scale) -> list[Table]:
    """The tables."""
    columns = (
        *("stream", "key frames every", "random frames in", "samples", "ms a second of stream", "streams a core"),
        *("PyAV, key frames alone", "ratio"),
    )
    note = (
        f"{_SECONDS[scale]} s of real footage with a moving camera and grain, by x264 (veryfast, zerolatency, bit rate"
        " held). Processor time on one core for each second of stream: decoding and hashing of every look with all"
        " views, as a worker does it; the search of an index, receiving and the rest are not in it. Random moments are"
        f" the mean of {_DRAWS[scale]} draws. PyAV decodes the key frames and does nothing with them. Medians, ours and"
        " PyAV's in turns."
    )
    table = Table("Live streams a core", columns, note)
    with tempfile.TemporaryDirectory() as folder:
        made: dict[tuple[object, ...], Path] = {}
        for name, picture, every_s, share in _CASES[_FIRST[scale] :]:
            path = made.setdefault((picture, every_s), Path(folder) / f"{name}-{every_s:.0f}.mkv")
            if not path.exists():
                _encode(path, _SECONDS[scale], picture, round(every_s * RATE))
            table.add(name, f"{every_s:.1f} s", f"{share:.0%}", *_measured(path, share, scale))
        films = {name: path for (_, every_s), path in made.items() if every_s == 2.0 for name in [path.name[:6]]}
        return [table, _shares(films, scale)]


def _shares(films: Mapping[str, Path], scale: Scale) -> Table:
    """What each step takes from the packets to the ruling."""
    table = Table(
        "Where the time goes",
        ("step", "where", *(f"ms a look, {name}" for name in films)),
        f"Processor time of a look at a key frame; {_LISTED[scale]:,} random hashes are listed.",
    )
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        home = Path(folder) / "home"
        with compose_deployment(home, decoders=1) as deployment:
            entries = [
                NewEntry("pdq", bytes(value), "benchmark", str(number))
                for number, value in enumerate(random_hashes(_LISTED[scale], 1))
            ]
            deployment.banks.create("known", policy=Policy(Action.BLOCK), actor="benchmark")
            deployment.banks.add("known", entries, actor="benchmark")
            build_index(deployment)
        deployment = stack.enter_context(compose_deployment(home, decoders=1))
        columns = [_steps(path, deployment.screener.lookup_each, scale) for path in films.values()]
    for steps in zip(*columns, strict=True):
        table.add(*steps[0][:2], *(f"{1000 * seconds:.2f}" for _, _, seconds in steps))
    return table


def _steps(path: Path, lookup: Lookup, scale: Scale) -> list[tuple[str, str, float]]:
    """Each step, where it is done, and its seconds for a look."""
    codec, looks, _ = _looks(path, 0.0001, 1)
    looks = [look for look in looks if look.frames is ScreenedFrames.KEY]
    frames = [_frame(codec, look) for look in looks]
    lumas = [luma for frame in frames for luma in readings(frame, Random())]
    samples = [PDQ.of_picture(Picture(luma, luma.shape[1], luma.shape[0]), ViewSet.STANDARD) for luma in lumas]
    views = [[sample_fields(sample) for sample in each] for each in samples]
    answers = [to_json({"frames": [[0.0, view]], "track": 0}) for view in views]
    seen = [read_seen(from_json(answer)) for answer in answers]
    ours, theirs = socket.socketpair()
    sends, reads = WireLine(ours), WireLine(theirs)

    def decode() -> None:
        for look in looks:
            _frame(codec, look)

    def hand_over() -> None:
        for look in looks:
            with ThreadPoolExecutor(1) as threads:  # it is longer than a socket holds
                sent = threads.submit(send_look, sends, look, 0.0)
                message = reads.receive()
                assert message is not None
                read_look(message)
                sent.result()

    steps: tuple[tuple[str, str, Callable[[], object]], ...] = (
        ("all of a look", "worker", lambda: _examine(codec, looks)),
        ("PyAV decodes the key frame of the file", "peer", lambda: _bare(path)),
        ("packets into the decoder, frame out", "worker", decode),
        ("luma as it is shown", "worker", lambda: [readings(frame, Random()) for frame in frames]),
        (
            f"hashes of {statistics.mean(map(len, samples)):.0f} views",
            "worker",
            lambda: [PDQ.of_picture(Picture(luma, luma.shape[1], luma.shape[0]), ViewSet.STANDARD) for luma in lumas],
        ),
        ("answer written", "worker", lambda: [to_json([sample_fields(one) for one in each]) for each in samples]),
        ("packets handed over", "receiver, watcher", hand_over),
        ("answer read", "watcher", lambda: [read_seen(from_json(answer)) for answer in answers]),
        ("hashes searched", "watcher", lambda: [lookup([frame.samples for frame in each]) for each in seen]),
    )
    gc.collect()
    gc.freeze()
    found = in_turns([function for _, _, function in steps], _ROUNDS[scale], time.process_time)
    return [(what, where, seconds / len(looks)) for (what, where, _), seconds in zip(steps, found, strict=True)]


def _frame(codec: Codec, look: Look) -> av.VideoFrame:
    decoder = av.CodecContext.create(codec.name, "r")
    decoder.extradata, decoder.thread_count = codec.extradata, 1
    assert isinstance(decoder, av.VideoCodecContext)
    (frame,) = [*decoder.decode(av.Packet(look.packets[0].data)), *decoder.decode(None)]
    return frame


def _encode(path: Path, seconds: int, picture: tuple[int, int, int], key_frames_every: int) -> None:
    width, height, bits = picture
    with av.open(str(path), "w", format="matroska") as container:
        stream = container.add_stream("libx264", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.bit_rate, stream.gop_size = bits, key_frames_every
        rate = {"maxrate": str(bits), "bufsize": str(bits)}
        stream.options = {"preset": "veryfast", "tune": "zerolatency", "sc_threshold": "0", **rate}
        for number, frame in enumerate(hd_film(seconds, 2.0)):
            small = frame.reformat(width, height)
            small.pts, small.time_base = number, Fraction(1, RATE)
            container.mux(stream.encode(small))
        container.mux(stream.encode(None))


def _measured(path: Path, share: float, scale: Scale) -> Iterator[str]:
    codec, looks, seconds = _looks(path, share, _DRAWS[scale])
    gc.collect()
    gc.freeze()  # as in a worker, whose collections after each look find little to go through
    ours, theirs = [], []
    for _ in range(_ROUNDS[scale]):
        ours.append(_processor_s(lambda: _examine(codec, looks)) / seconds)
        theirs.append(_processor_s(lambda: _bare(path)) / seconds * _DRAWS[scale])
    mine, peer = statistics.median(ours), statistics.median(theirs)
    yield f"{sum(len(look.due) for look in looks) / _DRAWS[scale]:.0f}"
    yield f"{1000 * mine:.1f}"
    yield f"{1 / mine:.0f}"
    yield f"{1000 * peer:.1f} ms"
    yield f"{mine / peer:.1f}"


def _looks(path: Path, share: float, draws: int) -> tuple[Codec, list[Look], float]:
    """All looks of so many watches of the film, and how long these are together."""
    with av.open(str(path)) as container:
        track = container.streams.video[0]
        context = track.codec_context
        codec = Codec(context.name, bytes(context.extradata or b""), context.width, context.height)
        packets = [
            Packet(float(packet.pts * packet.time_base), bytes(packet), packet.is_keyframe, packet.is_disposable)
            for packet in container.demux(track)
            if packet.pts is not None
        ]
    looks: list[Look] = []
    for seed in range(draws):
        sampler = Sampler(SamplingPlan(2.0, share), Random(seed))
        for packet in packets:
            looks += sampler.take(packet)
        looks += sampler.finish()
    return codec, looks, draws * packets[-1].seconds


def _examine(codec: Codec, looks: list[Look]) -> None:
    limits = asdict(Limits())
    for look in looks:
        content = memoryview(b"".join(packet.data for packet in look.packets))
        asked = {"codec": codec_fields(codec), "packets": packet_fields(look), "due": list(look.due)}
        how = {"fresh": look.fresh, "track": 0, "followed": look.frames.value == "followed", "limits": limits}
        task(content, asked | how)
        gc.collect()


def _bare(path: Path) -> None:
    with av.open(str(path)) as container:
        container.streams.video[0].codec_context.skip_frame = "NONKEY"
        container.streams.video[0].thread_count = 1
        for _ in container.decode(video=0):
            pass


def _processor_s(work: Callable[[], None]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began
