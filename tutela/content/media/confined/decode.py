"""Bytes to a picture. Imported only by isolated workers: here the decoders meet hostile files.

Limits are checked from the header, before a pixel is allocated. What a browser would show of a damaged file is
decoded and marked; what nothing can be made of raises UnscreenableError.
"""

import io
import itertools
from collections.abc import Iterable, Sequence
from importlib import import_module

import numpy as np
from PIL import Image, ImageFile

from tutela.content.media.confined import jpeg
from tutela.content.media.confined.deep import deep_readings
from tutela.content.media.confined.endings import count_gif_frames
from tutela.content.media.confined.readings import Reading, luma, readings
from tutela.content.media.confined.tones import AS_STORED, Tone, tones
from tutela.content.media.content import Content, Mode, Picture, Shortcoming
from tutela.content.media.limits import Limits
from tutela.content.media.sniff import PICTURES, MediaType
from tutela.errors import UnscreenableError

SCALED_PIXELS = 4
"""So many times the limit of pixels may a picture have that is brought down while it is decoded."""

_PILLOW_FORMAT = {
    MediaType.JPEG: "JPEG",
    MediaType.PNG: "PNG",
    MediaType.GIF: "GIF",
    MediaType.WEBP: "WEBP",
    MediaType.BMP: "BMP",
    MediaType.TIFF: "TIFF",
    MediaType.AVIF: "AVIF",
    MediaType.HEIC: "HEIF",
    MediaType.JXL: "JXL",
    MediaType.JPEG2000: "JPEG2000",
    MediaType.PSD: "PSD",
    MediaType.TGA: "TGA",
    MediaType.PNM: "PPM",
    MediaType.QOI: "QOI",
}
_TIMED_ON_LOAD = frozenset({MediaType.WEBP, MediaType.AVIF})
"""Their decoders tell how long a frame is shown only once it is decoded."""
_ORIENTATION_TAG = 0x0112
_PLUG_INS = {
    MediaType.HEIC: ("pillow_heif", "register_heif_opener"),
    MediaType.JXL: ("pillow_jxl", ""),
}
"""Formats that others add to Pillow: the module, and the function in it that does so."""

Image.MAX_IMAGE_PIXELS = None  # our own limit applies, to every format alike


def decode_picture(data: bytes | memoryview, media_type: MediaType | None, mode: Mode, limits: Limits) -> Picture:
    """The first picture in the content. Raises UnscreenableError with a `Shortcoming` as its reason."""
    if len(data) == 0:
        raise UnscreenableError(Shortcoming.EMPTY, "there is no content")
    if len(data) > limits.max_bytes:
        raise UnscreenableError(
            Shortcoming.TOO_MANY_BYTES,
            "{data:,} bytes are over the limit of {max_bytes:,}",
            data=len(data),
            max_bytes=limits.max_bytes,
        )
    if media_type is None:
        raise UnscreenableError(Shortcoming.UNKNOWN_TYPE, "the content is of no known type")
    if media_type not in PICTURES:
        raise UnscreenableError(
            Shortcoming.UNSUPPORTED_TYPE, "{media_type} is not decoded by this version", media_type=media_type
        )
    if media_type in _PLUG_INS:
        _plug_in(media_type)
    try:
        return _decode(data, media_type, mode, limits)
    except MemoryError:
        raise UnscreenableError(Shortcoming.OUT_OF_MEMORY, "decoding needs more memory than allowed") from None
    except UnscreenableError:
        raise
    except Exception as error:  # whatever a decoder makes of a hostile file, the answer is a hold
        raise UnscreenableError(
            Shortcoming.UNREADABLE,
            "the {media_type} cannot be decoded: {kind}",
            media_type=media_type,
            kind=type(error).__name__,
        ) from error


def _decode(data: bytes | memoryview, media_type: MediaType, mode: Mode, limits: Limits) -> Picture:
    quick_jpeg = media_type is MediaType.JPEG and mode is Mode.FAST
    bare = jpeg.size_of_bare(memoryview(data)) if quick_jpeg else None
    if bare is not None and (picture := _bare_jpeg(data, bare, limits)) is not None:
        return picture
    image = _opened(data, media_type)
    ways, passed_over = tones(image, memoryview(data), media_type)
    if media_type is MediaType.JPEG:
        may_be_luma = quick_jpeg and bare is None and len(ways) == 1 and image.mode in ("L", "RGB")
        shown, damaged = _jpeg(image, data, ways, mode, limits, may_be_luma=may_be_luma)
    else:
        _check_size(image, limits.max_pixels)
        shown, damaged = _through_pillow(image, ways, mode)
    deep, unread = deep_readings(memoryview(data), media_type, ways, mode)
    return _picture(image, [*shown, *deep], damaged, unread or passed_over, _frames(image, data, media_type, limits))


def _bare_jpeg(data: bytes | memoryview, size: tuple[int, int], limits: Limits) -> Picture | None:
    """Without Pillow, which takes a tenth as long to open a small one as that takes to decode. None where another
    decoder must judge."""
    width, height = size
    if width * height > SCALED_PIXELS * limits.max_pixels or (shown := jpeg.scaled_luma(data)) is None:
        return None
    return Picture(shown, width, height, _eighths(size, shown.shape))


def luma_of(image: Image.Image) -> Picture:
    """The luma of what a library drew or a program would show, brought down as far as that is enough."""
    shown = np.ascontiguousarray(luma(image))
    return Picture(shown, image.width, image.height, _eighths(image.size, shown.shape))


