"""Hours of benign film through the sampling and the ruling of live streams, faster than in real time: how often viewers
of such streams would be sent away, and whether one would be cut."""

import io
import itertools
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import av
import numpy as np
import numpy.typing as npt
from PIL import Image

from benchmarks.films import SHARED, photos
from benchmarks.generic_pictures import FAMILIES, draw_generic
from benchmarks.report import Scale, Table
from tutela.cli.demo import draw_scene
from tutela.content.media.content import Picture
from tutela.content.media.limits import Limits
from tutela.content.signals.base import Sample
from tutela.content.signals.pdq import PDQ
from tutela.content.views.view_set import ViewSet
from tutela.deployment.composition import Deployment, compose_deployment
from tutela.lists.banks.model import Action, NewEntry, Policy
from tutela.lists.banks.values import MIN_LISTED_QUALITY
from tutela.screening.streams.attention import Attention
from tutela.screening.streams.model import Codec, Look, Packet, ScreenedFrames, Sight, StreamState, StreamStep
from tutela.screening.streams.options import StreamOptions
from tutela.screening.streams.ruling import Standing, rule
from tutela.screening.streams.sampling import Sampler, SamplingPlan
from tutela.screening.streams.task import StretchSeen, read_seen, task
from tutela.screening.streams.wire import codec_fields, packet_fields

_SIZE, _RATE = (320, 180), 10
_PROCESSOR_S = {Scale.TINY: 0.1, Scale.USUAL: 120, Scale.FULL: 900}
_LISTED = {Scale.TINY: 2, Scale.USUAL: 250, Scale.FULL: 1_250}
"""Drawn pictures of each family that are listed."""
_STREAM_S = {Scale.TINY: 15, Scale.USUAL: 300, Scale.FULL: 300}
"""One stream: so many seconds of scenes and footage, each changed in its own way."""
_SHOT_S = 12
_LISTED_FROM = 2_000_000_000
Pixels = npt.NDArray[np.uint8]


@dataclass(slots=True)
class Found:
    """What came of all streams."""

    streams: int = 0
    seconds: float = 0.0
    attended_s: float = 0.0
    """In which every interval was looked into."""
    samples: Counter[ScreenedFrames] = field(default_factory=Counter)
    hits: int = 0
    nearest: list[int] = field(default_factory=list)
    steps: Counter[StreamStep] = field(default_factory=Counter)


def run(scale: Scale) -> list[Table]:
    """The table."""
    found = Found()
    with ExitStack() as stack:
        home = Path(stack.enter_context(TemporaryDirectory()))
        deployment = stack.enter_context(compose_deployment(home / "home", decoders=1))
        listed = _list(deployment, _LISTED[scale])
        dice = Random(1)
        began = time.process_time()
        while time.process_time() - began < _PROCESSOR_S[scale]:
            _watch(_film(dice, _STREAM_S[scale]), deployment, found, dice)
        spent_s = time.process_time() - began
    note = (
        f"Streams of {_STREAM_S[scale]} s, {_SIZE[0]} x {_SIZE[1]} at {_RATE} frames a second, a key frame every 2 s:"
        " drawn scenes under a moving camera and the shared videos, each shot mirrored, brightened, darkened or cut out"
        f" anew, compared with {listed:,} hashes of other pictures: drawn ones of sixteen families, and photos."
        f" {spent_s:.0f} s of processor, most of it for encoding."
    )
    columns = (
        "hours",
        "streams",
        "samples",
        "of them random",
        "hours in doubt",
        "hits",
        "nearest",
        "pauses",
        "released",
        "cuts",
    )
    table = Table("Benign streams", columns, note)
    table.add(
        f"{found.seconds / 3600:.1f}",
        str(found.streams),
        f"{found.samples.total():,}",
        f"{found.samples[ScreenedFrames.RANDOM]:,}",
        f"{found.attended_s / 3600:.1f}",
        str(found.hits),
        str(min(found.nearest, default="-")),
        str(found.steps[StreamStep.PAUSE]),
        str(found.steps[StreamStep.RELEASE]),
        str(found.steps[StreamStep.CUT]),
    )
    return [table]


def _list(deployment: Deployment, count: int) -> int:
    """List other pictures; how many."""
    drawn = (draw_generic(family, _LISTED_FROM + n) for family in FAMILIES for n in range(count))
    samples = [_sample(picture) for picture in itertools.chain(drawn, photos())]
    values = {sample.value for sample in samples if (sample.quality or 0) >= MIN_LISTED_QUALITY}
    entries = [NewEntry("pdq", value, "benchmark", str(number)) for number, value in enumerate(sorted(values))]
    deployment.banks.create("known", policy=Policy(Action.BLOCK), actor="benchmark")
    deployment.banks.add("known", entries, actor="benchmark")
    deployment.refresh()
    return len(values)


