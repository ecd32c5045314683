"""The task that runs inside an isolated worker: evidence in, small grey renditions of growing clearness out.

What leaves is always encoded anew: no byte of a hostile file, no metadata, no colour and no sound reach a browser.
"""

import base64
import contextlib
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image

from tutela.content.media.confined.budget import Budget
from tutela.content.media.confined.decode import decode_picture
from tutela.content.media.confined.walk import walk
from tutela.content.media.content import Content, Limits, Mode, Shortcoming
from tutela.content.media.sniff import PICTURES, MediaType, sniff
from tutela.errors import UnscreenableError

with contextlib.suppress(ImportError):
    import av  # loaded before the worker confines itself

_SHEET = 3
"""A contact sheet has so many frames across and down."""
_VIDEOS = frozenset({MediaType.MP4, MediaType.WEBM, MediaType.AVI})
_MAX_FRAMES_READ = 20_000


def render(data: memoryview, options: Mapping[str, Any]) -> dict[str, Any]:
    """Renditions as JPEG in base64, one a step of `options["steps"]`: [pixels of detail, pixels shown] a step.

    `options["frame"]` is the number of one frame of a video, or None: the picture, or a contact sheet of a video.
    `options["parts"]` are the paths of the pictures to show of what has others inside; empty for the content itself.
    """
    limits = Limits(**options["limits"])
    frames = _frames(data, limits, options["parts"])
    wanted = options["frame"]
    if wanted is None:
        picture = frames[0] if len(frames) == 1 else _sheet(frames)
    elif 0 <= wanted < len(frames):
        picture = frames[wanted]
    else:
        raise UnscreenableError(Shortcoming.UNREADABLE, "there is no such frame")
    whole = len(frames) == 1 and sniff(data) in PICTURES
    return {"steps": [_step(picture, *step) for step in options["steps"]], "frames": len(frames), "whole": whole}


def _frames(data: memoryview, limits: Limits, parts: Sequence[str]) -> Sequence[Image.Image]:
    media_type = sniff(data)
    if media_type in _VIDEOS:
        return _video(data, limits)
    if parts or media_type not in PICTURES:
        return _inside(data, limits, frozenset(parts))
    if media_type in (MediaType.GIF, MediaType.WEBP, MediaType.PNG, MediaType.AVIF, MediaType.TIFF):
        animated = _animation(data, limits)
        if len(animated) > 1:
            return animated
    pixels, _ = decode_picture(data, media_type, Mode.EXACT, limits).displayed()
    return [Image.fromarray(pixels).convert("L")]


def _inside(data: memoryview, limits: Limits, wanted: frozenset[str]) -> Sequence[Image.Image]:
    """Up to a sheet's pictures inside the content: those at the wanted paths, or the first ones."""
    found: list[Image.Image] = []
    for place in walk(Content(data, Mode.FAST, limits), Budget(limits, len(data))):
        if place.content is None or (place.path not in wanted if wanted else not place.path):
            continue
        with contextlib.suppress(UnscreenableError):
            found += _shown(place.content, limits)
        if len(found) >= _SHEET * _SHEET or (wanted and len(found) >= len(wanted)):
            break
    if not found:
        raise UnscreenableError(Shortcoming.UNSUPPORTED_TYPE, "there is no picture to be shown in this content")
    return found[: _SHEET * _SHEET]


def _shown(content: Content, limits: Limits) -> Sequence[Image.Image]:
    if content.media_type in _VIDEOS:
        return _video(memoryview(content.data), limits)
    pixels, _ = content.picture.displayed()
    return [_small(Image.fromarray(pixels).convert("L"))]


def _animation(data: memoryview, limits: Limits) -> Sequence[Image.Image]:
    """Up to a sheet's frames of an animation, evenly over it; nothing for a still picture."""
    try:
        image = Image.open(io.BytesIO(data))
        count = int(getattr(image, "n_frames", 1))
        if count <= 1 or image.width * image.height > limits.max_pixels:
            return []
        found = []
        for number in _evenly(count):
            image.seek(number)
            found.append(_small(image.convert("L")))
    except (OSError, EOFError, ValueError, SyntaxError):
        return []
    return found


def _video(data: memoryview, limits: Limits) -> Sequence[Image.Image]:
    """Up to a sheet's frames of a video's first picture track, evenly over its length."""
    try:
        container = av.open(io.BytesIO(data), metadata_errors="ignore")
    except NameError:
        raise UnscreenableError(Shortcoming.UNSUPPORTED_TYPE, "a preview of videos needs tutela[video]") from None
    except (av.FFmpegError, ValueError) as error:
        raise UnscreenableError(Shortcoming.UNREADABLE, "the video cannot be opened") from error
    with container:
        if not container.streams.video:
            raise UnscreenableError(Shortcoming.UNREADABLE, "there are no pictures in this file")
        stream = container.streams.video[0]
        if stream.width * stream.height > limits.max_pixels:
            raise UnscreenableError(Shortcoming.TOO_MANY_PIXELS, "the video's pictures are over the limit")
        stream.thread_count = 1
        frames = list(_spread(container, stream))
    if not frames:
        raise UnscreenableError(Shortcoming.UNREADABLE, "no frame of the video can be decoded")
    return frames


def _spread(container: Any, stream: Any) -> Iterator[Image.Image]:
    """Frames by seeking where the length is known, the first ones otherwise."""
    total = _SHEET * _SHEET
    length = stream.duration
    if not length:
        for number, frame in enumerate(_decodable(container, stream)):
            if number % 25 == 0:
                yield _small(Image.fromarray(frame.to_ndarray(format="gray")))
            if number // 25 >= total - 1:
                return
        return
    start = stream.start_time or 0
    for number in range(total):
        with contextlib.suppress(av.FFmpegError):
            container.seek(start + length * number // total, stream=stream)
            for frame in _decodable(container, stream):
                yield _small(Image.fromarray(frame.to_ndarray(format="gray")))
                break


def _decodable(container: Any, stream: Any) -> Iterator[Any]:
    with contextlib.suppress(av.FFmpegError):
        for number, frame in enumerate(container.decode(stream)):
            if number > _MAX_FRAMES_READ:
                return
            yield frame


def _evenly(count: int) -> Sequence[int]:
    wanted = min(count, _SHEET * _SHEET)
    return sorted({number * count // wanted for number in range(wanted)})


def _small(picture: Image.Image) -> Image.Image:
    copy = picture.copy()
    copy.thumbnail((480, 480))
    return copy


def _sheet(frames: Sequence[Image.Image]) -> Image.Image:
    width, height = 160, max(1, round(160 * frames[0].height / frames[0].width))
    sheet = Image.new("L", (width * _SHEET, height * _SHEET), 128)
    for number, frame in enumerate(frames[: _SHEET * _SHEET]):
        sheet.paste(frame.resize((width, height)), (number % _SHEET * width, number // _SHEET * height))
    return sheet


def _step(picture: Image.Image, detail: int, shown: int) -> str:
    """The picture with so many pixels of detail on its longer side, drawn in `shown` pixels, as a grey JPEG."""
    width, height = _fitted(picture.size, detail)
    less = picture.resize((width, height), Image.Resampling.BOX if detail < 64 else Image.Resampling.LANCZOS)
    drawn = less.resize(_fitted(picture.size, shown), Image.Resampling.BICUBIC)
    out = io.BytesIO()
    Image.fromarray(np.asarray(drawn)).save(out, "JPEG", quality=70)
    return base64.b64encode(out.getvalue()).decode()


def _fitted(size: tuple[int, int], longest: int) -> tuple[int, int]:
    scale = longest / max(size)
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))
