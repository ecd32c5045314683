"""Films for the video benchmarks: cameras over benign photos with something moving in front, photos that are panned,
drawn animations, and the shared videos where they are."""

import io
from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import cache
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import skimage.data
from PIL import Image, ImageDraw

from benchmarks.pictures import sample_photo
from tutela.cli.demo import draw_scene

Frames = Sequence[npt.NDArray[np.uint8]]
"""(height, width, 3) RGB, all of one size."""
SHARED = Path(__file__).parent.parent.parent / "shared" / "media"
SIZE = (480, 270)
RATE = 10
SHOTS = 3
SHOT_S = 7.0


@cache
def photos() -> tuple[Image.Image, ...]:
    """The photos that there are, each of something else."""
    arrays = [skimage.data.astronaut(), skimage.data.coffee(), skimage.data.chelsea(), skimage.data.rocket()]
    arrays += [skimage.data.hubble_deep_field(), skimage.data.immunohistochemistry()]
    arrays += [sample_photo("china"), sample_photo("flower")]
    found = [Image.fromarray(array).convert("RGB") for array in arrays]
    if SHARED.is_dir():
        paths = [
            SHARED / "photos/pen-and-coaster.png",
            SHARED / "bridge-mods/aaa-orig.jpg",
        ]
        paths += sorted((SHARED / "photos/labelme-subset").glob("*.jpg"))
        found += [Image.open(path).convert("RGB") for path in paths]
    return tuple(found)


