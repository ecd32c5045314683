"""Bytes to a picture. Imported only by isolated workers: here the decoders meet hostile files.

Limits are checked from the header, before a pixel is allocated. What a browser would show of a damaged file is
decoded and marked; what nothing can be made of raises UnscreenableError.
"""

import io

import numpy as np
import numpy.typing as npt
import simplejpeg
from PIL import Image, ImageFile

from tutela import _native
from tutela.content.media.confined import colour
from tutela.content.media.confined.endings import count_gif_frames
from tutela.content.media.content import Content, Limits, Mode, Picture, Shortcoming
from tutela.content.media.sniff import PICTURES, MediaType
from tutela.errors import UnscreenableError

FAST_MIN_SIDE = 256
"""In fast mode a JPEG is scaled in the decoder as far as its short side keeps this many pixels; PDQ needs 64."""

_PILLOW_FORMAT = {
    MediaType.JPEG: "JPEG",
    MediaType.PNG: "PNG",
    MediaType.GIF: "GIF",
    MediaType.WEBP: "WEBP",
    MediaType.BMP: "BMP",
    MediaType.TIFF: "TIFF",
    MediaType.AVIF: "AVIF",
    MediaType.HEIC: "HEIF",
}
_TIMED_ON_LOAD = frozenset({MediaType.WEBP, MediaType.AVIF})
"""Their decoders tell how long a frame is shown only once it is decoded."""
_ORIENTATION_TAG = 0x0112

Image.MAX_IMAGE_PIXELS = None  # our own limit applies, to every format alike


def decode_picture(data: bytes | memoryview, media_type: MediaType | None, mode: Mode, limits: Limits) -> Picture:
    """The first picture in the content. Raises UnscreenableError with a `Shortcoming` as its reason."""
    if len(data) == 0:
        raise UnscreenableError(Shortcoming.EMPTY, "there is no content")
    if len(data) > limits.max_bytes:
        raise UnscreenableError(
            Shortcoming.TOO_MANY_BYTES, f"{len(data):,} bytes are over the limit of {limits.max_bytes:,}"
        )
    if media_type is None:
        raise UnscreenableError(Shortcoming.UNKNOWN_TYPE, "the content is of no known type")
    if media_type not in PICTURES:
        raise UnscreenableError(Shortcoming.UNSUPPORTED_TYPE, f"{media_type} is not decoded by this version")
    if media_type is MediaType.HEIC:
        _register_heif()
    try:
        return _decode(data, media_type, mode, limits)
    except MemoryError:
        raise UnscreenableError(Shortcoming.OUT_OF_MEMORY, "decoding needs more memory than allowed") from None
    except UnscreenableError:
        raise
    except Exception as error:  # whatever a decoder makes of a hostile file, the answer is a hold
        raise UnscreenableError(
            Shortcoming.UNREADABLE, f"the {media_type} cannot be decoded: {type(error).__name__}"
        ) from error


def _decode(data: bytes | memoryview, media_type: MediaType, mode: Mode, limits: Limits) -> Picture:
    image = Image.open(io.BytesIO(data), formats=[_PILLOW_FORMAT[media_type]])
    width, height = _size(image, limits)
    pixels, damaged = None, False
    if media_type is MediaType.JPEG and mode is Mode.FAST and _plain_jpeg(image):
        pixels, damaged = _scaled_grey(data)
    if pixels is None:
        pixels, damaged = _through_pillow(image, mode)
    return Picture(
        pixels=np.ascontiguousarray(pixels),
        width=width,
        height=height,
        eighths=_eighths((width, height), pixels.shape),
        orientation=_orientation(image),
        damaged=damaged,
        frames=_frames(image, data, media_type, limits),
    )


