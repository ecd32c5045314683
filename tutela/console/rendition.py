"""The task that runs inside an isolated worker: evidence in, small grey renditions of growing clearness out.

What leaves is always encoded anew: no byte of a hostile file, no metadata, no colour and no sound reach a browser.
"""

import base64
import contextlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from tutela.content.media.confined.budget import Budget
from tutela.content.media.confined.decode import decode_picture
from tutela.content.media.confined.opened import OpenedContent
from tutela.content.media.confined.stretch import Frame
from tutela.content.media.confined.walk import walk
from tutela.content.media.content import Content, Mode, Shortcoming
from tutela.content.media.limits import Limits
from tutela.content.media.sniff import PICTURES, VIDEOS, MediaType, sniff
from tutela.errors import UnscreenableError

_SHEET = 3
"""A contact sheet has so many frames across and down."""
_CANDIDATES = 36
"""Frames of a video that are looked at for a sheet."""
_SHORT_S, _UNKNOWN_LENGTH_S = 60.0, 30.0
_SAME = 2.5
"""Frames that differ by fewer levels of grey, on the mean of small fields, show the same."""
_Thumbnail = npt.NDArray[np.float32]


def render(data: memoryview, options: Mapping[str, Any]) -> dict[str, Any]:
    """Renditions as JPEG in base64, one a step of `options["steps"]`: [pixels of detail, pixels shown] a step.

    `options["frame"]` is the number of one frame of a video, or None: the picture, or a contact sheet of a video.
    `options["matched"]` are the seconds of a video that matched: they are shown first.
    `options["parts"]` are the paths of the pictures to show of what has others inside; empty for the content itself.
    """
    limits = Limits(**options["limits"])
    frames = _frames(data, limits, options["parts"], options.get("matched", ()))
    wanted = options["frame"]
    if wanted is None:
        picture = frames[0] if len(frames) == 1 else _sheet(frames)
    elif 0 <= wanted < len(frames):
        picture = frames[wanted]
    else:
        raise UnscreenableError(Shortcoming.UNREADABLE, "there is no such frame")
    whole = len(frames) == 1 and sniff(data) in PICTURES
    return {"steps": [_step(picture, *step) for step in options["steps"]], "frames": len(frames), "whole": whole}


def _frames(data: memoryview, limits: Limits, parts: Sequence[str], matched: Sequence[float]) -> Sequence[Image.Image]:
    media_type = sniff(data)
    if media_type in VIDEOS:
        return _video(data, limits, matched)
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
    for place in walk(OpenedContent(data, Mode.FAST, limits), Budget(limits, len(data))):
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
    if content.media_type in VIDEOS:
        return _video(memoryview(content.data), limits, ())
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


def _video(data: memoryview, limits: Limits, matched: Sequence[float]) -> Sequence[Image.Image]:
    """Up to a sheet's frames of a video that show different things, those that matched first, each with its time."""
    try:
        from tutela.content.media.confined.video import Video
    except ImportError:
        raise UnscreenableError(Shortcoming.UNSUPPORTED_TYPE, "a preview of videos needs tutela[video]") from None
    video = Video(data, Mode.FAST, limits)
    wanted = video.at(matched[: _SHEET * _SHEET])
    others = video.at(_moments(video.facts.duration_s))
    chosen = _different([*map(_clearest, wanted)], [*map(_clearest, others)])
    if not chosen:
        raise UnscreenableError(Shortcoming.UNREADABLE, "no frame of the video can be decoded")
    return [_timed(_small(Image.fromarray(frame.pixels)), frame.seconds) for frame in chosen]


def _moments(duration_s: float | None) -> Sequence[float]:
    """Evenly over a video; of a long one fewer, because each is sought for."""
    length_s = duration_s or _UNKNOWN_LENGTH_S
    count = _CANDIDATES if length_s <= _SHORT_S else _CANDIDATES // 2
    return [length_s * (number + 0.5) / count for number in range(count)]


def _different(wanted: Sequence[Frame], others: Sequence[Frame]) -> Sequence[Frame]:
    """The wanted frames, then again and again the one that is least like all before it; each kind in the order of time.
    One that shows what another does is left out."""
    chosen: list[tuple[Frame, _Thumbnail]] = []
    for group in (wanted, others):
        waiting = [(frame, _thumbnail(frame)) for frame in group]
        while waiting and len(chosen) < _SHEET * _SHEET:
            strangest = max(waiting, key=lambda item: _difference(item[1], chosen))
            if _difference(strangest[1], chosen) <= _SAME:
                break
            chosen.append(strangest)
            waiting = [item for item in waiting if item is not strangest]
    matched = {id(frame) for frame in wanted}
    return sorted((frame for frame, _ in chosen), key=lambda frame: (id(frame) not in matched, frame.seconds))


def _thumbnail(frame: Frame) -> _Thumbnail:
    return np.asarray(Image.fromarray(frame.pixels).resize((32, 32), Image.Resampling.BOX), np.float32)


def _difference(one: _Thumbnail, others: Sequence[tuple[Frame, _Thumbnail]]) -> float:
    """Levels of grey, on the mean, to the one that is most alike."""
    return min((float(np.abs(one - other).mean()) for _, other in others), default=256.0)


def _clearest(readings: Sequence[Frame]) -> Frame:
    """The frame as it is shown; of a transparent one, on the ground on which most is to be seen."""
    frame = max(readings, key=lambda reading: float(reading.pixels.std()))
    return replace(frame, pixels=np.ascontiguousarray(np.rot90(frame.pixels, frame.quarters)))


def _timed(picture: Image.Image, seconds: float) -> Image.Image:
    """A tile with its time in a corner."""
    text = f"{int(seconds) // 60}:{seconds % 60:04.1f}"
    drawing = ImageDraw.Draw(picture)
    font = ImageFont.load_default(max(10, picture.height // 12))
    box = drawing.textbbox((4, 2), text, font=font)
    drawing.rectangle((0, 0, box[2] + 4, box[3] + 4), fill=0)
    drawing.text((4, 2), text, fill=255, font=font)
    return picture


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