@cache
def _tiles() -> tuple[Image.Image, ...]:
    """Quarters of the photos, in an order that keeps those of one photo apart: no two films show the same."""
    tiles = []
    for quarter in range(4):
        for photo in photos():
            left, top = photo.width // 2 * (quarter % 2), photo.height // 2 * (quarter // 2)
            tiles.append(photo.crop((left, top, left + photo.width // 2, top + photo.height // 2)))
    return tuple(tiles)


def film_count() -> int:
    """How many different films can be made."""
    return len(_tiles()) // (SHOTS + 1)


def film(number: int, seconds: float = SHOTS * SHOT_S) -> list[npt.NDArray[np.uint8]]:
    """A film of shots; in each a camera moves over a photo, and a piece of another passes in front of it.

    The piece's outline is the film's own: plain pieces within one outline would show the same thing.
    """
    rng = np.random.default_rng(number)
    tiles = _tiles()
    frames: list[npt.NDArray[np.uint8]] = []
    subject = tiles[(number * (SHOTS + 1) + SHOTS) % len(tiles)].resize((90, 120))
    mask = Image.new("L", subject.size)
    ImageDraw.Draw(mask).polygon(_outline(number, *subject.size), 255)
    while len(frames) < seconds * RATE:
        shot = len(frames) // int(SHOT_S * RATE)
        scene = tiles[(number * (SHOTS + 1) + shot % SHOTS) % len(tiles)]
        begin, end = rng.random(2), rng.random(2)
        zoom = rng.uniform(0.6, 0.8, 2)
        count = min(int(SHOT_S * RATE), round(seconds * RATE) - len(frames))
        for i in range(count):
            at = i / (SHOT_S * RATE)
            width = min(scene.width, scene.height * SIZE[0] / SIZE[1]) * (zoom[0] * (1 - at) + zoom[1] * at)
            height = width * SIZE[1] / SIZE[0]
            place = begin * (1 - at) + end * at
            left, top = place * (scene.width - width, scene.height - height)
            picture = scene.resize(SIZE, Image.Resampling.BILINEAR, box=(left, top, left + width, top + height))
            x = round(at * (SIZE[0] - 90) if shot % 2 else (1 - at) * (SIZE[0] - 90))
            picture.paste(subject, (x, 100 + round(30 * np.sin(at * 9))), mask)
            frames.append(np.asarray(picture))
    return frames


def _outline(number: int, width: int, height: int) -> list[tuple[float, float]]:
    """Eight corners around the middle, each at a distance of its own."""
    rng = np.random.default_rng([number, 1])
    return [
        (width / 2 * (1 + reach * np.cos(turn)), height / 2 * (1 + reach * np.sin(turn)))
        for turn, reach in zip(np.arange(8) * np.pi / 4, rng.uniform(0.4, 1, 8), strict=True)
    ]


PANNED = ("camera", "coins", "retina", "motorcycle")
ANIMATED = 4


def panned(name: str) -> list[npt.NDArray[np.uint8]]:
    """A single photo, panned and zoomed from one end to the other, in three moves."""
    array = skimage.data.stereo_motorcycle()[0] if name == "motorcycle" else getattr(skimage.data, name)()
    photo = Image.fromarray(array).convert("RGB")
    rng = np.random.default_rng(PANNED.index(name))
    places, zooms = rng.random((SHOTS + 1, 2)), rng.uniform(0.45, 0.9, SHOTS + 1)
    frames = []
    for number in range(round(SHOTS * SHOT_S * RATE)):
        shot, at = divmod(number / (SHOT_S * RATE), 1)
        at = at * at * (3 - 2 * at)
        left, top = places[int(shot)] * (1 - at) + places[int(shot) + 1] * at
        zoom = zooms[int(shot)] * (1 - at) + zooms[int(shot) + 1] * at
        frames.append(_window(photo, float(left), float(top), float(zoom)))
    return frames


def animated(number: int) -> list[npt.NDArray[np.uint8]]:
    """Drawn landscapes that go by, with shapes that jump about in front."""
    rng = np.random.default_rng(100 + number)
    frames = []
    for shot in range(SHOTS):
        ground = draw_scene(100 + number * SHOTS + shot, (960, 270))
        shapes = rng.random((6, 5))
        for i in range(round(SHOT_S * RATE)):
            at = i / (SHOT_S * RATE)
            left = round((at if shot % 2 else 1 - at) * (ground.width - SIZE[0]))
            picture = ground.crop((left, 0, left + SIZE[0], SIZE[1]))
            draw = ImageDraw.Draw(picture)
            for x, y, speed, size, shade in shapes.tolist():
                middle = (x + speed * at) % 1 * SIZE[0], SIZE[1] * (0.8 - 0.5 * abs(np.sin(at * 12 * (0.5 + y))))
                colour = tuple(round(255 * (shade + third) % 255) for third in (0, 0.33, 0.67))
                draw.regular_polygon((*middle, 15 + 30 * size), 3 + round(5 * shade), fill=colour)
            frames.append(np.asarray(picture))
    return frames


def _window(photo: Image.Image, left: float, top: float, zoom: float) -> npt.NDArray[np.uint8]:
    """A part of a photo in the films' shape: `zoom` is its share of the largest, the others say where, from 0 to 1."""
    width = min(photo.width, photo.height * SIZE[0] / SIZE[1]) * zoom
    height = width * SIZE[1] / SIZE[0]
    x, y = left * (photo.width - width), top * (photo.height - height)
    return np.asarray(photo.resize(SIZE, Image.Resampling.BILINEAR, box=(x, y, x + width, y + height)))


def shared_films() -> dict[str, list[npt.NDArray[np.uint8]]]:
    """The shared videos that are no edits of another, at the films' rate and about their size."""
    names = ("chair-orig-22-sd-bar", "pattern-longer-no-bar", "doorknob-hd-no-bar", "test-padded-dimensions")
    if not SHARED.is_dir():
        return {}
    return {name: list(_thinned(SHARED / "videos" / f"{name}.mp4")) for name in names}


def _thinned(path: Path) -> Iterator[npt.NDArray[np.uint8]]:
    with av.open(str(path)) as container:
        for number, frame in enumerate(container.decode(video=0)):
            if number % 3 == 0:
                scale = 270 / min(frame.width, frame.height)
                width, height = (round(side * scale) // 2 * 2 for side in (frame.width, frame.height))
                yield frame.to_ndarray(format="rgb24", width=width, height=height)


def encode(frames: Frames, bit_rate: int | None = None, key_frames_every: int = 50) -> bytes:
    """H.264 in MP4."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=RATE)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        stream.gop_size = key_frames_every
        stream.options = {"preset": "superfast"} | ({} if bit_rate else {"crf": "23"})
        if bit_rate:
            stream.bit_rate = bit_rate
        for number, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), "rgb24")
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()


def join(videos: Sequence[bytes]) -> bytes:
    """Videos of one size, encoded alike, one after the other without encoding them again."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream, shift = None, 0
        for video in videos:
            with av.open(io.BytesIO(video)) as source:
                theirs = source.streams.video[0]
                stream = stream or container.add_stream_from_template(theirs)
                end = shift
                for packet in source.demux(theirs):
                    if packet.dts is None:
                        continue
                    packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                    end = max(end, packet.pts + packet.duration)
                    packet.stream = stream
                    container.mux(packet)
                shift = end
    return file.getvalue()
