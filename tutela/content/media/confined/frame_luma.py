"""Under `video.py`: the luma of a decoded frame, as a viewer shows it. Runs in isolated workers.

The decoder's own plane is what is shown as long as no colour leaves the RGB cube and nothing is transparent; otherwise
the frame goes through RGB at full size, and every ground that a viewer may lay under it is a reading of its own.
"""

from collections.abc import Sequence
from random import Random

import av.error
import numpy as np
import numpy.typing as npt
from av.video.frame import VideoFrame
from PIL import Image

from tutela.content.media.content import Shortcoming
from tutela.errors import UnscreenableError

Plane = npt.NDArray[np.uint8]

_EIGHT_BITS = frozenset({"yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "yuvj444p", "nv12", "gray"})
"""Pixel formats whose first plane is the luma of eight bits."""
_BLACK, _WHITE = 16, 235
"""Of luma in the limited range (ITU-R BT.601)."""
_FULL = 2
"""FFmpeg's mark of luma in the full range."""
_BT601 = frozenset({4, 5, 6, 7})
"""FFmpeg's numbers of the matrices of standard television (FCC, BT.470BG, SMPTE 170M and 240M)."""
_UNSPECIFIED = 2
_HD_HEIGHT = 720
_CHECKED_ROWS = 32
"""Rows of a frame's colours that are checked, at random."""
_MOST_CLIPPED = 2.0
"""Of 255 steps: where clipping moves luma by more on the mean, the frame is converted to RGB."""
_GROUNDS = (255, 0, 128)
_OTHER_FIELD = 12.0
"""Of 255 steps, on the mean."""


def readings(frame: VideoFrame, chance: Random) -> Sequence[Plane]:
    """The luma that viewers show of a frame, (height, width) each: one, or one a ground where it is transparent.

    Of interlaced frames whose two fields show different things each field too: some players show them in turn. Raises
    UnscreenableError for a pixel format that cannot be converted.
    """
    shown = _as_frame(frame, chance)
    if not frame.interlaced_frame:
        return shown
    return [*shown, *(field for plane in shown for field in _fields(plane))]


def _fields(plane: Plane) -> Sequence[Plane]:
    """The two fields where they differ by more than what moves between them makes."""
    height = plane.shape[0] // 2
    upper, lower = plane[0 : 2 * height : 2], plane[1 : 2 * height : 2]
    differ = height > 0 and float(np.abs(upper.astype(np.int16) - lower).mean()) > _OTHER_FIELD
    return [np.ascontiguousarray(upper), np.ascontiguousarray(lower)] if differ else []


def _as_frame(frame: VideoFrame, chance: Random) -> Sequence[Plane]:
    if any(component.is_alpha for component in frame.format.components) or frame.format.has_palette:
        return _on_grounds(converted(frame, "rgba"))
    if frame.format.name not in _EIGHT_BITS:
        if frame.format.is_rgb or len(frame.format.components) < 3:
            return [converted(frame, "gray")]
        frame = _brought_down(frame)
    if _leaves_the_cube(frame, chance):
        return [np.asarray(Image.fromarray(converted(frame, "rgb24")).convert("L"))]
    luma = _plane(frame, 0)
    return [np.ascontiguousarray(luma) if _full_range(frame) else np.clip(luma, _BLACK, _WHITE)]


def converted(frame: VideoFrame, form: str) -> Plane:
    """The frame's pixels in that form of FFmpeg's. Raises UnscreenableError."""
    try:
        return np.ascontiguousarray(frame.to_ndarray(format=form), np.uint8)
    except (av.error.FFmpegError, ValueError) as error:
        raise _not_converted(frame, error) from error


def _brought_down(frame: VideoFrame) -> VideoFrame:
    """A frame of more than eight bits, or of rare sampling, with eight and a colour for each pixel."""
    try:
        return frame.reformat(format="yuvj444p" if _full_range(frame) else "yuv444p")
    except (av.error.FFmpegError, ValueError) as error:
        raise _not_converted(frame, error) from error


def _not_converted(frame: VideoFrame, error: Exception) -> Exception:
    if isinstance(error, MemoryError):
        return error
    return UnscreenableError(
        Shortcoming.UNREADABLE, "frames of the pixel format {name} cannot be converted", name=frame.format.name
    )


def _on_grounds(rgba: Plane) -> Sequence[Plane]:
    """The colours without their transparency; where there is some, also on each ground."""
    luma = np.asarray(Image.fromarray(rgba[..., :3]).convert("L"))
    alpha = rgba[..., 3]
    if alpha.min() == 255:
        return [luma]
    share = alpha.astype(np.float32) / 255
    shown = luma * share
    return [*((shown + ground * (1 - share)).round().astype(np.uint8) for ground in _GROUNDS), luma]


def _leaves_the_cube(frame: VideoFrame, chance: Random) -> bool:
    """Whether colours are so far outside RGB that a screen, which clips them, shows another luma than the plane's.

    Looks at rows that nobody can foresee.
    """
    if frame.format.name == "gray":
        return False
    blue, red = _colours(frame)
    height, width = blue.shape
    rows = chance.sample(range(height), min(height, _CHECKED_ROWS))
    luma = _plane(frame, 0)
    step = (max(1, luma.shape[0] // height), max(1, luma.shape[1] // width))
    y = luma[[row * step[0] for row in rows], :: step[1]][:, :width].astype(np.float32)
    cb, cr = (plane[rows][:, : y.shape[1]].astype(np.float32) - 128 for plane in (blue, red))
    if not _full_range(frame):
        y, cb, cr = (y - 16) * (255 / 219), cb * (255 / 224), cr * (255 / 224)
    kr, kb = (0.299, 0.114) if _is_bt601(frame) else (0.2126, 0.0722)
    shown_red = y + 2 * (1 - kr) * cr
    shown_blue = y + 2 * (1 - kb) * cb
    shown_green = (y - kr * shown_red - kb * shown_blue) / (1 - kr - kb)
    shown = kr * shown_red.clip(0, 255) + (1 - kr - kb) * shown_green.clip(0, 255) + kb * shown_blue.clip(0, 255)
    return float(np.abs(shown - y.clip(0, 255)).mean()) > _MOST_CLIPPED


def _colours(frame: VideoFrame) -> tuple[Plane, Plane]:
    if frame.format.name == "nv12":
        both = _plane(frame, 1)
        return both[:, 0::2], both[:, 1::2]
    return _plane(frame, 1), _plane(frame, 2)


def _plane(frame: VideoFrame, number: int) -> Plane:
    plane = frame.planes[number]
    rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
    width = plane.width * 2 if frame.format.name == "nv12" and number else plane.width
    return rows[: plane.height, :width]


def _is_bt601(frame: VideoFrame) -> bool:
    space = int(frame.colorspace)
    return space in _BT601 or (space == _UNSPECIFIED and frame.height < _HD_HEIGHT)


def _full_range(frame: VideoFrame) -> bool:
    """Whether luma goes from 0 to 255. Otherwise a screen shows what lies beyond black and white as these."""
    return frame.format.name.startswith("yuvj") or frame.format.name == "gray" or frame.color_range == _FULL
