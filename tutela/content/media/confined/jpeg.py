"""JPEG files: luma in the decoder where that is what viewers show, else every pixel; what is damaged and what only odd.

A file is whole if libjpeg warns of nothing, or of nothing but stray bytes between segments and a missing end marker:
both are common, and cost nothing of the picture. These are mended, and the mended file is judged: libjpeg stops at its
first warning, behind which a second one may hide.
"""

import os
import re
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import simplejpeg
from PIL import Image

from tutela import _native
from tutela.content.media.confined.endings import end_of, jpeg_segments
from tutela.content.media.confined.readings import MIN_SIDE
from tutela.content.media.sniff import MediaType

_SEED = int.from_bytes(os.urandom(7))
"""Which blocks are looked at in whole: nobody who sends a file can know."""
_BEFORE_THE_END = re.compile(r"(\d+) extraneous bytes before marker 0xd9")
_FEW = 256
"""So many of these are a slip of an encoder's; more may be a file."""
_SPACES = {"L": "GRAY", "CMYK": "CMYK"}
_END = b"\xff\xd9"
_FRAMES = frozenset({0xC0, 0xC1, 0xC2})
_JFIF, _COMMENT = 0xE0, 0xFE
Pixels = npt.NDArray[np.uint8]
"""(height, width, components), of a grey picture (height, width, 1)."""


def size_of_bare(data: memoryview) -> tuple[int, int] | None:
    """(width, height) of a file that says no more before its first scan than what its pixels need: nothing in it gives
    them other colours, or turns them. None of any other."""
    size = None
    for marker, segment in jpeg_segments(data):
        if marker > _JFIF and marker != _COMMENT:
            return None
        if marker in _FRAMES and len(segment) >= 5:
            size = segment[3] << 8 | segment[4], segment[1] << 8 | segment[2]
    return size


def scaled_luma(data: bytes | memoryview) -> npt.NDArray[np.uint8] | None:
    """The luma of an ordinary file, brought down while it is decoded. None where another decoder must judge: of what is
    not ordinary, and where what viewers show is not the luma."""
    return _native.jpeg_luma(data, MIN_SIDE, _SEED)


def decoded(data: bytes | memoryview, mode: str, *, quick: bool) -> tuple[Pixels, bool]:
    """(the pixels in that Pillow mode, whether the file is damaged). Raises ValueError where nothing comes of it.

    Never scaled: only whole pixels are cut off to 0-255 as viewers do it.
    """
    for candidate in _candidates(data):
        try:
            return _whole(candidate, mode, quick=quick, strict=True), False
        except ValueError as error:
            found = _BEFORE_THE_END.search(str(error))
            odd = found is not None and int(found[1]) <= _FEW
        if odd:
            break
    return _whole(candidate, mode, quick=quick, strict=False), not odd


def _candidates(data: bytes | memoryview) -> Iterator[bytes | memoryview]:
    yield data
    yield mended(data)


def other_colours(data: bytes | memoryview, whole: Image.Image) -> Image.Image | None:
    """The picture for those who take its three components for other colours; None where the file leaves no doubt.

    Luma and two colours, or red, green and blue: JFIF, Adobe's marker and the components' names say so, and where they
    disagree or say nothing, decoders do not agree either.
    """
    said = _said_of_colours(data)
    if whole.mode != "RGB" or len(set(said)) == 1:
        return None
    if (said or ["luma"])[0] == "luma":
        return Image.merge("RGB", whole.convert("YCbCr").split())
    return Image.frombytes("YCbCr", whole.size, whole.tobytes()).convert("RGB")


def _said_of_colours(data: bytes | memoryview) -> list[str]:
    """`luma` or `colours`, as each marker says of the components; first whom libjpeg believes."""
    jfif: list[str] = []
    adobe: list[str] = []
    named: list[str] = []
    for marker, segment in jpeg_segments(memoryview(data)):
        if marker == 0xE0 and bytes(segment[:5]) == b"JFIF\0":
            jfif.append("luma")
        elif marker == 0xEE and bytes(segment[:5]) == b"Adobe" and len(segment) >= 12:
            adobe.append("colours" if segment[11] == 0 else "luma")
        elif 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC) and len(segment) >= 15 and segment[5] == 3:
            names = (segment[6], segment[9], segment[12])
            named += {(0x52, 0x47, 0x42): ["colours"], (1, 2, 3): [] if jfif or adobe else ["luma"]}.get(names, [])
    return [*jfif, *adobe, *named]


def mended(data: bytes | memoryview) -> bytes:
    """The file without stray bytes before its first scan, and with an end marker."""
    whole = bytes(data)
    kept, at = [whole[:2]], 2
    while 0 <= at < len(whole) - 3:
        if whole[at] != 0xFF or whole[at + 1] in (0x00, 0xFF):
            at = whole.find(b"\xff", at + 1)
            continue
        if whole[at + 1] == 0xDA:
            kept.append(whole[at:])
            break
        length = 2 if 0xD0 <= whole[at + 1] <= 0xD8 else 2 + int.from_bytes(whole[at + 2 : at + 4])
        kept.append(whole[at : at + length])
        at += length
    better = b"".join(kept)
    return better if end_of(memoryview(better), MediaType.JPEG) is not None else better + _END


def _whole(data: bytes | memoryview, mode: str, *, quick: bool, strict: bool) -> Pixels:
    pixels: Pixels = simplejpeg.decode_jpeg(
        data, _SPACES.get(mode, "RGB"), fastdct=quick, fastupsample=quick, strict=strict
    )
    return pixels


def as_image(pixels: Pixels, mode: str) -> Image.Image:
    """Decoded pixels as a picture of that Pillow mode."""
    if mode == "L":
        return Image.fromarray(pixels[:, :, 0])
    if mode == "CMYK":  # Adobe's are stored inverted, and all are taken for Adobe's
        height, width = pixels.shape[:2]
        return Image.frombytes("CMYK", (width, height), pixels.tobytes(), "raw", "CMYK;I")
    return Image.fromarray(pixels)