class FrameReader:
    """The frames or pages of a picture, in order; each is what a viewer shows at that time."""

    def __init__(self, content: Content) -> None:
        assert content.media_type is not None
        self._image = Image.open(io.BytesIO(content.data), formats=[_PILLOW_FORMAT[content.media_type]])
        self._mode = content.mode
        self._limits = content.limits
        if content.media_type in _TIMED_ON_LOAD:
            self._image.load()
        self._shown_at_ms = float(self._image.info.get("duration") or 0)

    def frame(self, number: int) -> tuple[Picture, float | None]:
        """The frame of that number, from 1 on, and the second at which it is shown, None where nothing says that.

        Ask in ascending order. Raises EOFError past the last one, and whatever the decoder makes of a hostile one.
        """
        self._image.seek(number)
        width, height = _size(self._image, self._limits)
        pixels, damaged = _through_pillow(self._image, self._mode)
        shown_at_ms = self._shown_at_ms
        self._shown_at_ms += float(self._image.info.get("duration") or 0)
        picture = Picture(
            np.ascontiguousarray(pixels), width, height, orientation=_orientation(self._image), damaged=damaged
        )
        return picture, shown_at_ms / 1000 if shown_at_ms else None


def _size(image: Image.Image, limits: Limits) -> tuple[int, int]:
    width, height = image.size
    if width * height > limits.max_pixels:
        raise UnscreenableError(
            Shortcoming.TOO_MANY_PIXELS,
            f"{width:,} x {height:,} pixels are over the limit of {limits.max_pixels:,}",
        )
    return width, height


def _frames(image: Image.Image, data: bytes | memoryview, media_type: MediaType, limits: Limits) -> int:
    if media_type is MediaType.JPEG:
        return 1
    if media_type is MediaType.GIF:  # Pillow would read through every one of them to count them
        return max(1, count_gif_frames(memoryview(data), limits.max_parts + 2))
    return int(getattr(image, "n_frames", 1))


def _eighths(size: tuple[int, int], shape: tuple[int, ...]) -> int:
    """How far the decoder scaled; its sizes are rounded up."""
    width, height = size
    fitting = (m for m in range(8, 0, -1) if (-(-height * m // 8), -(-width * m // 8)) == shape[:2])
    return next(fitting)


def _plain_jpeg(image: Image.Image) -> bool:
    """Whether the file's luma plane is what a viewer shows in grey."""
    return image.mode in ("L", "RGB") and not colour.profile_matters(image)


def _scaled_grey(data: bytes | memoryview) -> tuple[npt.NDArray[np.uint8] | None, bool]:
    """(luma, damaged); no luma where these decoders cannot make any, so that another is asked."""
    if (luma := _native.jpeg_luma(data, FAST_MIN_SIDE)) is not None:
        return luma, False
    try:
        return _jpeg_luma(data, strict=True), False
    except ValueError as error:
        # Stray bytes between segments are common and cost nothing of the picture; anything else does.
        damaged = "extraneous bytes" not in str(error)
    try:
        return _jpeg_luma(data, strict=False), damaged
    except ValueError:
        return None, True


def _jpeg_luma(data: bytes | memoryview, *, strict: bool) -> npt.NDArray[np.uint8]:
    decoded: npt.NDArray[np.uint8] = simplejpeg.decode_jpeg(
        data,
        "GRAY",
        fastdct=True,
        fastupsample=True,
        min_height=FAST_MIN_SIDE,
        min_width=FAST_MIN_SIDE,
        strict=strict,
    )
    return decoded[:, :, 0]


def _through_pillow(image: Image.Image, mode: Mode) -> tuple[npt.NDArray[np.uint8], bool]:
    """(pixels, damaged) by Pillow: luma in fast mode, RGB in exact mode."""
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    damaged = False
    try:
        image.load()
    except (OSError, SyntaxError, ValueError):
        # Once more, accepting what can be had; the decoder starts where it left off.
        ImageFile.LOAD_TRUNCATED_IMAGES = True
        damaged = True
        image.load()
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = False
    rgb = colour.as_displayed(image)
    return np.asarray(rgb if mode is Mode.EXACT else rgb.convert("L")), damaged


def _orientation(image: Image.Image) -> int:
    try:
        orientation = image.getexif().get(_ORIENTATION_TAG, 1)
    except Exception:  # broken metadata turns nothing in a viewer either
        return 1
    return orientation if isinstance(orientation, int) and 1 <= orientation <= 8 else 1


def _register_heif() -> None:
    try:
        from pillow_heif import register_heif_opener
    except ImportError:
        raise UnscreenableError(Shortcoming.UNSUPPORTED_TYPE, "HEIC pictures need the extra tutela[formats]") from None
    register_heif_opener()
