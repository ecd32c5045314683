"""Films for the video benchmarks: cameras over benign photos with something moving in front, the shared videos where
they are, and what is done to copies of them."""

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import skimage.data
import sklearn.datasets
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageOps

Frames = Sequence[npt.NDArray[np.uint8]]
"""(height, width, 3) RGB, all of one size."""
SHARED = Path(__file__).parent.parent.parent / "shared" / "media"
SIZE = (480, 270)
RATE = 10
SHOTS = 3
SHOT_S = 7.0


@dataclass(frozen=True, slots=True)
class Attack:
    """What is done to a copy."""

    name: str
    change: Callable[[Frames], Frames]
    bit_rate: int | None = None


@cache
def photos() -> tuple[Image.Image, ...]:
    """The photos that there are."""
    arrays = [skimage.data.astronaut(), skimage.data.coffee(), skimage.data.chelsea(), skimage.data.rocket()]
    arrays += [skimage.data.hubble_deep_field(), skimage.data.immunohistochemistry()]
    arrays += [sklearn.datasets.load_sample_image(name) for name in ("china.jpg", "flower.jpg")]
    found = [Image.fromarray(array).convert("RGB") for array in arrays]
    if SHARED.is_dir():
        paths = [
            SHARED / "photos/pen-and-coaster.png",
            SHARED / "misc-images/c.png",
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
    """A film of shots; in each a camera moves over a photo, and a piece of another passes in front of it."""
    rng = np.random.default_rng(number)
    tiles = _tiles()
    frames: list[npt.NDArray[np.uint8]] = []
    subject = tiles[(number * (SHOTS + 1) + SHOTS) % len(tiles)].resize((90, 120))
    mask = Image.new("L", subject.size)
    ImageDraw.Draw(mask).ellipse((0, 0, *subject.size), 255)
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


def _each(change: Callable[[Image.Image], Image.Image]) -> Callable[[Frames], Frames]:
    return lambda frames: [np.asarray(change(Image.fromarray(frame))) for frame in frames]


def _scaled(height: int) -> Callable[[Image.Image], Image.Image]:
    return lambda frame: frame.resize((round(frame.width * height / frame.height) // 2 * 2, height))


def _cropped(left: float, top: float, right: float, bottom: float) -> Callable[[Image.Image], Image.Image]:
    def crop(frame: Image.Image) -> Image.Image:
        width, height = frame.size
        box = (round(left * width), round(top * height), round(right * width), round(bottom * height))
        inner = frame.crop(box)
        return inner.resize((inner.width // 2 * 2, inner.height // 2 * 2))

    return crop


def _letterboxed(frame: Image.Image) -> Image.Image:
    return ImageOps.expand(frame, (0, round(frame.height * 0.165) // 2 * 2), "black")


def _with_logo(frame: Image.Image) -> Image.Image:
    frame = frame.copy()
    draw = ImageDraw.Draw(frame)
    width, height = frame.size
    draw.rectangle((width * 0.74, height * 0.05, width * 0.97, height * 0.2), "white")
    draw.text((width * 0.76, height * 0.08), "BENIGN TV", "red", font_size=height * 0.08)
    return frame


def _filmed(frame: Image.Image) -> Image.Image:
    """A screen filmed by hand: a little askew, with its surroundings, darker to one side, soft and noisy."""
    width, height = frame.size
    corners = (-0.05 * width, -0.07 * height, -0.04 * width, 1.06 * height, 1.05 * width, 1.04 * height)
    filmed = frame.transform(
        frame.size, Image.Transform.QUAD, (*corners, 1.06 * width, -0.04 * height), Image.Resampling.BILINEAR
    )
    filmed = ImageEnhance.Contrast(filmed.filter(ImageFilter.GaussianBlur(0.8))).enhance(0.8)
    pixels = np.asarray(filmed, np.float32) * np.linspace(0.75, 1.0, width, dtype=np.float32)[None, :, None]
    noise = np.random.default_rng(0).normal(0, 5, pixels.shape)
    return Image.fromarray(np.clip(pixels + noise, 0, 255).astype(np.uint8))


def _at_speed(speed: float) -> Callable[[Frames], Frames]:
    return lambda frames: [frames[min(len(frames) - 1, int(i * speed))] for i in range(round(len(frames) / speed))]


def _trimmed(frames: Frames) -> Frames:
    return frames[round(0.3 * len(frames)) : round(0.8 * len(frames))]


def _with_still(frames: Frames) -> Frames:
    """One frame held for half of the copy's time, then the rest."""
    middle = len(frames) // 2
    return [*frames[:middle], *([frames[middle]] * len(frames)), *frames[middle:]]


def _over(frames: Frames) -> Frames:
    """Picture in picture: at 60 % over another film."""
    height, width = frames[0].shape[:2]
    behind = film(film_count() - 1)
    small = (round(0.6 * width), round(0.6 * height))
    shown = []
    for i, frame in enumerate(frames):
        ground = Image.fromarray(behind[i % len(behind)]).resize((width, height))
        ground.paste(Image.fromarray(frame).resize(small), (round(0.35 * width), round(0.08 * height)))
        shown.append(np.asarray(ground))
    return shown


ATTACKS = (
    Attack("the same, encoded again", lambda frames: frames),
    Attack("100 kbit/s", lambda frames: frames, 100_000),
    Attack("240 lines", _each(_scaled(240))),
    Attack("crop to the middle 80 % x 80 %", _each(_cropped(0.1, 0.1, 0.9, 0.9))),
    Attack("crop of 20 % at one side", _each(_cropped(0.2, 0.0, 1.0, 1.0))),
    Attack("letterbox", _each(_letterboxed)),
    Attack("mirrored", _each(ImageOps.mirror)),
    Attack("logo", _each(_with_logo)),
    Attack("half speed", _at_speed(0.5)),
    Attack("speed 1.5", _at_speed(1.5)),
    Attack("double speed", _at_speed(2.0)),
    Attack("backwards", lambda frames: frames[::-1]),
    Attack("trimmed to the middle half", _trimmed),
    Attack("a still held for half of it", _with_still),
    Attack("picture in picture, 60 %", _over),
    Attack("camcorder", _each(_filmed)),
)