def _picture(image: Image.Image, shown: Sequence[Reading], damaged: bool, unread: str = "", frames: int = 1) -> Picture:
    first, *others = ((reading.name, np.ascontiguousarray(reading.pixels)) for reading in shown)
    return Picture(
        pixels=first[1],
        width=image.width,
        height=image.height,
        eighths=_eighths(image.size, first[1].shape),
        orientation=_orientation(image),
        damaged=damaged,
        frames=frames,
        readings=tuple(others),
        unread=unread,
    )


class FrameReader:
    """The frames or pages of a picture, in order; each is what a viewer shows at that time."""

    def __init__(self, content: Content) -> None:
        assert content.media_type is not None
        self._image = _opened(content.data, content.media_type)
        self._mode = content.mode
        self._limits = content.limits
        self._ways, _ = tones(self._image, memoryview(content.data), content.media_type)
        self.numbers: Iterable[int]
        """Of all but the one that is the picture itself; of a PSD, the layers beneath it. Of a GIF all that may be: the
        decoder would read through it to count them."""
        if content.media_type is MediaType.GIF:
            self.numbers = itertools.count(1)
        else:
            first = 0 if content.media_type is MediaType.PSD else self._image.tell() + 1
            self.numbers = range(first or 1, getattr(self._image, "n_frames", 1) + (first == 0))
        if content.media_type in _TIMED_ON_LOAD:
            self._image.load()
        self._shown_at_ms = float(self._image.info.get("duration") or 0)

    def frame(self, number: int) -> tuple[Picture, float | None]:
        """The frame of that number, and the second at which it is shown, None where nothing says that.

        Ask in ascending order. Raises EOFError past the last one, and whatever the decoder makes of a hostile one.
        """
        self._image.seek(number)
        _check_size(self._image, self._limits.max_pixels)
        shown, damaged = _through_pillow(self._image, self._ways, self._mode)
        shown_at_ms = self._shown_at_ms
        self._shown_at_ms += float(self._image.info.get("duration") or 0)
        return _picture(self._image, shown, damaged), shown_at_ms / 1000 if shown_at_ms else None


def _jpeg(
    image: Image.Image,
    data: bytes | memoryview,
    ways: Sequence[Tone],
    mode: Mode,
    limits: Limits,
    *,
    may_be_luma: bool,
) -> tuple[list[Reading], bool]:
    """(readings, damaged). One that is scaled while it is decoded may have more pixels than others."""
    _check_size(image, SCALED_PIXELS * limits.max_pixels)
    quick = mode is Mode.FAST
    if may_be_luma and (shown := jpeg.scaled_luma(data)) is not None:
        return [Reading("", shown)], False
    _check_size(image, limits.max_pixels)
    try:
        pixels, damaged = jpeg.decoded(data, image.mode, quick=quick)
    except ValueError:  # of a kind that this decoder has not
        return _through_pillow(image, ways, mode)
    if not quick and ways == [AS_STORED] and image.mode == "RGB":
        return [Reading("", pixels)], damaged  # as they are, without a copy through Pillow
    whole = jpeg.as_image(pixels, image.mode)
    found = readings(whole, ways, mode)
    if quick and (other := jpeg.other_colours(data, whole)) is not None:
        others = readings(other, [AS_STORED], mode)
        found += [Reading("with its components as other colours", one.pixels) for one in others]
    return found, damaged


def _opened(data: bytes | memoryview, media_type: MediaType) -> Image.Image:
    """As browsers open it: a wrong checksum of what a PNG can do without is no fault."""
    form = _PILLOW_FORMAT.get(media_type, "CUR" if bytes(data[2:4]) == b"\2\0" else "ICO")
    try:
        return Image.open(io.BytesIO(data), formats=[form])
    except (OSError, SyntaxError):
        if media_type is not MediaType.PNG:
            raise
    ImageFile.LOAD_TRUNCATED_IMAGES = True
    try:
        return Image.open(io.BytesIO(data), formats=[form])
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = False


def _check_size(image: Image.Image, max_pixels: int) -> None:
    width, height = image.size
    if width * height > max_pixels:
        raise UnscreenableError(
            Shortcoming.TOO_MANY_PIXELS,
            "{width:,} x {height:,} pixels are over the limit of {max_pixels:,}",
            width=width,
            height=height,
            max_pixels=max_pixels,
        )


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


def _through_pillow(image: Image.Image, ways: Sequence[Tone], mode: Mode) -> tuple[list[Reading], bool]:
    """(readings, damaged) by Pillow."""
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
    return readings(image, ways, mode), damaged


def _orientation(image: Image.Image) -> int:
    try:
        orientation = image.getexif().get(_ORIENTATION_TAG, 1)
    except Exception:  # broken metadata turns nothing in a viewer either
        return 1
    return orientation if isinstance(orientation, int) and 1 <= orientation <= 8 else 1


def _plug_in(media_type: MediaType) -> None:
    """Have Pillow know a format that it does not bring itself."""
    module, opener = _PLUG_INS[media_type]
    try:
        loaded = import_module(module)
    except ImportError:
        name = media_type.name
        raise UnscreenableError(
            Shortcoming.UNSUPPORTED_TYPE, "{name} needs the extra tutela[formats]", name=name
        ) from None
    if opener:
        getattr(loaded, opener)()