def _sample(picture: Image.Image) -> Sample:
    luma = np.asarray(picture.convert("L"))
    height, width = luma.shape
    return PDQ.of_picture(Picture(luma, width, height), ViewSet.PLAIN)[0]


def _film(dice: Random, seconds: int) -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format="matroska") as container:
        stream = container.add_stream("libx264", rate=_RATE)
        stream.width, stream.height, stream.pix_fmt, stream.gop_size = *_SIZE, "yuv420p", 2 * _RATE
        stream.options = {"preset": "ultrafast", "tune": "zerolatency", "sc_threshold": "0", "crf": "28"}
        shots = itertools.chain.from_iterable(iter(lambda: _shot(dice), None))
        for number, pixels in enumerate(itertools.islice(shots, seconds * _RATE)):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), "rgb24").reformat(*_SIZE, "yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, _RATE)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()


def _shot(dice: Random) -> Iterator[Pixels]:
    """Some seconds of one scene, changed in one way."""
    mirrored, light = dice.random() < 0.5, dice.uniform(0.7, 1.3)
    left, top, part = dice.uniform(0, 0.2), dice.uniform(0, 0.2), dice.uniform(0.7, 0.8)
    table = np.clip(np.arange(256) * light, 0, 255).astype(np.uint8)
    for pixels in itertools.islice(_footage(dice), _SHOT_S * _RATE):
        height, width = pixels.shape[:2]
        x, y = int(left * width), int(top * height)
        seen = table[pixels[y : y + int(part * height), x : x + int(part * width)]]
        yield seen[:, ::-1] if mirrored else seen


def _footage(dice: Random) -> Iterator[Pixels]:
    videos = sorted((SHARED / "videos").glob("*.mp4"))
    if videos and dice.random() < 0.5:
        with av.open(str(dice.choice(videos))) as container:
            track = container.streams.video[0]
            step = max(1, round(float(track.average_rate or 30) / _RATE))
            skipped = dice.randrange(0, 20 * step)
            for frame in itertools.islice(container.decode(track), skipped, None, step):
                yield frame.to_ndarray(format="rgb24")
        return
    size = (_SIZE[0] + 100, _SIZE[1] + 60)
    scene = np.asarray(draw_scene(dice.randrange(1_000, 1_000_000), size))
    for number in range(_SHOT_S * _RATE):
        x, y = number % 100, number * 2 // 3 % 60
        yield scene[y : y + _SIZE[1], x : x + _SIZE[0]]


def _watch(film: bytes, deployment: Deployment, found: Found, dice: Random) -> None:
    """One stream as it is watched, with the film's own time in place of the clock."""
    options, standing, attention = StreamOptions(), Standing(), Attention()
    sampler = Sampler(SamplingPlan(options.max_gap_s, options.random_share), Random(dice.random()))
    found.streams += 1
    with av.open(io.BytesIO(film)) as container:
        track = container.streams.video[0]
        context = track.codec_context
        codec = Codec(context.name, bytes(context.extradata or b""), context.width, context.height)
        for packet in container.demux(track):
            if packet.pts is None or packet.time_base is None:
                continue
            at = float(packet.pts * packet.time_base)
            looks = sampler.take(Packet(at, bytes(packet), packet.is_keyframe, packet.is_disposable))
            while looks:
                look = looks.pop(0)
                found.samples[look.frames] += 1
                frames = _seen(codec, look)
                if frames and attention.changes(look.frames, frames[0].samples[0], at):
                    sampler.attend(attention.attends)
                for sight in _sights(frames, deployment):
                    ruling = rule(standing, sight, options)
                    standing = ruling.standing
                    found.steps[ruling.step] += 1
                    found.hits += bool(sight.matches)
                    found.nearest += [match.distance for match in sight.matches]
                    if ruling.step is StreamStep.PAUSE:
                        looks += sampler.closely(options.closely_s)
                    elif ruling.step is StreamStep.RELEASE:
                        looks += sampler.closely(None)
            if standing.state is StreamState.CUT:
                return
            found.seconds += 1 / _RATE
            found.attended_s += attention.attends / _RATE


def _seen(codec: Codec, look: Look) -> list[StretchSeen]:
    content = memoryview(b"".join(packet.data for packet in look.packets))
    asked = {"codec": codec_fields(codec), "packets": packet_fields(look), "due": list(look.due)}
    how = {"fresh": look.fresh, "track": 0, "followed": look.frames is ScreenedFrames.FOLLOWED}
    return read_seen(task(content, asked | how | {"limits": asdict(Limits())}))


def _sights(frames: Sequence[StretchSeen], deployment: Deployment) -> list[Sight]:
    matches = deployment.screener.lookup_each([frame.samples for frame in frames]) if frames else []
    return [Sight(frame.seconds, frame.seconds, tuple(each)) for frame, each in zip(frames, matches, strict=True)]
